//! Customers, events and rules.

use crate::Done;
use onscene::action::Decision;
use onscene::clock::{DAY, Millis, format_rfc3339, monotonic_now};
use onscene::decode::Decoder;
use onscene::event::{Event, Incoming, Schema, Stored};
use onscene::partition::{Input, Partition};
use onscene::partitioning::{bucket_of, partition_of};
use onscene::rules::{RuleSet, Source, Sources, render};
use onscene::state::{Customers, JournalLimits};
use std::hint::black_box;
use std::sync::{Arc, LazyLock};

/// Entries in each journal before anything is measured.
pub(crate) const HISTORY: u64 = 8;
/// Events stepped at once, as the engine does; fewer when there are many rules, so that the machine seldom does
/// something else meanwhile.
const BATCH: u64 = 64;
/// Evaluations of a rule in one batch.
const EVALUATIONS_MAX: u64 = 1_000;
/// When it all happens: 2026-11-22T02:00:00Z.
pub(crate) const NOW: Millis = 1_795_312_800_000;
/// Different events that are decoded in turn.
const DECODED: u64 = 256;

/// The customers with their journals.
pub(crate) struct Fixture {
    pub(crate) customers: Arc<Customers>,
    count: u64,
}

impl Fixture {
    /// So many customers, each with [`HISTORY`] paid checkouts, one a day.
    pub(crate) fn new(count: u64) -> Self {
        let customers = Arc::new(Customers::default());
        let mut partition = partition(&customers);
        for entry in 0..HISTORY {
            let days = i64::try_from(HISTORY - entry).unwrap_or(0);
            for customer in 0..count {
                let id = entry * count + customer;
                partition.fold(&input("history", id, customer, "paid", NOW - days * DAY));
            }
        }
        Self { customers, count }
    }

    /// Steps events against so many rules.
    pub(crate) fn stepping(&self, rules: usize, fires: bool) -> anyhow::Result<Stepping> {
        let shape = if fires { Shape::Fires } else { Shape::Mixed };
        self.stepping_over(
            &rule_set(rules, shape)?,
            if fires { "fires" } else { "silent" },
        )
    }

    /// Steps events against rules; `run` is in the ids of its events.
    pub(crate) fn stepping_over(&self, rules: &RuleSet, run: &str) -> anyhow::Result<Stepping> {
        let rules = rules.clone();
        let each = (EVALUATIONS_MAX / rules.rules().len().max(1) as u64).clamp(1, BATCH);
        Ok(Stepping {
            batch: each,
            run: format!("{}-{run}", rules.rules().len()),
            partition: partition(&self.customers).keeping_quiet(),
            rules,
            customers: self.count,
            next: 0,
        })
    }

    /// Decodes events.
    pub(crate) fn decoding(&self) -> Decoding {
        let stored = |index| stored("decode", index, index % self.count, "started", NOW);
        Decoding {
            stored: (0..DECODED).map(stored).collect(),
            schema: Schema::default(),
            decoder: Decoder::default(),
        }
    }
}

fn partition(customers: &Arc<Customers>) -> Partition {
    let limits = JournalLimits::default();
    Partition::new(customers.clone(), limits, jiff::tz::TimeZone::UTC)
}

/// What rules ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Five conjuncts, which hold.
    Fires,
    /// Five conjuncts: equality, ranges, and a sum over 30 days with a threshold of its own. The last does not hold.
    Mixed,
    /// Two comparisons of the amount with numbers of the rule's own.
    Ranges,
    /// One of 500 windows, with a threshold of its own.
    Windows,
}

/// So many rules of one shape.
pub(crate) fn rule_set(count: usize, shape: Shape) -> anyhow::Result<RuleSet> {
    let sources = Sources {
        rules: (0..count).map(|number| rule(number, shape)).collect(),
        ..Sources::default()
    };
    RuleSet::compile(&sources).map_err(|faults| anyhow::anyhow!(render(&faults)))
}

fn condition(number: usize, shape: Shape) -> String {
    let mixed = |spent: usize| {
        format!(
            r#"event.stage == "started" && event.tender == "other_bank" && event.merchant.partner
        && event.amount >= 100 && customer.spend("dining", "30d") >= {spent}"#
        )
    };
    let far = 10_000_000 + number;
    match shape {
        Shape::Fires => mixed(0),
        Shape::Mixed => mixed(far),
        // Amounts are between 100 and 500.
        Shape::Ranges if number.is_multiple_of(2) => {
            format!(
                "event.amount >= {} && event.amount < {}",
                600 + number,
                700 + number
            )
        }
        Shape::Ranges => {
            format!(
                "event.amount >= {} && event.amount < {}",
                number % 50,
                50 + number % 50
            )
        }
        Shape::Windows => {
            format!(
                r#"customer.spend("dining", "{}h") >= {far}"#,
                200 + number % 500
            )
        }
    }
}

fn rule(number: usize, shape: Shape) -> Source {
    let condition = condition(number, shape);
    let text = format!(
        r#"const RULE = #{{ on: "merchant.checkout", channels: ["push"], fresh: "1d" }};
fn when(event, customer) {{
    {condition}
}}
fn action(event, customer) {{
    let value = min(event.amount * 0.1, 30);
    #{{ kind: "offer", code: "DINE", value: value, cost: value, expires: "10m",
        text: #{{ "zh-CN": `立减 ${{money(value)}} 元`, "en": `${{money(value)}} off` }} }}
}}
"#
    );
    Source {
        path: format!("bench/rule-{number:05}.rhai").into(),
        text: text.into(),
    }
}

fn stored(run: &str, id: u64, customer: u64, stage: &str, time: Millis) -> Stored {
    let customer = format!("C{customer:07}");
    let payload = format!(
        concat!(
            r#"{{"specversion":"1.0","id":"{run}-{id}","source":"till-9","type":"merchant.checkout","#,
            r#""subject":"{customer}","time":"{time}","data":{{"stage":"{stage}","amount":"{yuan}.50","#,
            r#""currency":"CNY","tender":"other_bank","merchant":{{"id":"M{merchant}","name":"Noodle House","#,
            r#""category":"dining","mcc":"5812","city":"Shanghai","partner":true}},"items":[]}}}}"#
        ),
        run = run,
        id = id,
        customer = customer,
        time = format_rfc3339(time),
        stage = stage,
        yuan = 100 + id % 400,
        merchant = id % 211,
    );
    let (partition, bucket) = (partition_of(&customer, 16), bucket_of(&customer));
    Stored {
        sequence: id,
        stored_at: time,
        subject: format!("scene.in.{partition}.{bucket}.merchant.checkout"),
        headers: Vec::new(),
        payload: payload.into(),
    }
}

/// A decoded event.
pub(crate) fn event(run: &str, id: u64, customer: u64, stage: &str, time: Millis) -> Event {
    let stored = stored(run, id, customer, stage, time);
    static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::default);
    Decoder::default()
        .decode(&stored, &SCHEMA)
        .expect("invariant: the benchmark's events are sound")
}

fn input(run: &str, id: u64, customer: u64, stage: &str, time: Millis) -> Input {
    Input {
        sequence: id + 1,
        stored_at: time,
        already: 0,
        what: Incoming::Event(event(run, id, customer, stage, time)),
    }
}

/// Decodes the same events again and again.
pub(crate) struct Decoding {
    stored: Vec<Stored>,
    schema: Schema,
    decoder: Decoder,
}

impl Decoding {
    /// Decodes each once.
    pub(crate) fn run(&mut self) -> Done {
        let started = monotonic_now();
        for stored in &self.stored {
            black_box(self.decoder.decode(stored, &self.schema).is_ok());
        }
        Done::since(started, self.stored.len())
    }
}

/// Steps new events, of all customers in turn.
pub(crate) struct Stepping {
    run: String,
    partition: Partition,
    rules: RuleSet,
    customers: u64,
    batch: u64,
    next: u64,
}

impl Stepping {
    /// Steps one batch. Decoding it first does not count, but leaves it in the processor's cache, as it
    /// does in the engine.
    pub(crate) fn run(&mut self) -> Done {
        let batch = self.batch();
        let started = monotonic_now();
        black_box(self.partition.step(&batch, NOW, &self.rules));
        Done::since(started, batch.len())
    }

    /// The decisions of one batch.
    pub(crate) fn decisions(&mut self) -> Vec<Decision> {
        let batch = self.batch();
        let output = self.partition.step(&batch, NOW, &self.rules);
        output.decisions().cloned().collect()
    }

    fn batch(&mut self) -> Vec<Input> {
        self.next += self.batch;
        (self.next - self.batch..self.next)
            .map(|id| {
                // A stride that meets every customer and keeps neighbours apart.
                let customer = id.wrapping_mul(7_919) % self.customers;
                input(&self.run, id, customer, "started", NOW)
            })
            .collect()
    }
}
