//! A hash to be kept elsewhere: where whoever can change the streams or the exports cannot change it.

use std::fmt;
use std::str::FromStr;

use crate::nats::ChainHash;

/// What was the case once, in one line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// An export had so many lines, and this was the last one's hash.
    Export {
        /// The line.
        line: u64,
        /// Its hash.
        hash: ChainHash,
    },
    /// A partition's log had a message with this link.
    Log {
        /// The partition.
        partition: u16,
        /// Its sequence in `SCENE_ACTIONS`.
        sequence: u64,
        /// Its link.
        link: ChainHash,
    },
}

/// A text is not an anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an anchor: give one as `onscene audit export` or `onscene audit anchors` printed it, \
     `export:<line>:<hash>` or `log:<partition>:<sequence>:<link>`"
)]
pub struct AnchorError(String);

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Export { line, hash } => write!(f, "export:{line}:{hash}"),
            Self::Log {
                partition,
                sequence,
                link,
            } => write!(f, "log:{partition}:{sequence}:{link}"),
        }
    }
}

impl FromStr for Anchor {
    type Err = AnchorError;

    fn from_str(text: &str) -> Result<Self, AnchorError> {
        let parts: Vec<&str> = text.split(':').collect();
        let anchor = match parts[..] {
            ["export", line, hash] => line
                .parse()
                .ok()
                .zip(ChainHash::parse(hash))
                .map(|(line, hash)| Self::Export { line, hash }),
            ["log", partition, sequence, link] => partition
                .parse()
                .ok()
                .zip(sequence.parse().ok())
                .zip(ChainHash::parse(link))
                .map(|((partition, sequence), link)| Self::Log {
                    partition,
                    sequence,
                    link,
                }),
            _ => None,
        };
        anchor.ok_or_else(|| AnchorError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_one_word_that_is_read_back() {
        let hash = ChainHash([0xab; 32]);
        let anchors = [
            Anchor::Export { line: 7, hash },
            Anchor::Log {
                partition: 3,
                sequence: 17,
                link: hash,
            },
        ];
        for anchor in anchors {
            assert_eq!(anchor.to_string().parse(), Ok(anchor.clone()));
        }
        for text in ["", "export:7", "export:x:ab", "log:3:17:", "7:ab"] {
            assert!(text.parse::<Anchor>().is_err(), "{text}");
        }
    }
}
