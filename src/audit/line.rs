//! One line of an export, and the hash that chains it to the line before.
//!
//! ```text
//! line = body ',"hash":"' 64 hexadecimal digits '"}' line break
//! hash = SHA-256(32 bytes of the hash of the line before, body)
//! ```
//!
//! The body is hashed as the bytes that stand there, so there is no canonical form to agree on.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::record::Record;
use super::tally::Tail;
use crate::nats::ChainHash;

/// The version of the format.
pub const FORMAT: u32 = 1;
const MARK: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}\n";
const HASH_DIGITS: usize = 64;

/// What the first line says: what the export is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the engine that wrote it.
    pub engine: String,
    /// When it was written, RFC 3339.
    pub exported_at: String,
    /// When `SCENE_ACTIONS` was created, in nanoseconds since the Unix epoch.
    pub stream_created: String,
    /// Only messages that were stored then or later, RFC 3339.
    pub from: Option<String>,
    /// Only messages that were stored before then, RFC 3339.
    pub to: Option<String>,
    /// Every message of `SCENE_ACTIONS` up to this sequence is left out.
    pub after_sequence: u64,
    /// The last hash of the export that this one goes on from.
    pub previous: Option<ChainHash>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The first.
    Head(Head),
    /// A message of the log.
    Record(Record),
    /// The last.
    Tail(Tail),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadLine {
    n: u64,
    head: Head,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TailLine {
    n: u64,
    tail: Tail,
}

impl Line {
    /// The bytes that are hashed: all but the hash, with the line's number first.
    fn body(&self, n: u64) -> Vec<u8> {
        let json = |json: serde_json::Result<Vec<u8>>| {
            let mut body = json.expect("invariant: text and numbers serialise");
            body.pop();
            body
        };
        match self {
            Self::Head(head) => json(serde_json::to_vec(&HeadLine {
                n,
                head: head.clone(),
            })),
            Self::Tail(tail) => json(serde_json::to_vec(&TailLine {
                n,
                tail: tail.clone(),
            })),
            Self::Record(record) => record.body(n),
        }
    }

    /// Reads a body: the number it claims, and what it says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(body: &[u8]) -> Result<(u64, Self), String> {
        let whole = || [body, b"}"].concat();
        let text = |error: serde_json::Error| error.to_string();
        let after_number = body
            .iter()
            .position(|byte| *byte == b',')
            .map_or(&body[..0], |at| &body[at..]);
        if after_number.starts_with(b",\"head\":") {
            let HeadLine { n, head } = serde_json::from_slice(&whole()).map_err(text)?;
            Ok((n, Self::Head(head)))
        } else if after_number.starts_with(b",\"tail\":") {
            let TailLine { n, tail } = serde_json::from_slice(&whole()).map_err(text)?;
            Ok((n, Self::Tail(tail)))
        } else {
            Record::parse(body).map(|(n, record)| (n, Self::Record(record)))
        }
    }
}

/// A line taken apart: the bytes that are hashed, and the hash that it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsealed<'a> {
    /// All before the hash.
    pub body: &'a [u8],
    /// The hash.
    pub hash: ChainHash,
}

impl<'a> Unsealed<'a> {
    /// Takes a line apart, with its line break; none if it does not have the form of one.
    #[must_use]
    pub fn read(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_suffix(END)?;
        let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(HASH_DIGITS)?)?;
        let hash = ChainHash::parse(std::str::from_utf8(digits).ok()?)?;
        let body = rest.strip_suffix(MARK)?;
        Some(Self { body, hash })
    }

    /// Whether it was written behind the line with this hash.
    #[must_use]
    pub fn follows(&self, before: ChainHash) -> bool {
        seal(before, self.body) == self.hash
    }
}

/// The hash of a line behind another.
#[must_use]
pub fn seal(before: ChainHash, body: &[u8]) -> ChainHash {
    let mut hash = Sha256::new();
    hash.update(before.0);
    hash.update(body);
    ChainHash(hash.finalize().into())
}

/// Numbers and chains the lines of an export, one after another.
#[derive(Clone, Debug)]
pub struct Sealer {
    lines: u64,
    hash: ChainHash,
}

impl Sealer {
    /// Begins an export, behind another if it goes on from one.
    #[must_use]
    pub fn new(previous: Option<ChainHash>) -> Self {
        Self {
            lines: 0,
            hash: previous.unwrap_or(ChainHash::NONE),
        }
    }

    /// The bytes of the next line, with its line break.
    pub fn seal(&mut self, line: &Line) -> Vec<u8> {
        self.lines += 1;
        let mut bytes = line.body(self.lines);
        self.hash = seal(self.hash, &bytes);
        bytes.extend_from_slice(MARK);
        bytes.extend_from_slice(self.hash.to_string().as_bytes());
        bytes.extend_from_slice(END);
        bytes
    }

    /// How many lines there are so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The hash of the last line.
    #[must_use]
    pub fn hash(&self) -> ChainHash {
        self.hash
    }
}
