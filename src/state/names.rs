//! Words that many customers share (categories, merchants, rules, …), and the shapes of journal entries,
//! each kept once.

use super::numbers::Numbers;
use super::shape::{Shape, ShapeClass, ShapeId};
use super::shapes::Shapes;
use super::table::Table;
use foldhash::fast::RandomState;
use std::hash::BuildHasher as _;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

/// A word's number in [`Names`]. Two names are equal when their words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(NonZeroU32);

impl Name {
    /// Its place in the order in which words came, from zero.
    pub(super) fn index(self) -> u32 {
        self.0.get() - 1
    }
}

/// Words and shapes and their numbers. Grows only; shared by all partitions. What a number stands for is
/// told without a lock.
#[derive(Debug, Default)]
pub struct Names {
    hasher: RandomState,
    numbers: Numbers,
    words: Table<Arc<str>>,
    /// The last word's number; whoever holds it may add one.
    last: Mutex<u32>,
    shapes: Shapes,
}

impl Names {
    /// The name of a word, new or known.
    pub fn intern(&self, word: &str) -> Name {
        let hash = self.hasher.hash_one(word);
        if let Some(name) = self.look_up(hash, word) {
            return name;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = self.look_up(hash, word) {
            return name;
        }
        let number = last.checked_add(1).and_then(NonZeroU32::new);
        let number = number.expect("invariant: fewer than 2^32 different words fit into memory");
        *last = number.get();
        let name = Name(number);
        // Before its name can be found, so that whoever has a name can resolve it.
        self.words.set(name.index(), word.into());
        let hash_of = |index| self.hasher.hash_one(&**self.words.get(index as u32));
        self.numbers.add(hash, name.index().into(), hash_of);
        name
    }

    /// The name of a word that was seen before.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<Name> {
        self.look_up(self.hasher.hash_one(word), word)
    }

    fn look_up(&self, hash: u64, word: &str) -> Option<Name> {
        // Numbers of words are below 2³².
        let is = |index| **self.words.get(index as u32) == *word;
        let index = self.numbers.find(hash, is)?;
        NonZeroU32::new(index as u32 + 1).map(Name)
    }

    /// The word of a name, to be kept.
    #[must_use]
    pub fn word(&self, name: Name) -> Arc<str> {
        self.words.get(name.index()).clone()
    }

    /// The word of a name, to be looked at.
    #[must_use]
    pub fn text(&self, name: Name) -> &str {
        self.words.get(name.index())
    }

    /// The id of a shape, new or known.
    pub fn intern_shape(&self, shape: Shape) -> ShapeId {
        self.shapes.intern(shape)
    }

    /// The shape of an id.
    #[must_use]
    pub fn shape(&self, id: ShapeId) -> Shape {
        self.shapes.shape(id)
    }

    /// What most windows ask of a shape; quicker than all of it.
    #[must_use]
    pub fn class(&self, id: ShapeId) -> ShapeClass {
        self.shapes.class(id)
    }

    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// How many shapes there are.
    #[must_use]
    pub fn shapes(&self) -> usize {
        self.shapes.len()
    }

    /// Whether there is no word.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_for_all_who_intern_at_once() {
        let names = Names::default();
        let told = |from: usize| -> Vec<(String, Name, ShapeId)> {
            (0..2_000)
                .map(|at| format!("word {}", (at + from) % 2_000))
                .map(|word| {
                    let name = names.intern(&word);
                    assert_eq!(names.text(name), word);
                    let id = names.intern_shape(Shape::of_kind(name));
                    assert_eq!(names.shape(id), Shape::of_kind(name));
                    (word, name, id)
                })
                .collect()
        };
        let told = &told;
        let told: Vec<_> = std::thread::scope(|scope| {
            let threads = [0, 500, 1_000].map(|from| scope.spawn(move || told(from)));
            threads
                .into_iter()
                .flat_map(|t| t.join().unwrap())
                .collect()
        });
        assert_eq!((names.len(), names.shapes()), (2_000, 2_000));
        for (word, name, id) in told {
            assert_eq!(names.find(&word), Some(name));
            assert_eq!(names.intern_shape(Shape::of_kind(name)), id);
        }
    }
}
