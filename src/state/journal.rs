//! What a customer did lately: a compact list in the order of event time.

use super::names::Name;
use crate::clock::Millis;
use crate::event::{Direction, Stage};
use crate::money::Money;
use rust_decimal::Decimal;

/// One event, as far as windows and filters need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When it happened.
    pub time: Millis,
    /// The hash of its source and id.
    pub fingerprint: u64,
    /// Its amount in base currency; zero if it has none.
    pub amount: Money,
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
    /// Other fields that the declaration of its type keeps.
    pub kept: Option<Box<[(Name, KeptValue)]>>,
}

/// What kind of entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A kept field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeptValue {
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Decimal),
    /// Text.
    Text(Name),
}

impl Entry {
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

/// The entries of one customer, ordered by event time; those of the same time by arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journal {
    entries: Vec<Entry>,
    /// Everything up to this time may have been trimmed.
    trimmed_until: Option<Millis>,
}

impl Journal {
    /// All entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Everything up to this time may have been trimmed; `None` if nothing was.
    #[must_use]
    pub fn trimmed_until(&self) -> Option<Millis> {
        self.trimmed_until
    }

    /// Whether an event is in the journal already.
    #[must_use]
    pub fn contains(&self, fingerprint: u64) -> bool {
        self.entries.iter().any(|e| e.fingerprint == fingerprint)
    }

    /// Puts an entry at its place and tells where: behind all others of its time.
    pub fn insert(&mut self, entry: Entry) -> usize {
        let at = self.entries.partition_point(|e| e.time <= entry.time);
        self.entries.insert(at, entry);
        at
    }

    /// Drops the oldest entries: those before `oldest`, and those beyond `entries_max`. Returns how
    /// many were dropped.
    pub fn trim(&mut self, oldest: Millis, entries_max: usize) -> usize {
        let old = self.entries.partition_point(|e| e.time < oldest);
        let drop = old.max(self.entries.len().saturating_sub(entries_max));
        if drop > 0 {
            self.trimmed_until = Some(self.entries[drop - 1].time);
            self.entries.drain(..drop);
        }
        drop
    }

    /// Entries with a time in `(after, until]`.
    #[must_use]
    pub fn range(&self, after: Millis, until: Millis) -> &[Entry] {
        let from = self.entries.partition_point(|e| e.time <= after);
        let to = self.entries.partition_point(|e| e.time <= until);
        &self.entries[from.min(to)..to]
    }
}
