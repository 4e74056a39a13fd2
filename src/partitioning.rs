//! Which customer belongs where: the token of a customer id, its partition and its bucket.

use ecow::EcoString;
use std::borrow::Cow;
use std::fmt;

/// Buckets a partition's events are spread over in their subject, so that one customer's history
/// can be filtered cheaply.
pub const BUCKETS: u16 = 4096;
/// The most partitions a deployment can have.
pub const PARTITIONS_MAX: u16 = 4096;
/// Partitions of a deployment that does not say otherwise.
pub const PARTITIONS_DEFAULT: u16 = 16;
/// The longest customer id, in bytes.
pub const CUSTOMER_ID_BYTES_MAX: usize = 64;

/// A customer's id: any text of 1 to 64 bytes. Up to 15 bytes it stands in place; there are as many as
/// customers, and more than one of each.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(EcoString);

impl CustomerId {
    /// Takes an id of 1 to 64 bytes; `None` otherwise.
    #[must_use]
    pub fn new(id: &str) -> Option<Self> {
        (1..=CUSTOMER_ID_BYTES_MAX)
            .contains(&id.len())
            .then(|| Self(id.into()))
    }

    /// The id as producers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a NATS subject token.
    #[must_use]
    pub fn token(&self) -> Cow<'_, str> {
        token(&self.0)
    }
}

impl fmt::Debug for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::borrow::Borrow<str> for CustomerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Percent-encodes the bytes that NATS reserves in a subject (blank, `.`, `*`, `>`, control
/// characters) and `%` itself.
#[must_use]
pub fn token(id: &str) -> Cow<'_, str> {
    use std::fmt::Write as _;
    let reserved = |c: char| matches!(c, '.' | '*' | '>' | '%' | ' ') || c.is_ascii_control();
    if !id.contains(reserved) {
        return Cow::Borrowed(id);
    }
    let mut token = String::with_capacity(id.len() + 8);
    for c in id.chars() {
        if reserved(c) {
            let _ = write!(token, "%{:02X}", u32::from(c));
        } else {
            token.push(c);
        }
    }
    Cow::Owned(token)
}

/// Reads what [`token`] writes.
#[must_use]
pub fn untoken(token: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(token).decode_utf8_lossy()
}

/// FNV-1a with 32 bits, as nats-server's `partition()` subject transform uses it
/// (<http://www.isthe.com/chongo/tech/comp/fnv/>).
#[must_use]
pub fn fnv1a_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The partition of a customer's token among `partitions`.
#[must_use]
pub fn partition_of(token: &str, partitions: u16) -> u16 {
    modulo(fnv1a_32(token.as_bytes()), partitions)
}

/// The bucket of a customer's token.
#[must_use]
pub fn bucket_of(token: &str) -> u16 {
    modulo(fnv1a_32(token.as_bytes()), BUCKETS)
}

fn modulo(hash: u32, n: u16) -> u16 {
    u16::try_from(hash % u32::from(n.max(1))).expect("invariant: a remainder of a u16 fits a u16")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_bytes_are_encoded_and_nothing_else() {
        assert_eq!(token("C1001"), "C1001");
        assert_eq!(token("a.b c%*>"), "a%2Eb%20c%25%2A%3E");
        assert_eq!(token("客户"), "客户");
        for id in ["C1001", "a.b c%*>", "客户%20"] {
            assert_eq!(untoken(&token(id)), id);
        }
    }

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a_32(b""), 0x811c_9dc5);
        assert_eq!(fnv1a_32(b"foobar"), 0xbf9c_f968);
    }
}
