//! A list that is read without a lock while it grows: of what many customers share.

use std::sync::OnceLock;

/// Values that the first chunk holds, as a power of two; each further chunk holds twice as many.
const FIRST_BITS: u32 = 6;
/// Chunks for 2³² values.
const CHUNKS: usize = 27;

type Chunk<T> = Box<[OnceLock<T>]>;

/// A list whose values stay where they are.
#[derive(Debug)]
pub(super) struct Table<T>([OnceLock<Chunk<T>>; CHUNKS]);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; CHUNKS])
    }
}

/// The chunk of an index, and the place in it.
const fn place(index: u32) -> (usize, usize) {
    let number = index as u64 + (1 << FIRST_BITS);
    let bit = number.ilog2();
    ((bit - FIRST_BITS) as usize, (number - (1 << bit)) as usize)
}

impl<T> Table<T> {
    /// The value of an index, which was set.
    pub(super) fn get(&self, index: u32) -> &T {
        let (chunk, at) = place(index);
        let slot = self.0[chunk].get().and_then(|slots| slots.get(at));
        slot.and_then(OnceLock::get)
            .expect("invariant: nobody has the number of a value before it is set")
    }

    /// Sets what was not set before.
    pub(super) fn set(&self, index: u32, value: T) {
        let (chunk, at) = place(index);
        let slots = self.0[chunk].get_or_init(|| {
            let length = 1_usize << (FIRST_BITS as usize + chunk);
            (0..length).map(|_| OnceLock::new()).collect()
        });
        // Refused only if it was set, and then it stays.
        let _ = slots[at].set(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_a_place_of_its_own() {
        assert_eq!(place(0), (0, 0));
        assert_eq!(place(63), (0, 63));
        assert_eq!(place(64), (1, 0));
        assert_eq!(place(191), (1, 127));
        assert_eq!(place(192), (2, 0));
        assert_eq!(place(u32::MAX), (CHUNKS - 1, 63));
    }

    #[test]
    fn values_stay_where_they_were_put() {
        let table = Table::default();
        for index in 0..1_000 {
            table.set(index, index * 7);
        }
        table.set(5, 0);
        assert!((0..1_000).all(|index| *table.get(index) == index * 7));
    }
}
