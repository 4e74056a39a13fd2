//! Reads a stream in order from a sequence, each message once, whatever happens to broker, connection
//! and consumer.
//!
//! The client library's ordered consumer asks for 200 messages at a time and learns of a lost consumer
//! only by missed heartbeats. This one keeps a bounded number of messages requested (so that its
//! subscription can never overflow and drop any), reopens at once when the connection broke, and gets past a
//! message whose headers the client library cannot parse (see `pull_careful`).
//!
//! The reader trusts nothing but stream sequences: whatever makes it doubt, it drops its consumer and
//! opens another from the first sequence that it has not handed out.

use std::time::Duration;

use async_nats::{Message, StatusCode};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;

use super::connect::Connection;
use super::message::StoredMessage;
use super::pull_open::{self, Open, Opened};
use super::pull_place::Place;
use super::waiting::{self, Waiting};

/// Messages that one request to the server asks for.
pub(super) const PULL_MESSAGES: usize = 1_000;
/// Fewer than this many on the way: ask for more, so that the flow never stops.
const PULL_LOW_WATER: usize = 500;
/// Silence after which the consumer counts as lost.
const PULL_SILENCE_MAX: Duration = Duration::from_secs(7);
/// How often in a row the stream must be found missing, or shorter than what was read of it, before that is believed: a
/// broker that has just started may not have found its streams yet, and a new leader may be behind.
const STREAM_MISSING_MAX: u32 = 8;
const REOPEN_DELAY_MAX: Duration = Duration::from_secs(1);
/// Breaks in a row without a message in between after which the next messages are read one by one.
const BREAKS_BEFORE_CAREFUL: u32 = 2;

/// Why reading cannot go on, ever. Everything else heals by itself.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The stream does not exist (any more).
    #[error("read the stream {stream}: it is not there; was it deleted?")]
    StreamGone {
        /// Which.
        stream: &'static str,
    },
    /// The stream ends before what was already read: it was restored from an older copy, or made anew.
    #[error(
        "read the stream {stream} from sequence {next}: it ends at {last}; it was made anew or restored from an older copy, \
         so what is in memory does not fit it: start the engine again with an empty data folder"
    )]
    RolledBack {
        /// Which.
        stream: &'static str,
        /// The first sequence not yet read.
        next: u64,
        /// The last sequence that the stream has.
        last: u64,
    },
    /// The connection was closed by ourselves.
    #[error("read the stream {stream}: the connection is closed")]
    Closed {
        /// Which.
        stream: &'static str,
    },
}

/// What to read.
#[derive(Clone, Debug)]
pub(super) struct PullSpec {
    pub(super) stream: &'static str,
    /// Empty: everything.
    pub(super) filters: Vec<String>,
    pub(super) headers_only: bool,
}

pub(super) struct PullReader {
    connection: Connection,
    spec: PullSpec,
    breaks: watch::Receiver<u64>,
    /// The first sequence that has not been handed out.
    next: u64,
    open: Option<Open>,
    opening: Option<BoxFuture<'static, Opened>>,
    /// Why the open consumer must be given up, once what it sent is handed out.
    broken: Option<String>,
    careful: Vec<StoredMessage>,
    failures: u32,
    missing: u32,
    /// Value of `next` when the connection last broke, and how often it has broken there.
    broke_at: (u64, u32),
    pending: u64,
    reopened: u64,
    board: watch::Sender<Option<Waiting>>,
}

enum Accepted {
    Message(StoredMessage),
    Nothing,
    Broken(String),
}

impl PullReader {
    /// Opens a reader from `next` on. Returns once the first consumer is there, so that `pending` is known.
    pub(super) async fn open(
        connection: &Connection,
        spec: PullSpec,
        next: u64,
    ) -> Result<Self, ReadError> {
        let mut reader = Self {
            breaks: connection.breaks(),
            connection: connection.clone(),
            spec,
            next: next.max(1),
            open: None,
            opening: None,
            broken: None,
            careful: Vec::new(),
            failures: 0,
            missing: 0,
            broke_at: (0, 0),
            pending: u64::MAX,
            reopened: 0,
            board: watch::Sender::new(None),
        };
        while reader.open.is_none() && reader.careful.is_empty() {
            reader.advance_opening().await?;
        }
        Ok(reader)
    }

    /// Lets go of its consumer at once. The server forgets one that nobody asks only after a while.
    pub(super) async fn close(self) {
        if let Some(open) = self.open {
            let jetstream = self.connection.jetstream();
            let deleted = jetstream.delete_consumer_from_stream(&open.consumer, self.spec.stream);
            // If that fails, the server forgets it after a while all the same.
            let _ = deleted.await;
        }
    }

    /// The first sequence that has not been handed out.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Messages known to be stored and not handed out: exact when the last one came, growing unseen after.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    pub(super) fn reopened(&self) -> u64 {
        self.reopened
    }

    /// Tells what keeps it from reading.
    pub(super) fn watch_waiting(&self) -> watch::Receiver<Option<Waiting>> {
        self.board.subscribe()
    }

    /// Waits for at least one message and returns what is there, up to `max`.
    ///
    /// Cancel safe: all that is awaited here either changes nothing or keeps its progress in `self`, and
    /// nothing is awaited between taking a message off the subscription and returning it.
    pub(super) async fn next_batch(&mut self, max: usize) -> Result<Vec<StoredMessage>, ReadError> {
        let max = max.max(1);
        loop {
            if !self.careful.is_empty() {
                return Ok(self.take_careful(max));
            }
            let mut batch = Vec::new();
            self.take_ready(max, &mut batch);
            if !batch.is_empty() {
                self.ask_without_waiting();
                return Ok(batch);
            }
            if let Some(reason) = self.broken.take() {
                self.give_up_consumer(&reason);
            }
            if self.open.is_none() {
                self.advance_opening().await?;
                continue;
            }
            self.ask_for_more().await?;
            let mut first = None;
            self.wait(&mut first).await;
            if let Some(message) = first {
                self.take(message, &mut batch);
                self.take_ready(max, &mut batch);
                if !batch.is_empty() {
                    self.ask_without_waiting();
                    return Ok(batch);
                }
            }
        }
    }

    fn take_careful(&mut self, max: usize) -> Vec<StoredMessage> {
        let rest = self.careful.split_off(self.careful.len().min(max));
        let batch = std::mem::replace(&mut self.careful, rest);
        if let Some(last) = batch.last() {
            self.next = last.sequence + 1;
        }
        batch
    }

    /// Takes what the subscription already holds.
    fn take_ready(&mut self, max: usize, batch: &mut Vec<StoredMessage>) {
        while batch.len() < max && self.broken.is_none() {
            let Some(open) = &mut self.open else { return };
            // Tokio makes a task yield after 128 messages, which would cut batches short.
            let ready = tokio::task::unconstrained(open.subscriber.next()).now_or_never();
            match ready {
                Some(Some(message)) => self.take(message, batch),
                Some(None) => self.broken = Some("subscription closed".to_owned()),
                None => return,
            }
        }
    }

    fn take(&mut self, message: Message, batch: &mut Vec<StoredMessage>) {
        match self.accept(message) {
            Accepted::Message(message) => {
                self.pending = message.pending;
                self.next = message.sequence + 1;
                batch.push(message);
            }
            Accepted::Nothing => {}
            Accepted::Broken(reason) => self.broken = Some(reason),
        }
    }

    fn accept(&mut self, message: Message) -> Accepted {
        let Some(open) = &mut self.open else {
            return Accepted::Nothing;
        };
        open.silent_since = None;
        let Some(reply) = message
            .reply
            .as_deref()
            .filter(|reply| reply.starts_with("$JS.ACK."))
        else {
            return accept_status(open, &message);
        };
        let Some(place) = Place::parse(reply) else {
            return Accepted::Broken(format!("unknown acknowledgement subject {reply}"));
        };
        if place.consumer_sequence != open.consumer_sequence + 1 {
            return Accepted::Broken(format!(
                "message {} of the consumer came after {}",
                place.consumer_sequence, open.consumer_sequence
            ));
        }
        open.consumer_sequence = place.consumer_sequence;
        open.wanted = open.wanted.saturating_sub(1);
        if place.stream_sequence < self.next {
            return Accepted::Nothing;
        }
        Accepted::Message(StoredMessage {
            sequence: place.stream_sequence,
            stored_at: place.stored_at_ns / 1_000_000,
            pending: place.pending,
            subject: message.subject.as_str().to_owned(),
            headers: message.headers.into(),
            payload: message.payload,
        })
    }

    /// Waits for a message, a break of the connection, or too long a silence.
    async fn wait(&mut self, first: &mut Option<Message>) {
        let Some(open) = &mut self.open else { return };
        let since = *open
            .silent_since
            .get_or_insert_with(crate::clock::monotonic_now);
        let patience = PULL_SILENCE_MAX.saturating_sub(since.elapsed());
        tokio::select! {
            biased;
            message = open.subscriber.next() => match message {
                Some(message) => *first = Some(message),
                None => self.broken = Some("subscription closed".to_owned()),
            },
            broke = self.breaks.changed() => {
                self.broken = Some(match broke {
                    Ok(()) => "connection broke".to_owned(),
                    Err(_) => "connection closed".to_owned(),
                });
                self.count_break();
            }
            () = tokio::time::sleep(patience) => {
                self.broken = Some("the server is silent".to_owned());
            }
        }
    }

    fn count_break(&mut self) {
        if self.broke_at.0 == self.next {
            self.broke_at.1 += 1;
        } else {
            self.broke_at = (self.next, 1);
        }
    }

    fn give_up_consumer(&mut self, reason: &str) {
        self.open = None;
        self.reopened += 1;
        tracing::info!(
            stream = self.spec.stream,
            filters = ?self.spec.filters,
            from = self.next,
            reason,
            "reopening the consumer"
        );
    }

    /// Goes on opening a consumer. The attempt lives in `self`, so that a caller that polls for a short
    /// while again and again gets there.
    async fn advance_opening(&mut self) -> Result<(), ReadError> {
        if self.opening.is_none() {
            let delay = match self.failures {
                0 => Duration::ZERO,
                more => (Duration::from_millis(10) * 2_u32.pow(more.min(7))).min(REOPEN_DELAY_MAX),
            };
            let careful = self.broke_at.0 == self.next && self.broke_at.1 >= BREAKS_BEFORE_CAREFUL;
            self.breaks.borrow_and_update();
            let opening = pull_open::open(
                self.connection.clone(),
                self.spec.clone(),
                self.next,
                delay,
                careful,
            );
            self.opening = Some(opening.boxed());
        }
        let Some(opening) = &mut self.opening else {
            return Ok(());
        };
        let opened = opening.await;
        self.opening = None;
        if !matches!(opened, Opened::StreamMissing | Opened::Behind(_)) {
            self.missing = 0;
        }
        match opened {
            Opened::Consumer(open) => {
                if waiting::go_on(&self.board) {
                    tracing::info!(stream = self.spec.stream, "reading again");
                }
                self.failures = 0;
                self.pending = open.pending;
                self.open = Some(*open);
            }
            Opened::Careful(messages) => {
                // Counted anew, so that the next attempt opens a consumer behind them.
                self.broke_at = (0, 0);
                self.careful = messages;
            }
            Opened::Failed(reason) => self.opening_failed(&reason),
            Opened::StreamMissing => {
                self.missing += 1;
                if self.missing >= STREAM_MISSING_MAX {
                    return Err(ReadError::StreamGone {
                        stream: self.spec.stream,
                    });
                }
                self.opening_failed("the stream is not there");
            }
            // A new leader may answer before it knows all that the one before it had stored.
            Opened::Behind(last) => {
                self.missing += 1;
                if self.missing >= STREAM_MISSING_MAX {
                    return Err(ReadError::RolledBack {
                        stream: self.spec.stream,
                        next: self.next,
                        last,
                    });
                }
                self.opening_failed("the stream ends before what was read");
            }
        }
        Ok(())
    }

    fn opening_failed(&mut self, reason: &str) {
        if waiting::wait(&self.board, reason) {
            tracing::warn!(
                stream = self.spec.stream,
                reason,
                "cannot read now, trying on until it works"
            );
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// Asks the server for more when little is on the way.
    async fn ask_for_more(&mut self) -> Result<(), ReadError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if open.wanted > PULL_LOW_WATER {
            return Ok(());
        }
        let client = self.connection.client();
        let asked = client.publish_with_reply(
            open.ask.clone(),
            open.inbox.clone(),
            open.ask_payload.clone(),
        );
        if asked.await.is_err() {
            return Err(ReadError::Closed {
                stream: self.spec.stream,
            });
        }
        open.wanted += PULL_MESSAGES;
        Ok(())
    }

    /// The same on the way out with a full batch, so that the next one comes while this one is worked on;
    /// if the connection is too busy to take it at once, the next call asks.
    fn ask_without_waiting(&mut self) {
        let _ = self.ask_for_more().now_or_never();
    }
}

/// A message without a place in the stream tells how a request fares.
fn accept_status(open: &mut Open, message: &Message) -> Accepted {
    let header = |name: &str| {
        message
            .headers
            .as_ref()
            .and_then(|headers| headers.get(name)?.as_str().parse::<usize>().ok())
    };
    match message.status {
        Some(StatusCode::IDLE_HEARTBEAT) => match header("Nats-Last-Consumer") {
            // The server has sent messages that did not arrive.
            Some(last) if u64::try_from(last).is_ok_and(|last| last > open.consumer_sequence) => {
                Accepted::Broken("a heartbeat tells of messages that did not come".to_owned())
            }
            _ => Accepted::Nothing,
        },
        // A request ended with something left: by time, or by bytes.
        Some(_) if header("Nats-Pending-Messages").is_some() => {
            open.wanted = open
                .wanted
                .saturating_sub(header("Nats-Pending-Messages").unwrap_or(0));
            Accepted::Nothing
        }
        status => Accepted::Broken(format!(
            "the server ended the request: {} {}",
            status.map_or_else(|| "no status".to_owned(), |status| status.to_string()),
            message.description.as_deref().unwrap_or("")
        )),
    }
}
