//! What a worker counts: for the metrics, and to tell what a start had to catch up with.

use super::{Broker, Worker};
use crate::action::Verdict;
use crate::partition::{LogEntry, Output};

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

impl<B: Broker> Worker<B> {
    pub(super) fn count(&mut self, output: &mut Output) {
        let metrics = &self.shared.metrics;
        metrics.duplicates.inc_by(output.duplicates);
        metrics.trimmed_windows.inc_by(output.trimmed_windows);
        for ((rule, verdict), times) in &output.verdicts {
            metrics.verdict(rule, *verdict, *times);
            if *verdict == Verdict::Stale {
                self.backlog.stale += times;
            }
        }
        if !self.caught_up {
            self.backlog.stale += output.quiet.times(Verdict::Stale);
        }
        metrics.quiet(std::mem::take(&mut output.quiet));
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
