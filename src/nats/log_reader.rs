//! The log of one partition, read from a sequence up to a known end.

use super::connect::Connection;
use super::message::LogMessage;
use super::pull::{PullReader, PullSpec, ReadError};
use super::streams::ACTIONS;

/// Reads a partition's log in order, each message once, up to the sequence where it was taken over.
pub struct LogReader {
    pull: PullReader,
    until: u64,
}

impl LogReader {
    /// Opens a reader of the log of `partition` from `from_sequence` on, up to and with `until`, which must
    /// be the sequence of a message of that log (or 0: an empty log).
    ///
    /// Waits for the broker if it is away. An error means that reading can never succeed.
    pub async fn open(
        connection: &Connection,
        partition: u16,
        from_sequence: u64,
        until: u64,
    ) -> Result<Self, ReadError> {
        let filters = vec![subject_filter(partition)];
        let spec = PullSpec {
            stream: ACTIONS,
            filters,
            headers_only: false,
        };
        Ok(Self {
            pull: PullReader::open(connection, spec, from_sequence).await?,
            until,
        })
    }

    /// The next messages, up to `max`; none when the end is reached. Cancel safe.
    pub async fn next_batch(&mut self, max: usize) -> Result<Option<Vec<LogMessage>>, ReadError> {
        if self.pull.next_sequence() > self.until {
            return Ok(None);
        }
        let mut batch = self.pull.next_batch(max).await?;
        batch.retain(|message| message.sequence <= self.until);
        if batch.is_empty() {
            Ok(None)
        } else {
            Ok(Some(batch))
        }
    }
}

/// The subjects of one partition's log.
pub(super) fn subject_filter(partition: u16) -> String {
    format!("scene.actions.*.{partition}")
}

/// The subject that a message of a partition's log is stored under.
pub(super) fn stored_subject(channel: &str, partition: u16) -> String {
    format!("scene.actions.{channel}.{partition}")
}
