//! One consumer of all events, dealt out to the partitions.
//!
//! Reading a partition together with the broadcasts, in order, needs either a consumer with two filters or
//! one without. The server looks through a block's subjects for each message of a consumer with several filters,
//! some 0.4 ms with the 65,536 subjects of 16 partitions; without a filter it just takes the next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::connect::Connection;
use super::message::StoredEvent;
use super::pull::{PullReader, PullSpec, ReadError};
use super::streams::EVENTS;
use super::waiting::Waiting;

/// Events that wait for one partition before the consumer pauses.
pub const QUEUE_EVENTS_MAX: usize = 4_096;
const BATCH_EVENTS: usize = 1_000;

/// How far the shared consumer is. Dropped with the last reader, it stops the consumer.
#[derive(Debug)]
pub(super) struct Progress {
    /// The first sequence that the consumer has not dealt out.
    next: AtomicU64,
    pending: AtomicU64,
    reopened: AtomicU64,
    waiting: watch::Receiver<Option<Waiting>>,
    failure: OnceLock<ReadError>,
    task: OnceLock<AbortHandle>,
}

impl Progress {
    pub(super) fn passed(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }

    pub(super) fn reopened(&self) -> u64 {
        self.reopened.load(Ordering::Relaxed)
    }

    pub(super) fn watch_waiting(&self) -> watch::Receiver<Option<Waiting>> {
        self.waiting.clone()
    }

    /// Why the queues have ended.
    pub(super) fn failure(&self) -> ReadError {
        self.failure
            .get()
            .cloned()
            .unwrap_or(ReadError::Closed { stream: EVENTS })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

struct Queue {
    sender: mpsc::Sender<StoredEvent>,
    from: u64,
}

/// Opens the consumer at the earliest of the partitions' sequences and starts dealing out.
pub(super) async fn start(
    connection: &Connection,
    partitions: &[(u16, u64)],
) -> Result<(Arc<Progress>, Vec<mpsc::Receiver<StoredEvent>>), ReadError> {
    let from = partitions.iter().map(|(_, from)| *from).min().unwrap_or(0);
    let spec = PullSpec {
        stream: EVENTS,
        filters: Vec::new(),
        headers_only: false,
    };
    let reader = PullReader::open(connection, spec, from).await?;
    let progress = Arc::new(Progress {
        next: AtomicU64::default(),
        pending: AtomicU64::default(),
        reopened: AtomicU64::default(),
        waiting: reader.watch_waiting(),
        failure: OnceLock::new(),
        task: OnceLock::new(),
    });
    publish_progress(&progress, &reader);
    let mut receivers = Vec::with_capacity(partitions.len());
    let mut queues = HashMap::with_capacity(partitions.len());
    for (partition, from) in partitions {
        let (sender, receiver) = mpsc::channel(QUEUE_EVENTS_MAX);
        queues.insert(
            *partition,
            Queue {
                sender,
                from: *from,
            },
        );
        receivers.push(receiver);
    }
    // The task holds the progress weakly, so that the last reader to go ends it.
    let task = tokio::spawn(deal(reader, queues, Arc::downgrade(&progress)));
    let _ = progress.task.set(task.abort_handle());
    Ok((progress, receivers))
}

fn publish_progress(progress: &Progress, reader: &PullReader) {
    progress.pending.store(reader.pending(), Ordering::Release);
    progress
        .reopened
        .store(reader.reopened(), Ordering::Relaxed);
    // Last, and only after the queues were filled: a reader takes it as "all before this is queued".
    progress
        .next
        .store(reader.next_sequence(), Ordering::Release);
}

async fn deal(
    mut reader: PullReader,
    queues: HashMap<u16, Queue>,
    progress: std::sync::Weak<Progress>,
) {
    loop {
        let batch = reader.next_batch(BATCH_EVENTS).await;
        let Some(progress) = progress.upgrade() else {
            return;
        };
        match batch {
            Ok(batch) => {
                for event in batch {
                    deal_one(event, &queues).await;
                }
                publish_progress(&progress, &reader);
            }
            Err(error) => {
                let _ = progress.failure.set(error);
                return;
            }
        }
    }
}

async fn deal_one(event: StoredEvent, queues: &HashMap<u16, Queue>) {
    match partition_in(&event.subject) {
        Some(partition) => {
            if let Some(queue) = queues.get(&partition) {
                put(event, queue).await;
            }
        }
        // A broadcast.
        None => {
            for queue in queues.values() {
                put(event.clone(), queue).await;
            }
        }
    }
}

async fn put(event: StoredEvent, queue: &Queue) {
    if event.sequence >= queue.from {
        // A reader that was dropped wants no more.
        let _ = queue.sender.send(event).await;
    }
}

/// The partition in `scene.in.<partition>.…`; none for a broadcast.
fn partition_in(subject: &str) -> Option<u16> {
    subject
        .strip_prefix("scene.in.")?
        .split('.')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::partition_in;

    #[test]
    fn the_partition_is_read_from_a_stored_subject() {
        assert_eq!(partition_in("scene.in.7.1234.merchant.checkout"), Some(7));
        assert_eq!(partition_in("scene.in.4095.0.a.b"), Some(4095));
        assert_eq!(partition_in("scene.broadcast.goal"), None);
    }
}
