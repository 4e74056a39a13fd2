//! An event as every stage sees it.

use super::value::{Value, Word};
use crate::clock::Millis;
use crate::money::Money;
use crate::partitioning::CustomerId;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Header: the event is history that was loaded afterwards. It is folded into state, and decides nothing.
/// Its only value is [`IMPORTED`].
pub const HEADER_IMPORT: &str = "Onscene-Import";
/// The value of [`HEADER_IMPORT`].
pub const IMPORTED: &str = "1";

/// A message as the stream stored it, before anybody looked inside.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its sequence in the stream (in `replay`, its line number).
    pub sequence: u64,
    /// When the stream stored it.
    pub stored_at: Millis,
    /// The subject it is stored under.
    pub subject: String,
    /// Its headers, in order.
    pub headers: Vec<(String, String)>,
    /// Its bytes.
    pub payload: Bytes,
}

impl Stored {
    /// The first header of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A CloudEvent about one customer, checked and typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `id`, unique within its source.
    pub id: Box<str>,
    /// `source`.
    pub source: Box<str>,
    /// `type`, such as `merchant.checkout`.
    pub kind: Arc<str>,
    /// `subject`.
    pub customer: CustomerId,
    /// `time`: when it happened.
    pub time: Millis,
    /// W3C trace context, carried through to the action.
    pub traceparent: Option<Box<str>>,
    /// A hash of source and id: what deduplication compares.
    pub fingerprint: u64,
    /// The declared fields as rules read them; amounts in base currency.
    pub data: Value,
    /// What state keeps of it.
    pub facts: Facts,
    /// Whether it was imported: it is folded into state like any other, and no rule is asked.
    pub imported: bool,
}

/// Something that happened, apart from to whom: what rules are shown of a broadcast, of a timer, and
/// of an event on which they act later.
#[derive(Clone, Debug, PartialEq)]
pub struct Occasion {
    /// `id`, unique within its source.
    pub id: Box<str>,
    /// `source`.
    pub source: Box<str>,
    /// `type`, such as `broadcast.goal`.
    pub kind: Arc<str>,
    /// `time`: when it happened.
    pub time: Millis,
    /// W3C trace context, carried through to the action.
    pub traceparent: Option<Box<str>>,
    /// The declared fields as rules read them; amounts in base currency.
    pub data: Value,
}

impl Event {
    /// The event apart from its customer.
    #[must_use]
    pub fn occasion(&self) -> Occasion {
        Occasion {
            id: self.id.clone(),
            source: self.source.clone(),
            kind: self.kind.clone(),
            time: self.time,
            traceparent: self.traceparent.clone(),
            data: self.data.clone(),
        }
    }
}

/// What can come in: an event about a customer, or one about nobody.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// An event of a customer.
    Event(Event),
    /// A broadcast.
    Broadcast(Occasion),
}

impl Incoming {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> &Arc<str> {
        match self {
            Self::Event(event) => &event.kind,
            Self::Broadcast(occasion) => &occasion.kind,
        }
    }

    /// Whether it was imported. A broadcast never is.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        matches!(self, Self::Event(event) if event.imported)
    }

    /// When it happened.
    #[must_use]
    pub fn time(&self) -> Millis {
        match self {
            Self::Event(event) => event.time,
            Self::Broadcast(occasion) => occasion.time,
        }
    }
}

/// The hash that identifies an event within a customer's journal: the first 64 bits of SHA-256
/// over source and id. Two different events of one customer share it with a probability of 2⁻⁶⁴.
#[must_use]
pub fn fingerprint(source: &str, id: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update((source.len() as u64).to_le_bytes());
    hash.update(source);
    hash.update(id);
    let digest = hash.finalize();
    u64::from_le_bytes(
        digest[..8]
            .try_into()
            .expect("invariant: SHA-256 has 32 bytes"),
    )
}

/// What an event changes in a customer's state, by kind of event.
#[derive(Clone, Debug, PartialEq)]
pub enum Facts {
    /// `account.movement`
    Movement(Movement),
    /// `merchant.checkout`
    Checkout(Checkout),
    /// `customer.profile`
    Profile(ProfileChange),
    /// `offer.<outcome>`
    Outcome {
        /// What happened to the action.
        outcome: OutcomeKind,
        /// The id of the action.
        action: Box<str>,
    },
    /// Any other type: what its declaration says the journal keeps.
    Other(Kept),
}

/// Money into or out of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Movement {
    /// The account.
    pub account: Word,
    /// Which way.
    pub direction: Direction,
    /// How much, in base currency.
    pub amount: Money,
    /// The account's balance afterwards, in base currency.
    pub balance: Option<Money>,
    /// Name of the other side.
    pub counterparty: Option<Word>,
    /// Category of the other side.
    pub category: Option<Word>,
    /// How it was ordered.
    pub channel: Option<Word>,
    /// What for.
    pub purpose: Option<Word>,
}

/// A purchase at a merchant, or an attempt at one.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkout {
    /// How far it got.
    pub stage: Stage,
    /// How much, in base currency.
    pub amount: Money,
    /// What the customer pays with.
    pub tender: Option<Word>,
    /// The merchant's id.
    pub merchant: Option<Word>,
    /// The merchant's category.
    pub category: Option<Word>,
    /// Whether the merchant is a partner.
    pub partner: bool,
}

/// Direction of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the account.
    In,
    /// Out of the account.
    Out,
}

/// Stage of a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The customer stands at the till.
    Started,
    /// Paid.
    Paid,
    /// Given up.
    Abandoned,
    /// Paid back.
    Refunded,
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeKind {
    /// It reached the device.
    Delivered,
    /// It could not be delivered.
    Failed,
    /// It was looked at.
    Opened,
    /// The customer said yes.
    Accepted,
    /// The customer said no.
    Declined,
    /// The coupon was used.
    Redeemed,
    /// The customer wants no more of these.
    Unsubscribed,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ }) => {
        impl $type {
            /// Every word, in the order of declaration.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            /// The word on the wire.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
            /// The value of a word; `None` if there is no such word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
words!(Direction { In = "in", Out = "out" });
words!(Stage { Started = "started", Paid = "paid", Abandoned = "abandoned", Refunded = "refunded" });
words!(OutcomeKind {
    Delivered = "delivered", Failed = "failed", Opened = "opened", Accepted = "accepted",
    Declined = "declined", Redeemed = "redeemed", Unsubscribed = "unsubscribed"
});

impl OutcomeKind {
    /// Whether the customer wants no more of it.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Declined | Self::Unsubscribed)
    }
}

/// What a `customer.profile` event sets. The last writer by event time wins, per item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileChange {
    /// Attributes; `Null` removes one.
    pub attributes: Vec<(Word, Value)>,
    /// Segments: `true` to add, `false` to remove.
    pub segments: Vec<(Box<str>, bool)>,
    /// Consent per channel.
    pub consents: Vec<(Box<str>, bool)>,
    /// Reachability per channel.
    pub reachable: Vec<(Box<str>, bool)>,
    /// IANA time zone.
    pub time_zone: Option<Box<str>>,
    /// BCP 47 locale.
    pub locale: Option<Box<str>>,
}

/// What the journal keeps of an event of a declared type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The field `amount`, if declared as money and kept.
    pub amount: Option<Money>,
    /// The field `category`, if kept.
    pub category: Option<Word>,
    /// The field `merchant`, if kept.
    pub merchant: Option<Word>,
    /// The field `counterparty`, if kept.
    pub counterparty: Option<Word>,
    /// The field `channel`, if kept.
    pub channel: Option<Word>,
    /// All other kept fields.
    pub fields: Vec<(Word, Value)>,
}
