//! The condition as rules of Onscene, stepped with real customers.

use crate::Work;
use onscene::clock::{DAY, Millis, format_rfc3339, monotonic_now};
use onscene::decode::Decoder;
use onscene::event::{Incoming, Schema, Stored};
use onscene::partition::{Input, Partition};
use onscene::partitioning::{bucket_of, partition_of};
use onscene::rules::{RuleSet, Source, Sources, render};
use onscene::state::{Customers, JournalLimits};
use std::hint::black_box;
use std::sync::Arc;

/// Numbers of rules.
pub(crate) const RULES: [usize; 2] = [1_000, 10_000];
/// 2026-11-22T02:00:00Z.
const NOW: Millis = 1_795_312_800_000;
const CUSTOMERS: u64 = 1_000;
const HISTORY: u64 = 8;
/// Events stepped in one go with rules, and without.
const EVENTS: [u64; 2] = [4, 64];

/// Steps events with so many rules and with none; tells what one rule took.
pub(crate) fn stepping(rules: usize) -> anyhow::Result<Work> {
    let (mut with, mut without) = (Steps::new(rules)?, Steps::new(0)?);
    anyhow::ensure!(with.decided()? == 0, "a rule fired");
    Ok(Box::new(move || {
        let each = with.step(EVENTS[0]) - without.step(EVENTS[1]);
        each / f64::from(u32::try_from(rules).unwrap_or(u32::MAX))
    }))
}

struct Steps {
    partition: Partition,
    rules: RuleSet,
    next: u64,
}

impl Steps {
    fn new(rules: usize) -> anyhow::Result<Self> {
        let sources = Sources {
            rules: (0..rules).map(rule).collect(),
            ..Sources::default()
        };
        let rules =
            RuleSet::compile(&sources).map_err(|faults| anyhow::anyhow!(render(&faults)))?;
        let customers = Arc::new(Customers::default());
        let mut partition =
            Partition::new(customers, JournalLimits::default(), jiff::tz::TimeZone::UTC);
        for entry in 0..HISTORY {
            let days = i64::try_from(HISTORY - entry)?;
            for customer in 0..CUSTOMERS {
                partition.fold(&input(
                    entry * CUSTOMERS + customer,
                    customer,
                    "paid",
                    NOW - days * DAY,
                )?);
            }
        }
        let next = HISTORY * CUSTOMERS;
        Ok(Self {
            partition,
            rules,
            next,
        })
    }

    fn batch(&mut self, events: u64) -> anyhow::Result<Vec<Input>> {
        self.next += events;
        (self.next - events..self.next)
            .map(|id| input(id, id.wrapping_mul(7_919) % CUSTOMERS, "started", NOW))
            .collect()
    }

    fn decided(&mut self) -> anyhow::Result<usize> {
        let batch = self.batch(1)?;
        Ok(self
            .partition
            .step(&batch, NOW, &self.rules)
            .decisions()
            .count())
    }

    /// Nanoseconds an event.
    fn step(&mut self, events: u64) -> f64 {
        let batch = self
            .batch(events)
            .expect("invariant: the benchmark's events are sound");
        let started = monotonic_now();
        black_box(self.partition.step(&batch, NOW, &self.rules));
        started.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(events).unwrap_or(u32::MAX))
    }
}

fn rule(number: usize) -> Source {
    let text = format!(
        r#"const RULE = #{{ on: "merchant.checkout", channels: ["push"], fresh: "1d" }};
fn when(event, customer) {{
    event.stage == "started" && event.tender == "other_bank" && event.merchant.partner
        && event.amount >= 100 && customer.spend("dining", "30d") >= {}
}}
fn action(event, customer) {{ #{{ kind: "offer", code: "X", text: #{{ "en": `x` }} }} }}
"#,
        10_000_000 + number
    );
    Source {
        path: format!("bench/rule-{number:05}.rhai").into(),
        text: text.into(),
    }
}

fn input(id: u64, customer: u64, stage: &str, time: Millis) -> anyhow::Result<Input> {
    let customer = format!("C{customer:07}");
    let payload = format!(
        concat!(
            r#"{{"specversion":"1.0","id":"{id}","source":"till","type":"merchant.checkout","subject":"{customer}","#,
            r#""time":"{time}","data":{{"stage":"{stage}","amount":"{yuan}.50","currency":"CNY","tender":"other_bank","#,
            r#""merchant":{{"id":"M7","name":"Noodle House","category":"dining","partner":true}},"items":[]}}}}"#
        ),
        id = id,
        customer = customer,
        time = format_rfc3339(time),
        stage = stage,
        yuan = 100 + id % 400,
    );
    let stored = Stored {
        sequence: id + 1,
        stored_at: time,
        subject: format!(
            "scene.in.{}.{}.merchant.checkout",
            partition_of(&customer, 16),
            bucket_of(&customer)
        ),
        headers: Vec::new(),
        payload: payload.into(),
    };
    let event = Decoder::default().decode(&stored, &Schema::default());
    Ok(Input {
        sequence: id + 1,
        stored_at: time,
        already: 0,
        what: Incoming::Event(event.map_err(|rejection| anyhow::anyhow!("{rejection:?}"))?),
    })
}
