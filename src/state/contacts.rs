//! What we said to a customer: what cooldowns, caps and `offers()` count.

use super::names::Name;
use crate::clock::Millis;
use crate::event::OutcomeKind;
use std::fmt;

/// A decision's id: the same decision has the same id, whoever computes it and whenever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DecisionId(pub [u8; 16]);

impl DecisionId {
    /// Reads the 32 hexadecimal digits of an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = valid
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten()?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One decision that was sent, or held out for the control group.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// The decision.
    pub id: DecisionId,
    /// Its rule.
    pub rule: Name,
    /// Policy time: when the stream stored the trigger.
    pub at: Millis,
    /// Event time of the trigger.
    pub time: Millis,
    /// The code in its body, if any.
    pub code: Option<Name>,
    /// Held out: everything but the sending.
    pub holdout: bool,
    /// Which outcomes came back, a bit each in the order of [`OutcomeKind::WORDS`].
    outcomes: u8,
}

impl Contact {
    /// A contact without outcomes yet.
    #[must_use]
    pub fn new(
        id: DecisionId,
        rule: Name,
        at: Millis,
        time: Millis,
        code: Option<Name>,
        holdout: bool,
    ) -> Self {
        Self {
            id,
            rule,
            at,
            time,
            code,
            holdout,
            outcomes: 0,
        }
    }

    /// Whether an outcome came back.
    #[must_use]
    pub fn has(&self, outcome: OutcomeKind) -> bool {
        self.outcomes & (1 << outcome as u8) != 0
    }
}

/// A customer's contacts, in the order of policy time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contacts(Vec<Contact>);

impl Contacts {
    /// All of them, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Contact] {
        &self.0
    }

    /// Adds one, unless its decision is there already.
    pub fn push(&mut self, contact: Contact) {
        if !self.0.iter().rev().any(|known| known.id == contact.id) {
            let at = self.0.partition_point(|known| known.at <= contact.at);
            self.0.insert(at, contact);
        }
    }

    /// Drops those whose policy time is before `oldest`.
    pub fn trim(&mut self, oldest: Millis) {
        let drop = self.0.partition_point(|c| c.at < oldest);
        self.0.drain(..drop);
    }

    pub(super) fn note(&mut self, action: &str, outcome: OutcomeKind) {
        if let Some(id) = DecisionId::parse(action)
            && let Some(contact) = self.0.iter_mut().rev().find(|c| c.id == id)
        {
            contact.outcomes |= 1 << outcome as u8;
        }
    }

    /// How often a rule spoke in `(at - window, at]`, by policy time.
    #[must_use]
    pub fn count(&self, rule: Name, at: Millis, window: Millis) -> usize {
        self.0
            .iter()
            .rev()
            .take_while(|c| c.at > at - window)
            .filter(|c| c.rule == rule && c.at <= at)
            .count()
    }

    /// When a rule last spoke.
    #[must_use]
    pub fn last(&self, rule: Name) -> Option<Millis> {
        self.0.iter().rev().find(|c| c.rule == rule).map(|c| c.at)
    }

    /// How often a rule spoke to triggers with an event time in `(time - window, time]`.
    #[must_use]
    pub fn offers(&self, rule: Name, time: Millis, window: Millis) -> usize {
        self.0
            .iter()
            .filter(|c| c.rule == rule && c.time > time - window && c.time <= time)
            .count()
    }

    /// Whether an action with this code was accepted or redeemed.
    #[must_use]
    pub fn accepted(&self, code: Name) -> bool {
        self.0.iter().any(|c| {
            c.code == Some(code) && (c.has(OutcomeKind::Accepted) || c.has(OutcomeKind::Redeemed))
        })
    }
}
