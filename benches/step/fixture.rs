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
        let sources = Sources {
            rules: (0..rules).map(|number| rule(number, fires)).collect(),
            ..Sources::default()
        };
        let rules =
            RuleSet::compile(&sources).map_err(|faults| anyhow::anyhow!(render(&faults)))?;
        let each = (EVALUATIONS_MAX / rules.rules().len().max(1) as u64).clamp(1, BATCH);
        Ok(Stepping {
            batch: each,
            run: format!("{}-{fires}", rules.rules().len()),
            partition: partition(&self.customers),
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

/// A rule of five conjuncts. If it does not fire, the first four hold and the last, a window, does not.
fn rule(number: usize, fires: bool) -> Source {
    let spent = if fires { 0 } else { 10_000_000 + number };
    let text = format!(
        r#"const RULE = #{{ on: "merchant.checkout", channels: ["push"], fresh: "1d" }};
fn when(event, customer) {{
    event.stage == "started" && event.tender == "other_bank" && event.merchant.partner
        && event.amount >= 100 && customer.spend("dining", "30d") >= {spent}
}}
fn action(event, customer) {{
    let value = min(event.amount * 0.1, 30);
    #{{ kind: "offer", code: "DINE", value: value, cost: value, expires: "10m",
        text: #{{ "zh-CN": `立减 ${{money(value)}} 元`, "en": `${{money(value)}} off` }} }}
}}
"#
    );
    Source {
        path: format!("bench/rule-{number:04}.rhai").into(),
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
