//! Publishing events with many acknowledgements under way, and listening to the live feed.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::PublishAckFuture;
use async_nats::{HeaderMap, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::connect::Connection;
use super::message::{Headers, put};
use super::publish_retry::{NeverTaken, telling};

const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Why an event was not, or perhaps not, stored.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It was not sent: too large, a subject that cannot be, or the connection is closed.
    #[error("send to {subject}: {reason}")]
    NotSent {
        /// Where to.
        subject: String,
        /// Why.
        reason: String,
    },
    /// No acknowledgement came: the server refused it, or nobody knows whether it is stored.
    #[error("store what was sent to {subject}: {reason}")]
    NotAcknowledged {
        /// Where to.
        subject: String,
        /// What the server or the client library says.
        reason: String,
    },
}

/// An event that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its sequence in `SCENE_EVENTS`.
    pub sequence: u64,
    /// Whether the server had a message with the same `Nats-Msg-Id` already.
    pub duplicate: bool,
}

/// Publishes events, with a bounded number of acknowledgements under way. Nothing is sent twice: whoever
/// publishes decides what an error means.
#[derive(Clone, Debug)]
pub struct EventPublisher {
    connection: Connection,
    slots: Arc<Semaphore>,
}

impl EventPublisher {
    /// A publisher with at most `in_flight_max` events not yet acknowledged.
    pub fn new(connection: &Connection, in_flight_max: usize) -> Self {
        let slots = in_flight_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            connection: connection.clone(),
            slots: Arc::new(Semaphore::new(slots)),
        }
    }

    /// Waits for a free slot and sends; the returned value waits for the acknowledgement. The slot comes
    /// free when that, or an error, has come, whether or not it is waited for.
    pub async fn publish(
        &self,
        subject: &str,
        headers: &[(&str, &str)],
        payload: Bytes,
    ) -> Result<Unacknowledged, PublishError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let slot = slot.expect("invariant: the semaphore is never closed");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            put(&mut map, name, value);
        }
        let jetstream = self.connection.jetstream();
        let broken = self.connection.broken();
        let sent = if map.is_empty() {
            jetstream.publish(subject.to_owned(), payload).await
        } else {
            jetstream
                .publish_with_headers(subject.to_owned(), map, payload)
                .await
        };
        let subject = subject.to_owned();
        match sent {
            Ok(ack) => {
                // A task of its own, so that the slot comes free even if nobody looks at the answer yet.
                let task = tokio::spawn(async move {
                    let answer = acknowledged(ack, broken).await;
                    drop(slot);
                    answer
                });
                Ok(Unacknowledged { task, subject })
            }
            Err(error) => Err(PublishError::NotSent {
                subject,
                reason: error.to_string(),
            }),
        }
    }
}

/// Publishes events that may be stored twice without harm, each for as long as it takes.
#[derive(Clone, Debug)]
pub struct PatientPublisher {
    connection: Connection,
    headers: HeaderMap,
}

impl PatientPublisher {
    /// A publisher that puts these headers on each event.
    pub fn new(connection: &Connection, headers: &[(&str, &str)]) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            put(&mut map, name, value);
        }
        Self {
            connection: connection.clone(),
            headers: map,
        }
    }

    /// Publishes until the server has stored it, and returns its sequence in `SCENE_EVENTS`; after each
    /// attempt that failed, `waiting` is told why. Waits while the broker is away, and while the stream is
    /// full. An event whose acknowledgement was lost is stored once more.
    pub async fn publish(
        &self,
        subject: &str,
        payload: &Bytes,
        waiting: impl Fn(&str),
    ) -> Result<u64, PublishError> {
        let tell = |_: u32, reason: &str| waiting(reason);
        telling(&self.connection, subject, &self.headers, payload, tell)
            .await
            .map_err(|NeverTaken(reason)| PublishError::NotAcknowledged {
                subject: subject.to_owned(),
                reason,
            })
    }
}

async fn acknowledged(
    ack: PublishAckFuture,
    broken: impl Future<Output = ()>,
) -> Result<Stored, String> {
    tokio::select! {
        biased;
        answer = tokio::time::timeout(ACK_TIMEOUT, ack.into_future()) => match answer {
            Ok(Ok(ack)) => Ok(Stored { sequence: ack.sequence, duplicate: ack.duplicate }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no acknowledgement within {} s", ACK_TIMEOUT.as_secs())),
        },
        () = broken => Err("the connection broke".to_owned()),
    }
}

/// An event that was sent and not yet acknowledged.
#[derive(Debug)]
pub struct Unacknowledged {
    task: JoinHandle<Result<Stored, String>>,
    subject: String,
}

impl Unacknowledged {
    /// Waits until the server says that it is stored.
    pub async fn stored(self) -> Result<Stored, PublishError> {
        let answer = self
            .task
            .await
            .unwrap_or_else(|error| Err(error.to_string()));
        answer.map_err(|reason| PublishError::NotAcknowledged {
            subject: self.subject,
            reason,
        })
    }
}

/// One action as a display sees it.
#[derive(Clone, Debug)]
pub struct LiveMessage {
    /// `scene.live.<channel>.<partition>`.
    pub subject: String,
    /// The headers of the stored action.
    pub headers: Headers,
    /// The action's CloudEvent.
    pub payload: Bytes,
}

/// Actions as they are stored, at most once each: for displays only.
#[derive(Debug)]
pub struct LiveFeed {
    subscriber: Subscriber,
}

impl LiveFeed {
    /// Listens to one channel, or to all. Returns once the server knows of it.
    pub async fn subscribe(
        connection: &Connection,
        channel: Option<&str>,
    ) -> Result<Self, PublishError> {
        let subject = format!("scene.live.{}.>", channel.unwrap_or("*"));
        let failed = |reason: String| PublishError::NotSent {
            subject: subject.clone(),
            reason,
        };
        let client = connection.client();
        let subscriber = client
            .subscribe(subject.clone())
            .await
            .map_err(|error| failed(error.to_string()))?;
        client
            .flush()
            .await
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { subscriber })
    }

    /// The next action; none once the connection is closed. Cancel safe.
    pub async fn next(&mut self) -> Option<LiveMessage> {
        let message = self.subscriber.next().await?;
        Some(LiveMessage {
            subject: message.subject.as_str().to_owned(),
            headers: message.headers.into(),
            payload: message.payload,
        })
    }
}
