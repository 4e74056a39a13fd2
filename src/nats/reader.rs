//! Events of one partition, in the order in which they were stored, each once.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::connect::Connection;
use super::event_feed::{self, Progress};
use super::message::StoredEvent;
use super::pull::{PullReader, PullSpec, ReadError};
use super::stream_state::{InfoError, stream_info};
use super::streams::EVENTS;
use super::waiting::Waiting;

/// Reads one partition's events, and all broadcasts if it was opened together with others.
pub struct EventReader {
    connection: Connection,
    source: Source,
}

enum Source {
    /// A consumer of its own.
    Own(Box<PullReader>),
    /// A queue that is filled from a consumer shared with other partitions.
    Shared {
        queue: mpsc::Receiver<StoredEvent>,
        progress: Arc<Progress>,
        next: u64,
    },
}

impl EventReader {
    /// Opens a reader of `partition` from a sequence of `SCENE_EVENTS` on (0 and 1: from the beginning),
    /// without broadcasts: a consumer with a second filter was measured at 2,600 events/s on
    /// nats-server 2.15.1, one with a single filter at 80,000, one without a filter at 385,000.
    ///
    /// Waits for the broker if it is away. An error means that reading can never succeed.
    pub async fn open(
        connection: &Connection,
        partition: u16,
        from_sequence: u64,
    ) -> Result<Self, ReadError> {
        let filters = vec![format!("scene.in.{partition}.>")];
        let spec = PullSpec {
            stream: EVENTS,
            filters,
            headers_only: false,
        };
        let pull = PullReader::open(connection, spec, from_sequence).await?;
        Ok(Self {
            connection: connection.clone(),
            source: Source::Own(Box::new(pull)),
        })
    }

    /// Opens readers of several partitions, each from its own sequence on, that share one consumer; they
    /// come in the order asked for. Each gets its partition's events and all broadcasts, in order.
    ///
    /// A reader that is not read from holds up the others once its queue is full
    /// ([`event_feed::QUEUE_EVENTS_MAX`]); one that is dropped does not.
    pub async fn open_all(
        connection: &Connection,
        partitions: &[(u16, u64)],
    ) -> Result<Vec<Self>, ReadError> {
        let (progress, queues) = event_feed::start(connection, partitions).await?;
        let readers = queues
            .into_iter()
            .zip(partitions)
            .map(|(queue, (_, from))| Self {
                connection: connection.clone(),
                source: Source::Shared {
                    queue,
                    progress: Arc::clone(&progress),
                    next: (*from).max(1),
                },
            });
        Ok(readers.collect())
    }

    /// Waits for at least one event and returns at once what is there, up to `max`, in stream order.
    ///
    /// Goes on by itself after broker restarts, lost consumers and lost messages. Cancel safe: an event is
    /// either returned or still to come.
    pub async fn next_batch(&mut self, max: usize) -> Result<Vec<StoredEvent>, ReadError> {
        match &mut self.source {
            Source::Own(pull) => pull.next_batch(max).await,
            Source::Shared {
                queue,
                progress,
                next,
            } => {
                let mut batch = Vec::new();
                if queue.recv_many(&mut batch, max.max(1)).await == 0 {
                    return Err(progress.failure());
                }
                if let Some(last) = batch.last() {
                    *next = last.sequence + 1;
                }
                Ok(batch)
            }
        }
    }

    /// The first sequence that may still be handed out: everything of this reader before it has been. It also
    /// moves when the shared consumer passes other partitions' events.
    pub fn next_sequence(&self) -> u64 {
        match &self.source {
            Source::Own(pull) => pull.next_sequence(),
            Source::Shared {
                queue,
                progress,
                next,
            } => {
                // In this order: what the consumer had passed by then is in the queue, or handed out.
                let passed = progress.passed();
                if queue.is_empty() {
                    passed.max(*next)
                } else {
                    *next
                }
            }
        }
    }

    /// How many events were stored and not handed out when the last one came, or when the reader was
    /// (re)opened. 0: it has caught up. With a shared consumer, other partitions' events that it has not
    /// passed yet count too, since nobody knows whose they are; an event's own `pending` counts them too.
    pub fn pending(&self) -> u64 {
        match &self.source {
            Source::Own(pull) => pull.pending(),
            Source::Shared {
                queue, progress, ..
            } => {
                let behind = progress.pending();
                behind.saturating_add(u64::try_from(queue.len()).unwrap_or(u64::MAX))
            }
        }
    }

    /// How often the consumer had to be started anew.
    pub fn reopened(&self) -> u64 {
        match &self.source {
            Source::Own(pull) => pull.reopened(),
            Source::Shared { progress, .. } => progress.reopened(),
        }
    }

    /// Tells what keeps it from reading; readers that share a consumer tell the same.
    pub fn watch_waiting(&self) -> watch::Receiver<Option<Waiting>> {
        match &self.source {
            Source::Own(pull) => pull.watch_waiting(),
            Source::Shared { progress, .. } => progress.watch_waiting(),
        }
    }

    /// The last sequence of `SCENE_EVENTS`, of whatever partition; 0 if it never held any. None if the
    /// broker does not answer now.
    pub fn last_sequence(
        &self,
    ) -> impl Future<Output = Result<Option<u64>, ReadError>> + Send + use<> {
        let connection = self.connection.clone();
        async move {
            match stream_info(&connection, EVENTS).await {
                Ok(info) => Ok(Some(info.state.last_sequence)),
                Err(InfoError::Missing) => Err(ReadError::StreamGone { stream: EVENTS }),
                Err(InfoError::Other(_)) => Ok(None),
            }
        }
    }
}
