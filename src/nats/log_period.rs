//! The logs of all partitions, as they are stored, for a period: what audits and histories read.

use super::chain_link::{ChainHash, link_of};
use super::connect::Connection;
use super::log_tail::{log_message, raw_message};
use super::message::LogMessage;
use super::pull::{PullReader, PullSpec, ReadError};
use super::stream_state::{InfoError, stream_info};
use super::streams::{ACTIONS, partitions_of};
use crate::clock::Millis;

const EVERYTHING: &str = "scene.actions.>";

/// Why a period of the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PeriodError {
    /// There is no log.
    #[error(
        "read the stream {ACTIONS}: it is not there; has an engine ever run against this NATS?"
    )]
    Missing,
    /// The server does not say what was asked.
    #[error("look at the stream {ACTIONS}: {0}")]
    Unanswered(String),
    /// Reading cannot go on.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<InfoError> for PeriodError {
    fn from(error: InfoError) -> Self {
        match error {
            InfoError::Missing => Self::Missing,
            InfoError::Other(reason) => Self::Unanswered(reason),
        }
    }
}

/// The last message of a partition's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// The partition.
    pub partition: u16,
    /// Its sequence.
    pub sequence: u64,
    /// Its link; none if an engine without links wrote it.
    pub link: Option<ChainHash>,
}

/// Reads the messages of all partitions in the order in which they were stored.
pub struct LogPeriod {
    pull: Option<PullReader>,
    until: u64,
    first_kept: u64,
    created: String,
}

impl LogPeriod {
    /// Opens what is stored now, from a sequence on.
    ///
    /// # Errors
    /// When there is no such stream, or the server does not answer.
    pub async fn open(connection: &Connection, from_sequence: u64) -> Result<Self, PeriodError> {
        let info = stream_info(connection, ACTIONS).await?;
        let last = raw_message(connection, ACTIONS, EVERYTHING, None).await?;
        let until = last.map_or(0, |message| message.sequence);
        let spec = PullSpec {
            stream: ACTIONS,
            filters: Vec::new(),
            headers_only: false,
        };
        let pull = if from_sequence > until {
            None
        } else {
            Some(PullReader::open(connection, spec, from_sequence).await?)
        };
        Ok(Self {
            pull,
            until,
            first_kept: info.state.first_sequence,
            created: info.created.unix_timestamp_nanos().to_string(),
        })
    }

    /// The last sequence that is read.
    pub fn until(&self) -> u64 {
        self.until
    }

    /// The first sequence that the stream still has.
    pub fn first_kept(&self) -> u64 {
        self.first_kept
    }

    /// When the stream was created, in nanoseconds since the Unix epoch: a stream that was made anew differs.
    pub fn created(&self) -> &str {
        &self.created
    }

    /// The next messages, up to `max`; none when the end is reached. Cancel safe.
    ///
    /// # Errors
    /// When the stream is gone.
    pub async fn next_batch(&mut self, max: usize) -> Result<Option<Vec<LogMessage>>, ReadError> {
        let Some(pull) = &mut self.pull else {
            return Ok(None);
        };
        if pull.next_sequence() > self.until {
            return Ok(None);
        }
        let mut batch = pull.next_batch(max).await?;
        batch.retain(|message| message.sequence <= self.until);
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }
}

/// The sequence of the first message that was stored at a time or later; one behind the last if there is none. The
/// server's clock is taken to run forward.
///
/// # Errors
/// When there is no such stream, or the server does not answer.
pub async fn first_at(connection: &Connection, time: Millis) -> Result<u64, PeriodError> {
    let state = stream_info(connection, ACTIONS).await?.state;
    let (mut low, mut high) = (state.first_sequence, state.last_sequence.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        let found = raw_message(connection, ACTIONS, EVERYTHING, Some(middle)).await?;
        match found.map(log_message) {
            Some(message) if message.stored_at < time => low = message.sequence + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The last message of each partition that has any, by partition.
///
/// # Errors
/// When there is no such stream, or the server does not answer.
pub async fn heads(connection: &Connection) -> Result<Vec<LogHead>, PeriodError> {
    let info = stream_info(connection, ACTIONS).await?;
    let mut heads = Vec::new();
    for partition in 0..partitions_of(&info.config).unwrap_or(0) {
        if let Some(message) = super::log_tail::read(connection, partition, None).await? {
            heads.push(LogHead {
                partition,
                sequence: message.sequence,
                link: link_of(&message),
            });
        }
    }
    Ok(heads)
}
