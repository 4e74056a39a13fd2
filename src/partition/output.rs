//! What goes into a step and what comes out of it.

use crate::action::{Decision, Next, Trigger, Verdict};
use crate::clock::Millis;
use crate::decode::Rejection;
use crate::event::Incoming;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::rules::RuleError;
use crate::state::{DecisionId, Remembered, Want};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// An event with what the stream says of it.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the stream stored it: policy time.
    pub stored_at: Millis,
    /// How many entries of the log it has led to already: only after a crash in the midst of it.
    pub already: u32,
    /// The event.
    pub what: Incoming,
}

/// What a step adds to the partition's log, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEntry {
    /// An action, or one that was held out.
    Decision(Box<Decision>),
    /// Something waits, or waits no longer.
    Timer(TimerRecord),
    /// An event was what an earlier decision was for.
    Conversion(ConversionRecord),
    /// A broadcast or a daily trigger was begun or done with.
    Sweep(SweepRecord),
    /// A rule was put into quarantine.
    Quarantine(QuarantineRecord),
}

/// The place of an entry in the order of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Every event of the partition up to this sequence came before it, and none after.
    pub after: u64,
    /// If it is an answer to that very event: which of its entries it is, from 0, of how many.
    pub part: Option<(u32, u32)>,
}

/// Something waits, or waits no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerRecord {
    /// The journey: the id of the decision of its step 0.
    #[serde(with = "hex")]
    pub entry: DecisionId,
    /// Whose.
    pub customer: Box<str>,
    /// The rule.
    pub rule: Arc<str>,
    /// Policy time.
    pub at: Millis,
    /// What changes.
    pub change: TimerChange,
    /// Where it stands.
    #[serde(skip)]
    pub place: Place,
}

/// What becomes of something that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerChange {
    /// It begins to wait.
    Armed {
        /// Until when, for what.
        next: Next,
        /// For the sake of what.
        trigger: Arc<Remembered>,
    },
    /// It goes on waiting.
    Moved {
        /// Until when, for what.
        next: Next,
        /// What became of what was due.
        verdict: String,
    },
    /// It has ended.
    Ended {
        /// Why: a verdict, or a word of its own.
        verdict: String,
    },
}

/// An event was what an earlier decision was for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionRecord {
    /// The decision.
    #[serde(with = "hex")]
    pub decision: DecisionId,
    /// Whose.
    pub customer: Box<str>,
    /// The rule.
    pub rule: Arc<str>,
    /// The event's id.
    pub event: Box<str>,
    /// The event's source.
    pub source: Box<str>,
    /// Event time of it.
    pub time: Millis,
    /// Policy time.
    pub at: Millis,
    /// Where it stands.
    #[serde(skip)]
    pub place: Place,
}

/// A broadcast or a daily trigger was begun or done with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepRecord {
    /// Which.
    pub key: SweepKey,
    /// Policy time.
    pub at: Millis,
    /// Whether all customers of the partition have been tried.
    pub done: bool,
    /// Where it stands.
    #[serde(skip)]
    pub place: Place,
}

/// A rule was put into quarantine. It is no answer to an event: an engine that does not know this
/// record counts an event's answers the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRecord {
    /// The rule.
    pub rule: Arc<str>,
    /// Of which text of it, as 16 hexadecimal digits: another one is not in quarantine.
    #[serde(with = "hex_number")]
    pub digest: u64,
    /// Until when, by the wall clock.
    pub until: Millis,
    /// How often this text was put there, in a row.
    pub times: u32,
    /// Where it stands.
    #[serde(skip)]
    pub place: Place,
}

/// What is applied to many customers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepKey {
    /// The broadcast with this sequence.
    Broadcast(u64),
    /// The daily trigger of a time and a zone.
    Daily {
        /// The local date.
        date: String,
        /// The local time.
        time: String,
        /// The customers' time zone; that of the engine if their profile names none.
        zone: Option<Box<str>>,
        /// When it was due.
        due: Millis,
    },
}

/// A decision as the log has it: what state needs to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedDecision {
    /// Its id.
    pub id: DecisionId,
    /// The journey.
    pub entry: DecisionId,
    /// What is due next of the journey; it has ended if nothing is.
    pub next: Option<Next>,
    /// To whom.
    pub customer: CustomerId,
    /// By which rule.
    pub rule: Arc<str>,
    /// The variant.
    pub variant: Box<str>,
    /// The channel.
    pub channel: Box<str>,
    /// The step.
    pub step: u32,
    /// The code in its body.
    pub code: Option<Box<str>>,
    /// The value in its body.
    pub value: Option<Money>,
    /// The cost in its body.
    pub cost: Option<Money>,
    /// The account it was drawn from, for a budget with `per`.
    pub account: Option<Box<str>>,
    /// Whether it was held out.
    pub holdout: bool,
    /// Policy time.
    pub at: Millis,
    /// From when its windows reached back: event time of its trigger, or when it was due.
    pub time: Millis,
}

/// One entry of the log, as state takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Logged {
    /// A decision.
    Decision(LoggedDecision),
    /// Something waits, or waits no longer.
    Timer(TimerRecord),
    /// A conversion.
    Conversion(ConversionRecord),
    /// A broadcast or a daily trigger.
    Sweep(SweepRecord),
    /// A rule was put into quarantine.
    Quarantine(QuarantineRecord),
}

impl LogEntry {
    /// The decision, if it is one.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Decision(decision) => Some(decision),
            Self::Timer(_) | Self::Conversion(_) | Self::Sweep(_) | Self::Quarantine(_) => None,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Decision(decision) => Place {
                after: decision.after,
                part: decision.part,
            },
            Self::Timer(record) => record.place,
            Self::Conversion(record) => record.place,
            Self::Sweep(record) => record.place,
            Self::Quarantine(record) => record.place,
        }
    }

    pub(super) fn set_part(&mut self, part: (u32, u32)) {
        match self {
            Self::Decision(decision) => decision.part = Some(part),
            Self::Timer(record) => record.place.part = Some(part),
            Self::Conversion(record) => record.place.part = Some(part),
            Self::Sweep(record) => record.place.part = Some(part),
            Self::Quarantine(record) => record.place.part = Some(part),
        }
    }

    /// What state takes of it: the same now as when it is read from the log.
    #[must_use]
    pub fn logged(&self) -> Logged {
        match self {
            Self::Decision(decision) => Logged::Decision(LoggedDecision::of(decision)),
            Self::Timer(record) => Logged::Timer(record.clone()),
            Self::Conversion(record) => Logged::Conversion(record.clone()),
            Self::Sweep(record) => Logged::Sweep(record.clone()),
            Self::Quarantine(record) => Logged::Quarantine(record.clone()),
        }
    }
}

impl LoggedDecision {
    /// What state takes of a decision.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        Self {
            id: decision.id,
            entry: decision.entry,
            next: decision.next,
            customer: decision.customer.clone(),
            rule: decision.rule.clone(),
            variant: decision.variant.clone(),
            channel: decision.channel.clone(),
            step: decision.step,
            code: decision.body.code.clone(),
            value: decision.body.value,
            cost: decision.body.cost,
            account: decision.account.clone(),
            holdout: decision.verdict == Verdict::Holdout,
            at: decision.policy_time,
            time: decision.time,
        }
    }
}

/// What a step did.
#[derive(Debug, Default)]
pub struct Output {
    /// What is to be committed, in this order.
    pub entries: Vec<LogEntry>,
    /// Events that state could not take, with their sequences.
    pub rejected: Vec<(u64, Rejection)>,
    /// Events seen before.
    pub duplicates: u64,
    /// Events for which a rule asked for a window over the edge of the journal.
    pub trimmed_windows: u64,
    /// How often each rule got each verdict.
    pub verdicts: HashMap<(Arc<str>, Verdict), u64>,
    /// What rules failed with.
    pub errors: Vec<(Arc<str>, RuleError)>,
    /// Rules that were put into quarantine.
    pub quarantined: Vec<Quarantined>,
    /// Proposals that did not go out, if asked for.
    pub silenced: Vec<Silenced>,
    /// Where it stopped, since a budget must be granted first.
    pub parked: Option<Parked>,
}

/// Where a step stopped, since a budget must be granted first. What was decided before stands, and is
/// put out; it goes on when it is stepped again with the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// How many of the inputs are done with.
    pub inputs: usize,
    /// What is to be granted.
    pub want: Want,
}

impl Output {
    /// The decisions among what is to be committed.
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.entries.iter().filter_map(LogEntry::decision)
    }

    /// Adds what a later step did.
    pub fn append(&mut self, mut later: Self) {
        self.entries.append(&mut later.entries);
        self.rejected.append(&mut later.rejected);
        self.duplicates += later.duplicates;
        self.trimmed_windows += later.trimmed_windows;
        for (key, times) in later.verdicts {
            *self.verdicts.entry(key).or_default() += times;
        }
        self.errors.append(&mut later.errors);
        self.quarantined.append(&mut later.quarantined);
        self.silenced.append(&mut later.silenced);
        self.parked = later.parked.or(self.parked.take());
    }
}

/// A rule that was put into quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The rule.
    pub rule: Arc<str>,
    /// Of which text of it: another one is not in quarantine.
    pub digest: u64,
    /// Until when, by the wall clock.
    pub until: Millis,
}

/// A proposal that did not go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silenced {
    /// The rule.
    pub rule: Arc<str>,
    /// Why.
    pub verdict: Verdict,
    /// To whom.
    pub customer: CustomerId,
    /// What it would have answered.
    pub trigger: Trigger,
    /// The step of a journey; 0 for a rule without steps.
    pub step: u32,
    /// Policy time.
    pub at: Millis,
}

/// Numbers of 64 bits as hexadecimal digits: readers of JSON may not keep them exact.
mod hex_number {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(number: &u64, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{number:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        let text = String::deserialize(d)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

/// Decision ids as hexadecimal digits.
mod hex {
    use crate::state::DecisionId;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(id: &DecisionId, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<DecisionId, D::Error> {
        let text = String::deserialize(d)?;
        DecisionId::parse(&text).ok_or_else(|| D::Error::custom("not a decision id"))
    }
}
