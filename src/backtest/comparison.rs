//! What two sides decided in one partition, matched by decision.

use super::told::Told;
use crate::state::DecisionId;
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Which of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What was decided, or the rules that are compared with.
    Before = 0,
    /// The rules that are tried.
    After = 1,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Before, Self::After];
}

/// A decision that is not the same on both sides.
#[derive(Clone, Debug)]
pub(super) enum Differing {
    /// Only after.
    Gained(Box<Told>),
    /// Only before.
    Lost(Box<Told>),
    /// On both, but not the same.
    Changed(Box<(Told, Told)>),
}

impl Differing {
    /// The one to show it by: the newer one.
    pub(super) fn shown(&self) -> &Told {
        match self {
            Self::Gained(told) | Self::Lost(told) => told,
            Self::Changed(both) => &both.1,
        }
    }
}

/// Matches decisions as they come. What was the same on both sides is forgotten, so it holds no more than what differs
/// and what one side is ahead by.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    waiting: HashMap<DecisionId, (Side, Box<Told>), RandomState>,
    changed: Vec<(Told, Told)>,
    same: u64,
}

impl Comparison {
    pub(super) fn take(&mut self, side: Side, told: Told) {
        match self.waiting.remove(&told.id) {
            Some((other, first)) if other != side => {
                let (before, after) = match side {
                    Side::Before => (told, *first),
                    Side::After => (*first, told),
                };
                if before.differs(&after).is_empty() {
                    self.same += 1;
                } else {
                    self.changed.push((before, after));
                }
            }
            _ => {
                self.waiting.insert(told.id, (side, Box::new(told)));
            }
        }
    }

    /// How many were the same, and all others in the order of history.
    pub(super) fn finish(self) -> (u64, Vec<Differing>) {
        let alone = self.waiting.into_values().map(|(side, told)| match side {
            Side::Before => Differing::Lost(told),
            Side::After => Differing::Gained(told),
        });
        let changed = self.changed.into_iter();
        let changed = changed.map(|both| Differing::Changed(Box::new(both)));
        let mut all: Vec<Differing> = alone.chain(changed).collect();
        sort(&mut all);
        (self.same, all)
    }
}

/// Puts differences into the order of history.
pub(super) fn sort(all: &mut [Differing]) {
    all.sort_by(|a, b| {
        let key = |differing: &Differing| {
            let told = differing.shown();
            (told.at, told.trigger.sequence, told.id.0)
        };
        key(a).cmp(&key(b))
    });
}
