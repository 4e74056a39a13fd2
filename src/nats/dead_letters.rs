//! Rejected events, kept with their original bytes and the reason, until somebody mends and retries them.

use std::collections::HashSet;
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use tokio::sync::watch;

use super::connect::Connection;
use super::message::{Headers, StoredEvent, StoredMessage, put};
use super::publish_retry::{NeverTaken, until_stored};
use super::pull::{PullReader, PullSpec, ReadError};
use super::stream_state::{InfoError, stream_info};
use super::streams::{DEAD_LETTERS, EVENTS};
use super::waiting::Waiting;
use crate::clock::Millis;
use crate::event::HEADER_IMPORT;

/// Header: the subject under which the event was stored.
pub const HEADER_SUBJECT: &str = "Onscene-Stored-Subject";
/// Header: its sequence in `SCENE_EVENTS`.
pub const HEADER_SEQUENCE: &str = "Onscene-Stored-Sequence";
/// Header: when it was stored, in milliseconds since the Unix epoch.
pub const HEADER_TIME: &str = "Onscene-Stored-Time";
/// Header: what is wrong with it, for a person.
pub const HEADER_ERROR: &str = "Onscene-Error";
/// Header: the customer token of its subject, where known.
pub const HEADER_TOKEN: &str = "Onscene-Customer-Token";

/// An error's text in a header, in characters; the room that events leave is for the original headers too.
const ERROR_CHARS_MAX: usize = 2_000;
const READ_MESSAGES: usize = 1_000;
const READ_PATIENCE: Duration = Duration::from_secs(2);
/// Headers of the server's own, which must not be copied: they would change what publishing does.
const SERVER_HEADERS: &str = "nats-";
const OWN_HEADERS: &str = "Onscene-";

/// Why the dead letters cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// The server refuses it for good.
    #[error("publish to {subject}: the server refused: {reason}")]
    Refused {
        /// Where to.
        subject: String,
        /// What it says.
        reason: String,
    },
    /// The stream cannot be read.
    #[error("read the dead letters")]
    Read(#[from] ReadError),
    /// The broker does not answer.
    #[error("read the dead letters: {0}")]
    Unavailable(String),
    /// There is no such dead letter.
    #[error("find dead letter {0}: there is none; it may have been retried already")]
    NotThere(u64),
    /// It was published again, but could not be deleted.
    #[error("delete dead letter {sequence}, which has been published again: {reason}")]
    NotDeleted {
        /// Its sequence in `SCENE_DLQ`.
        sequence: u64,
        /// What the server says.
        reason: String,
    },
}

/// One rejected event.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Its sequence in `SCENE_DLQ`, which names it.
    pub sequence: u64,
    /// When it was rejected, in milliseconds since the Unix epoch.
    pub rejected_at: Millis,
    /// The reason: the last token of its subject.
    pub reason: String,
    /// What is wrong with it, for a person.
    pub error: String,
    /// The subject under which it was stored as an event.
    pub stored_subject: String,
    /// Its sequence in `SCENE_EVENTS`.
    pub stored_sequence: u64,
    /// When it was stored as an event, in milliseconds since the Unix epoch.
    pub stored_at: Millis,
    /// The customer token of the producer's subject, where known.
    pub customer_token: Option<String>,
    /// The producer's headers.
    pub headers: Headers,
    /// The producer's bytes.
    pub payload: Bytes,
}

/// Which dead letters to list.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterFilter {
    /// Only those of this reason.
    pub reason: Option<String>,
    /// From this sequence of `SCENE_DLQ` on.
    pub from_sequence: u64,
    /// At most so many.
    pub max: Option<usize>,
}

/// Writes and reads the dead letters.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    connection: Connection,
    board: watch::Sender<Option<Waiting>>,
}

impl DeadLetters {
    /// Uses a connection.
    pub fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
            board: watch::Sender::new(None),
        }
    }

    /// Tells, also while a dead letter is being written, what it waits for.
    pub fn watch_waiting(&self) -> watch::Receiver<Option<Waiting>> {
        self.board.subscribe()
    }

    /// Keeps an event with the reason for its rejection, and returns its sequence in `SCENE_DLQ` once that is
    /// acknowledged. Waits for the broker as long as it takes. A repetition within two minutes is
    /// dropped by the server; [`known_since`](Self::known_since) covers longer.
    pub async fn publish(
        &self,
        reason: &str,
        event: &StoredEvent,
        error: &str,
        customer_token: Option<&str>,
    ) -> Result<u64, DeadLetterError> {
        let mut headers = HeaderMap::new();
        for (name, value) in event.headers.iter().filter(|(name, _)| is_producers(name)) {
            put(&mut headers, name, value);
        }
        let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
        put(&mut headers, HEADER_ERROR, &error);
        put(&mut headers, HEADER_SUBJECT, &event.subject);
        put(&mut headers, HEADER_SEQUENCE, &event.sequence.to_string());
        put(&mut headers, HEADER_TIME, &event.stored_at.to_string());
        if let Some(token) = customer_token {
            put(&mut headers, HEADER_TOKEN, token);
        }
        put(
            &mut headers,
            "Nats-Msg-Id",
            &format!("{EVENTS}:{}", event.sequence),
        );
        let subject = format!("scene.dlq.{reason}");
        let (connection, board) = (&self.connection, &self.board);
        until_stored(connection, &subject, &headers, &event.payload, board)
            .await
            .map_err(|NeverTaken(reason)| DeadLetterError::Refused { subject, reason })
    }

    /// Which events, by their sequence in `SCENE_EVENTS`, from `sequence` on are dead letters. Reads headers
    /// only; what was retried meanwhile is not among them, but its decision was made.
    pub async fn known_since(&self, sequence: u64) -> Result<HashSet<u64>, DeadLetterError> {
        let mut known = HashSet::new();
        self.read_all(0, Vec::new(), true, |message| {
            let stored = number::<u64>(&message.headers, HEADER_SEQUENCE);
            known.extend(stored.filter(|stored| *stored >= sequence));
            true
        })
        .await?;
        Ok(known)
    }

    /// Lists dead letters, oldest first.
    pub async fn list(
        &self,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let subjects = filter
            .reason
            .iter()
            .map(|reason| format!("scene.dlq.{reason}"))
            .collect();
        let max = filter.max.unwrap_or(usize::MAX);
        let mut letters = Vec::new();
        if max > 0 {
            self.read_all(filter.from_sequence, subjects, false, |message| {
                letters.push(dead_letter(message));
                letters.len() < max
            })
            .await?;
        }
        Ok(letters)
    }

    /// Publishes a dead letter's original bytes and headers to `subject`, then deletes it. Returns its new
    /// sequence in `SCENE_EVENTS`. Should this be cut short in between, the dead letter remains and the engine
    /// recognises the event by its source and id when it is retried once more.
    pub async fn retry(&self, letter: &DeadLetter, subject: &str) -> Result<u64, DeadLetterError> {
        let mut headers = letter.headers.clone().into_map();
        headers.insert("Nats-Msg-Id", format!("{DEAD_LETTERS}:{}", letter.sequence));
        let (connection, board) = (&self.connection, &self.board);
        let stored = until_stored(connection, subject, &headers, &letter.payload, board)
            .await
            .map_err(|NeverTaken(reason)| DeadLetterError::Refused {
                subject: subject.to_owned(),
                reason,
            })?;
        self.delete(letter.sequence).await?;
        Ok(stored)
    }

    /// One dead letter by its sequence in `SCENE_DLQ`.
    pub async fn get(&self, sequence: u64) -> Result<DeadLetter, DeadLetterError> {
        let filter = DeadLetterFilter {
            reason: None,
            from_sequence: sequence,
            max: Some(1),
        };
        let mut letters = self.list(&filter).await?;
        match letters.pop() {
            Some(letter) if letter.sequence == sequence => Ok(letter),
            _ => Err(DeadLetterError::NotThere(sequence)),
        }
    }

    async fn delete(&self, sequence: u64) -> Result<(), DeadLetterError> {
        let failed = |reason: String| DeadLetterError::NotDeleted { sequence, reason };
        let stream = self
            .connection
            .jetstream()
            .get_stream_no_info(DEAD_LETTERS)
            .await
            .map_err(|error| failed(error.to_string()))?;
        stream
            .delete_message(sequence)
            .await
            .map_err(|error| failed(error.to_string()))?;
        Ok(())
    }

    /// Hands every dead letter that is there now to `each`, until that says false.
    async fn read_all(
        &self,
        from: u64,
        filters: Vec<String>,
        headers_only: bool,
        mut each: impl FnMut(StoredMessage) -> bool,
    ) -> Result<(), DeadLetterError> {
        let last = match stream_info(&self.connection, DEAD_LETTERS).await {
            Ok(info) if info.state.messages == 0 => return Ok(()),
            Ok(info) => info.state.last_sequence,
            Err(InfoError::Missing) => {
                return Err(ReadError::StreamGone {
                    stream: DEAD_LETTERS,
                }
                .into());
            }
            Err(InfoError::Other(reason)) => return Err(DeadLetterError::Unavailable(reason)),
        };
        let spec = PullSpec {
            stream: DEAD_LETTERS,
            filters,
            headers_only,
        };
        if from > last {
            return Ok(());
        }
        let mut reader = PullReader::open(&self.connection, spec, from).await?;
        while reader.pending() > 0 {
            // What was still to come may be deleted meanwhile; a reader that waits for it would wait for ever.
            let Ok(batch) =
                tokio::time::timeout(READ_PATIENCE, reader.next_batch(READ_MESSAGES)).await
            else {
                continue;
            };
            for message in batch? {
                if message.sequence > last || !each(message) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Whether a header is the producer's, so that it is kept and sent again.
fn is_producers(name: &str) -> bool {
    let starts = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    // Without it, history that is retried would be answered.
    let is_import = name.eq_ignore_ascii_case(HEADER_IMPORT);
    is_import || !starts(SERVER_HEADERS) && !starts(OWN_HEADERS)
}

fn number<T: std::str::FromStr>(headers: &Headers, name: &str) -> Option<T> {
    headers.get(name)?.parse().ok()
}

fn dead_letter(message: StoredMessage) -> DeadLetter {
    let text = |name: &str| message.headers.get(name).unwrap_or_default().to_owned();
    DeadLetter {
        sequence: message.sequence,
        rejected_at: message.stored_at,
        reason: message
            .subject
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned(),
        error: text(HEADER_ERROR),
        stored_subject: text(HEADER_SUBJECT),
        stored_sequence: number(&message.headers, HEADER_SEQUENCE).unwrap_or(0),
        stored_at: number(&message.headers, HEADER_TIME).unwrap_or(0),
        customer_token: message.headers.get(HEADER_TOKEN).map(str::to_owned),
        headers: message
            .headers
            .iter()
            .filter(|(name, _)| is_producers(name))
            .collect(),
        payload: message.payload,
    }
}
