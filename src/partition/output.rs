//! What goes into a step and what comes out of it.

use super::record::LogEntry;
use crate::action::{Decision, Trigger, Verdict};
use crate::clock::Millis;
use crate::decode::Rejection;
use crate::event::Incoming;
use crate::partitioning::CustomerId;
use crate::policy::{Arm, Check};
use crate::rules::{RuleError, Tally};
use crate::state::Want;
use std::collections::HashMap;
use std::sync::Arc;

/// An event with what the stream says of it.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the stream stored it: policy time.
    pub stored_at: Millis,
    /// How many entries of the log it has led to already: only after a crash in the midst of it.
    pub already: u32,
    /// The event.
    pub what: Incoming,
}

/// What a step did.
#[derive(Debug, Default)]
pub struct Output {
    /// What is to be committed, in this order.
    pub entries: Vec<LogEntry>,
    /// Events that state could not take, with their sequences.
    pub rejected: Vec<(u64, Rejection)>,
    /// Events seen before.
    pub duplicates: u64,
    /// Events for which a rule asked for a window over the edge of the journal.
    pub trimmed_windows: u64,
    /// How often each rule got each verdict.
    pub verdicts: HashMap<(Arc<str>, Verdict), u64>,
    /// The same of rules that had nothing to say, if they are kept apart.
    pub quiet: Tally,
    /// What came back of actions: how often which outcome was `recorded`, `repeated`, `unknown` or
    /// `not_sent`.
    pub outcomes: HashMap<(&'static str, &'static str), u64>,
    /// What became of what failed on one channel and was tried on another, by rule.
    pub fallbacks: HashMap<(Arc<str>, Verdict), u64>,
    /// Customers about whom a rule decided for the first time, by their group.
    pub assigned: HashMap<(Arc<str>, Arm), u64>,
    /// What rules failed with.
    pub errors: Vec<(Arc<str>, RuleError)>,
    /// Rules that were put into quarantine.
    pub quarantined: Vec<Quarantined>,
    /// Proposals that did not go out, if asked for.
    pub silenced: Vec<Silenced>,
    /// What stood between each rule and the customer, if asked for.
    pub checks: Vec<RuleChecks>,
    /// Where it stopped, since a budget must be granted first.
    pub parked: Option<Parked>,
}

/// Where a step stopped, since a budget must be granted first. What was decided before stands, and is
/// put out; it goes on when it is stepped again with the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// How many of the inputs are done with.
    pub inputs: usize,
    /// What is to be granted.
    pub want: Want,
}

impl Output {
    /// The decisions among what is to be committed.
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.entries.iter().filter_map(LogEntry::decision)
    }

    /// Adds what a later step did.
    pub fn append(&mut self, mut later: Self) {
        self.entries.append(&mut later.entries);
        self.rejected.append(&mut later.rejected);
        self.duplicates += later.duplicates;
        self.trimmed_windows += later.trimmed_windows;
        for (key, times) in later.verdicts {
            *self.verdicts.entry(key).or_default() += times;
        }
        self.quiet.append(later.quiet);
        for (key, times) in later.outcomes {
            *self.outcomes.entry(key).or_default() += times;
        }
        for (key, customers) in later.assigned {
            *self.assigned.entry(key).or_default() += customers;
        }
        for (key, times) in later.fallbacks {
            *self.fallbacks.entry(key).or_default() += times;
        }
        self.errors.append(&mut later.errors);
        self.quarantined.append(&mut later.quarantined);
        self.silenced.append(&mut later.silenced);
        self.checks.append(&mut later.checks);
        self.parked = later.parked.or(self.parked.take());
    }
}

/// A rule that was put into quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The rule.
    pub rule: Arc<str>,
    /// Of which text of it: another one is not in quarantine.
    pub digest: u64,
    /// Until when, by the wall clock.
    pub until: Millis,
}

/// A proposal that did not go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silenced {
    /// The rule.
    pub rule: Arc<str>,
    /// Why.
    pub verdict: Verdict,
    /// The rule that was said instead, if another one won.
    pub winner: Option<Arc<str>>,
    /// To whom.
    pub customer: CustomerId,
    /// What it would have answered.
    pub trigger: Trigger,
    /// The step of a journey; 0 for a rule without steps.
    pub step: u32,
    /// Policy time.
    pub at: Millis,
}

/// All that was asked before a rule got its verdict, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleChecks {
    /// The rule.
    pub rule: Arc<str>,
    /// The step of a journey; 0 for a rule without steps.
    pub step: u32,
    /// What became of it.
    pub verdict: Verdict,
    /// What was asked.
    pub checks: Vec<Check>,
}
