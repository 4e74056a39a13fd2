//! What journal entries have in common: all of an entry but when, how much, and which event it was.

use super::names::Name;
use crate::event::{Direction, Stage};

/// A shape's number in [`Names`](super::Names). Two ids are equal when their shapes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShapeId(pub(super) u32);

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
