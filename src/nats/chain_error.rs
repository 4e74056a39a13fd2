//! Whether a chain gets its writes through, and why not.

use super::streams::ACTIONS;
use super::waiting::Waiting;

/// How often a take-over is tried when others write in between.
pub(super) const TAKE_OVER_ATTEMPTS_MAX: u32 = 200;

/// Whether the chain gets its writes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainState {
    /// The last write went through, or none was tried.
    Flowing,
    /// A write waits for the broker.
    Waiting(Waiting),
    /// Another owner has taken the partition.
    Fenced,
}

impl ChainState {
    /// What a write waits for, if one does.
    #[must_use]
    pub fn waiting(&self) -> Option<&Waiting> {
        match self {
            Self::Waiting(waiting) => Some(waiting),
            Self::Flowing | Self::Fenced => None,
        }
    }
}

/// Why the chain cannot be extended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChainError {
    /// Another owner has written to the partition: stop owning it.
    #[error("write to partition {partition}: it now belongs to {by}")]
    Fenced {
        /// The partition.
        partition: u16,
        /// The other owner's id; `nobody` if a message names none.
        by: String,
    },
    /// A write is larger than the server takes; nothing from it on is stored.
    #[error("write {id} to partition {partition}: {reason}")]
    TooLarge {
        /// The partition.
        partition: u16,
        /// The id of the write.
        id: String,
        /// What the server or the client library says.
        reason: String,
    },
    /// The server refused a write for good; nothing from it on is stored.
    #[error("write {id} to partition {partition}: the server refused: {reason}")]
    Refused {
        /// The partition.
        partition: u16,
        /// The id of the write.
        id: String,
        /// What the server says.
        reason: String,
    },
    /// The stream of actions does not exist (any more).
    #[error("write to partition {partition}: the stream {ACTIONS} is not there; was it deleted?")]
    StreamGone {
        /// The partition.
        partition: u16,
    },
    /// The log ends before what the server had acknowledged: it lost data, or the stream was made anew.
    #[error(
        "write to partition {partition}: its log ends at {found}, though {expected} was acknowledged; the server lost \
         data or the stream was made anew: start the engine again, so that it reads what is there"
    )]
    RolledBack {
        /// The partition.
        partition: u16,
        /// The last sequence that was acknowledged.
        expected: u64,
        /// The last sequence that is there; 0 for none.
        found: u64,
    },
    /// Others kept writing while the partition was being taken over.
    #[error(
        "take over partition {partition}: others wrote to it at each of {TAKE_OVER_ATTEMPTS_MAX} attempts, lately {by}"
    )]
    Contended {
        /// The partition.
        partition: u16,
        /// Who was first at the last attempt.
        by: String,
    },
}
