//! What was decided, put into state: the one way for what was decided just now and for what the log
//! says.

use super::record::{
    ConversionRecord, Logged, LoggedDecision, OutcomeRecord, ProgressRecord, SweepRecord,
    TimerChange, TimerRecord,
};
use super::sweep::Sweep;
use super::{Partition, SweepKey};
use crate::action::{Next, fallback_wait_id};
use crate::clock::{DAY, Millis};
use crate::event::{OutcomeKind, fingerprint};
use crate::partitioning::CustomerId;
use crate::state::{Contact, Customer, DecisionId, Pending};

/// How long contacts are remembered: at least the longest cooldown and cap.
const CONTACTS_HORIZON: Millis = 400 * DAY;

impl Partition {
    pub(super) fn note(&mut self, logged: &Logged) {
        match logged {
            Logged::Decision(decision) => self.note_decision(decision),
            Logged::Timer(record) => self.note_timer(record),
            Logged::Conversion(record) => self.note_conversion(record),
            Logged::Outcome(record) => self.note_outcome(record),
            Logged::Sweep(record) => self.note_sweep(record),
            // Whoever put it there knows; the others are told when they start.
            Logged::Quarantine(_) => {}
            Logged::Progress(record) => self.note_progress(record),
            Logged::Control(record) => self.switches = record.switches.clone(),
        }
    }

    fn note_decision(&mut self, decision: &LoggedDecision) {
        let names = self.customers.names();
        let contact = Contact {
            id: decision.id,
            entry: decision.entry,
            rule: names.intern(&decision.rule),
            at: decision.at,
            time: decision.time,
            variant: names.intern(&decision.variant),
            channel: names.intern(&decision.channel),
            step: decision.step,
            code: decision.code.as_deref().map(|code| names.intern(code)),
            value: decision.value,
            cost: decision.cost,
            delivery: decision.delivery,
            scene: decision.scene.as_deref().map(|scene| names.intern(scene)),
            household: decision.household.as_deref().map(|key| names.intern(key)),
            fallback_of: decision.fallback_of,
            channels_left: (decision.channels_left.iter())
                .map(|channel| names.intern(channel))
                .collect::<Vec<_>>()
                .into(),
            kept: decision.kept.clone(),
            converted: false,
            outcomes: Default::default(),
        };
        if let Some(draw) = decision.draw(&self.default_zone) {
            self.spending.add(&draw);
        }
        if let Some(key) = contact.household {
            self.households.note(key, &decision.customer);
        }
        // What stands in for another decision has been waited for under an id of its own: its journey goes on.
        let waited = decision.fallback_of.map(fallback_wait_id);
        let (entry, next) = (waited.unwrap_or(decision.entry), decision.next);
        self.change(&decision.customer, decision.time, |customer| {
            customer.contacts.push(contact);
            customer
                .contacts
                .forget_kept(decision.fallback_of, decision.at);
            customer
                .contacts
                .trim(decision.at.saturating_sub(CONTACTS_HORIZON));
            match next {
                Some(next) => wait_on(customer, entry, next),
                None => customer.end(entry),
            }
        });
        if let Some(next) = next {
            self.timers.push(next.due, &decision.customer, entry);
        }
        self.pass(decision.at);
    }

    fn note_timer(&mut self, record: &TimerRecord) {
        let Some(id) = CustomerId::new(&record.customer) else {
            return;
        };
        let entry = record.entry;
        match &record.change {
            TimerChange::Armed { next, trigger } => {
                let pending = Pending {
                    entry,
                    rule: self.customers.names().intern(&record.rule),
                    due: next.due,
                    step: next.step,
                    wait: next.wait,
                    entered: record.at,
                    trigger: trigger.clone(),
                };
                self.change(&id, trigger.time, |customer| {
                    customer.end(entry);
                    customer.pending.push(pending);
                });
                self.timers.push(next.due, &id, entry);
            }
            TimerChange::Moved { next, .. } => {
                self.change(&id, record.at, |customer| wait_on(customer, entry, *next));
                self.timers.push(next.due, &id, entry);
            }
            TimerChange::Ended { .. } => {
                self.change(&id, record.at, |customer| customer.end(entry));
            }
        }
        self.pass(record.at);
    }

    fn note_conversion(&mut self, record: &ConversionRecord) {
        let Some(id) = CustomerId::new(&record.customer) else {
            return;
        };
        self.change(&id, record.time, |customer| {
            if let Some(contact) = customer.contacts.get_mut(record.decision) {
                contact.converted = true;
                let entry = contact.entry;
                customer.end(entry);
            }
        });
        self.pass(record.at);
    }

    /// The event has told the customer itself, unless it is no longer in its stream.
    fn note_outcome(&mut self, record: &OutcomeRecord) {
        self.reported = Some(fingerprint(&record.source, &record.event));
        let outcome = OutcomeKind::from_word(&record.outcome);
        if let (Some(id), Some(outcome)) = (CustomerId::new(&record.customer), outcome) {
            self.change(&id, record.time, |customer| {
                customer.hear(record.decision, outcome, record.time);
            });
        }
        self.pass(record.at);
    }

    fn note_sweep(&mut self, record: &SweepRecord) {
        let known = self.sweeps.iter().position(|s| s.key == record.key);
        match (known, record.done) {
            (Some(at), true) => {
                self.sweeps.remove(at);
            }
            // A broadcast is begun by its event.
            (None, false) => {
                if let SweepKey::Daily { .. } = record.key {
                    self.sweeps.push_back(Sweep::daily(&record.key));
                }
            }
            (Some(_), false) | (None, true) => {}
        }
        self.pass(record.at);
    }

    /// Whoever goes on from here begins it again.
    fn note_progress(&mut self, record: &ProgressRecord) {
        let known = self.sweeps.iter_mut().find(|s| s.key == record.key);
        if let Some(sweep) = known {
            sweep.was_begun(record.run);
        }
    }

    fn change(&mut self, id: &CustomerId, seen: Millis, change: impl FnOnce(&mut Customer)) {
        self.keep_for_cut(id);
        let mut is_new = false;
        self.customers.update(
            id,
            || {
                is_new = true;
                Customer::new(seen)
            },
            change,
        );
        if is_new {
            self.members.push(id.clone());
        }
    }
}

fn wait_on(customer: &mut Customer, entry: DecisionId, next: Next) {
    if let Some(pending) = customer.pending.iter_mut().find(|p| p.entry == entry) {
        pending.due = next.due;
        pending.step = next.step;
        pending.wait = next.wait;
    }
}
