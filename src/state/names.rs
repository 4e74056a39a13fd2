//! Words that many customers share (categories, merchants, rules, …), kept once.

use dashmap::DashMap;
use foldhash::fast::RandomState;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

/// A word's number in [`Names`]. Two names are equal when their words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(NonZeroU32);

/// Words and their numbers. Grows only; shared by all partitions.
#[derive(Debug, Default)]
pub struct Names {
    numbers: DashMap<Arc<str>, Name, RandomState>,
    words: RwLock<Vec<Arc<str>>>,
}

impl Names {
    /// The name of a word, new or known.
    pub fn intern(&self, word: &str) -> Name {
        if let Some(name) = self.find(word) {
            return name;
        }
        let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = self.find(word) {
            return name;
        }
        let word: Arc<str> = word.into();
        words.push(word.clone());
        let number = u32::try_from(words.len())
            .ok()
            .and_then(NonZeroU32::new)
            .expect("invariant: fewer than 2^32 different words fit into memory");
        self.numbers.insert(word, Name(number));
        Name(number)
    }

    /// The name of a word that was seen before.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<Name> {
        self.numbers.get(word).map(|name| *name)
    }

    /// The word of a name.
    #[must_use]
    pub fn word(&self, name: Name) -> Arc<str> {
        let words = self.words.read().unwrap_or_else(PoisonError::into_inner);
        words
            .get(name.0.get() as usize - 1)
            .expect("invariant: a name is made only with its word")
            .clone()
    }

    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }
}
