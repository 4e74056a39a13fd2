//! Asking all rules that listen at once, by the index over their conditions. The verdicts are the same as if
//! one rule after another were asked, in the same order.

use super::Partition;
use super::case::Case;
use crate::action::Verdict;
use crate::clock::Millis;
use crate::policy::{self, Switches};
use crate::rules::{Bits, Group, Index, Rule};
use crate::state::Name;
use std::sync::Arc;

/// Rules that something is paused for, as long as neither changes.
#[derive(Debug)]
pub(super) struct Paused {
    switches: Arc<Switches>,
    index: Arc<Index>,
    rules: Bits,
}

impl Partition {
    /// Rules that must be asked by themselves: those that failed lately, since whether they work again is noted, and
    /// those that a pause concerns.
    fn alone(&self, index: &Arc<Index>) -> Bits {
        let mut alone = if self.switches.is_open() {
            Bits::none(index.rules().len())
        } else {
            self.concerned(index)
        };
        for name in self.quarantine.known() {
            if let Some(number) = index.number(&name) {
                alone.set(number);
            }
        }
        alone
    }

    fn concerned(&self, index: &Arc<Index>) -> Bits {
        let mut paused = self.paused.borrow_mut();
        if let Some(known) = paused.as_ref()
            && Arc::ptr_eq(&known.switches, &self.switches)
            && Arc::ptr_eq(&known.index, index)
        {
            return known.rules.clone();
        }
        let mut rules = Bits::none(index.rules().len());
        for (number, rule) in (0..).zip(index.rules()) {
            if self.switches.concern(&rule.terms) {
                rules.set(number);
            }
        }
        *paused = Some(Paused {
            switches: self.switches.clone(),
            index: index.clone(),
            rules: rules.clone(),
        });
        rules
    }
}

impl Case<'_> {
    /// The rules that propose something; `None` if one rule after another must be asked.
    pub(super) fn sift(
        &mut self,
        partition: &Partition,
        kind: &str,
        age: Millis,
    ) -> Option<Vec<Arc<Rule>>> {
        let rules = self.rules;
        let index = rules.index(kind)?;
        // Who wants to know what was asked of a rule asks each.
        if self.trace.is_on() {
            return None;
        }
        let mut others = Vec::new();
        let open = Bits::all(index.rules().len());
        let alone = partition.alone(index);
        let open = self.pass_gates(partition, index, (open, &alone), age, &mut others);
        let sifted = rules.sift(index, self.moment, open)?;
        let mut asked = sifted.asked;
        asked.add(&sifted.held);
        asked.add(&alone);
        let mut proposals = Vec::new();
        for number in asked.iter() {
            let rule = &index.rules()[number as usize];
            let verdict = if alone.has(number) {
                self.gate(partition, rule, age)
            } else if sifted.held.has(number) {
                None
            } else {
                self.ask(partition, rule)
            };
            match verdict {
                None => proposals.push(rule.clone()),
                Some(verdict) => self.count(rule, 0, verdict),
            }
            others.push((number, None));
        }
        let mut notes = self.output.quiet.event(index);
        for (number, other) in others {
            notes.got(number, other);
        }
        Some(proposals)
    }

    /// Whether a rule's condition holds, of one that never failed.
    fn ask(&mut self, partition: &Partition, rule: &Rule) -> Option<Verdict> {
        match self.rules.when(rule, self.moment) {
            Ok(true) => None,
            Ok(false) => Some(Verdict::Condition),
            Err(error) => Some(self.fail(partition, rule, error)),
        }
    }

    /// Takes out whom schedule, audience, rollout or freshness stops, in the order in which verdicts are tried.
    fn pass_gates(
        &self,
        partition: &Partition,
        index: &Index,
        (mut open, alone): (Bits, &Bits),
        age: Millis,
        others: &mut Vec<(u32, Option<Verdict>)>,
    ) -> Bits {
        open.clear(alone);
        let gates = index.gates();
        let terms = |number: u32| &index.rules()[number as usize].terms;
        let mut stop =
            |groups: &[Group], verdict: Verdict, open: &mut Bits, passes: &dyn Fn(u32) -> bool| {
                for group in groups {
                    if group.meets(open) && !passes(group.first) {
                        group.take_out(open, |rule| others.push((rule, Some(verdict))));
                    }
                }
            };
        if !gates.schedules.is_empty() {
            let local = policy::local_time(self.at, partition.zone_of(self.customer));
            let passes = |first| {
                local
                    .as_ref()
                    .is_some_and(|local| policy::is_scheduled_at(terms(first), local))
            };
            stop(&gates.schedules, Verdict::Schedule, &mut open, &passes);
        }
        let segments: Vec<Name> = self.customer.profile.segments().collect();
        let names = partition.customers.names();
        let passes = |first| {
            let audience: &[Box<str>] = &terms(first).audience;
            let mut audience = audience.iter();
            !segments.is_empty()
                && audience.any(|segment| {
                    names
                        .find(segment)
                        .is_some_and(|name| segments.contains(&name))
                })
        };
        stop(&gates.audiences, Verdict::Audience, &mut open, &passes);
        let rolled_out = |first| policy::is_rolled_out(terms(first), self.id);
        stop(&gates.partial, Verdict::Rollout, &mut open, &rolled_out);
        let passes = |first| {
            let terms = terms(first);
            age.saturating_sub(terms.delay.unwrap_or(0)) <= terms.fresh
        };
        stop(&gates.freshness, Verdict::Stale, &mut open, &passes);
        open
    }
}
