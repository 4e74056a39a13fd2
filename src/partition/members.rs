//! The customers of a partition, in the order in which they were first seen.

use crate::partitioning::CustomerId;
use std::sync::Arc;

/// Ids in one chunk: as many are copied at most when one is added after a snapshot was taken.
const CHUNK_IDS: usize = 1_024;

/// A list that grows only. Its copy is a snapshot, which costs a pointer for each chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// All full but the last.
    chunks: Vec<Arc<Vec<CustomerId>>>,
}

impl Members {
    pub(super) fn push(&mut self, id: CustomerId) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK_IDS => Arc::make_mut(last).push(id),
            _ => self.chunks.push(Arc::new(vec![id])),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &CustomerId> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The ids from the one with this number on.
    pub(super) fn from(&self, number: usize) -> impl Iterator<Item = &CustomerId> {
        let (chunk, at) = (number / CHUNK_IDS, number % CHUNK_IDS);
        let chunks = self.chunks.get(chunk..).unwrap_or_default();
        chunks.iter().flat_map(|chunk| chunk.iter()).skip(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_stays_as_it_was_and_can_be_read_from_anywhere() {
        let id = |number: usize| CustomerId::new(&format!("C{number}")).unwrap();
        let mut members = Members::default();
        let count = 2 * CHUNK_IDS + 10;
        for number in 0..count {
            members.push(id(number));
        }
        let snapshot = members.clone();
        for number in count..3 * CHUNK_IDS + 1 {
            members.push(id(number));
        }
        assert_eq!(snapshot.iter().count(), count);
        assert_eq!(members.iter().count(), 3 * CHUNK_IDS + 1);
        for from in [
            0,
            1,
            CHUNK_IDS - 1,
            CHUNK_IDS,
            count - 1,
            count,
            count + CHUNK_IDS,
        ] {
            let read: Vec<_> = snapshot.from(from).cloned().collect();
            let expected: Vec<_> = (from..count).map(id).collect();
            assert_eq!(read, expected, "from {from}");
        }
    }
}
