//! What deciding about an event, a timer and a broadcast have in common: one customer, one time, one
//! rule after another.

use super::Partition;
use super::output::{
    LogEntry, Output, Place, QuarantineRecord, Quarantined, Silenced, TimerChange, TimerRecord,
};
use super::till::Till;
use crate::action::{Body, Decision, Next, Trigger, Verdict, decision_id};
use crate::clock::Millis;
use crate::event::{Event, Occasion};
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::policy::{self, Refusal};
use crate::rules::{Function, Moment, Rule, RuleError, RuleSet};
use crate::state::{Customer, DecisionId, Draw, Remembered, Wait};
use crate::terms::Budget;
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

    fn traceparent(self) -> Option<Box<str>> {
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
    pub(super) fn count(&mut self, rule: &Rule, verdict: Verdict) {
        let key = (rule.terms.name.clone(), verdict);
        *self.output.verdicts.entry(key).or_default() += 1;
    }

    /// Counts what became of a proposal, and lists it if it did not go out.
    pub(super) fn conclude(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        step: u32,
        verdict: Verdict,
    ) {
        self.count(rule, verdict);
        // Only a rule that got to the end without an error has shown that it works.
        if verdict != Verdict::Error {
            partition.quarantine.succeeded(&rule.terms.name);
        }
        if partition.list_silenced && !matches!(verdict, Verdict::Sent | Verdict::Holdout) {
            self.output.silenced.push(Silenced {
                rule: rule.terms.name.clone(),
                verdict,
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
        if !in_audience {
            return Some(Verdict::Audience);
        }
        if !policy::is_rolled_out(terms, self.id) {
            return Some(Verdict::Rollout);
        }
        // What waits first is due later.
        if age.saturating_sub(terms.delay.unwrap_or(0)) > terms.fresh {
            return Some(Verdict::Stale);
        }
        match self.rules.when(rule, self.moment) {
            Ok(true) => None,
            Ok(false) => {
                partition.quarantine.succeeded(&terms.name);
                Some(Verdict::Condition)
            }
            Err(error) => Some(self.fail(partition, rule, error)),
        }
    }

    /// Whether a rule may be asked at all now: quarantine and schedule.
    pub(super) fn hold(&self, partition: &Partition, rule: &Rule) -> Option<Verdict> {
        let terms = &rule.terms;
        if self.hold_off(partition, rule) {
            return Some(Verdict::Quarantine);
        }
        let zone = || partition.zone_of(self.customer);
        (!policy::is_scheduled(terms, self.at, zone)).then_some(Verdict::Schedule)
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

    /// Says something, if the contact policy and the budget let it.
    pub(super) fn speak(&mut self, partition: &Partition, rule: &Rule, say: Utterance) -> Said {
        let terms = &rule.terms;
        let channel = match self.channel(partition, rule) {
            Ok(channel) => channel,
            Err(refusal) => {
                return match refusal.until {
                    Some(until) => Said::Deferred(until),
                    None => Said::Verdict(refusal.verdict),
                };
            }
        };
        let body = match self.body(partition, rule, say.step) {
            Ok(body) => body,
            Err(verdict) => return Said::Verdict(verdict),
        };
        let verdict = if policy::is_held_out(terms, self.id) {
            Verdict::Holdout
        } else {
            Verdict::Sent
        };
        let mut account = None;
        if let Some(budget) = &terms.budget
            && verdict == Verdict::Sent
        {
            let draw = match self.draw_for(partition, rule, budget, &body) {
                Ok(draw) => draw,
                Err(error) => return Said::Verdict(self.fail(partition, rule, error)),
            };
            account.clone_from(&draw.account);
            if !self.till.pay(partition, rule, budget, draw) {
                return Said::Verdict(Verdict::Budget);
            }
        }
        let decision = Decision {
            id: self.origin.decision_id(self.id, rule, say.step),
            entry: say.entry,
            next: say.next,
            customer: self.id.clone(),
            rule: terms.name.clone(),
            generation: self.rules.generation().clone(),
            channel: channel.into(),
            variant: policy::variant(terms, self.id).into(),
            step: say.step,
            verdict,
            trigger: self.origin.trigger(),
            body,
            account,
            decided_at: self.now,
            policy_time: self.at,
            time: self.time,
            traceparent: self.origin.traceparent(),
            after: partition.position,
            part: None,
        };
        self.output
            .entries
            .push(LogEntry::Decision(Box::new(decision)));
        Said::Verdict(verdict)
    }

    /// The channel by which a rule may speak now.
    pub(super) fn channel<'r>(
        &self,
        partition: &Partition,
        rule: &'r Rule,
    ) -> Result<&'r str, Refusal> {
        let names = partition.customers.names();
        let zone = || partition.zone_of(self.customer);
        let (terms, policy) = (&rule.terms, self.rules.policy());
        policy::channel(terms, policy, self.customer, names, self.at, zone)
    }

    /// What the rule has to say.
    fn body(&mut self, partition: &Partition, rule: &Rule, step: u32) -> Result<Body, Verdict> {
        let variant = policy::variant(&rule.terms, self.id);
        let returned = match self.rules.action(rule, self.moment, variant, step) {
            Ok(None) => return Err(Verdict::None),
            Ok(Some(returned)) => returned,
            Err(error) => return Err(self.fail(partition, rule, error)),
        };
        Body::check(returned).map_err(|message| {
            let error = rule.error(Function::Action, message);
            self.fail(partition, rule, error)
        })
    }

    /// What an action costs and who pays.
    pub(super) fn draw_for(
        &self,
        partition: &Partition,
        rule: &Rule,
        budget: &Budget,
        body: &Body,
    ) -> Result<Draw, RuleError> {
        let fault = |message: String| rule.error(Function::Action, message);
        let cost = body
            .fields
            .get("cost")
            .and_then(crate::event::Value::as_decimal);
        let cost = cost
            .and_then(|cost| Money::exact(cost).ok())
            .filter(|cost| *cost >= Money::ZERO)
            .ok_or_else(|| {
                fault("the action of a rule with a `budget` must have a `cost`: an amount of at least 0 with at most four decimals".to_owned())
            })?;
        let account = match &budget.per {
            None => None,
            Some(key) => {
                let value = body.fields.get(key).and_then(crate::event::Value::as_text);
                let value = value.ok_or_else(|| {
                    fault(format!(
                        "the budget is kept per `{key}`, so the action must have a `{key}` of text"
                    ))
                })?;
                Some(value.into())
            }
        };
        Ok(Draw {
            rule: rule.terms.name.clone(),
            account,
            day: policy::local_day(self.at, &partition.default_zone),
            cost,
        })
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

    /// Enters: speaks at once, or begins to wait, as the rule has it.
    pub(super) fn enter(&mut self, partition: &Partition, rule: &Rule) -> Verdict {
        let terms = &rule.terms;
        let name = partition.book.name(rule);
        if let Some(verdict) = policy::frequency(terms, name, self.customer, self.at) {
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
