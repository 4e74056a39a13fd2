//! What deciding about an event, a timer and a broadcast have in common: one customer, one time, one
//! rule after another.

use super::Partition;
use super::output::{Output, Quarantined, RuleChecks, Silenced};
use super::record::{LogEntry, Place, QuarantineRecord, TimerChange, TimerRecord};
use super::till::Till;
use crate::action::{Next, Trigger, Verdict, decision_id};
use crate::clock::Millis;
use crate::event::Value;
use crate::event::{Event, Occasion};
use crate::partitioning::CustomerId;
use crate::policy::{self, Spoken, Trace, trace};
use crate::rules::{Moment, Rule, RuleError, RuleSet};
use crate::state::{Customer, DecisionId, Remembered, Wait};
use crate::terms::Terms;
use std::sync::Arc;

/// What the rules are asked about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin<'a> {
    Event(&'a Event, u64),
    Occasion(&'a Occasion, u64),
}

impl Origin<'_> {
    pub(super) fn trigger(self) -> Trigger {
        match self {
            Self::Event(event, sequence) => Trigger {
                id: event.id.clone(),
                source: event.source.clone(),
                kind: event.kind.clone(),
                time: event.time,
                sequence,
            },
            Self::Occasion(occasion, sequence) => Trigger {
                id: occasion.id.clone(),
                source: occasion.source.clone(),
                kind: occasion.kind.clone(),
                time: occasion.time,
                sequence,
            },
        }
    }

    pub(super) fn remembered(self) -> Remembered {
        match self {
            Self::Event(event, sequence) => Remembered::new(&event.occasion(), sequence),
            Self::Occasion(occasion, sequence) => Remembered::new(occasion, sequence),
        }
    }

    pub(super) fn traceparent(self) -> Option<Box<str>> {
        match self {
            Self::Event(event, _) => event.traceparent.clone(),
            Self::Occasion(occasion, _) => occasion.traceparent.clone(),
        }
    }

    /// The id of a decision about it.
    pub(super) fn decision_id(self, customer: &CustomerId, rule: &Rule, step: u32) -> DecisionId {
        let (source, id) = match self {
            Self::Event(event, _) => (&event.source, &event.id),
            Self::Occasion(occasion, _) => (&occasion.source, &occasion.id),
        };
        decision_id(customer, source, id, &rule.terms.name, step)
    }
}

/// One customer at one time before one rule after another.
pub(super) struct Case<'a> {
    pub(super) origin: Origin<'a>,
    pub(super) id: &'a CustomerId,
    pub(super) customer: &'a Arc<Customer>,
    pub(super) rules: &'a RuleSet,
    pub(super) moment: &'a Moment<'a>,
    /// Policy time.
    pub(super) at: Millis,
    /// From when windows reach back.
    pub(super) time: Millis,
    /// The wall clock.
    pub(super) now: Millis,
    pub(super) till: Till,
    /// What was asked on the way.
    pub(super) trace: Trace,
    /// What was said to the customer so far.
    pub(super) spoken: Vec<Spoken>,
    pub(super) output: &'a mut Output,
}

/// What is to be said if nothing stands in the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Utterance {
    pub(super) entry: DecisionId,
    pub(super) step: u32,
    /// What comes after it.
    pub(super) next: Option<Next>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Verdict(Verdict),
    /// Quiet hours stand in the way until then.
    Deferred(Millis),
}

impl Case<'_> {
    /// Counts what became of a rule at a step.
    pub(super) fn count(&mut self, rule: &Rule, step: u32, verdict: Verdict) {
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
        *self.output.verdicts.entry(key).or_default() += 1;
    }

    /// Counts what became of a proposal, and lists it if it did not go out; with the rule that won, if
    /// another one did.
    pub(super) fn conclude(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        step: u32,
        verdict: Verdict,
        winner: Option<Arc<str>>,
    ) {
        self.count(rule, step, verdict);
        // Only a rule that got to the end without an error has shown that it works.
        if verdict != Verdict::Error {
            partition.quarantine.succeeded(&rule.terms.name);
        }
        self.list_silence(partition, rule, step, verdict, winner);
    }

    /// Lists what did not go out, if that is asked for.
    pub(super) fn list_silence(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        step: u32,
        verdict: Verdict,
        winner: Option<Arc<str>>,
    ) {
        if partition.list_silenced && !verdict.is_decision() {
            self.output.silenced.push(Silenced {
                rule: rule.terms.name.clone(),
                verdict,
                winner,
                customer: self.id.clone(),
                trigger: self.origin.trigger(),
                step,
                at: self.at,
            });
        }
    }

    /// Everything before the proposal, in the order in which verdicts are tried; `None` if the
    /// condition held.
    pub(super) fn gate(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        age: Millis,
    ) -> Option<Verdict> {
        self.trace.about(&rule.terms.name);
        if let Some(verdict) = self.hold(partition, rule) {
            return Some(verdict);
        }
        let terms = &rule.terms;
        let names = partition.customers.names();
        let in_audience = terms.audience.is_empty()
            || terms.audience.iter().any(|segment| {
                names
                    .find(segment)
                    .is_some_and(|name| self.customer.profile.in_segment(name))
            });
        self.trace.push("audience", in_audience, || {
            let segments = terms.audience.iter().map(|segment| trace::word(segment));
            vec![("any_of", Value::List(segments.collect()))]
        });
        if !in_audience {
            return Some(Verdict::Audience);
        }
        let is_rolled_out = policy::is_rolled_out(terms, self.id);
        self.trace.push("rollout", is_rolled_out, || {
            vec![("percent", Value::Decimal(terms.rollout.to_decimal()))]
        });
        if !is_rolled_out {
            return Some(Verdict::Rollout);
        }
        // What waits first is due later.
        let age = age.saturating_sub(terms.delay.unwrap_or(0));
        if !self.is_fresh(terms, age) {
            return Some(Verdict::Stale);
        }
        let held = self.rules.when(rule, self.moment);
        (self.trace).push("condition", matches!(held, Ok(true)), Vec::new);
        match held {
            Ok(true) => None,
            Ok(false) => {
                partition.quarantine.succeeded(&terms.name);
                Some(Verdict::Condition)
            }
            Err(error) => Some(self.fail(partition, rule, error)),
        }
    }

    /// Whether what a rule answers is not too old, in milliseconds.
    pub(super) fn is_fresh(&mut self, terms: &Terms, age: Millis) -> bool {
        let is_fresh = age <= terms.fresh;
        self.trace.push("stale", is_fresh, || {
            vec![
                ("age_ms", Value::Int(age)),
                ("fresh_ms", Value::Int(terms.fresh)),
            ]
        });
        is_fresh
    }

    /// Whether a rule may be asked at all now: switches, quarantine and schedule.
    pub(super) fn hold(&mut self, partition: &Partition, rule: &Rule) -> Option<Verdict> {
        if self.is_paused(partition, rule) {
            return Some(Verdict::Paused);
        }
        let terms = &rule.terms;
        let is_quarantined = self.hold_off(partition, rule);
        self.trace.push("quarantine", !is_quarantined, Vec::new);
        if is_quarantined {
            return Some(Verdict::Quarantine);
        }
        let zone = || partition.zone_of(self.customer);
        let is_scheduled = policy::is_scheduled(terms, self.at, zone);
        (self.trace).push("schedule", is_scheduled, || {
            vec![("at", trace::time(self.at))]
        });
        (!is_scheduled).then_some(Verdict::Schedule)
    }

    /// Whether a rule is in quarantine.
    pub(super) fn hold_off(&self, partition: &Partition, rule: &Rule) -> bool {
        let quarantine = &partition.quarantine;
        let until = quarantine.until(&rule.terms.name, rule.digest, self.now);
        until.is_some()
    }

    pub(super) fn fail(&mut self, partition: &Partition, rule: &Rule, error: RuleError) -> Verdict {
        let name = &rule.terms.name;
        let held = partition.quarantine.failed(name, rule.digest, self.now);
        if let Some(held) = held {
            self.output.quarantined.push(Quarantined {
                rule: name.clone(),
                digest: rule.digest,
                until: held.until,
            });
            let record = QuarantineRecord {
                rule: name.clone(),
                digest: rule.digest,
                until: held.until,
                times: held.times,
                place: Place {
                    after: partition.position,
                    part: None,
                },
            };
            self.output.entries.push(LogEntry::Quarantine(record));
        }
        self.output.errors.push((name.clone(), error));
        Verdict::Error
    }

    /// What a rule goes by among several proposals.
    pub(super) fn score(
        &mut self,
        partition: &Partition,
        rule: &Rule,
    ) -> Result<rust_decimal::Decimal, Verdict> {
        let score = self.rules.score(rule, self.moment);
        score.map_err(|error| self.fail(partition, rule, error))
    }

    /// Begins to wait.
    pub(super) fn arm(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        entry: DecisionId,
        next: Next,
    ) {
        let trigger = Arc::new(self.origin.remembered());
        let name = &rule.terms.name;
        self.change_timer(partition, name, entry, TimerChange::Armed { next, trigger });
    }

    pub(super) fn change_timer(
        &mut self,
        partition: &Partition,
        rule: &Arc<str>,
        entry: DecisionId,
        change: TimerChange,
    ) {
        let record = TimerRecord {
            entry,
            customer: self.id.as_str().into(),
            rule: rule.clone(),
            at: self.at,
            change,
            place: Place {
                after: partition.position,
                part: None,
            },
        };
        self.output.entries.push(LogEntry::Timer(record));
    }

    /// Whether the rule's own cooldown or cap stands in the way of entering. What waits counts.
    pub(super) fn frequency(&mut self, partition: &Partition, rule: &Rule) -> Option<Verdict> {
        let (customer, at) = (self.customer, self.at);
        let name = partition.book.name(rule);
        let said = |window| {
            let entries = name.map(|name| customer.entries(name, at, window));
            entries.into_iter().flatten().collect()
        };
        policy::frequency(&rule.terms, said, &mut self.trace)
    }

    /// Enters: speaks at once, or begins to wait, as the rule has it.
    pub(super) fn enter(&mut self, partition: &Partition, rule: &Rule) -> Verdict {
        let terms = &rule.terms;
        self.trace.about(&terms.name);
        // A broadcast that was half done when somebody paused it was let in before.
        if self.is_paused(partition, rule) {
            return Verdict::Paused;
        }
        if let Some(verdict) = self.frequency(partition, rule) {
            return verdict;
        }
        let entry = self.origin.decision_id(self.id, rule, 0);
        if let Some(delay) = terms.delay {
            let next = Next {
                step: 0,
                due: self.time.saturating_add(delay),
                wait: Wait::Delay,
            };
            self.arm(partition, rule, entry, next);
            return Verdict::Deferred;
        }
        if !terms.steps.is_empty() {
            return self.set_out(partition, rule, entry);
        }
        let say = Utterance {
            entry,
            step: 0,
            next: None,
        };
        match self.speak(partition, rule, say) {
            Said::Verdict(verdict) => verdict,
            Said::Deferred(until) => {
                self.arm(partition, rule, entry, quiet_until(0, until));
                Verdict::Deferred
            }
        }
    }

    /// Begins a journey: the first step at once if it is due, and the next armed.
    pub(super) fn set_out(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        entry: DecisionId,
    ) -> Verdict {
        let terms = &rule.terms;
        let trigger = match self.origin {
            Origin::Event(event, _) => &event.occasion(),
            Origin::Occasion(occasion, _) => occasion,
        };
        let is_now = |step| policy::step_due(step, trigger).is_some_and(|due| due == trigger.time);
        let speaks = terms.steps.first().is_some_and(is_now);
        let mut verdict = Verdict::Deferred;
        let mut next = policy::next_step(terms, trigger, (self.at, u32::MAX));
        if speaks && !self.customer.contacts.has_entry(entry) {
            let say = Utterance {
                entry,
                step: 0,
                next: None,
            };
            match self.speak(partition, rule, say) {
                Said::Verdict(said) => verdict = said,
                Said::Deferred(until) => {
                    self.arm(partition, rule, entry, quiet_until(0, until));
                    next = None;
                }
            }
        }
        if let Some((step, due)) = next {
            let wait = Wait::Step;
            self.arm(partition, rule, entry, Next { step, due, wait });
        } else if !speaks {
            // The time of every step has passed.
            return Verdict::Stale;
        }
        verdict
    }
}

pub(super) fn quiet_until(step: u32, until: Millis) -> Next {
    Next {
        step,
        due: until,
        wait: Wait::QuietHours,
    }
}
