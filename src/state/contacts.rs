//! What we said to a customer: what cooldowns, caps and `offers()` count.

use super::list::ThinList;
use super::names::Name;
use crate::clock::{DAY, Millis};
use crate::event::OutcomeKind;
use crate::money::Money;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

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

/// Whether the customer got what was decided, and if not, why.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It went out.
    #[default]
    Sent,
    /// Held out: the customer is in the rule's control group.
    Holdout,
    /// Held out: the customer is in the control group of all rules.
    Control,
    /// The rule is in shadow mode: decided and recorded, and nothing else.
    Shadow,
}

impl Delivery {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Holdout, Self::Control, Self::Shadow];

    /// The word in exports and records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Holdout => "holdout",
            Self::Control => "control",
            Self::Shadow => "shadow",
        }
    }

    /// Whether a control group did not get it: it counts as if it had been sent.
    #[must_use]
    pub const fn is_held_out(self) -> bool {
        matches!(self, Self::Holdout | Self::Control)
    }

    /// Whether cooldowns and caps count it.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Shadow)
    }
}

/// One decision that was sent, held out for a control group, or made by a rule in shadow mode.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// The decision.
    pub id: DecisionId,
    /// The decision of step 0, which a whole journey shares; the same as `id` without a journey.
    pub entry: DecisionId,
    /// Its rule.
    pub rule: Name,
    /// Policy time: when the stream stored the trigger, or when a timer was due.
    pub at: Millis,
    /// Event time of the trigger; of a step or a delay, when it was due.
    pub time: Millis,
    /// The variant of the rule.
    pub variant: Name,
    /// The channel.
    pub channel: Name,
    /// The step of a journey.
    pub step: u32,
    /// The code in its body, if any.
    pub code: Option<Name>,
    /// The value in its body, if any.
    pub value: Option<Money>,
    /// The cost in its body, if any.
    pub cost: Option<Money>,
    /// Whether the customer got it.
    pub delivery: Delivery,
    /// The scene of its rule.
    pub scene: Option<Name>,
    /// Whom it shares caps with: the household's key.
    pub household: Option<Name>,
    /// The decision that failed on another channel, and that it stands in for.
    pub fallback_of: Option<DecisionId>,
    /// The channels after its own that were allowed too, in order.
    pub channels_left: ThinList<Name>,
    /// What it said, as long as it may have to be said again on another channel.
    pub kept: Option<Arc<KeptBody>>,
    /// Whether the rule's `converted` has said yes.
    pub converted: bool,
    /// Which outcomes came back.
    pub outcomes: Outcomes,
}

/// How long after a decision what it said may be said again on another channel.
pub const FALLBACK_HORIZON: Millis = DAY;

/// What an action said, kept in case it cannot be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBody {
    /// `offer`, `retention` or `message`.
    pub kind: Box<str>,
    /// The rest of it, as the JSON that went out.
    pub fields: Box<str>,
    /// When it is no longer worth delivering.
    pub expires_at: Option<Millis>,
}

/// A set of outcomes, a bit each in the order of [`OutcomeKind::WORDS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(u8);

impl Outcomes {
    /// Whether an outcome came back.
    #[must_use]
    pub fn has(self, outcome: OutcomeKind) -> bool {
        self.0 & (1 << outcome as u8) != 0
    }

    fn add(&mut self, outcome: OutcomeKind) {
        self.0 |= 1 << outcome as u8;
    }

    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// Reads [`Outcomes::bits`]; `None` if one of them is no outcome's.
    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        (u32::from(bits) >> OutcomeKind::WORDS.len() == 0).then_some(Self(bits))
    }

    /// The words of those that came back, in the order of [`OutcomeKind::WORDS`].
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let words = OutcomeKind::WORDS.iter().copied();
        words.filter(move |word| OutcomeKind::from_word(word).is_some_and(|o| self.has(o)))
    }
}

impl Contact {
    /// Whether the customer wants no more of it.
    fn is_refused(&self) -> bool {
        let refused = [OutcomeKind::Declined, OutcomeKind::Unsubscribed];
        refused.iter().any(|outcome| self.outcomes.has(*outcome))
    }
}

/// A customer's contacts, in the order of policy time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contacts(ThinList<Contact>);

impl Contacts {
    /// Takes contacts in the order of policy time; `None` if they are not.
    pub(super) fn from_ordered(contacts: Vec<Contact>) -> Option<Self> {
        let in_order = contacts.is_sorted_by_key(|contact| contact.at);
        in_order.then(|| Self(contacts.into()))
    }

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
        self.0.drop_first(drop);
    }

    /// Notes an outcome; returns the contact, if it is known.
    pub(super) fn note(&mut self, id: DecisionId, outcome: OutcomeKind) -> Option<&Contact> {
        let contact = self.get_mut(id)?;
        contact.outcomes.add(outcome);
        // It has arrived: it will not have to be said again.
        if outcome != OutcomeKind::Failed {
            contact.kept = None;
        }
        Some(contact)
    }

    /// Forgets what need not be said again: what another decision stands in for, and what was said too
    /// long before `at`.
    pub fn forget_kept(&mut self, stood_in_for: Option<DecisionId>, at: Millis) {
        let oldest = at.saturating_sub(FALLBACK_HORIZON);
        for contact in self.0.iter_mut().filter(|contact| contact.kept.is_some()) {
            if stood_in_for == Some(contact.id) || contact.at < oldest {
                contact.kept = None;
            }
        }
    }

    /// Whether another decision stands in for one that failed.
    #[must_use]
    pub fn is_stood_in_for(&self, failed: DecisionId) -> bool {
        self.0.iter().any(|c| c.fallback_of == Some(failed))
    }

    /// Whether a customer has done what a journey was for, or refused it.
    #[must_use]
    pub fn is_settled(&self, entry: DecisionId) -> bool {
        let mut of_it = self.0.iter().filter(|c| c.entry == entry);
        of_it.any(|c| c.converted || c.is_refused())
    }

    /// Forgets what stands in for a decision.
    pub fn forget_stand_in(&mut self, failed: DecisionId) {
        self.0.retain(|contact| contact.fallback_of != Some(failed));
    }

    /// Forgets what was said in these journeys.
    pub fn forget(&mut self, entries: &[DecisionId]) {
        self.0.retain(|contact| !entries.contains(&contact.entry));
    }

    /// A contact by its decision.
    #[must_use]
    pub fn get(&self, id: DecisionId) -> Option<&Contact> {
        self.0.iter().rev().find(|c| c.id == id)
    }

    /// A contact by its decision, to be changed.
    pub fn get_mut(&mut self, id: DecisionId) -> Option<&mut Contact> {
        self.0.iter_mut().rev().find(|c| c.id == id)
    }

    /// When a rule began to speak in `(at - window, at]`, by policy time, the latest first: a journey counts once,
    /// by its first step. What a rule decided in shadow mode does not count.
    pub fn entries(&self, rule: Name, at: Millis, window: Millis) -> impl Iterator<Item = Millis> {
        let is_first = move |index: usize, contact: &Contact| {
            contact.id == contact.entry || !self.0[..index].iter().any(|c| c.entry == contact.entry)
        };
        (self.0.iter().enumerate().rev())
            .take_while(move |(_, c)| c.at > at - window)
            .filter(move |(_, c)| c.rule == rule && c.at <= at && c.delivery.counts())
            .filter(move |(index, c)| is_first(*index, c))
            .map(|(_, c)| c.at)
    }

    /// Whether anything was said in a journey.
    #[must_use]
    pub fn has_entry(&self, entry: DecisionId) -> bool {
        self.0.iter().any(|contact| contact.entry == entry)
    }

    /// Whether a journey has come beyond its first step, was refused, or did what it was for.
    #[must_use]
    pub fn is_closed(&self, entry: DecisionId) -> bool {
        let closes = |c: &Contact| c.converted || c.step > 0 || c.is_refused();
        self.0.iter().filter(|c| c.entry == entry).any(closes)
    }

    /// How often a rule spoke to triggers with an event time in `(time - window, time]`; not in shadow
    /// mode, nor again on another channel.
    #[must_use]
    pub fn offers(&self, rule: Name, time: Millis, window: Millis) -> usize {
        self.0
            .iter()
            .filter(|c| c.rule == rule && c.time > time - window && c.time <= time)
            .filter(|c| c.delivery.counts() && c.fallback_of.is_none())
            .count()
    }

    /// Whether an action with this code was accepted or redeemed.
    #[must_use]
    pub fn accepted(&self, code: Name) -> bool {
        self.0.iter().any(|c| {
            c.code == Some(code)
                && (c.outcomes.has(OutcomeKind::Accepted) || c.outcomes.has(OutcomeKind::Redeemed))
        })
    }
}
