//! Stores the texts of a generation before it goes live.
//!
//! A broker that is away must not keep rules from being changed: after a moment a generation goes live all the
//! same, and its texts are stored as soon as there is somebody to take them. Until then a metric and the log say
//! so. They are lost only if the engine ends before.

use super::history::{self, LiveRecord};
use super::texts::{self, Known};
use crate::nats::Connection;
use crate::registry;
use crate::rules::Sources;
use crate::telemetry::Metrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long a generation waits for its texts to be stored before it goes live.
const STORE_BEFORE_LIVE_MAX: Duration = Duration::from_millis(500);
/// How long nothing is tried after a failure.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// Generations that wait to be stored. More than that in one outage, and the texts of the latest are lost.
const QUEUE_MAX: usize = 1_024;

/// Asks for texts to be stored.
#[derive(Debug)]
pub struct Keeper {
    asks: mpsc::Sender<Ask>,
    engine: Box<str>,
    unstored: Arc<AtomicI64>,
    metrics: Arc<Metrics>,
}

struct Ask {
    sources: Sources,
    record: LiveRecord,
    done: SyncSender<()>,
}

/// Makes a keeper, and the task that stores. Told to stop, the task stores what it can at once and ends.
pub fn keep(
    connection: &Connection,
    engine: &str,
    metrics: &Arc<Metrics>,
    stop: &CancellationToken,
) -> (Arc<Keeper>, impl Future<Output = ()> + Send + use<>) {
    let (asks, asked) = mpsc::channel(QUEUE_MAX);
    let unstored = Arc::new(AtomicI64::new(0));
    let keeper = Keeper {
        asks,
        engine: engine.into(),
        unstored: unstored.clone(),
        metrics: metrics.clone(),
    };
    let storing = Storing {
        connection: connection.clone(),
        unstored,
        metrics: metrics.clone(),
        stop: stop.clone(),
        known: Known::default(),
    };
    (Arc::new(keeper), storing.run(asked))
}

/// Who stores.
struct Storing {
    connection: Connection,
    unstored: Arc<AtomicI64>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    known: Known,
}

impl Storing {
    async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        loop {
            let ask = tokio::select! {
                biased;
                () = self.stop.cancelled(), if !asked.is_closed() => {
                    asked.close();
                    continue;
                }
                ask = asked.recv() => ask,
            };
            let Some(ask) = ask else {
                return;
            };
            if !self.store(&ask).await {
                return;
            }
            let left = self.unstored.fetch_sub(1, Ordering::Relaxed) - 1;
            self.metrics.generations_unstored.set(left);
            // Whoever waited may have gone on without it.
            let _ = ask.done.send(());
        }
    }

    /// Stores as often as it takes; not if the engine ends.
    async fn store(&mut self, ask: &Ask) -> bool {
        let mut told = false;
        loop {
            let record = &ask.record;
            let stored = async {
                let known = &mut self.known;
                texts::store(&self.connection, &ask.sources, &record.engine, known).await?;
                history::write(&self.connection, record).await
            };
            let Err(error) = stored.await else {
                return true;
            };
            if !told {
                told = true;
                tracing::warn!(
                    generation = %record.generation,
                    %error,
                    "the texts of a generation cannot be stored now, trying on until it works"
                );
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return false,
                () = tokio::time::sleep(RETRY_DELAY) => {}
            }
        }
    }
}

impl registry::Keeper for Keeper {
    fn keep(&self, sources: &Sources, before: Option<&Arc<str>>, cause: registry::Cause) {
        let generation = sources.generation();
        let (done, stored) = sync_channel(1);
        let ask = Ask {
            sources: sources.clone(),
            record: LiveRecord {
                generation: generation.clone(),
                before: before.cloned(),
                engine: self.engine.clone(),
                cause: cause.word().into(),
                at: 0,
            },
            done,
        };
        self.metrics
            .generations_unstored
            .set(self.unstored.fetch_add(1, Ordering::Relaxed) + 1);
        if self.asks.try_send(ask).is_err() {
            tracing::error!(
                %generation,
                "the texts of a generation will not be stored: {QUEUE_MAX} others wait for NATS, or the engine ends"
            );
            return;
        }
        if stored.recv_timeout(STORE_BEFORE_LIVE_MAX).is_err() {
            tracing::warn!(
                %generation,
                "a generation goes live before its texts are stored: NATS did not take them in time; they are stored as soon as it does"
            );
        }
    }
}
