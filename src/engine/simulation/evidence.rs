//! The log as a checker reads it: from bytes and headers, by nothing that the engine reads it with.

use super::driver::{Failure, Tally, failure};
use super::plan::Plan;
use super::workload::{Producers, Published};
use super::world::{Dead, World, partition_of};
use crate::clock::{Millis, parse_rfc3339};
use crate::nats::LogMessage;
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeSet;

/// A decision.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) id: String,
    pub(super) entry: String,
    pub(super) customer: String,
    pub(super) rule: String,
    pub(super) step: u64,
    pub(super) is_held_out: bool,
    pub(super) channel: String,
    pub(super) variant: String,
    pub(super) code: String,
    pub(super) cost: Option<Decimal>,
    pub(super) account: Option<String>,
    pub(super) trigger: String,
    pub(super) trigger_sequence: u64,
    /// From when it was to be fresh.
    pub(super) time: Millis,
    pub(super) policy_time: Millis,
    pub(super) decided_at: Millis,
    /// When the next step is due.
    pub(super) next: Option<Millis>,
    /// The decision that it stands in for.
    pub(super) fallback_of: Option<String>,
    /// The channels that were left.
    pub(super) channels_left: Vec<String>,
}

/// What a record says of an outcome.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    pub(super) decision: String,
    pub(super) outcome: String,
    pub(super) event: String,
}

/// What a record says of something that waits.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    pub(super) entry: String,
    pub(super) at: Millis,
    pub(super) change: Change,
    /// The failed decision for which something is to stand in, when it begins to wait.
    pub(super) for_failed: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Armed(Millis),
    Moved(Millis),
    Ended,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Said(Box<Said>),
    Waits(Waits),
    Converted(String),
    Reported(Reported),
    /// From here on these rules are paused.
    Switched(BTreeSet<String>),
    Owner,
    Other,
}

/// One message of the log.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) partition: u16,
    pub(super) owner: String,
    pub(super) id: String,
    pub(super) after: u64,
    pub(super) what: What,
}

/// Everything that the laws are checked by.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) plan: &'a Plan,
    pub(super) published: &'a [Published],
    pub(super) events: Vec<crate::nats::StoredEvent>,
    pub(super) dead: Vec<Dead>,
    pub(super) log: Vec<Entry>,
    /// The broker's clock at the end.
    pub(super) now: Millis,
}

impl<'a> Evidence<'a> {
    pub(super) fn gather(
        world: &World,
        producers: &'a Producers,
        plan: &'a Plan,
    ) -> Result<Self, Failure> {
        let read = |message| {
            read(message).ok_or_else(|| {
                let what = format!("message {message:?}");
                failure("the log can be read", what)
            })
        };
        Ok(Self {
            plan,
            published: &producers.published,
            events: world.events.clone(),
            dead: world.dead.clone(),
            log: world.log.iter().map(read).collect::<Result<_, _>>()?,
            now: world.time.now(),
        })
    }

    /// Counts what was looked at.
    pub(super) fn count(&self, tally: &mut Tally) {
        for entry in &self.log {
            match &entry.what {
                What::Reported(_) => tally.outcomes += 1,
                What::Said(said) => tally.fallbacks += u64::from(said.fallback_of.is_some()),
                What::Waits(waits) => {
                    tally.fallbacks_waited += u64::from(waits.for_failed.is_some());
                }
                _ => {}
            }
        }
    }

    /// All decisions, in the order of the stream.
    pub(super) fn said(&self) -> impl Iterator<Item = &Said> {
        self.log.iter().filter_map(|entry| match &entry.what {
            What::Said(said) => Some(&**said),
            _ => None,
        })
    }
}

fn read(message: &LogMessage) -> Option<Entry> {
    let header = |name: &str| message.headers.get(name);
    let what = match header("Onscene-Kind")? {
        "action" => What::Said(Box::new(said(message)?)),
        "timer" => What::Waits(waits(message)?),
        "conversion" => {
            let record: Value = serde_json::from_slice(&message.payload).ok()?;
            What::Converted(record["decision"].as_str()?.to_owned())
        }
        "outcome" => {
            let record: Value = serde_json::from_slice(&message.payload).ok()?;
            let text = |name: &str| record[name].as_str().map(str::to_owned);
            What::Reported(Reported {
                decision: text("decision")?,
                outcome: text("outcome")?,
                event: text("event")?,
            })
        }
        "control" => {
            let record: Value = serde_json::from_slice(&message.payload).ok()?;
            let paused = record["switches"]["rules"].as_object();
            let paused = paused.into_iter().flat_map(|rules| rules.keys().cloned());
            What::Switched(paused.collect())
        }
        "owner" => What::Owner,
        _ => What::Other,
    };
    let after = header("Onscene-After").or_else(|| header("Onscene-Trigger"));
    Some(Entry {
        sequence: message.sequence,
        partition: partition_of(message),
        owner: header("Onscene-Owner")?.to_owned(),
        id: header("Onscene-Id")?.to_owned(),
        after: after.and_then(|after| after.parse().ok()).unwrap_or(0),
        what,
    })
}

fn said(message: &LogMessage) -> Option<Said> {
    let header = |name: &str| message.headers.get(name);
    let action: Value = serde_json::from_slice(&message.payload).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let data = &action["data"];
    let id = text(&action["id"])?;
    let trigger_time = parse_rfc3339(data["trigger"]["time"].as_str()?)?;
    let time = header("Onscene-Time").map_or(Some(trigger_time), |time| time.parse().ok())?;
    let cost = &data["body"]["cost"];
    let next = match header("Onscene-Next") {
        Some(next) => Some(next.split('/').nth(1)?.parse().ok()?),
        None => None,
    };
    Some(Said {
        entry: header("Onscene-Entry").unwrap_or(&id).to_owned(),
        customer: text(&action["subject"])?,
        rule: text(&data["rule"])?,
        step: data["step"].as_u64()?,
        is_held_out: data["verdict"] == "holdout",
        channel: text(&data["channel"])?,
        variant: text(&data["variant"])?,
        code: text(&data["body"]["code"]).unwrap_or_default(),
        cost: (!cost.is_null()).then(|| cost.to_string().trim_matches('"').parse().unwrap()),
        account: header("Onscene-Account").map(str::to_owned),
        trigger: text(&data["trigger"]["id"])?,
        trigger_sequence: data["trigger"]["sequence"].as_u64()?,
        time,
        policy_time: header("Onscene-Policy-Time")?.parse().ok()?,
        decided_at: parse_rfc3339(data["decided_at"].as_str()?)?,
        next,
        fallback_of: header("Onscene-Fallback-Of").map(str::to_owned),
        channels_left: (header("Onscene-Channels-Left").into_iter())
            .flat_map(|left| left.split(',').map(str::to_owned))
            .collect(),
        id,
    })
}

fn waits(message: &LogMessage) -> Option<Waits> {
    let record: Value = serde_json::from_slice(&message.payload).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let change = &record["change"];
    let (armed, moved) = (&change["armed"], &change["moved"]);
    let due = |next: &Value| next["next"]["due"].as_i64();
    let is_fallback = armed["next"]["wait"] == "fallback";
    let trigger: Option<Value> = (armed["trigger"]["data"].as_str().filter(|_| is_fallback))
        .and_then(|data| serde_json::from_str(data).ok());
    Some(Waits {
        for_failed: trigger.and_then(|trigger| text(&trigger["action"])),
        entry: text(&record["entry"])?,
        at: record["at"].as_i64()?,
        change: if armed.is_object() {
            Change::Armed(due(armed)?)
        } else if moved.is_object() {
            Change::Moved(due(moved)?)
        } else {
            Change::Ended
        },
    })
}
