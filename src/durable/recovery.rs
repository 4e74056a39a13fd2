//! Putting state together again: which events were decided before, and what was decided.

use super::log::LogItem;
use crate::partition::{Logged, Partition};
use std::collections::VecDeque;

/// What a partition's log says, to be merged with its events in the order of the stream.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Decisions by the sequence of their trigger, in the log's order.
    decisions: VecDeque<(u64, Logged)>,
    /// Every event up to here was decided.
    through: u64,
    /// How many decisions of the last trigger are there.
    last: Option<(u64, u32)>,
}

impl Recovery {
    /// Takes the next message of the log.
    pub fn take(&mut self, item: LogItem) {
        match item {
            LogItem::Decision {
                logged,
                trigger,
                part: (_, of),
            } => {
                let count = match self.last {
                    Some((last, count)) if last == trigger => count + 1,
                    _ => 1,
                };
                self.last = Some((trigger, count));
                // Whoever decided this event had decided all before it. It is done itself only when
                // each of its decisions is there: a crash may have come between two of them.
                let done = if count >= of {
                    trigger
                } else {
                    trigger.saturating_sub(1)
                };
                self.through = self.through.max(done);
                self.decisions.push_back((trigger, logged));
            }
            LogItem::Through(record) => self.through = self.through.max(record.through),
            LogItem::Owner(_) | LogItem::Unknown(_) => {}
        }
    }

    /// Every event up to this sequence was decided.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.through
    }

    /// How many decisions wait to be merged.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.decisions.len()
    }

    /// Folds the decisions that came before the event with this sequence. Call it before the event
    /// is applied.
    pub fn before(&mut self, sequence: u64, partition: &mut Partition) {
        // An event that was not fully decided is decided again: what is there of it comes first.
        let is_redecided = sequence > self.through;
        while self
            .decisions
            .front()
            .is_some_and(|(trigger, _)| *trigger < sequence || is_redecided)
        {
            if let Some((_, logged)) = self.decisions.pop_front() {
                partition.fold_decision(&logged);
            }
        }
    }

    /// Folds whatever is left, when there are no more events to merge with.
    pub fn finish(&mut self, partition: &mut Partition) {
        for (_, logged) in self.decisions.drain(..) {
            partition.fold_decision(&logged);
        }
    }
}
