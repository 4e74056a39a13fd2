//! What comes back of actions: each kind of outcome of each action is recorded once, whoever tells it how
//! often, and what nobody knows of is only counted.

use super::Partition;
use super::case::Case;
use super::output::Input;
use super::record::{LogEntry, OutcomeRecord, Place, TimerChange};
use crate::event::{Event, Facts, OutcomeKind};
use crate::state::{DecisionId, Delivery};

/// What an event says of an action, as it is known before the event changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) outcome: OutcomeKind,
    pub(super) decision: DecisionId,
    pub(super) reception: Reception,
}

/// Whether an outcome is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reception {
    /// It is.
    Recorded,
    /// It was, for a former run that stopped after it had recorded it.
    Resumed,
    /// The same is known of this action.
    Repeated,
    /// No such action is known.
    Unknown,
    /// It was never sent.
    NotSent,
}

impl Reception {
    /// The word in metrics.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Recorded | Self::Resumed => "recorded",
            Self::Repeated => "repeated",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
        }
    }
}

impl Told {
    /// Whether anything follows of it.
    pub(super) fn is_news(self) -> bool {
        matches!(self.reception, Reception::Recorded | Reception::Resumed)
    }
}

impl Partition {
    /// What an event says of an action, if it does. To be asked before the event is applied.
    pub(super) fn told(&self, input: &Input, event: &Event) -> Option<Told> {
        let Facts::Outcome { outcome, action } = &event.facts else {
            return None;
        };
        let outcome = *outcome;
        let unknown = Told {
            outcome,
            decision: DecisionId([0; 16]),
            reception: Reception::Unknown,
        };
        let customer = self.customers.get(event.customer.as_str());
        let (Some(decision), Some(customer)) = (DecisionId::parse(action), customer) else {
            return Some(unknown);
        };
        let Some(contact) = customer.contacts.get(decision) else {
            return Some(unknown);
        };
        // The log has an answer to this very event, and the last outcome it has is this one.
        let is_resumed = input.already > 0 && self.reported == Some(event.fingerprint);
        let reception = if contact.delivery != Delivery::Sent {
            Reception::NotSent
        } else if !contact.outcomes.has(outcome) {
            Reception::Recorded
        } else if is_resumed {
            Reception::Resumed
        } else {
            Reception::Repeated
        };
        Some(Told {
            outcome,
            decision,
            reception,
        })
    }
}

impl Case<'_> {
    /// Writes an outcome down that is news, and does what follows of it.
    pub(super) fn hear(&mut self, partition: &Partition, event: &Event, told: Told) {
        if told.reception == Reception::Recorded {
            self.record_outcome(partition, event, told);
        }
        if told.outcome.is_refusal() {
            self.refuse(partition, told);
        }
        if told.outcome == OutcomeKind::Failed {
            self.fall_back(partition, told.decision);
        }
    }

    fn record_outcome(&mut self, partition: &Partition, event: &Event, told: Told) {
        let Some(contact) = self.customer.contacts.get(told.decision) else {
            return;
        };
        let names = partition.customers.names();
        let record = OutcomeRecord {
            decision: told.decision,
            customer: self.id.as_str().into(),
            rule: names.word(contact.rule),
            variant: (&*names.word(contact.variant)).into(),
            outcome: told.outcome.word().into(),
            event: event.id.clone(),
            source: event.source.clone(),
            time: event.time,
            at: self.at,
            place: Place {
                after: partition.position,
                part: None,
            },
        };
        self.output.entries.push(LogEntry::Outcome(record));
    }

    /// Ends a journey of which the customer refused a message.
    fn refuse(&mut self, partition: &Partition, told: Told) {
        let contact = self.customer.contacts.get(told.decision);
        let Some(pending) = contact.and_then(|contact| self.customer.pending(contact.entry)) else {
            return;
        };
        let rule = partition.customers.names().word(pending.rule);
        let change = TimerChange::Ended {
            verdict: told.outcome.word().to_owned(),
        };
        self.change_timer(partition, &rule, pending.entry, change);
    }
}
