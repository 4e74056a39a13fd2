//! The simulation's time. The runtime's own clock stands still and jumps to whatever somebody waits for next; the
//! broker's clock and the engines' clocks are made of it, run faster, and can be wrong.

use crate::clock::{Clock, Millis};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A Sunday, half a minute to ten in Shanghai: the daily trigger and the quiet minute are near.
const BEGIN: Millis = 1_795_312_770_000;

/// The broker's clock.
#[derive(Clone, Debug)]
pub(super) struct Time {
    started: Instant,
    /// Milliseconds of the broker's clock for one of the runtime's.
    rate: Millis,
    /// How far it has been set forward or back.
    offset: Arc<AtomicI64>,
}

impl Time {
    pub(super) fn new(rate: Millis) -> Self {
        Self {
            started: instant(),
            rate,
            offset: Arc::default(),
        }
    }

    /// How long the simulation runs, in the runtime's milliseconds.
    pub(super) fn elapsed(&self) -> u64 {
        u64::try_from((instant() - self.started).as_millis()).unwrap()
    }

    /// What the broker's clock shows.
    pub(super) fn now(&self) -> Millis {
        let elapsed = Millis::try_from(self.elapsed()).unwrap();
        BEGIN + elapsed * self.rate + self.offset.load(Ordering::Relaxed)
    }

    pub(super) fn jump(&self, by: Millis) {
        self.offset.fetch_add(by, Ordering::Relaxed);
    }

    /// A machine's clock that is off by `skew`.
    pub(super) fn clock(&self, skew: Arc<AtomicI64>) -> Clock {
        let time = self.clone();
        Clock::from_fn(move || time.now() + skew.load(Ordering::Relaxed))
    }
}

/// Waits so many of the runtime's milliseconds; 0: not at all.
pub(super) async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the runtime's clock, which stands still but for what is waited for"
)]
fn instant() -> Instant {
    Instant::now()
}
