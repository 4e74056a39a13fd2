//! One partition's events as an engine gets them: late, in pieces, and after a break of the connection perhaps some
//! of them again.

use super::super::broker::Events;
use super::link::Link;
use super::time::pause;
use crate::nats::{ReadError, StoredEvent};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Events that wait in a queue before the consumer pauses.
const QUEUE_EVENTS_MAX: usize = 16;

/// A reader, fed by a task of its own.
#[derive(Debug)]
pub(super) struct Feed {
    queue: mpsc::Receiver<StoredEvent>,
    progress: Arc<Progress>,
    next: u64,
    task: AbortHandle,
}

#[derive(Debug)]
struct Progress {
    /// The first sequence that the consumer has not passed.
    next: AtomicU64,
    /// What was stored behind it when it last heard of the server.
    pending: AtomicU64,
    reopened: AtomicU64,
}

impl Feed {
    pub(super) fn open(link: &Link, partition: u16, from: u64) -> Self {
        let next = from.max(1);
        let stored = link.server.lock().events.len() as u64;
        let progress = Arc::new(Progress {
            next: AtomicU64::new(next),
            pending: AtomicU64::new((stored + 1).saturating_sub(next)),
            reopened: AtomicU64::new(0),
        });
        let (sender, queue) = mpsc::channel(QUEUE_EVENTS_MAX);
        let task = tokio::spawn(feed(link.clone(), partition, progress.clone(), sender));
        Self {
            queue,
            progress,
            next,
            task: task.abort_handle(),
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Events for Feed {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<StoredEvent>, ReadError> {
        let mut batch = Vec::new();
        if self.queue.recv_many(&mut batch, max.max(1)).await == 0 {
            // The consumer is never given up, so whoever reads just waits.
            std::future::pending::<()>().await;
        }
        if let Some(last) = batch.last() {
            self.next = self.next.max(last.sequence + 1);
        }
        Ok(batch)
    }

    fn next_sequence(&self) -> u64 {
        let passed = self.progress.next.load(Ordering::Relaxed);
        if self.queue.is_empty() {
            passed.max(self.next)
        } else {
            self.next
        }
    }

    fn pending(&self) -> u64 {
        let behind = self.progress.pending.load(Ordering::Relaxed);
        behind + self.queue.len() as u64
    }

    fn reopened(&self) -> u64 {
        self.progress.reopened.load(Ordering::Relaxed)
    }
}

/// What the consumer gets next.
struct Piece {
    events: Vec<StoredEvent>,
    /// The sequence that it has passed then.
    last: u64,
    stored: u64,
}

async fn feed(
    link: Link,
    partition: u16,
    progress: Arc<Progress>,
    sender: mpsc::Sender<StoredEvent>,
) {
    let mut news = link.server.lock().watch_events();
    let mut next = progress.next.load(Ordering::Relaxed);
    loop {
        link.connected().await;
        let travel = {
            let mut world = link.server.lock();
            let fate = world.fate();
            let reopened = world.faults.reopened;
            if world.random.chance(reopened) {
                progress.reopened.fetch_add(1, Ordering::Relaxed);
                let back = match world.faults.repeats {
                    true => world.random.within(0..8),
                    false => 0,
                };
                next = next.saturating_sub(back).max(1);
            }
            fate.there
        };
        pause(travel).await;
        link.connected().await;
        news.borrow_and_update();
        let Some(piece) = piece(&link, partition, next) else {
            progress.pending.store(0, Ordering::Relaxed);
            if news.changed().await.is_err() {
                return;
            }
            continue;
        };
        for event in piece.events {
            link.running().await;
            if sender.send(event).await.is_err() {
                return;
            }
        }
        next = piece.last + 1;
        let pending = piece.stored - piece.last;
        progress.pending.store(pending, Ordering::Relaxed);
        progress.next.fetch_max(next, Ordering::Relaxed);
    }
}

fn piece(link: &Link, partition: u16, next: u64) -> Option<Piece> {
    let mut world = link.server.lock();
    let stored = world.events.len() as u64;
    if next > stored {
        return None;
    }
    let last = (next + world.random.within(0..24)).min(stored);
    let range = usize::try_from(next - 1).unwrap()..usize::try_from(last).unwrap();
    let own = format!("scene.in.{partition}.");
    let is_for = |event: &&StoredEvent| {
        event.subject.starts_with(&own) || event.subject.starts_with("scene.broadcast.")
    };
    let events = world.events[range].iter().filter(is_for).cloned();
    Some(Piece {
        events: events.collect(),
        last,
        stored,
    })
}
