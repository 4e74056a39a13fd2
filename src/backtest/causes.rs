//! Why a decision differs from what was decided live, as far as the log tells.

use super::comparison::Differing;
use super::told::Told;
use crate::clock::Millis;
use crate::durable::{Extent, LogItem};
use crate::partition::{Logged, Place, TimerChange};
use crate::partitioning::CustomerId;
use crate::policy::Switches;
use crate::rules::{Rule, RuleSet};
use crate::state::DecisionId;
use crate::terms::BROADCAST_PREFIX;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Messages of the log less than this apart are one point in time.
const POINT_MS: Millis = 1_000;

/// Why a decision is not the same on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Other rules decided.
    Rules,
    /// The engine has not come to the event yet.
    Undecided,
    /// The engine came to the trigger when it was no longer fresh, as after an outage; in a backtest everything is
    /// in time.
    Stale,
    /// The rule was in quarantine then.
    Quarantine,
    /// The rule was paused or in shadow mode then; in a backtest nothing is switched off.
    Switch,
    /// A broadcast or a daily trigger asked this customer at another moment, as after a crash amid it.
    Broadcast,
    /// The rule's budget was scarce, and what it covered is not known from the log: then a backtest draws in the order of
    /// history, and live, partitions draw as they come.
    Budget,
    /// The customer had another decision that differs before.
    Follows,
    /// Nothing in the log says why.
    Unexplained,
}

impl Cause {
    /// Every cause, in the order in which they are tried.
    pub const ALL: [Self; 9] = [
        Self::Rules,
        Self::Undecided,
        Self::Stale,
        Self::Quarantine,
        Self::Switch,
        Self::Broadcast,
        Self::Budget,
        Self::Follows,
        Self::Unexplained,
    ];

    /// For a person.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Rules => "other rules decided",
            Self::Undecided => "the engine has not decided about the event yet",
            Self::Stale => "the engine came too late: its trigger was stale",
            Self::Quarantine => "the rule was in quarantine",
            Self::Switch => "the rule was switched off: paused, or in shadow mode",
            Self::Broadcast => "a broadcast or daily trigger asked the customer at another moment",
            Self::Budget => "the budget was scarce and was drawn in another order",
            Self::Follows => "it follows from a difference before, with the same customer",
            Self::Unexplained => "unexplained",
        }
    }
}

/// A message of a partition's log.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) stored_at: Millis,
    pub(super) item: LogItem,
    /// The decision, if it is one.
    pub(super) told: Option<Told>,
}

/// What a partition's log says about how it was decided.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Up to which event the engine has come.
    come_to: u64,
    /// Up to which event everything that was decided is known.
    extent: Extent,
    /// Up to which event it had come when, now and then.
    points: Vec<(u64, Millis)>,
    /// From which event on which generation decided.
    generations: Vec<(u64, Arc<str>)>,
    quarantines: Vec<(Arc<str>, Millis, Millis)>,
    /// Behind which event on which switches were in force.
    switches: Vec<(u64, Arc<Switches>)>,
    /// What fell due too late.
    stale: HashSet<DecisionId>,
}

impl Evidence {
    pub(super) fn take(&mut self, live: &Live) {
        let come_to = match &live.item {
            LogItem::Entry { logged, place } => {
                self.extent.take(*place);
                self.entry(logged, *place, live);
                // Of what answers an event, the event itself may have more to come.
                Some(place.after)
            }
            LogItem::Through(record) => {
                self.extent.reach(record.through);
                self.generation(record.through, &record.generation);
                Some(record.through)
            }
            LogItem::Owner(_) => Some(self.come_to),
            LogItem::Unknown(_) => None,
        };
        if let Some(after) = come_to {
            self.point(after, live.stored_at);
        }
    }

    fn point(&mut self, after: u64, stored_at: Millis) {
        self.come_to = self.come_to.max(after);
        let is_new = |(_, at): &(u64, Millis)| stored_at - *at >= POINT_MS;
        if self.points.last().is_none_or(is_new) {
            self.points.push((self.come_to, stored_at));
        }
    }

    fn entry(&mut self, logged: &Logged, place: Place, live: &Live) {
        match logged {
            Logged::Quarantine(record) => {
                let held = (record.rule.clone(), live.stored_at, record.until);
                self.quarantines.push(held);
            }
            Logged::Control(record) => {
                self.switches.push((place.after, record.switches.clone()));
            }
            Logged::Timer(record) => {
                let (TimerChange::Ended { verdict } | TimerChange::Moved { verdict, .. }) =
                    &record.change
                else {
                    return;
                };
                if verdict == "stale" {
                    self.stale.insert(record.entry);
                }
            }
            Logged::Decision(_) => {
                if let Some(told) = &live.told {
                    self.generation(place.after, &told.generation);
                }
            }
            _ => {}
        }
    }

    fn generation(&mut self, after: u64, generation: &str) {
        if self
            .generations
            .last()
            .is_none_or(|(_, last)| **last != *generation)
        {
            self.generations.push((after, generation.into()));
        }
    }

    /// The generation that decided about an event; the first known one before that is known.
    fn generation_at(&self, after: u64) -> Option<&Arc<str>> {
        let behind = self.generations.partition_point(|(from, _)| *from <= after);
        let at = self.generations.get(behind.saturating_sub(1));
        at.map(|(_, generation)| generation)
    }

    /// By when the engine had surely not come to an event yet.
    fn not_before(&self, sequence: u64) -> Option<Millis> {
        let behind = self.points.partition_point(|(after, _)| *after < sequence);
        let at = self.points.get(behind.checked_sub(1)?);
        at.map(|(_, stored_at)| *stored_at)
    }

    /// Whether a rule was switched off when it was asked.
    fn was_off(&self, rule: &Rule, told: &Told) -> bool {
        let answers_at_once = told.trigger.sequence == told.after;
        let before = |after: u64| after < told.after || !answers_at_once && after == told.after;
        let behind = self.switches.partition_point(|(after, _)| before(*after));
        let Some((_, switches)) = behind.checked_sub(1).and_then(|at| self.switches.get(at)) else {
            return false;
        };
        switches.paused(&rule.terms, told.at).is_some()
            || switches.is_shadow(&rule.terms.name, told.customer.as_str())
            || switches.channel_paused(&told.channel, told.at).is_some()
    }

    fn has_come_to(&self, after: u64) -> bool {
        self.come_to >= after
    }

    /// Whether it is known that a generation decided about an event, and what.
    pub(super) fn settles(&self, sequence: u64, generation: &Arc<str>) -> bool {
        self.extent.through() >= sequence && self.generation_at(sequence) == Some(generation)
    }

    /// Whether something else than the rules may have kept the engine from an action at an event that was stored at `at`: a
    /// switch, a quarantine, or a delay, if something grows stale within `patience`.
    pub(super) fn hinders(&self, sequence: u64, at: Millis, patience: Millis) -> bool {
        let behind = self
            .switches
            .partition_point(|(after, _)| *after < sequence);
        let switches = behind.checked_sub(1).and_then(|at| self.switches.get(at));
        let is_held = |(_, from, until): &(Arc<str>, Millis, Millis)| (*from..*until).contains(&at);
        let is_late = |come: Millis| come.saturating_sub(at) > patience;
        switches.is_some_and(|(_, switches)| !switches.are_idle())
            || self.quarantines.iter().any(is_held)
            || self.not_before(sequence).is_some_and(is_late)
    }
}

/// Finds causes, one difference after another in the order of history.
pub(super) struct Inquiry<'a> {
    evidence: &'a [Evidence],
    rules: &'a RuleSet,
    /// Who had a difference before.
    touched: HashMap<CustomerId, Millis>,
}

impl<'a> Inquiry<'a> {
    /// One for what was decided live, by partition, against `rules`.
    pub(super) fn new(evidence: &'a [Evidence], rules: &'a RuleSet) -> Self {
        Self {
            evidence,
            rules,
            touched: HashMap::new(),
        }
    }

    /// Why this one differs.
    pub(super) fn cause(&mut self, lane: u16, differing: &Differing) -> Cause {
        let told = differing.shown();
        let cause = self.find(lane, differing, told);
        self.touched.entry(told.customer.clone()).or_insert(told.at);
        cause
    }

    fn find(&self, lane: u16, differing: &Differing, told: &Told) -> Cause {
        let evidence = &self.evidence[usize::from(lane)];
        let rule = self.rules.rule(&told.rule);
        if let Differing::Gained(_) = differing {
            if !evidence.has_come_to(told.after) {
                return Cause::Undecided;
            }
            if self.came_late(evidence, told) {
                return Cause::Stale;
            }
            let held = |(name, from, until): &(Arc<str>, Millis, Millis)| {
                *name == told.rule && (*from..*until).contains(&told.at)
            };
            if evidence.quarantines.iter().any(held) {
                return Cause::Quarantine;
            }
        }
        if let Some(rule) = rule
            && !matches!(differing, Differing::Lost(_))
            && evidence.was_off(rule, told)
        {
            return Cause::Switch;
        }
        let live = match differing {
            Differing::Gained(_) => evidence.generation_at(told.after),
            Differing::Lost(told) => Some(&told.generation),
            Differing::Changed(both) => Some(&both.0.generation),
        };
        if live != Some(self.rules.generation()) {
            return Cause::Rules;
        }
        let kind = &told.trigger.kind;
        if kind.starts_with(BROADCAST_PREFIX) || &**kind == crate::terms::DAILY {
            return Cause::Broadcast;
        }
        if self.touched.contains_key(&told.customer) {
            return Cause::Follows;
        }
        if rule.is_some_and(|rule| rule.terms.budget.is_some()) {
            return Cause::Budget;
        }
        Cause::Unexplained
    }

    /// Whether what it answers was no longer fresh when the engine came to it.
    fn came_late(&self, evidence: &Evidence, told: &Told) -> bool {
        let Some(rule) = self.rules.rule(&told.rule) else {
            return false;
        };
        if evidence.stale.contains(&told.id) {
            return true;
        }
        let since = if told.trigger.sequence == told.after {
            told.trigger.time
        } else {
            told.at
        };
        let come = evidence.not_before(told.trigger.sequence.max(told.after));
        come.is_some_and(|come| come.saturating_sub(since) > rule.terms.fresh)
    }
}
