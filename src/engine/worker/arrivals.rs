//! What came in, counted by type.

use super::super::broker::Broker;
use super::Worker;
use crate::partition::Input;
use crate::rules::RuleSet;

impl<B: Broker> Worker<B> {
    /// Counts decoded events by type; imported ones, which nobody answers, apart.
    pub(super) fn count_events(&self, inputs: &[Input], rules: &RuleSet) {
        let metrics = &self.shared.metrics;
        let is_same = |a: &Input, b: &Input| {
            a.what.kind() == b.what.kind() && a.what.is_imported() == b.what.is_imported()
        };
        for same in inputs.chunk_by(is_same) {
            let Some(first) = same.first() else {
                continue;
            };
            let kind = first.what.kind();
            let is_declared = rules.schema().event_type(kind).is_some();
            let kind = if is_declared { &**kind } else { "other" };
            let events = if first.what.is_imported() {
                &metrics.imported
            } else {
                &metrics.events
            };
            events.with_label_values(&[kind]).inc_by(same.len() as u64);
        }
    }
}
