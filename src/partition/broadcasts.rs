//! Which broadcasts were seen, so that one that is published again changes nothing.

use serde::{Deserialize, Serialize};
use std::collections::{HashSet, VecDeque};

/// The most that are remembered: the oldest are forgotten first. Broadcasts are about everybody; a hundred a
/// day are remembered for two years.
const BROADCASTS_MAX: usize = 65_536;

/// The fingerprints of the broadcasts that were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
pub struct Broadcasts {
    seen: HashSet<u64>,
    /// The same, the first seen first.
    order: VecDeque<u64>,
}

impl Broadcasts {
    /// Notes one; tells whether it is new.
    pub(super) fn note(&mut self, fingerprint: u64) -> bool {
        let is_new = self.seen.insert(fingerprint);
        if is_new {
            self.order.push_back(fingerprint);
        }
        if self.order.len() > BROADCASTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        is_new
    }
}

impl From<Vec<u64>> for Broadcasts {
    fn from(fingerprints: Vec<u64>) -> Self {
        let mut seen = Self::default();
        for fingerprint in fingerprints {
            seen.note(fingerprint);
        }
        seen
    }
}

impl From<Broadcasts> for Vec<u64> {
    fn from(broadcasts: Broadcasts) -> Self {
        broadcasts.order.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_is_new_once_and_the_oldest_are_forgotten_first() {
        let mut seen = Broadcasts::default();
        assert!(seen.note(7));
        assert!(!seen.note(7));
        let seen: Broadcasts = Vec::from(seen).into();
        let mut seen = seen;
        assert!(!seen.note(7), "also after a restart");
        for other in 100..100 + BROADCASTS_MAX as u64 {
            assert!(seen.note(other));
        }
        assert!(seen.note(7), "so long ago that it is forgotten");
        assert_eq!(seen.seen.len(), BROADCASTS_MAX);
    }
}
