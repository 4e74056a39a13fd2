//! What a worker counts: for the metrics, and to tell what a start had to catch up with.

use super::{Broker, Worker};
use crate::action::Verdict;
use crate::partition::{LogEntry, Output};
use crate::rules::Index;
use crate::telemetry::Metrics;
use prometheus::IntCounter;
use std::sync::Arc;

/// What a partition went through until it had caught up.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Events that were decided before this start.
    pub(super) folded: usize,
    /// Events that were decided now.
    pub(super) decided: usize,
    /// Triggers that were too old to act on.
    pub(super) stale: u64,
}

impl Backlog {
    /// One line in the log, if there was anything.
    pub(super) fn tell(self, partition: u16) {
        let Self {
            folded,
            decided,
            stale,
        } = self;
        if folded + decided > 0 {
            tracing::info!(
                partition,
                "caught up: {folded} events folded, {decided} decided, {stale} triggers too old to act on"
            );
        }
    }
}

/// The counters of `condition`, of each index by its rules: nearly every rule gets it at nearly every event, and to
/// find a counter by its labels takes longer than to ask the rule.
#[derive(Debug, Default)]
pub(super) struct Conditions(Vec<(Arc<Index>, Vec<Option<IntCounter>>)>);

impl Conditions {
    fn count(&mut self, metrics: &Metrics, index: &Arc<Index>, rule: u32, times: u64) {
        let known = self
            .0
            .iter()
            .position(|(known, _)| Arc::ptr_eq(known, index));
        let at = known.unwrap_or_else(|| {
            // Those of former generations are held by nobody else.
            self.0.retain(|(index, _)| Arc::strong_count(index) > 1);
            let none = vec![None; index.rules().len()];
            self.0.push((index.clone(), none));
            self.0.len() - 1
        });
        let counter = &mut self.0[at].1[rule as usize];
        let find = || metrics.verdict_counter(index.name(rule), Verdict::Condition);
        counter.get_or_insert_with(find).inc_by(times);
    }
}

impl<B: Broker> Worker<B> {
    pub(super) fn count(&mut self, output: &Output) {
        let metrics = &self.shared.metrics;
        metrics.duplicates.inc_by(output.duplicates);
        metrics.trimmed_windows.inc_by(output.trimmed_windows);
        for ((rule, verdict), times) in &output.verdicts {
            metrics.verdict(rule, *verdict, *times);
            if *verdict == Verdict::Stale {
                self.backlog.stale += times;
            }
        }
        for (index, rule, verdict, times) in output.quiet.totals() {
            match verdict {
                Verdict::Condition => self.conditions.count(metrics, index, rule, times),
                other => metrics.verdict(index.name(rule), other, times),
            }
            if verdict == Verdict::Stale {
                self.backlog.stale += times;
            }
        }
        for ((outcome, result), times) in &output.outcomes {
            let outcomes = &metrics.outcomes;
            outcomes
                .with_label_values(&[outcome, result])
                .inc_by(*times);
        }
        for ((rule, verdict), times) in &output.fallbacks {
            let labels = [&**rule, verdict.word()];
            metrics.fallbacks.with_label_values(&labels).inc_by(*times);
        }
        if !output.assigned.is_empty() {
            let rules = self.shared.registry.live();
            let experiments = &self.shared.experiments;
            experiments.count(&output.assigned, &rules, metrics);
        }
        for entry in &output.entries {
            if let LogEntry::Conversion(record) = entry {
                let labels = [&*record.rule, record.delivery.word()];
                metrics.conversions.with_label_values(&labels).inc();
            }
        }
        for (rule, error) in &output.errors {
            metrics.rule_failed(rule, error.function, error.line.unwrap_or(0));
            self.shared.health.rule_failed(rule, error);
        }
        for held in &output.quarantined {
            let quarantines = &metrics.quarantines;
            quarantines.with_label_values(&[&held.rule]).inc();
            let health = &self.shared.health;
            health.rule_quarantined(&held.rule, held.digest, held.until);
        }
    }
}
