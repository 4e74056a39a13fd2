//! What a report is made of, read from the log and from events.

use super::profile;
use crate::action::Verdict;
use crate::clock::Millis;
use crate::durable::LogItem;
use crate::event::{Event, Facts, OutcomeKind};
use crate::money::Money;
use crate::partition::{Logged, LoggedDecision, TimerChange};
use crate::partitioning::CustomerId;
use crate::state::{DecisionId, Delivery};
use std::sync::Arc;

/// On which side of an experiment a decision was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// It was sent.
    Treated,
    /// The rule's control group: everything but the sending.
    HeldOut,
    /// The control group of all rules: everything but the sending.
    Control,
    /// The rule is in shadow mode: everything but the sending, of everybody.
    Shadow,
}

impl Side {
    /// All of them, in the order in which reports have them.
    pub const ALL: [Self; 4] = [Self::Treated, Self::HeldOut, Self::Control, Self::Shadow];
}

/// A decision: sent, held out, or in shadow mode.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Its id.
    pub id: DecisionId,
    /// The journey; the same as `id` without one. A message that was sent again on another channel has the
    /// entry of the first.
    pub entry: DecisionId,
    /// To whom.
    pub customer: CustomerId,
    /// By which rule.
    pub rule: Arc<str>,
    /// Of which scene, if the log says so.
    pub scene: Option<Arc<str>>,
    /// Which variant.
    pub variant: Box<str>,
    /// On which side.
    pub side: Side,
    /// What it costs, if it says so.
    pub cost: Option<Money>,
    /// Policy time.
    pub at: Millis,
}

/// An event was what an earlier decision was for.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// The decision.
    pub decision: DecisionId,
    /// A hash of source and id of the event: one event may be what several decisions were for.
    pub event: u64,
    /// What it brought, if the event says so.
    pub value: Option<Money>,
    /// Policy time.
    pub at: Millis,
}

/// What is known of a customer, as far as customers are compared by it.
#[derive(Clone, Debug, PartialEq)]
pub enum Trait {
    /// A number: compared by its size.
    Number(f64),
    /// A word, or a yes or no.
    Word(Box<str>),
}

/// One thing that a report takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A decision.
    Said(Said),
    /// A rule's condition held, and it waits: for its delay, a step, or the end of quiet hours.
    Waits {
        /// The journey that begins, or would begin.
        entry: DecisionId,
        /// The rule.
        rule: Arc<str>,
        /// Policy time.
        at: Millis,
    },
    /// A proposal that did not go out.
    Silenced {
        /// The journey that waited, if it is one.
        entry: Option<DecisionId>,
        /// The rule.
        rule: Arc<str>,
        /// Why: a verdict, or another word of the log.
        verdict: Box<str>,
        /// Policy time.
        at: Millis,
    },
    /// What became of an action.
    Outcome {
        /// The decision.
        decision: DecisionId,
        /// What.
        outcome: OutcomeKind,
    },
    /// An event was what an earlier decision was for.
    Converted(Converted),
    /// What is known of a customer since some time.
    Profile {
        /// Who.
        customer: CustomerId,
        /// Since when; `Millis::MIN` if nobody knows.
        since: Millis,
        /// The names and what they are; `None` is no longer.
        traits: Vec<(Box<str>, Option<Trait>)>,
    },
}

impl Fact {
    /// What a message of the log says to a report, if anything.
    #[must_use]
    pub fn of_log(item: &LogItem) -> Option<Self> {
        let LogItem::Entry { logged, .. } = item else {
            return None;
        };
        Self::of_logged(logged)
    }

    /// What an entry of the log says to a report, if anything.
    #[must_use]
    pub fn of_logged(logged: &Logged) -> Option<Self> {
        match logged {
            Logged::Decision(decision) => Some(Self::Said(said(decision))),
            Logged::Timer(record) => Some(match &record.change {
                TimerChange::Armed { .. } => Self::Waits {
                    entry: record.entry,
                    rule: record.rule.clone(),
                    at: record.at,
                },
                TimerChange::Moved { verdict, .. } | TimerChange::Ended { verdict } => {
                    Self::Silenced {
                        entry: Some(record.entry),
                        rule: record.rule.clone(),
                        verdict: verdict.as_str().into(),
                        at: record.at,
                    }
                }
            }),
            Logged::Conversion(record) => Some(Self::Converted(Converted {
                decision: record.decision,
                event: crate::event::fingerprint(&record.source, &record.event),
                value: record.value,
                at: record.at,
            })),
            Logged::Outcome(record) => Some(Self::Outcome {
                decision: record.decision,
                outcome: OutcomeKind::from_word(&record.outcome)?,
            }),
            Logged::Sweep(_) | Logged::Progress(_) | Logged::Quarantine(_) | Logged::Control(_) => {
                None
            }
        }
    }

    /// What an event says to a report, if anything: what became of an action, or who a customer is.
    #[must_use]
    pub fn of_event(event: &Event) -> Option<Self> {
        match &event.facts {
            Facts::Outcome { outcome, action } => Some(Self::Outcome {
                decision: DecisionId::parse(action)?,
                outcome: *outcome,
            }),
            Facts::Profile(_) => profile::decoded(event),
            _ => None,
        }
    }
}

fn said(decision: &LoggedDecision) -> Said {
    Said {
        id: decision.id,
        entry: decision.entry,
        customer: decision.customer.clone(),
        rule: decision.rule.clone(),
        scene: decision.scene.clone(),
        variant: decision.variant.clone(),
        side: match decision.delivery {
            Delivery::Sent => Side::Treated,
            Delivery::Holdout => Side::HeldOut,
            Delivery::Control => Side::Control,
            Delivery::Shadow => Side::Shadow,
        },
        cost: decision.cost,
        at: decision.at,
    }
}

/// Whether a word of the log says that a proposal is over, and not only that it still waits.
pub(super) fn is_final(verdict: &str) -> bool {
    verdict != Verdict::Deferred.word()
}
