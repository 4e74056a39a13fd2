//! A customer as bytes, for checkpoints: independent of the numbers that words and shapes happen to have
//! in memory, and of how state is laid out there.
//!
//! A stream is a sequence of records. Integers are varints (LEB128) unless said otherwise; fixed ones are
//! little-endian; a text is its length and its UTF-8 bytes; a word or shape is referred to by the count of
//! those defined before it.
//!
//! | record | after its first byte |
//! |---|---|
//! | 1: a word | text |
//! | 2: a shape | word of the type; category, party, channel and means, each 0 or its word plus one; phase (a byte) |
//! | 3: a customer | length of the rest; then what [`encode`] writes, in its order |
//!
//! Version 2 adds to contacts: the bit [`contact::MORE`], and if it is set, a second byte of bits after the
//! first with what they announce. What version 1 wrote reads the same.
//!
//! A journal entry is 24 bytes: fingerprint (8), time (6) and amount (6), both signed, and the count of shapes
//! defined before its own (4). A time or amount that six bytes cannot tell stands in the entry's row.

mod bytes;
mod decode;
mod encode;

pub use decode::CustomerDecoder;
pub use encode::CustomerEncoder;

use super::shape::EntryPhase;
use crate::event::{Direction, Stage};

/// Version of the bytes; written by the checkpoint file's header.
pub const CODEC_VERSION: u16 = 2;

/// Why bytes are not what the encoder wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read customers: record {record}, counted from 0, is damaged: {what}")]
pub struct CodecError {
    /// The record's place in the stream.
    pub record: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

const WORD: u8 = 1;
const SHAPE: u8 = 2;
const CUSTOMER: u8 = 3;

/// Bytes of a journal entry, and what six of them can tell.
const ENTRY_BYTES: usize = 24;
const SIX_MAX: i64 = (1 << 47) - 1;
const SIX_MIN: i64 = -(1 << 47);

/// Bits that say which parts of a customer follow.
mod part {
    pub(super) const TRIMMED: u8 = 1;
    pub(super) const ROWS: u8 = 2;
    pub(super) const PROFILE: u8 = 4;
    pub(super) const ACCOUNTS: u8 = 8;
    pub(super) const CONTACTS: u8 = 16;
    pub(super) const PENDING: u8 = 32;
    pub(super) const ALL: u8 = 63;
}

/// Bits of a contact.
mod contact {
    pub(super) const HOLDOUT: u8 = 1;
    pub(super) const CONVERTED: u8 = 2;
    /// Its journey began with another decision.
    pub(super) const LATER: u8 = 4;
    pub(super) const CODE: u8 = 8;
    pub(super) const VALUE: u8 = 16;
    pub(super) const COST: u8 = 32;
    /// There is a second byte: bits of [`super::more`].
    pub(super) const MORE: u8 = 64;
    pub(super) const ALL: u8 = 127;
}

/// Bits of a contact's second byte.
mod more {
    pub(super) const CONTROL: u8 = 1;
    pub(super) const SHADOW: u8 = 2;
    pub(super) const SCENE: u8 = 4;
    pub(super) const HOUSEHOLD: u8 = 8;
    pub(super) const FALLBACK: u8 = 16;
    pub(super) const CHANNELS_LEFT: u8 = 32;
    /// What it said is kept; with its end of validity if [`KEPT_EXPIRES`] is set too.
    pub(super) const KEPT: u8 = 64;
    pub(super) const KEPT_EXPIRES: u8 = 128;
    pub(super) const ALL: u8 = 255;
}

/// First bytes of attributes and of kept values.
mod value {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const DECIMAL: u8 = 4;
    pub(super) const TEXT: u8 = 5;
    pub(super) const WORD: u8 = 6;
}

/// Every phase, at the place of its byte.
const PHASES: [EntryPhase; 12] = [
    EntryPhase::Other,
    EntryPhase::AtMerchant,
    EntryPhase::Movement(Direction::In),
    EntryPhase::Movement(Direction::Out),
    EntryPhase::Checkout(Stage::Started, false),
    EntryPhase::Checkout(Stage::Started, true),
    EntryPhase::Checkout(Stage::Paid, false),
    EntryPhase::Checkout(Stage::Paid, true),
    EntryPhase::Checkout(Stage::Abandoned, false),
    EntryPhase::Checkout(Stage::Abandoned, true),
    EntryPhase::Checkout(Stage::Refunded, false),
    EntryPhase::Checkout(Stage::Refunded, true),
];
