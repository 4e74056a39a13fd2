//! The links of a partition's log: each message carries a hash of what it says and of the link before it, so that a
//! message that was changed, taken out, put in or moved shows in the stream itself.
//!
//! ```text
//! content = SHA-256(n(subject) n(number of headers, in decimal) (n(name) n(value))* payload), headers sorted by name and value
//! link    = SHA-256("onscene link 1" link-of-the-message-before content)
//! ```
//!
//! `n(text)` is the text's length as 8 bytes, little endian, and the text. Headers whose names begin with `Nats-` are left
//! out, since the server adds and drops some, and so is the link itself. The first link of a log has 32 zero bytes before it,
//! and so has one behind a message without a link, which an engine before this header wrote.
//!
//! Links keep no secret: whoever may write the stream's files can make them all anew from some message on. That is seen by
//! a link that was kept elsewhere, and by nothing else.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::message::{LogMessage, wire_name, wire_value};

/// Header: the link.
pub const HEADER_CHAIN: &str = "Onscene-Chain";
/// Tells what is hashed apart from whatever else is hashed, and from other ways of doing it.
const TAG: &[u8] = b"onscene link 1";

/// A SHA-256, in text 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// What stands before the first one.
    pub const NONE: Self = Self([0; 32]);

    /// Reads what `Display` writes, and nothing else: one hash has one text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        f.write_str(std::str::from_utf8(&text).expect("invariant: digits are ASCII"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for ChainHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a hash has 64 lowercase hexadecimal digits"))
    }
}

/// The link of a message behind another link.
#[must_use]
pub fn link(before: ChainHash, content: ChainHash) -> ChainHash {
    let mut hash = Sha256::new();
    hash.update(TAG);
    hash.update(before.0);
    hash.update(content.0);
    ChainHash(hash.finalize().into())
}

/// The hash of what a message says, before it is sent or after it was read: headers count as they are on the wire.
#[must_use]
pub fn content<'a>(
    subject: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    payload: &[u8],
) -> ChainHash {
    let mut sorted: Vec<(Cow<'_, str>, Cow<'_, str>)> = headers
        .filter(|(name, _)| !name.starts_with("Nats-") && *name != HEADER_CHAIN)
        .map(|(name, value)| (wire_name(name), wire_value(value)))
        .collect();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    let mut text = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    text(subject);
    text(&sorted.len().to_string());
    for (name, value) in &sorted {
        text(name);
        text(value.trim());
    }
    hash.update(payload);
    ChainHash(hash.finalize().into())
}

/// The link that a stored message carries, if it does.
#[must_use]
pub fn link_of(message: &LogMessage) -> Option<ChainHash> {
    message.headers.get(HEADER_CHAIN).and_then(ChainHash::parse)
}

/// The hash of what a stored message says.
#[must_use]
pub fn content_of(message: &LogMessage) -> ChainHash {
    content(&message.subject, message.headers.iter(), &message.payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: [(&str, &str); 3] = [
        ("Onscene-Kind", "action"),
        ("Onscene-Id", "17"),
        ("Nats-Expected-Last-Subject-Sequence", "4"),
    ];

    fn of(headers: &[(&str, &str)]) -> ChainHash {
        content("scene.actions.push.3", headers.iter().copied(), b"{}")
    }

    #[test]
    fn the_bytes_that_are_hashed_are_those_that_are_written_down() {
        // From Python: hashlib.sha256 over what the head of this file says.
        assert_eq!(
            of(&HEADERS).to_string(),
            "944034d2fb372d50aa9f8efa592ee259b63d56e385de6ac226ca5df61e1fb747"
        );
        assert_eq!(
            link(ChainHash::NONE, of(&HEADERS)).to_string(),
            "52fe51d7c08b756cb20638fe683b8df881e41837cd3f5997c70be0d2b7354731"
        );
    }

    #[test]
    fn what_the_wire_and_the_server_do_to_headers_changes_no_hash_and_everything_else_does() {
        let plain = of(&HEADERS);
        let stored = [
            ("Nats-Stream", "SCENE_ACTIONS"),
            ("Onscene-Id", " 17 "),
            ("Onscene-Kind", "action"),
            (HEADER_CHAIN, "whatever"),
        ];
        assert_eq!(of(&stored), plain);
        assert_ne!(of(&HEADERS[..1]), plain);
        assert_ne!(of(&[("Onscene-Kind", "actio"), ("n", "17")]), plain);
        let other = content("scene.actions.push.4", HEADERS.into_iter(), b"{}");
        assert_ne!(other, plain);
        assert_ne!(
            content("scene.actions.push.3", HEADERS.into_iter(), b"{ }"),
            plain
        );
        assert_ne!(link(plain, plain), link(ChainHash::NONE, plain));
    }

    #[test]
    fn a_hash_has_one_text() {
        let hash = of(&HEADERS);
        assert_eq!(ChainHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(ChainHash::parse(&hash.to_string().to_uppercase()), None);
        assert_eq!(ChainHash::parse(&hash.to_string()[1..]), None);
        assert_eq!(ChainHash::parse(&format!("{hash} ")), None);
    }
}
