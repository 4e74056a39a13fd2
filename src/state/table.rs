//! Values that many customers share, each kept once under a number. Grows only; a number is resolved
//! without a lock.

use dashmap::DashMap;
use foldhash::fast::RandomState;
use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Values that the first chunk holds, as a power of two; each further chunk holds twice as many.
const FIRST_BITS: u32 = 6;
/// Chunks for 2³² values.
const CHUNKS: usize = 27;

type Chunk<T> = Box<[OnceLock<T>]>;

/// A list whose values stay where they are, so that it is read while it grows.
#[derive(Debug)]
struct Table<T>([OnceLock<Chunk<T>>; CHUNKS]);

/// The chunk of an index, and the place in it.
const fn place(index: u32) -> (usize, usize) {
    let number = index as u64 + (1 << FIRST_BITS);
    let bit = number.ilog2();
    ((bit - FIRST_BITS) as usize, (number - (1 << bit)) as usize)
}

impl<T> Table<T> {
    fn get(&self, index: u32) -> Option<&T> {
        let (chunk, at) = place(index);
        self.0[chunk].get()?.get(at)?.get()
    }

    /// Sets what was not set before.
    fn set(&self, index: u32, value: T) {
        let (chunk, at) = place(index);
        let slots = self.0[chunk].get_or_init(|| {
            let length = 1_usize << (FIRST_BITS as usize + chunk);
            (0..length).map(|_| OnceLock::new()).collect()
        });
        // Refused only if it was set, and then it stays.
        let _ = slots[at].set(value);
    }
}

/// Values and their numbers, from zero in the order in which they came.
#[derive(Debug)]
pub(super) struct Interned<T: Eq + Hash> {
    numbers: DashMap<T, u32, RandomState>,
    values: Table<T>,
    /// The next number; whoever holds it may add.
    next: Mutex<u32>,
}

impl<T: Eq + Hash> Default for Interned<T> {
    fn default() -> Self {
        Self {
            numbers: DashMap::default(),
            values: Table([const { OnceLock::new() }; CHUNKS]),
            next: Mutex::new(0),
        }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// The number of a value, new or known.
    pub(super) fn intern<Q>(&self, value: &Q, own: impl FnOnce() -> T) -> u32
    where
        T: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if let Some(number) = self.find(value) {
            return number;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = self.find(value) {
            return number;
        }
        let number = *next;
        *next = number
            .checked_add(1)
            .expect("invariant: fewer than 2^32 different values fit into memory");
        let own = own();
        // Before its number can be found, so that whoever has a number can resolve it.
        self.values.set(number, own.clone());
        self.numbers.insert(own, number);
        number
    }

    /// The number of a value that came before.
    pub(super) fn find<Q>(&self, value: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.numbers.get(value).map(|number| *number)
    }

    /// The value of a number.
    pub(super) fn get(&self, number: u32) -> &T {
        self.values
            .get(number)
            .expect("invariant: a number is made only with its value")
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

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
    fn numbers_are_the_same_for_all_who_intern_at_once() {
        let words: Interned<Arc<str>> = Interned::default();
        let numbers = |from: usize| -> Vec<(String, u32)> {
            (0..2_000)
                .map(|at| format!("word {}", (at + from) % 2_000))
                .map(|word| {
                    let number = words.intern(&*word, || word.as_str().into());
                    assert_eq!(&**words.get(number), word);
                    (word, number)
                })
                .collect()
        };
        let told: Vec<_> = std::thread::scope(|scope| {
            let threads = [0, 500, 1_000].map(|from| scope.spawn(move || numbers(from)));
            threads
                .into_iter()
                .flat_map(|t| t.join().unwrap())
                .collect()
        });
        assert_eq!(words.len(), 2_000);
        for (word, number) in told {
            assert_eq!(words.find(&*word), Some(number));
        }
    }
}
