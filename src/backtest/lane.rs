//! One partition on its way through history, under each of the rule sets.

use super::causes::{Evidence, Live};
use super::comparison::{Comparison, Side};
use super::exchange::Wanted;
use super::precedents::{Onward, Precedents};
use super::run::Setup;
use super::tally::{Contacts, Tally};
use super::told::Told;
use crate::clock::Millis;
use crate::decode::Rejection;
use crate::durable::{LogItem, Recovery};
use crate::partition::{Input, LogEntry, Logged, Output, Partition, SweepKey};
use crate::rules::RuleSet;
use crate::state::{Customers, Ledger};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// One event as history has it.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) sequence: u64,
    /// When it was stored, as the clock of the whole stream has it, which never goes back.
    pub(super) at: Millis,
    /// Whether it is for everybody, so that one partition counts it.
    pub(super) is_broadcast: bool,
    /// As each rule set's schema reads it.
    pub(super) inputs: Vec<Result<Input, Rejection>>,
}

/// One rule set in one partition.
pub(super) struct Run {
    pub(super) side: Side,
    pub(super) rules: Arc<RuleSet>,
    pub(super) partition: Partition,
    /// What was decided before the period, as the log says.
    pub(super) recovery: Recovery,
    pub(super) tally: Tally,
}

impl Run {
    /// One that knows nothing yet.
    pub(super) fn new(
        number: u16,
        side: Side,
        rules: &Arc<RuleSet>,
        ledger: &Arc<Ledger>,
        setup: &Setup,
    ) -> Self {
        // Words are numbered as they come: with a map of its own, that does not depend on other partitions.
        let customers = Arc::new(Customers::default());
        let partition = Partition::new(customers, setup.journal, setup.zone.clone());
        Self {
            side,
            rules: rules.clone(),
            partition: partition
                .sharing(number, ledger.clone(), Arc::default())
                .keeping_quiet(),
            recovery: Recovery::default(),
            tally: Tally::default(),
        }
    }

    /// One that decides what was decided before.
    pub(super) fn following(mut self, precedents: Arc<Precedents>) -> Self {
        self.partition = self.partition.following(precedents);
        self
    }
}

/// What became of the events of one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Of the period.
    pub(super) events: u64,
    /// Before the period.
    pub(super) before: u64,
    pub(super) duplicates: u64,
    /// Refused by the last of the rule sets.
    pub(super) refused: u64,
    pub(super) imported: u64,
}

/// What the log says of what is decided again.
pub(super) struct Led {
    pub(super) precedents: Arc<Precedents>,
    /// The time within which nothing grows stale.
    pub(super) patience: Millis,
    /// Whether the last event was decided about by the same rules, as far as the log is known.
    pub(super) is_settled: bool,
}

impl Led {
    /// By a log of which nothing is known yet.
    pub(super) fn new(rules: &RuleSet) -> Self {
        let fresh = rules.rules().iter().map(|rule| rule.terms.fresh);
        Self {
            precedents: Arc::default(),
            patience: fresh.min().unwrap_or(Millis::MAX),
            is_settled: false,
        }
    }
}

/// One partition.
pub(super) struct Lane {
    pub(super) number: u16,
    pub(super) runs: Vec<Run>,
    pub(super) comparison: Comparison,
    pub(super) contacts: Contacts,
    pub(super) evidence: Evidence,
    pub(super) counts: Counts,
    /// What the log says for the last of the rule sets, if it is compared with that.
    pub(super) led: Option<Led>,
    /// When something is due next, as it was looked up last.
    pub(super) due: Option<Millis>,
    /// Events up to here are in the checkpoint that it began with.
    pub(super) through: u64,
    /// When decisions count.
    pub(super) period: Range<Millis>,
    pub(super) zone: TimeZone,
}

impl Lane {
    /// When something is due next under any of the rule sets.
    pub(super) fn next_due(&mut self) -> Option<Millis> {
        let dues = self.runs.iter_mut();
        dues.filter_map(|run| run.partition.next_due(&run.rules))
            .min()
    }

    /// Takes an event of before the period: nothing is decided, what the log says is.
    pub(super) fn fold(&mut self, arrival: &Arrival) {
        if arrival.sequence <= self.through {
            return;
        }
        self.counts.before += u64::from(!arrival.is_broadcast || self.number == 0);
        for (run, input) in self.runs.iter_mut().zip(&arrival.inputs) {
            run.recovery.before(arrival.sequence, &mut run.partition);
            if let Ok(input) = input {
                run.partition.fold(input);
            }
        }
    }

    /// Goes over from what was decided to deciding.
    pub(super) fn begin(&mut self) {
        for run in &mut self.runs {
            run.recovery.finish(&mut run.partition);
            // What the rules would say is asked, whatever was switched off then.
            let at = self.period.start;
            run.partition.control(Arc::default(), at);
        }
    }

    /// Takes an event the whole way. Broadcasts begin here, and are gone on with by whoever knows all partitions.
    pub(super) fn step(&mut self, arrival: &Arrival) {
        if arrival.sequence <= self.through {
            return;
        }
        self.count(arrival);
        self.sweep_along(false);
        if let (Some(led), Some(run)) = (&mut self.led, self.runs.last()) {
            let (sequence, evidence) = (arrival.sequence, &self.evidence);
            // Only what the same rules decided is a precedent.
            led.is_settled = evidence.settles(sequence, run.rules.generation());
            let is_free = !evidence.hinders(sequence, arrival.at, led.patience);
            led.precedents.set_hold(led.is_settled && is_free);
        }
        for at in 0..self.runs.len() {
            if let Ok(input) = &arrival.inputs[at] {
                let run = &mut self.runs[at];
                let batch = std::slice::from_ref(input);
                let output = run.partition.step(batch, input.stored_at, &run.rules);
                self.take(at, output);
            }
        }
    }

    fn count(&mut self, arrival: &Arrival) {
        if arrival.is_broadcast && self.number > 0 {
            return;
        }
        if arrival.at < self.period.start {
            self.counts.before += 1;
            return;
        }
        self.counts.events += 1;
        match arrival.inputs.last() {
            Some(Ok(input)) => self.counts.imported += u64::from(input.what.is_imported()),
            Some(Err(_)) => self.counts.refused += 1,
            None => {}
        }
    }

    /// Fires what is due at that time; `now` is when it turns out to be.
    pub(super) fn fire(&mut self, due: Millis, now: Millis) {
        self.sweep_along(false);
        // Of what is due, the log tells what became of it; but not by when it would have.
        self.set_hold(false);
        for at in 0..self.runs.len() {
            let run = &mut self.runs[at];
            if run
                .partition
                .next_due(&run.rules)
                .is_some_and(|own| own <= due)
            {
                let output = run.partition.advance(due, now, &run.rules);
                self.take(at, output);
                // Daily triggers: each partition draws on its own for them.
                self.sweep(at, now);
            }
        }
    }

    fn set_hold(&self, hold: bool) {
        if let Some(led) = &self.led {
            led.precedents.set_hold(hold);
        }
    }

    /// Takes broadcasts and daily triggers as far as they had come when the engine came to the next event; at the end of
    /// history, to their end.
    pub(super) fn sweep_along(&mut self, at_end: bool) {
        let Some(led) = &self.led else {
            return;
        };
        let (precedents, patience) = (led.precedents.clone(), led.patience);
        precedents.set_lead(true);
        let last = self.runs.len() - 1;
        while let Some(sweeping) = self.runs[last].partition.sweeping() {
            let run = &mut self.runs[last];
            let position = run.partition.position();
            match precedents.onward(&sweeping, position, at_end) {
                Onward::Later => break,
                Onward::Anew => run.partition.sweep_anew(),
                Onward::Take(customers) => {
                    let is_free = !self.evidence.hinders(position, sweeping.at, patience);
                    precedents.set_hold(is_free);
                    let output = run.partition.sweep(customers, sweeping.at, &run.rules);
                    self.take(last, output);
                }
            }
        }
    }

    /// Takes broadcasts and daily triggers as far as they go without the other partitions; not those of which the log
    /// says how far they had come when.
    pub(super) fn sweep(&mut self, at: usize, now: Millis) {
        if at + 1 == self.runs.len() && self.led.as_ref().is_some_and(|led| led.is_settled) {
            return;
        }
        self.set_hold(false);
        if let Some(led) = &self.led {
            led.precedents.set_lead(false);
        }
        while self.runs[at].partition.is_sweeping() {
            let run = &mut self.runs[at];
            let output = run.partition.sweep(usize::MAX, now, &run.rules);
            self.take(at, output);
        }
    }

    /// What a broadcast would cost, once, when all customers have been surveyed.
    pub(super) fn wanted(&mut self, at: usize) -> Option<Wanted> {
        let (key, demands) = self.runs[at].partition.demands()?;
        Some(Wanted {
            lane: self.number,
            key,
            demands,
        })
    }

    /// Goes on with broadcasts whose demands were weighed.
    pub(super) fn grant(
        &mut self,
        at: usize,
        granted: &BTreeMap<SweepKey, BTreeMap<u16, Vec<bool>>>,
        now: Millis,
    ) {
        for (key, by_lane) in granted {
            if let Some(own) = by_lane.get(&self.number) {
                self.runs[at].partition.grant(key, own);
            }
        }
        self.sweep(at, now);
    }

    /// Takes what one rule set led to.
    fn take(&mut self, at: usize, output: Output) {
        let is_last = at + 1 == self.runs.len();
        let run = &mut self.runs[at];
        // What a step counts has no time of its own; steps are never before and in the period at once.
        let clock = run.partition.clock();
        if clock.is_none_or(|clock| clock >= self.period.start) {
            for (key, times) in output.verdicts {
                *run.tally.verdicts.entry(key).or_default() += times;
            }
            run.tally.quiet.append(output.quiet);
            for (rule, _) in &output.errors {
                run.tally.failed(rule);
            }
            if is_last {
                self.counts.duplicates += output.duplicates;
                self.counts.refused += output.rejected.len() as u64;
            }
        }
        for entry in output.entries {
            match entry {
                LogEntry::Decision(decision) if self.period.contains(&decision.policy_time) => {
                    let told = Told::of(&decision);
                    self.runs[at].tally.decided(&told, &self.zone);
                    let side = self.runs[at].side;
                    self.contacts.decided(side, &told, &self.zone);
                    self.comparison.take(side, told);
                }
                LogEntry::Conversion(record) if self.period.contains(&record.at) => {
                    self.runs[at].tally.converted(&record.rule);
                }
                _ => {}
            }
        }
    }

    /// Takes a message of what was decided live.
    pub(super) fn decided(&mut self, tally: &mut Tally, live: Live) {
        self.evidence.take(&live);
        if let (Some(led), Some(run)) = (&self.led, self.runs.last()) {
            led.precedents.take(&live, &run.rules, &self.zone);
        }
        if let LogItem::Entry {
            logged: Logged::Conversion(record),
            ..
        } = &live.item
            && self.period.contains(&record.at)
        {
            tally.converted(&record.rule);
        }
        if let Some(told) = live.told.filter(|told| self.period.contains(&told.at)) {
            tally.decided(&told, &self.zone);
            self.contacts.decided(Side::Before, &told, &self.zone);
            self.comparison.take(Side::Before, told);
        }
    }
}
