//! Words that many customers share (categories, merchants, rules, …), and the shapes of journal entries,
//! each kept once.

use super::shape::{Shape, ShapeId};
use super::table::Interned;
use std::num::NonZeroU32;
use std::sync::Arc;

/// A word's number in [`Names`]. Two names are equal when their words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(NonZeroU32);

impl Name {
    /// Its place in the order in which words came, from zero.
    pub(super) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Words and shapes and their numbers. Grows only; shared by all partitions.
#[derive(Debug, Default)]
pub struct Names {
    words: Interned<Arc<str>>,
    shapes: Interned<Shape>,
}

fn name(number: u32) -> Name {
    let number = number.checked_add(1).and_then(NonZeroU32::new);
    Name(number.expect("invariant: fewer than 2^32 - 1 different words fit into memory"))
}

impl Names {
    /// The name of a word, new or known.
    pub fn intern(&self, word: &str) -> Name {
        name(self.words.intern(word, || word.into()))
    }

    /// The name of a word that was seen before.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<Name> {
        self.words.find(word).map(name)
    }

    /// The word of a name, to be kept.
    #[must_use]
    pub fn word(&self, name: Name) -> Arc<str> {
        self.words.get(name.0.get() - 1).clone()
    }

    /// The word of a name, to be looked at.
    #[must_use]
    pub fn text(&self, name: Name) -> &str {
        self.words.get(name.0.get() - 1)
    }

    /// The id of a shape, new or known.
    pub fn intern_shape(&self, shape: Shape) -> ShapeId {
        ShapeId(self.shapes.intern(&shape, || shape))
    }

    /// The shape of an id.
    #[must_use]
    pub fn shape(&self, id: ShapeId) -> &Shape {
        self.shapes.get(id.0)
    }

    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// How many shapes there are.
    #[must_use]
    pub fn shapes(&self) -> usize {
        self.shapes.len()
    }

    /// Whether there is no word.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.len() == 0
    }
}
