//! One customer's state, and what an event changes in it.

use super::contacts::{Contacts, DecisionId};
use super::journal::{Entry, EntryRef, Journal, KeptValue};
use super::list::{List, ThinList};
use super::names::{Name, Names};
use super::pending::{Pending, Wait};
use super::profile::Profile;
use super::shape::{EntryPhase, Shape};
use crate::clock::{DAY, Millis};
use crate::event::{Event, Facts, OutcomeKind, Value, Word};
use crate::money::Money;

/// How much a journal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalLimits {
    /// How far back from its newest entry it reaches.
    pub horizon: Millis,
    /// The most entries of one customer.
    pub entries_max: usize,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self {
            horizon: 400 * DAY,
            entries_max: 4_096,
        }
    }
}

/// What became of an event that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It stands in the journal at this index.
    At(usize),
    /// Its source and id were seen before: nothing changed.
    Duplicate,
    /// It is older than the journal reaches back, so it cannot be told from a repetition: nothing
    /// changed. The time up to which the journal was trimmed.
    TooOld(Millis),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Account {
    pub(super) name: Name,
    pub(super) balance: Money,
    /// Event time of the balance.
    pub(super) time: Millis,
}

/// All that the engine knows of one customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Customer {
    /// Event time of the first event.
    pub first_seen: Millis,
    /// Who they are.
    pub profile: Profile,
    /// What they did lately.
    pub journal: Journal,
    /// What we said to them.
    pub contacts: Contacts,
    /// What their rules wait for, in no order.
    pub pending: ThinList<Pending>,
    pub(super) accounts: List<Account>,
}

impl Customer {
    /// A customer first seen at this event time.
    #[must_use]
    pub fn new(first_seen: Millis) -> Self {
        Self {
            first_seen,
            profile: Profile::default(),
            journal: Journal::default(),
            contacts: Contacts::default(),
            pending: ThinList::default(),
            accounts: List::default(),
        }
    }

    /// What waits of a journey.
    #[must_use]
    pub fn pending(&self, entry: DecisionId) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.entry == entry)
    }

    /// Ends what waits of a journey.
    pub fn end(&mut self, entry: DecisionId) {
        self.pending.retain(|pending| pending.entry != entry);
    }

    /// When a rule began to speak in `(at - window, at]`, in no order; what has not spoken yet counts from
    /// when it began to wait.
    pub fn entries(&self, rule: Name, at: Millis, window: Millis) -> impl Iterator<Item = Millis> {
        let waiting = self.pending.iter().filter(move |p| {
            p.rule == rule
                && p.wait != Wait::Fallback
                && p.entered > at - window
                && p.entered <= at
                && !self.contacts.has_entry(p.entry)
        });
        let waiting = waiting.map(|p| p.entered);
        self.contacts.entries(rule, at, window).chain(waiting)
    }

    /// Sum of the accounts' last known balances, in base currency.
    #[must_use]
    pub fn balance(&self) -> Money {
        self.accounts
            .iter()
            .fold(Money::ZERO, |sum, a| sum.saturating_add(a.balance))
    }

    /// The accounts and their last known balances.
    pub fn accounts(&self) -> impl Iterator<Item = (Name, Money)> {
        self.accounts.iter().map(|a| (a.name, a.balance))
    }

    /// Puts an event into the journal and applies what it says.
    pub fn apply(&mut self, event: &Event, names: &Names, limits: JournalLimits) -> Applied {
        if self.journal.contains(event.fingerprint) {
            return Applied::Duplicate;
        }
        if let Some(edge) = self.journal.trimmed_until()
            && event.time <= edge
        {
            return Applied::TooOld(edge);
        }
        let at = self.journal.insert(entry(event, names));
        let newest = self.journal.entries().last();
        let newest = newest.map_or(event.time, EntryRef::time);
        let dropped = self
            .journal
            .trim(newest.saturating_sub(limits.horizon), limits.entries_max);
        // An event that the journal cannot hold must leave no other trace either.
        let Some(at) = at.checked_sub(dropped) else {
            return Applied::TooOld(event.time);
        };
        match &event.facts {
            Facts::Movement(movement) => {
                if let Some(balance) = movement.balance {
                    self.set_balance(names.intern(&movement.account), balance, event.time);
                }
            }
            Facts::Profile(change) => self.profile.apply(change, event.time, names),
            Facts::Outcome { outcome, action } => {
                if let Some(decision) = DecisionId::parse(action) {
                    self.hear(decision, *outcome, event.time);
                }
            }
            Facts::Checkout(_) | Facts::Other(_) => {}
        }
        Applied::At(at)
    }

    /// Notes what became of an action, as of a time. Whoever wants no more of a channel's messages has
    /// withdrawn their consent for it; by the event's time, as everything in a profile. To hear the same
    /// again changes nothing.
    pub fn hear(&mut self, decision: DecisionId, outcome: OutcomeKind, time: Millis) {
        let contact = self.contacts.note(decision, outcome);
        if let (Some(contact), OutcomeKind::Unsubscribed) = (contact, outcome) {
            let channel = contact.channel;
            self.profile.withdraw(channel, time);
        }
    }

    fn set_balance(&mut self, name: Name, balance: Money, time: Millis) {
        match self.accounts.iter_mut().find(|a| a.name == name) {
            Some(account) if account.time > time => {}
            Some(account) => {
                account.balance = balance;
                account.time = time;
            }
            None => self.accounts.push(Account {
                name,
                balance,
                time,
            }),
        }
    }
}

fn entry(event: &Event, names: &Names) -> Entry {
    let (amount, kept) = match &event.facts {
        Facts::Movement(movement) => (movement.amount, Box::default()),
        Facts::Checkout(checkout) => (checkout.amount, Box::default()),
        Facts::Profile(_) | Facts::Outcome { .. } => (Money::ZERO, Box::default()),
        Facts::Other(kept) => (
            kept.amount.unwrap_or_default(),
            kept_fields(&kept.fields, names),
        ),
    };
    Entry {
        time: event.time,
        fingerprint: event.fingerprint,
        amount,
        shape: names.intern_shape(shape(event, names)),
        kept,
    }
}

fn shape(event: &Event, names: &Names) -> Shape {
    let name = |word: &Option<Word>| word.as_deref().map(|word| names.intern(word));
    let blank = Shape::of_kind(names.intern(&event.kind));
    match &event.facts {
        Facts::Movement(m) => Shape {
            category: name(&m.category),
            party: name(&m.counterparty),
            channel: name(&m.channel),
            means: name(&m.purpose),
            phase: EntryPhase::Movement(m.direction),
            ..blank
        },
        Facts::Checkout(c) => Shape {
            category: name(&c.category),
            party: name(&c.merchant),
            means: name(&c.tender),
            phase: EntryPhase::Checkout(c.stage, c.partner),
            ..blank
        },
        Facts::Profile(_) | Facts::Outcome { .. } => blank,
        Facts::Other(kept) => Shape {
            category: name(&kept.category),
            party: name(&kept.merchant).or_else(|| name(&kept.counterparty)),
            channel: name(&kept.channel),
            phase: if kept.merchant.is_some() {
                EntryPhase::AtMerchant
            } else {
                EntryPhase::Other
            },
            ..blank
        },
    }
}

fn kept_fields(fields: &[(Word, Value)], names: &Names) -> Box<[(Name, KeptValue)]> {
    fields
        .iter()
        .filter_map(|(field, value)| {
            let value = match value {
                Value::Bool(b) => KeptValue::Bool(*b),
                Value::Text(text) => KeptValue::Text(names.intern(text)),
                other => KeptValue::Number(other.as_decimal()?),
            };
            Some((names.intern(field), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_takes_eighty_bytes_beside_what_is_known_of_them() {
        assert_eq!(size_of::<Customer>(), 80);
    }
}
