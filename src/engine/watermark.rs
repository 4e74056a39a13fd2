//! Up to when everything that was stored is known: what the timers of idle partitions go by.
//!
//! A timer may fire only when every event that was stored before it was due has been stepped. While
//! events come in, their store times tell. When none come, the broker is asked: its clock and its last
//! sequence. Its clock is read first, in one answer, and the sequence in the next: whatever was stored up to
//! that time has a sequence that the second answer knows.

use super::assembly::Tasks;
use super::broker::Broker;
use super::listeners::Listeners;
use crate::clock::{Clock, Millis};
use crate::nats::EventsState;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often something due is looked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// How far the broker's clock may be ahead of ours without a timer being late.
const CLOCK_AHEAD_MAX: Millis = 1_000;
/// How often the broker is asked when its clock is behind ours, so that something due is not due for it yet.
const ASK_INTERVAL: Duration = Duration::from_millis(10);

/// How long an answer is waited for at first; a question that a broker took to its grave is asked again then. Twice as
/// long after each that was in vain, so that a slow broker is heard too.
const PATIENCE_MIN: Duration = Duration::from_millis(250);
const PATIENCE_MAX: Duration = Duration::from_secs(5);

/// Everything stored up to `at`, by the broker's clock, has a sequence up to `sequence`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Watermark {
    pub(super) at: Millis,
    pub(super) sequence: u64,
}

/// When something is due next in each partition.
#[derive(Debug)]
pub(super) struct Dues(Vec<AtomicI64>);

impl Dues {
    fn new(partitions: u16) -> Self {
        Self(
            (0..partitions)
                .map(|_| AtomicI64::new(Millis::MAX))
                .collect(),
        )
    }

    pub(super) fn set(&self, partition: u16, due: Option<Millis>) {
        self.0[usize::from(partition)].store(due.unwrap_or(Millis::MAX), Ordering::Relaxed);
    }

    fn earliest(&self) -> Millis {
        let dues = self.0.iter().map(|due| due.load(Ordering::Relaxed));
        dues.min().unwrap_or(Millis::MAX)
    }
}

/// Starts asking the broker until `stop`.
pub(super) fn start<B: Broker>(
    broker: &B,
    partitions: u16,
    clock: &Clock,
    stop: &CancellationToken,
    tasks: &mut Tasks,
) -> (Arc<Dues>, Arc<Listeners<Watermark>>) {
    let dues = Arc::new(Dues::new(partitions));
    let marks = Arc::new(Listeners::new(Watermark::default()));
    let asking = run(
        broker.clone(),
        dues.clone(),
        marks.clone(),
        clock.clone(),
        stop.clone(),
    );
    tasks.spawn(async move {
        asking.await;
        Ok(())
    });
    (dues, marks)
}

/// Asks the broker as long as something is due, and tells everybody.
async fn run<B: Broker>(
    broker: B,
    dues: Arc<Dues>,
    marks: Arc<Listeners<Watermark>>,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut patience = PATIENCE_MIN;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        if dues.earliest() > clock.now().saturating_add(CLOCK_AHEAD_MAX) {
            continue;
        }
        let Some(first) = ask(&broker, &mut patience).await else {
            // The broker is away; whatever is due waits until it is back.
            continue;
        };
        if dues.earliest() > first.clock {
            tokio::time::sleep(ASK_INTERVAL).await;
            continue;
        }
        if let Some(second) = ask(&broker, &mut patience).await {
            marks.tell(Watermark {
                at: first.clock,
                sequence: second.last_sequence,
            });
        }
    }
}

/// Asks once; the patience is for the next question.
async fn ask<B: Broker>(broker: &B, patience: &mut Duration) -> Option<EventsState> {
    let answer = tokio::time::timeout(*patience, broker.events_state()).await;
    *patience = match answer {
        Ok(Some(_)) => PATIENCE_MIN,
        _ => (*patience * 2).min(PATIENCE_MAX),
    };
    answer.ok().flatten()
}
