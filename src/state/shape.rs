//! What journal entries have in common: all of an entry but when, how much, and which event it was.

use super::names::Name;
use crate::event::{Direction, Stage};

/// A shape's number in [`Names`](super::Names). Two ids are equal when their shapes are.
///
/// It takes [`ShapeId::BITS`]: one that tells whether the shape stands in a class, then the class's number
/// and the place in it; or the place among those that do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShapeId(u64);

/// What an id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a class.
    Class {
        /// The class's number.
        class: u32,
        /// The place in it.
        index: u32,
    },
    /// Among those for which no class was left.
    Mixed(u32),
}

/// Bits of the place in a class.
const INDEX_BITS: u32 = 22;
const MIXED: u64 = 1 << (ShapeId::BITS - 1);

impl ShapeId {
    /// Bits that an id takes.
    pub(super) const BITS: u32 = 38;
    /// Classes that ids can tell.
    pub(super) const CLASSES_MAX: u32 = 1 << (Self::BITS - 1 - INDEX_BITS);
    /// Shapes of a class that ids can tell.
    pub(super) const INDEXES_MAX: u32 = 1 << INDEX_BITS;

    pub(super) const fn new(place: Place) -> Self {
        Self(match place {
            Place::Class { class, index } => (class as u64) << INDEX_BITS | index as u64,
            Place::Mixed(index) => MIXED | index as u64,
        })
    }

    pub(super) const fn place(self) -> Place {
        // Casts cut off what is not of the number.
        if self.0 & MIXED != 0 {
            return Place::Mixed(self.0 as u32);
        }
        Place::Class {
            class: (self.0 >> INDEX_BITS) as u32,
            index: self.0 as u32 & (Self::INDEXES_MAX - 1),
        }
    }

    /// The bits, the lowest of the number.
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// The id of the lowest bits of a number.
    pub(super) const fn from_bits(number: u64) -> Self {
        Self(number & ((1 << Self::BITS) - 1))
    }
}

/// One event, as far as windows and filters need it, apart from when it happened and its amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Its type.
    pub kind: Name,
    /// Category of the merchant or the counterparty.
    pub category: Option<Name>,
    /// The merchant or the counterparty, as `phase` tells.
    pub party: Option<Name>,
    /// How it was ordered.
    pub channel: Option<Name>,
    /// Tender of a checkout, purpose of a movement.
    pub means: Option<Name>,
    /// What kind of entry it is, and how far it got.
    pub phase: EntryPhase,
}

/// What most windows ask of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShapeClass {
    /// The event's type.
    pub kind: Name,
    /// Category of the merchant or the counterparty.
    pub category: Option<Name>,
    /// What kind of entry it is, and how far it got.
    pub phase: EntryPhase,
}

/// What kind of entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryPhase {
    /// A checkout: its stage, and whether the merchant is a partner.
    Checkout(Stage, bool),
    /// A movement and its direction.
    Movement(Direction),
    /// Any other event whose party is a merchant.
    AtMerchant,
    /// Any other event.
    Other,
}

impl Shape {
    /// The shape of an event of which nothing but its type is known.
    #[must_use]
    pub const fn of_kind(kind: Name) -> Self {
        Self {
            kind,
            category: None,
            party: None,
            channel: None,
            means: None,
            phase: EntryPhase::Other,
        }
    }

    /// What most windows ask of it.
    #[must_use]
    pub const fn class(&self) -> ShapeClass {
        ShapeClass {
            kind: self.kind,
            category: self.category,
            phase: self.phase,
        }
    }

    /// The merchant, if the party is one.
    #[must_use]
    pub fn merchant(&self) -> Option<Name> {
        match self.phase {
            EntryPhase::Checkout(..) | EntryPhase::AtMerchant => self.party,
            EntryPhase::Movement(_) | EntryPhase::Other => None,
        }
    }

    /// The counterparty, if the party is one.
    #[must_use]
    pub fn counterparty(&self) -> Option<Name> {
        match self.phase {
            EntryPhase::Movement(_) | EntryPhase::Other => self.party,
            EntryPhase::Checkout(..) | EntryPhase::AtMerchant => None,
        }
    }
}
