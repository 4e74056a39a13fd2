//! One order for all that draws on shared budgets, whichever thread is quicker.
//!
//! Each thread says where it stands: everything of it that comes before is done. Whoever draws waits until all others
//! stand behind its own place, as in a conservative parallel simulation (Chandy and Misra, 1979). The one that stands
//! first never waits, so there is always somebody who goes on.

use crate::clock::Millis;
use crate::state::Turns;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often a waiting thread looks before it sleeps in between.
const LOOKS_MAX: u32 = 200;
const NAP: Duration = Duration::from_micros(50);

/// A place in the order of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    /// Policy time.
    pub(super) at: Millis,
    /// The event's sequence; 0 for what is due at that time, which comes before what was stored then.
    pub(super) sequence: u64,
    /// The partition.
    pub(super) lane: u16,
}

impl Turn {
    pub(super) const FIRST: Self = Self {
        at: Millis::MIN,
        sequence: 0,
        lane: 0,
    };
    /// Behind everything.
    pub(super) const LAST: Self = Self {
        at: Millis::MAX,
        sequence: u64::MAX,
        lane: u16::MAX,
    };
}

/// Where each thread stands.
#[derive(Debug)]
pub(super) struct Turnstile {
    stands: Vec<Mutex<Turn>>,
}

impl Turnstile {
    pub(super) fn new(threads: usize) -> Self {
        let stands = (0..threads).map(|_| Mutex::new(Turn::FIRST));
        Self {
            stands: stands.collect(),
        }
    }

    /// Which thread takes a partition.
    pub(super) fn thread_of(&self, lane: u16) -> usize {
        usize::from(lane) % self.stands.len()
    }

    /// Everything of a thread that comes before is done.
    pub(super) fn stand(&self, thread: usize, turn: Turn) {
        *self.lock(thread) = turn;
    }

    fn lock(&self, thread: usize) -> std::sync::MutexGuard<'_, Turn> {
        let stand = self.stands[thread].lock();
        stand.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns for Turnstile {
    fn wait(&self, partition: u16) {
        let own = self.thread_of(partition);
        let turn = *self.lock(own);
        if turn == Turn::LAST {
            // All stand aside: whoever shares out draws for everybody.
            return;
        }
        for other in (0..self.stands.len()).filter(|other| *other != own) {
            let mut looks = 0;
            while *self.lock(other) <= turn {
                looks += 1;
                if looks < LOOKS_MAX {
                    std::thread::yield_now();
                } else {
                    std::thread::park_timeout(NAP);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Whoever is quick draws after whoever is slow, if that one comes first in history.
    #[test]
    fn the_order_of_draws_is_that_of_history_whatever_thread_is_quicker() {
        let turnstile = Arc::new(Turnstile::new(2));
        let drawn = Mutex::new(Vec::new());
        let draws = |thread: u16, nap: Duration| {
            for sequence in (1 + u64::from(thread)..200).step_by(2) {
                let turn = Turn {
                    at: 0,
                    sequence,
                    lane: thread,
                };
                std::thread::park_timeout(nap);
                turnstile.stand(usize::from(thread), turn);
                turnstile.wait(thread);
                drawn.lock().unwrap().push(sequence);
            }
            turnstile.stand(usize::from(thread), Turn::LAST);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| draws(0, Duration::from_micros(200)));
            scope.spawn(|| draws(1, Duration::ZERO));
        });
        let drawn = drawn.into_inner().unwrap();
        assert_eq!(drawn, (1..200).collect::<Vec<_>>());
    }
}
