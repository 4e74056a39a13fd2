//! What is due: delays, steps, the ends of quiet hours, and the daily triggers.

use super::Partition;
use super::case::{Case, Origin, Said, Utterance, quiet_until};
use super::output::{Output, Parked};
use super::record::{SweepKey, TimerChange};
use super::till::Till;
use crate::action::{Next, Verdict};
use crate::clock::Millis;
use crate::partitioning::CustomerId;
use crate::policy::{self, Trace};
use crate::rules::{EventView, Rule, RuleSet, Standing, Subject};
use crate::state::{DecisionId, Pending, Wait, Want};
use crate::terms::DAILY;
use jiff::civil::Time;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

/// One that waits, by when it is due. Those due at the same time come by customer and journey, so that
/// everybody fires them in the same order.
type Due = Reverse<(Millis, CustomerId, DecisionId)>;

/// Everything that waits in a partition, the earliest first. What was ended or moved since stays here
/// until its time comes, and is passed over then: ending it costs nothing.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Due>);

impl Timers {
    pub(super) fn push(&mut self, due: Millis, customer: &CustomerId, entry: DecisionId) {
        self.0.push(Reverse((due, customer.clone(), entry)));
    }

    pub(super) fn next_due(&self) -> Option<Millis> {
        self.0.peek().map(|Reverse((due, _, _))| *due)
    }

    fn pop_due(&mut self, until: Millis) -> Option<(Millis, CustomerId, DecisionId)> {
        self.next_due().filter(|due| *due <= until)?;
        self.0.pop().map(|Reverse(due)| due)
    }
}

/// When the daily triggers come next, and which.
#[derive(Debug, Default)]
pub(super) struct DailyClock {
    /// The generation and the number of time zones that `next` was computed for.
    seen: Option<(Arc<str>, usize)>,
    next: Option<(Millis, Vec<SweepKey>)>,
}

impl Partition {
    /// Fires what is due up to `until`, in the order of time, but at most so many, and none that a grant
    /// must be waited for. Returns whether that was all.
    pub(super) fn fire_until(
        &mut self,
        until: Millis,
        timers_max: usize,
        now: Millis,
        rules: &RuleSet,
        output: &mut Output,
    ) -> bool {
        let mut left = timers_max;
        loop {
            let daily = self.next_daily(rules).filter(|due| *due <= until);
            let timer = self.timers.next_due().filter(|due| *due <= until);
            match (timer, daily) {
                (timer, Some(due)) if timer.is_none_or(|timer| due <= timer) => {
                    self.pass(due);
                    self.begin_daily(now, rules, output);
                }
                (Some(_), _) if left == 0 => return false,
                (Some(due), _) => {
                    left -= 1;
                    self.pass(due);
                    if let Some((due, id, entry)) = self.timers.pop_due(until)
                        && let Some(want) = self.fire(due, &id, entry, now, rules, output)
                    {
                        self.timers.push(due, &id, entry);
                        output.parked = Some(Parked { inputs: 0, want });
                        return false;
                    }
                }
                (None, _) => break,
            }
        }
        self.pass(until);
        true
    }

    /// When the next daily triggers come after the clock.
    pub(super) fn next_daily(&mut self, rules: &RuleSet) -> Option<Millis> {
        let clock = self.clock?;
        let zones = self.member_zones.len();
        let is_current = self.daily.seen.as_ref().is_some_and(|(generation, seen)| {
            // Until the clock reaches them, they stay the next.
            let ahead = self.daily.next.as_ref().is_none_or(|(due, _)| *due > clock);
            generation == rules.generation() && *seen == zones && ahead
        });
        if !is_current {
            self.daily.next = self.find_daily(clock, rules);
            self.daily.seen = Some((rules.generation().clone(), zones));
        }
        self.daily.next.as_ref().map(|(due, _)| *due)
    }

    /// The earliest daily triggers after the clock: several if time zones agree.
    fn find_daily(&self, clock: Millis, rules: &RuleSet) -> Option<(Millis, Vec<SweepKey>)> {
        let times: BTreeSet<Time> = rules.daily_times().collect();
        let mut next: Option<(Millis, Vec<SweepKey>)> = None;
        for time in times {
            for zone in &self.member_zones {
                let Some((due, day)) = policy::daily_due(time, clock, &self.zone(*zone)) else {
                    continue;
                };
                if next.as_ref().is_some_and(|(earliest, _)| *earliest < due) {
                    continue;
                }
                let key = SweepKey::Daily {
                    date: day.to_string(),
                    time: time.strftime("%H:%M").to_string(),
                    zone: zone.map(|name| (&*self.customers.names().word(name)).into()),
                    due,
                };
                match &mut next {
                    Some((earliest, keys)) if *earliest == due => keys.push(key),
                    _ => next = Some((due, vec![key])),
                }
            }
        }
        // By their words: the order of names depends on who came first.
        next.map(|(due, mut keys)| {
            keys.sort();
            (due, keys)
        })
    }

    fn begin_daily(&mut self, now: Millis, rules: &RuleSet, output: &mut Output) {
        let Some((due, keys)) = self.daily.next.take() else {
            return;
        };
        self.daily.seen = None;
        let age = now.saturating_sub(due);
        let listening = rules.listening(DAILY);
        // After an outage, what was missed is not made up for: no need to write it down.
        if listening.iter().any(|rule| age <= rule.terms.fresh) {
            for key in keys {
                self.begin_sweep(key, due, output);
            }
        }
    }

    fn fire(
        &mut self,
        due: Millis,
        id: &CustomerId,
        entry: DecisionId,
        now: Millis,
        rules: &RuleSet,
        output: &mut Output,
    ) -> Option<Want> {
        let customer = self.customers.get(id.as_str())?;
        let pending = customer.pending(entry).filter(|p| p.due == due).cloned()?;
        let mut trial = self.try_out(output);
        let output = trial.output();
        let first = output.entries.len();
        let customers = self.customers.clone();
        let occasion = pending.trigger.occasion();
        let view = EventView::new(&occasion, Some(id));
        let standing = Standing {
            id,
            customer: &customer,
            customers: &customers,
            time: due,
            index: customer.journal.count_until(due),
        };
        let moment = rules.moment(Subject::View(&view), standing);
        let mut case = Case {
            origin: Origin::Occasion(&occasion, pending.trigger.sequence),
            id,
            customer: &customer,
            rules,
            moment: &moment,
            at: due,
            time: due,
            now,
            till: Till::default(),
            trace: Trace::new(self.list_checks),
            spoken: Vec::new(),
            output,
        };
        case.ring(self, &pending);
        let want = case.till.close(self);
        if moment.crossed_trimmed_edge() {
            output.trimmed_windows += 1;
        }
        drop(moment);
        drop(customer);
        if want.is_some() {
            output.retract();
        }
        self.settle(output, first);
        trial.end(want)
    }
}

impl Case<'_> {
    /// Something is due: looks at it again, and says it or not.
    fn ring(&mut self, partition: &Partition, pending: &Pending) {
        let Some(rule) = partition.book.rules.get(&pending.rule).cloned() else {
            let name = partition.customers.names().word(pending.rule);
            let verdict = "rule_gone".to_owned();
            let change = TimerChange::Ended { verdict };
            self.change_timer(partition, &name, pending.entry, change);
            return;
        };
        if pending.wait == Wait::Fallback {
            self.ring_fallback(partition, &rule, pending);
            return;
        }
        let following = self.following(&rule, pending.step);
        let say = Utterance {
            entry: pending.entry,
            step: pending.step,
            next: following,
        };
        let kept = match self.recheck(partition, &rule) {
            Some(verdict) => Some(verdict),
            None => self.said_meanwhile(partition, &rule, pending),
        };
        let said = match kept {
            Some(verdict) => Said::Verdict(verdict),
            None => self.speak(partition, &rule, say),
        };
        let (verdict, change) = match said {
            // The decision itself says what comes next.
            Said::Verdict(verdict) if verdict.is_decision() => (verdict, None),
            Said::Deferred(until) => (
                Verdict::Deferred,
                Some(moved(quiet_until(pending.step, until), Verdict::Deferred)),
            ),
            Said::Verdict(verdict) => (
                verdict,
                Some(match following {
                    Some(next) => moved(next, verdict),
                    None => TimerChange::Ended {
                        verdict: verdict.word().to_owned(),
                    },
                }),
            ),
        };
        if let Some(change) = change {
            self.change_timer(partition, &rule.terms.name, pending.entry, change);
        }
        self.conclude(partition, &rule, pending.step, verdict, None);
    }

    /// What is due of a journey after this.
    fn following(&self, rule: &Rule, step: u32) -> Option<Next> {
        let Origin::Occasion(trigger, _) = self.origin else {
            return None;
        };
        let next = policy::next_step(&rule.terms, trigger, (self.at, step));
        next.map(|(step, due)| Next {
            step,
            due,
            wait: Wait::Step,
        })
    }

    /// Whether the rule's own cooldown or cap stands in the way of what waited and says something for the
    /// first time now: what was said meanwhile counts from when it was said.
    fn said_meanwhile(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        pending: &Pending,
    ) -> Option<Verdict> {
        let contacts = &self.customer.contacts;
        if pending.wait == Wait::Step || contacts.has_entry(pending.entry) {
            return None;
        }
        let (name, at) = (partition.book.name(rule)?, self.at);
        let said = |window| contacts.entries(name, at, window).collect();
        policy::frequency(&rule.terms, said, &mut self.trace)
    }

    /// Why it is not said after all, before the contact policy is asked.
    fn recheck(&mut self, partition: &Partition, rule: &Rule) -> Option<Verdict> {
        self.trace.about(&rule.terms.name);
        if let Some(verdict) = self.hold(partition, rule) {
            return Some(verdict);
        }
        let age = self.now.saturating_sub(self.at);
        if !self.is_fresh(&rule.terms, age) {
            return Some(Verdict::Stale);
        }
        let still = self.rules.still(rule, self.moment);
        (self.trace).push("still", matches!(still, Ok(true)), Vec::new);
        match still {
            Ok(still) => (!still).then_some(Verdict::Still),
            Err(error) => Some(self.fail(partition, rule, error)),
        }
    }
}

fn moved(next: Next, verdict: Verdict) -> TimerChange {
    TimerChange::Moved {
        next,
        verdict: verdict.word().to_owned(),
    }
}
