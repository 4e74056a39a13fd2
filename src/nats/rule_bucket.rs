//! The key-value bucket of what governs the rules: `SCENE_RULES`. It holds the texts of generations, switches,
//! approvals and who changed what.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;

use super::chain_wire::{self, Outcome};
use super::connect::Connection;
use super::log_tail::raw_message;
use super::message::StoredMessage;
use super::pull::{PullReader, PullSpec, ReadError};
use super::stream_state::{InfoError, stream_info};
use crate::clock::Millis;

/// The stream below the bucket.
pub const RULES: &str = "KV_SCENE_RULES";
/// The subjects of its keys.
pub(super) const SUBJECTS: &str = "$KV.SCENE_RULES.>";
const PREFIX: &str = "$KV.SCENE_RULES.";
/// How many values of a key are kept, the latest ones: as many as a bucket of NATS may keep (ADR-8).
pub(super) const HISTORY: i64 = 64;
const BATCH_MAX: usize = 1_000;
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// One value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesEntry {
    /// The key, without the bucket's prefix.
    pub key: String,
    /// Its place among all values of the bucket.
    pub revision: u64,
    /// When the server stored it.
    pub at: Millis,
    /// The value.
    pub value: Bytes,
}

/// The latest value of a key, or of those that a pattern of NATS matches; none if there is none. One attempt,
/// answered by the stream's leader.
///
/// # Errors
/// When nobody answers now, or the bucket is not there.
pub async fn read_rules(
    connection: &Connection,
    key: &str,
) -> Result<Option<RulesEntry>, InfoError> {
    if !connection.is_connected() {
        return Err(InfoError::Other("not connected".to_owned()));
    }
    let subject = format!("{PREFIX}{key}");
    let message = raw_message(connection, RULES, &subject, None).await?;
    Ok(message.map(|message| {
        let millis = message.time.unix_timestamp_nanos() / 1_000_000;
        RulesEntry {
            key: key_of(&message.subject),
            revision: message.sequence,
            at: i64::try_from(millis).unwrap_or_default(),
            value: message.payload,
        }
    }))
}

/// Writes a key, if `expected` is its revision (0: it is not there yet), or whatever it is if none is expected.
/// Returns the new revision; `None` if somebody else was quicker.
///
/// # Errors
/// After an error nobody knows whether it was written, or will be.
pub async fn write_rules(
    connection: &Connection,
    key: &str,
    value: Bytes,
    expected: Option<u64>,
) -> Result<Option<u64>, InfoError> {
    let mut headers = HeaderMap::new();
    if let Some(revision) = expected {
        headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string());
    }
    let subject = format!("{PREFIX}{key}");
    match chain_wire::send(connection, subject, headers, value).await {
        Outcome::Stored(revision) => Ok(Some(revision)),
        Outcome::NotTheTail(_) => Ok(None),
        Outcome::Doubt(reason)
        | Outcome::TooLarge(reason)
        | Outcome::Refused(reason)
        | Outcome::NoBatch(reason) => Err(InfoError::Other(reason)),
    }
}

/// All values that are kept of the keys that a pattern of NATS matches, from a revision on, in the order in which they
/// were written.
///
/// # Errors
/// When nobody answers now, or the bucket is not there.
pub async fn rules_history(
    connection: &Connection,
    pattern: &str,
    from: u64,
) -> Result<Vec<RulesEntry>, InfoError> {
    let last = read_rules(connection, pattern).await?;
    let Some(last) = last.filter(|last| last.revision >= from) else {
        return Ok(Vec::new());
    };
    let other = |error: ReadError| InfoError::Other(error.to_string());
    let watch = RulesWatch::open_from(connection, pattern, from).await;
    let mut watch = watch.map_err(other)?;
    let mut all = Vec::new();
    while (all.last()).is_none_or(|entry: &RulesEntry| entry.revision < last.revision) {
        all.append(&mut watch.next().await.map_err(other)?);
    }
    Ok(all)
}

/// When the bucket was created, in nanoseconds since the Unix epoch: one that was made anew has revisions of its own.
/// Waits for the broker if it is away.
///
/// # Errors
/// When the bucket is not there.
pub async fn rules_created(connection: &Connection) -> Result<i64, ReadError> {
    loop {
        connection.connected().await;
        match stream_info(connection, RULES).await {
            Ok(info) => {
                let nanos = info.created.unix_timestamp_nanos();
                return Ok(i64::try_from(nanos).unwrap_or(i64::MAX));
            }
            Err(InfoError::Missing) => return Err(ReadError::StreamGone { stream: RULES }),
            Err(InfoError::Other(_)) => tokio::time::sleep(RETRY_DELAY).await,
        }
    }
}

/// Reads what is written to some keys, from the first value that is kept on.
pub struct RulesWatch(PullReader);

impl RulesWatch {
    /// Opens it for the keys that a pattern of NATS matches. Waits for the broker if it is away.
    ///
    /// # Errors
    /// When reading can never succeed.
    pub async fn open(connection: &Connection, pattern: &str) -> Result<Self, ReadError> {
        Self::open_from(connection, pattern, 1).await
    }

    async fn open_from(
        connection: &Connection,
        pattern: &str,
        from: u64,
    ) -> Result<Self, ReadError> {
        let spec = PullSpec {
            stream: RULES,
            filters: vec![format!("{PREFIX}{pattern}")],
            headers_only: false,
        };
        Ok(Self(PullReader::open(connection, spec, from).await?))
    }

    /// How many values were written and not handed out, as far as is known.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.0.pending()
    }

    /// The next values: at least one. Cancel safe.
    ///
    /// # Errors
    /// When reading can never succeed.
    pub async fn next(&mut self) -> Result<Vec<RulesEntry>, ReadError> {
        let messages = self.0.next_batch(BATCH_MAX).await?;
        Ok(messages.into_iter().map(entry).collect())
    }
}

fn key_of(subject: &str) -> String {
    subject.strip_prefix(PREFIX).unwrap_or(subject).to_owned()
}

fn entry(message: StoredMessage) -> RulesEntry {
    RulesEntry {
        key: key_of(&message.subject),
        revision: message.sequence,
        at: message.stored_at,
        value: message.payload,
    }
}
