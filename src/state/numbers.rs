//! A map from what is kept once to its number, which is read without a lock and without writing anything while it
//! grows: a lock of readers, too, is a write, for which the processors take turns at every event.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Slots of the first table, as a power of two; each further one has twice as many.
const FIRST_BITS: u32 = 6;
/// Tables up to 2³³ slots.
const TABLES: usize = 28;
/// Bits of a number in a slot. Above them is a bit that tells a slot in use, and above that one a part of the hash.
const NUMBER_BITS: u32 = 38;
const USED: u64 = 1 << NUMBER_BITS;
const HASH: u64 = !(2 * USED - 1);

type Slots = Box<[AtomicU64]>;

/// Numbers by the hash of what they stand for. A table that became too small stays for whoever still reads it: all
/// former ones together are as large as the present one.
#[derive(Debug)]
pub(super) struct Numbers {
    tables: [OnceLock<Slots>; TABLES],
    present: AtomicUsize,
    len: AtomicUsize,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            tables: [const { OnceLock::new() }; TABLES],
            present: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
        }
    }
}

impl Numbers {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The number of what has this hash and for which `is` tells that the number is its own.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
        let slots = self.tables[self.present.load(Ordering::Acquire)].get()?;
        for at in places(slots, hash) {
            let slot = slots[at].load(Ordering::Acquire);
            if slot == 0 {
                return None;
            }
            let number = slot & (USED - 1);
            if slot & HASH == hash & HASH && is(number) {
                return Some(number);
            }
        }
        None
    }

    /// Adds what is not there. Only one may add at a time; `hash_of` tells the hashes of those that are there.
    pub(super) fn add(&self, hash: u64, number: u64, hash_of: impl Fn(u64) -> u64) {
        let len = self.len();
        let mut present = self.present.load(Ordering::Acquire);
        // Half of the slots stay free, so that a search ends soon.
        if 2 * (len + 1) > 1 << (FIRST_BITS as usize + present) {
            let next = self.table(present + 1);
            for slot in self.table(present) {
                let slot = slot.load(Ordering::Acquire);
                if slot != 0 {
                    put(next, hash_of(slot & (USED - 1)), slot);
                }
            }
            present += 1;
            self.present.store(present, Ordering::Release);
        }
        put(self.table(present), hash, hash & HASH | USED | number);
        self.len.store(len + 1, Ordering::Release);
    }

    fn table(&self, number: usize) -> &Slots {
        self.tables[number].get_or_init(|| {
            let length = 1_usize << (FIRST_BITS as usize + number);
            (0..length).map(|_| AtomicU64::new(0)).collect()
        })
    }
}

/// Where to look for a hash, one place after another.
fn places(slots: &Slots, hash: u64) -> impl Iterator<Item = usize> + use<> {
    let length = slots.len();
    // The cast keeps the low bits, of which the place is made.
    let first = hash as usize;
    (0..length).map(move |step| first.wrapping_add(step) & (length - 1))
}

fn put(slots: &Slots, hash: u64, slot: u64) {
    let free = places(slots, hash).find(|at| slots[*at].load(Ordering::Acquire) == 0);
    slots[free.expect("invariant: half of the slots are free")].store(slot, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many things with few hashes, so that they meet.
    fn hash(number: u64) -> u64 {
        (number % 97).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn what_was_added_is_found_while_more_is_added() {
        let numbers = Numbers::default();
        let last = (1 << NUMBER_BITS) - 1;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..2_000 {
                    numbers.add(hash(number), number, hash);
                }
            });
            scope.spawn(|| {
                while numbers.len() < 2_000 {
                    for number in 0..numbers.len() as u64 {
                        let found = numbers.find(hash(number), |other| other == number);
                        assert_eq!(found, Some(number));
                    }
                }
            });
        });
        numbers.add(hash(last), last, hash);
        assert_eq!(numbers.find(hash(last), |other| other == last), Some(last));
        assert_eq!(numbers.find(hash(5_000), |other| other == 5_000), None);
        assert_eq!(numbers.len(), 2_001);
    }
}
