//! Putting state together again: which events were decided before, and what was decided.

use super::log::LogItem;
use crate::partition::{
    Logged, LoggedDecision, Partition, Place, QuarantineRecord, SweepKey, SweepRecord,
};
use std::collections::VecDeque;

/// How far a partition's log shows that events are done.
#[derive(Debug, Default)]
pub struct Extent {
    /// Every event up to here was decided.
    through: u64,
    /// The event that was answered last, and how many of its entries are there.
    last: Option<(u64, u32)>,
}

impl Extent {
    /// Every event up to a sequence was decided.
    #[must_use]
    pub fn from(through: u64) -> Self {
        Self {
            through,
            last: None,
        }
    }

    /// Every event up to this sequence was decided.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.through
    }

    /// How many entries of an event are there already.
    #[must_use]
    pub fn already(&self, sequence: u64) -> u32 {
        match self.last {
            Some((last, count)) if last == sequence => count,
            _ => 0,
        }
    }

    /// Takes a record that says it.
    pub fn reach(&mut self, through: u64) {
        self.through = self.through.max(through);
    }

    /// Takes the place of the next entry.
    pub fn take(&mut self, place: Place) {
        let Some((_, of)) = place.part else {
            // It came after the event, when all of the event's own entries had been written.
            return self.reach(place.after);
        };
        let count = self.already(place.after) + 1;
        self.last = Some((place.after, count));
        // Whoever answered this event had done with all before it. It is done itself only when each of
        // its entries is there: a crash may have come between two of them.
        self.reach(if count >= of {
            place.after
        } else {
            place.after.saturating_sub(1)
        });
    }
}

/// What a partition's log says, to be merged with its events in the order of the stream.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Entries by the sequence of the event that they come after, in the log's order.
    entries: VecDeque<(u64, Logged)>,
    extent: Extent,
    /// The broadcasts that are done with.
    swept: Vec<u64>,
}

impl Recovery {
    /// Every event up to a sequence is in state already, as of a checkpoint; the log is taken from there on.
    #[must_use]
    pub fn from(through: u64) -> Self {
        Self {
            extent: Extent::from(through),
            ..Self::default()
        }
    }

    /// Takes the next message of the log.
    pub fn take(&mut self, item: LogItem) {
        match item {
            LogItem::Entry { logged, place } => {
                self.extent.take(place);
                if let Logged::Sweep(SweepRecord {
                    key: SweepKey::Broadcast(sequence),
                    done: true,
                    ..
                }) = &logged
                {
                    self.swept.push(*sequence);
                }
                self.entries.push_back((place.after, logged));
            }
            LogItem::Through(record) => self.extent.reach(record.through),
            LogItem::Owner(_) | LogItem::Unknown(_) => {}
        }
    }

    /// Every event up to this sequence was decided.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.extent.through()
    }

    /// How many entries of an event are there already.
    #[must_use]
    pub fn already(&self, sequence: u64) -> u32 {
        self.extent.already(sequence)
    }

    /// The broadcasts that are done with.
    #[must_use]
    pub fn swept(&self) -> &[u64] {
        &self.swept
    }

    /// What is logged of decisions: what budgets have spent.
    pub fn decisions(&self) -> impl Iterator<Item = &LoggedDecision> {
        self.entries.iter().filter_map(|(_, logged)| match logged {
            Logged::Decision(decision) => Some(&**decision),
            _ => None,
        })
    }

    /// What is logged of rules that were put into quarantine.
    pub fn quarantines(&self) -> impl Iterator<Item = &QuarantineRecord> {
        self.entries.iter().filter_map(|(_, logged)| match logged {
            Logged::Quarantine(record) => Some(record),
            _ => None,
        })
    }

    /// Folds the entries that came before the event with this sequence. Call it before the event is
    /// applied.
    pub fn before(&mut self, sequence: u64, partition: &mut Partition) {
        // An event that was not fully decided is decided again: what is there of it comes first.
        let is_redecided = sequence > self.extent.through();
        while self
            .entries
            .front()
            .is_some_and(|(after, _)| *after < sequence || is_redecided)
        {
            if let Some((_, logged)) = self.entries.pop_front() {
                partition.fold_logged(&logged);
            }
        }
    }

    /// Folds whatever is left, when there are no more events to merge with.
    pub fn finish(&mut self, partition: &mut Partition) {
        for (_, logged) in self.entries.drain(..) {
            partition.fold_logged(&logged);
        }
    }
}
