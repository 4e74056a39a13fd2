//! What a step adds to its partition's log, and what state takes of it.

use crate::action::{Decision, Next, Verdict};
use crate::clock::Millis;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::policy::{self, Switches};
use crate::state::{DecisionId, Delivery, Draw, KeptBody, Remembered};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a step adds to the partition's log, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEntry {
    /// An action, or one that was held out.
    Decision(Box<Decision>),
    /// Something waits, or waits no longer.
    Timer(TimerRecord),
    /// An event was what an earlier decision was for.
    Conversion(ConversionRecord),
    /// What became of an earlier action came back.
    Outcome(OutcomeRecord),
    /// A broadcast or a daily trigger was begun or done with.
    Sweep(SweepRecord),
    /// A broadcast or a daily trigger has come further.
    Progress(ProgressRecord),
    /// A rule was put into quarantine.
    Quarantine(QuarantineRecord),
    /// Switches were changed: from here on these are in force.
    Control(ControlRecord),
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
    /// The event's amount in base currency, if it has one. Version 0.1.0 did not write it, nor what follows.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "amount")]
    pub value: Option<Money>,
    /// The decision's variant; empty if it is not known.
    #[serde(default)]
    pub variant: Box<str>,
    /// Whether the customer had got the action.
    #[serde(default)]
    pub delivery: Delivery,
    /// Where it stands.
    #[serde(skip)]
    pub place: Place,
}

/// What became of an earlier action came back: once for each action and kind of outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeRecord {
    /// The decision.
    #[serde(with = "hex")]
    pub decision: DecisionId,
    /// Whose.
    pub customer: Box<str>,
    /// The rule.
    pub rule: Arc<str>,
    /// The decision's variant.
    pub variant: Box<str>,
    /// Which, as one of [`OutcomeKind::WORDS`](crate::event::OutcomeKind::WORDS).
    pub outcome: Box<str>,
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

/// A broadcast or a daily trigger has come further, and is not done. State does not need it: it is for whoever decides the
/// same again, and must ask each customer at the same moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressRecord {
    /// Which.
    pub key: SweepKey,
    /// Policy time.
    pub at: Millis,
    /// How many customers were surveyed or served so far, each counted each time.
    pub taken: u64,
    /// How often it had been begun before: by engines that crashed amid it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub run: u32,
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

/// Switches were changed. It is no answer to an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// All switches, as they are from here on.
    pub switches: Arc<Switches>,
    /// When the engine obeyed, by the wall clock.
    pub at: Millis,
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
    /// Whether the customer got it.
    pub delivery: Delivery,
    /// The scene of its rule.
    pub scene: Option<Arc<str>>,
    /// Whom the customer shares caps with: the household's key.
    pub household: Option<Box<str>>,
    /// The decision that failed on another channel, and that this one stands in for.
    pub fallback_of: Option<DecisionId>,
    /// The channels after its own that policy allowed too, in order.
    pub channels_left: Vec<Box<str>>,
    /// What it says, if it may have to be said again on another channel.
    pub kept: Option<Arc<KeptBody>>,
    /// Policy time.
    pub at: Millis,
    /// From when its windows reached back: event time of its trigger, or when it was due.
    pub time: Millis,
}

/// One entry of the log, as state takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Logged {
    /// A decision.
    Decision(Box<LoggedDecision>),
    /// Something waits, or waits no longer.
    Timer(TimerRecord),
    /// A conversion.
    Conversion(ConversionRecord),
    /// An outcome.
    Outcome(OutcomeRecord),
    /// A broadcast or a daily trigger.
    Sweep(SweepRecord),
    /// A broadcast or a daily trigger has come further.
    Progress(ProgressRecord),
    /// A rule was put into quarantine.
    Quarantine(QuarantineRecord),
    /// Switches were changed.
    Control(ControlRecord),
}

impl LogEntry {
    /// The decision, if it is one.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Decision(decision) => Some(decision),
            _ => None,
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
            Self::Outcome(record) => record.place,
            Self::Sweep(record) => record.place,
            Self::Progress(record) => record.place,
            Self::Quarantine(record) => record.place,
            Self::Control(record) => record.place,
        }
    }

    pub(super) fn set_part(&mut self, part: (u32, u32)) {
        match self {
            Self::Decision(decision) => decision.part = Some(part),
            Self::Timer(record) => record.place.part = Some(part),
            Self::Conversion(record) => record.place.part = Some(part),
            Self::Outcome(record) => record.place.part = Some(part),
            Self::Sweep(record) => record.place.part = Some(part),
            Self::Progress(record) => record.place.part = Some(part),
            Self::Quarantine(record) => record.place.part = Some(part),
            Self::Control(record) => record.place.part = Some(part),
        }
    }

    /// What state takes of it: the same now as when it is read from the log.
    #[must_use]
    pub fn logged(&self) -> Logged {
        match self {
            Self::Decision(decision) => Logged::Decision(Box::new(LoggedDecision::of(decision))),
            Self::Timer(record) => Logged::Timer(record.clone()),
            Self::Conversion(record) => Logged::Conversion(record.clone()),
            Self::Outcome(record) => Logged::Outcome(record.clone()),
            Self::Sweep(record) => Logged::Sweep(record.clone()),
            Self::Progress(record) => Logged::Progress(record.clone()),
            Self::Quarantine(record) => Logged::Quarantine(record.clone()),
            Self::Control(record) => Logged::Control(record.clone()),
        }
    }
}

impl LoggedDecision {
    /// What it drew from its rule's budget; nothing if it was not sent, or stands in for one that has
    /// paid. `zone` is that of the engine's days.
    #[must_use]
    pub fn draw(&self, zone: &TimeZone) -> Option<Draw> {
        let pays = self.delivery == Delivery::Sent && self.fallback_of.is_none();
        let cost = self.cost.filter(|_| pays)?;
        Some(Draw {
            rule: self.rule.clone(),
            account: self.account.clone(),
            day: policy::local_day(self.at, zone),
            cost,
        })
    }

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
            delivery: decision.delivery(),
            scene: decision.scene.clone(),
            household: decision.household.clone(),
            fallback_of: decision.fallback_of,
            channels_left: decision.channels_left.clone(),
            kept: kept(decision),
            at: decision.policy_time,
            time: decision.time,
        }
    }
}

/// What a decision says, if it may have to be said again: it goes out, and there is another channel.
fn kept(decision: &Decision) -> Option<Arc<KeptBody>> {
    let may_fall_back = decision.verdict == Verdict::Sent && !decision.channels_left.is_empty();
    may_fall_back.then(|| {
        let fields = serde_json::to_string(&decision.body.fields);
        Arc::new(KeptBody {
            kind: decision.body.kind.clone(),
            fields: fields
                .expect("invariant: text, numbers and maps with text keys")
                .into(),
            expires_at: decision.expires_at(),
        })
    })
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
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

/// Amounts as decimals in text, which every reader keeps exact.
mod amount {
    use crate::money::Money;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(money: &Option<Money>, s: S) -> Result<S::Ok, S::Error> {
        match money {
            Some(money) => s.collect_str(money),
            None => s.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Money>, D::Error> {
        let text = Option::<String>::deserialize(d)?;
        let read = |text: String| {
            let decimal = text.parse().ok()?;
            Money::exact(decimal).ok()
        };
        let amount = text.map(|text| read(text).ok_or_else(|| D::Error::custom("not an amount")));
        amount.transpose()
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
