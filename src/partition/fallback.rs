//! What could not be delivered is tried on the next channel: the same words to the same customer, looked at
//! anew by the contact policy, and once.

use super::Partition;
use super::case::{Case, Said, Utterance};
use super::output::RuleChecks;
use super::record::TimerChange;
use super::speak::{Reach, StandIn, Words};
use crate::action::{Body, Next, Verdict, fallback_wait_id};
use crate::clock::Millis;
use crate::event::parse_json;
use crate::rules::Rule;
use crate::state::{
    Contact, Customer, DecisionId, Delivery, FALLBACK_HORIZON, KeptBody, Names, Pending, Wait,
    Window,
};

impl Case<'_> {
    /// Tries the next channel for what could not be delivered, or begins to wait for the end of quiet hours.
    pub(super) fn fall_back(&mut self, partition: &Partition, failed: DecisionId) {
        let customer = self.customer;
        let Some(contact) = customer.contacts.get(failed) else {
            return;
        };
        // A former run has come that far and stopped.
        let wait_id = fallback_wait_id(failed);
        let is_known =
            customer.contacts.is_stood_in_for(failed) || customer.pending(wait_id).is_some();
        if contact.channels_left.is_empty() || is_known {
            return;
        }
        let Some(rule) = partition.book.rules.get(&contact.rule).cloned() else {
            return;
        };
        let age = self.now.saturating_sub(self.time);
        let verdict = match self.stand_in(partition, &rule, contact, age) {
            Said::Verdict(verdict) => verdict,
            Said::Deferred(due) => {
                let next = fallback_next(contact.step, due);
                self.arm(partition, &rule, wait_id, next);
                Verdict::Deferred
            }
        };
        self.count_fallback(partition, &rule, contact.step, verdict);
    }

    /// Quiet hours are over for what could not be delivered: tries again, or ends it.
    pub(super) fn ring_fallback(&mut self, partition: &Partition, rule: &Rule, pending: &Pending) {
        let customer = self.customer;
        let trigger = pending.trigger.occasion();
        let failed = trigger.data.get("action").and_then(|id| id.as_text());
        let failed = failed.and_then(DecisionId::parse);
        let contact = failed.and_then(|failed| customer.contacts.get(failed));
        let age = self.now.saturating_sub(self.at);
        let said = match contact {
            Some(contact) => self.stand_in(partition, rule, contact, age),
            None => Said::Verdict(Verdict::Stale),
        };
        let (verdict, change) = match said {
            // The decision itself says that the waiting is over.
            Said::Verdict(Verdict::Sent) => (Verdict::Sent, None),
            Said::Verdict(verdict) => {
                let word = verdict.word().to_owned();
                (verdict, Some(TimerChange::Ended { verdict: word }))
            }
            Said::Deferred(due) => {
                let verdict = Verdict::Deferred.word().to_owned();
                let next = fallback_next(pending.step, due);
                let moved = TimerChange::Moved { next, verdict };
                (Verdict::Deferred, Some(moved))
            }
        };
        if let Some(change) = change {
            self.change_timer(partition, &rule.terms.name, pending.entry, change);
        }
        self.count_fallback(partition, rule, pending.step, verdict);
    }

    /// Says again what failed, on the first of the channels left that is open now.
    fn stand_in(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        failed: &Contact,
        age: Millis,
    ) -> Said {
        self.trace.about(&rule.terms.name);
        let names = partition.customers.names();
        if self.customer.contacts.is_settled(failed.entry) {
            return Said::Verdict(Verdict::Still);
        }
        if let Some(verdict) = self.hold(partition, rule) {
            return Said::Verdict(verdict);
        }
        let is_in_time = self.at.saturating_sub(failed.at) <= FALLBACK_HORIZON;
        let kept = failed.kept.as_ref().filter(|_| is_in_time);
        let body = kept.and_then(|kept| body_of(kept, failed, names, self.at));
        let (true, Some(body)) = (self.is_fresh(&rule.terms, age), body) else {
            return Said::Verdict(Verdict::Stale);
        };
        // In shadow mode nothing goes out. That shares have changed since takes nobody out of their group.
        if self.reach(partition, rule).verdict == Verdict::Shadow {
            return Said::Verdict(Verdict::Shadow);
        }
        let mut narrowed = rule.clone();
        let left = failed.channels_left.iter();
        narrowed.terms.channels = left
            .map(|channel| (&*names.word(*channel)).into())
            .collect();
        let first = first_try(self.customer, failed);
        let channels = match self.open_channels(partition, &narrowed, Some(first)) {
            Ok(channels) => channels,
            Err(refusal) => {
                return match refusal.until {
                    Some(until) => Said::Deferred(until),
                    None => Said::Verdict(refusal.verdict),
                };
            }
        };
        let say = Utterance {
            entry: failed.entry,
            step: failed.step,
            next: None,
        };
        let words = Words {
            channels,
            body,
            account: None,
            reach: Reach {
                verdict: Verdict::Sent,
                control: false,
            },
            stands_in: Some(StandIn {
                failed: failed.id,
                variant: names.word(failed.variant),
            }),
        };
        Said::Verdict(self.utter(partition, rule, say, words))
    }

    /// Counts what became of it, apart from proposals: it is none.
    fn count_fallback(&mut self, partition: &Partition, rule: &Rule, step: u32, verdict: Verdict) {
        let name = &rule.terms.name;
        if let Some(checks) = self.trace.take(name) {
            self.output.checks.push(RuleChecks {
                rule: name.clone(),
                step,
                verdict,
                checks,
            });
        }
        let key = (name.clone(), verdict);
        *self.output.fallbacks.entry(key).or_default() += 1;
        self.list_silence(partition, rule, step, verdict, None);
    }
}

/// The decision that was tried first: of several tries it is the one that counts as the contact.
fn first_try(customer: &Customer, failed: &Contact) -> DecisionId {
    let mut first = failed;
    while let Some(before) = (first.fallback_of).and_then(|id| customer.contacts.get(id)) {
        first = before;
    }
    first.id
}

fn fallback_next(step: u32, due: Millis) -> Next {
    let wait = Wait::Fallback;
    Next { step, due, wait }
}

/// What was said, as it is said again at a time; `None` if it is no longer valid.
fn body_of(kept: &KeptBody, contact: &Contact, names: &Names, at: Millis) -> Option<Body> {
    let left = kept
        .expires_at
        .map(|expires_at| expires_at.saturating_sub(at));
    if left.is_some_and(|left| left <= 0) || contact.delivery != Delivery::Sent {
        return None;
    }
    Some(Body {
        kind: kept.kind.clone(),
        code: contact.code.map(|code| (&*names.word(code)).into()),
        value: contact.value,
        cost: contact.cost,
        expires: left.map(Window::from_millis),
        fields: parse_json(kept.fields.as_bytes()).ok()?,
    })
}
