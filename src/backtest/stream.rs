//! History in NATS: events as they were stored, and beside them what was decided about them.

use super::crew::{Dealt, Feed};
use super::run::BacktestError;
use super::turns::Turn;
use super::worker::{Shared, Work};
use crate::clock::Millis;
use crate::durable::{Extent, ThroughRecord, log};
use crate::nats::{Connection, History, StoredMessage, events_state};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Messages that are read at a time.
const MESSAGES: usize = 1_000;
/// How long after something was due the engine may have written what came of it.
const LATE_MAX: Millis = 10_000;

/// Reads events, and the log as far as it was written by then.
pub(super) struct StreamFeed {
    pub(super) shared: Arc<Shared>,
    pub(super) runtime: Handle,
    pub(super) connection: Connection,
    pub(super) events: Option<History>,
    /// `None` if nobody asks what was decided, or all of it was read.
    pub(super) log: Option<History>,
    /// Until when the log was read, by its store times.
    pub(super) log_at: Millis,
    /// How far the log is known, by partition.
    pub(super) known: Vec<Known>,
    /// Events that were refused when they were decided about.
    pub(super) dead: HashSet<u64>,
    /// How many of them were passed over.
    pub(super) dead_seen: u64,
    pub(super) to: Option<Millis>,
    pub(super) clock: Millis,
    /// The last event of the period.
    pub(super) last: u64,
    /// When the last thing was decided about the events of the period.
    pub(super) decided_at: Millis,
    pub(super) is_over: bool,
}

/// How far the log of a partition is known.
#[derive(Debug, Default)]
pub(super) struct Known {
    extent: Extent,
    /// The last event that was given out.
    event: u64,
}

impl StreamFeed {
    async fn read(&mut self) -> Result<Option<Dealt>, BacktestError> {
        if self.is_over {
            return Ok(None);
        }
        let mut works = Vec::new();
        let batch = match &mut self.events {
            Some(events) => events.next_batch(MESSAGES).await?,
            None => None,
        };
        let mut sequence = self.last;
        let mut events = 0;
        match batch {
            Some(batch) => {
                sequence = batch.last().map_or(sequence, |message| message.sequence);
                events = batch.len() as u64;
                let given: Vec<Work> = batch.iter().filter_map(|m| self.event(m)).collect();
                // What was decided about them comes first, so that it is known when they are decided about again.
                self.read_log(self.clock.saturating_add(LATE_MAX), &mut works)
                    .await?;
                works.extend(given);
            }
            None => {
                self.is_over = true;
                let is_quiet = self.is_quiet().await;
                if self.to.is_none() && !is_quiet {
                    // What falls due from here on, events decide that are not of the period.
                    self.to = Some(self.clock.saturating_add(1));
                }
                self.read_log(Millis::MAX, &mut works).await?;
                let end = self.to.map_or(self.decided_at, |to| to.saturating_sub(1));
                self.clock = self.clock.max(end);
            }
        }
        Ok(Some(Dealt {
            events,
            works,
            until: Turn {
                at: self.clock,
                sequence: sequence + 1,
                lane: 0,
            },
        }))
    }

    fn event(&mut self, message: &StoredMessage) -> Option<Work> {
        self.clock = self.clock.max(message.stored_at);
        // What was refused then is refused: it comes again when it was mended.
        if self.dead.contains(&message.sequence) {
            self.dead_seen += 1;
            return None;
        }
        let stored = message.to_stored();
        let lane = partition_in(&message.subject);
        // What was decided before the period is known already.
        if self.clock >= self.shared.decide_from {
            let all = 0..self.known.len();
            let own = lane.map_or(all, |lane| usize::from(lane)..usize::from(lane) + 1);
            for known in self.known.get_mut(own).into_iter().flatten() {
                known.event = message.sequence;
            }
        }
        let Some(lane) = lane else {
            let arrival = self.shared.read_stored(self.clock, &stored);
            return Some(Work::Broadcast(Arc::new(arrival)));
        };
        Some(Work::Stored(lane, self.clock, Box::new(stored)))
    }

    /// Whether the log does not tell yet what was decided about events that were given out.
    fn is_behind(&self) -> bool {
        let mut known = self.known.iter();
        known.any(|known| known.extent.through() < known.event)
    }

    /// Reads what was written to the log up to a time, and about the events that were given out.
    async fn read_log(
        &mut self,
        until: Millis,
        works: &mut Vec<Work>,
    ) -> Result<(), BacktestError> {
        while (self.log_at <= until || self.is_behind())
            && let Some(log) = &mut self.log
        {
            let Some(batch) = log.next_batch(MESSAGES).await? else {
                self.log = None;
                break;
            };
            for message in batch {
                self.log_at = message.stored_at;
                let Some(lane) = lane_of(&message.subject) else {
                    continue;
                };
                if let Some(known) = self.known.get_mut(usize::from(lane)) {
                    known.take(&message);
                }
                if self.belongs(&message) {
                    works.push(Work::Log(lane, Box::new(message)));
                }
            }
        }
        Ok(())
    }

    /// Whether what was decided is about the events of the period.
    fn belongs(&mut self, message: &StoredMessage) -> bool {
        let number = |name: &str| message.headers.get(name)?.parse::<i64>().ok();
        let after = number("Onscene-After").or_else(|| number("Onscene-Trigger"));
        let is_later =
            after.is_some_and(|after| after > i64::try_from(self.last).unwrap_or(i64::MAX));
        let at = number("Onscene-Policy-Time");
        let is_beyond = at.zip(self.to).is_some_and(|(at, to)| at >= to);
        if is_later || is_beyond {
            return false;
        }
        self.decided_at = self.decided_at.max(at.unwrap_or(Millis::MIN));
        true
    }

    /// Whether nothing has been stored since the last event.
    async fn is_quiet(&self) -> bool {
        let state = events_state(&self.connection).await;
        state.is_some_and(|state| state.last_sequence <= self.last)
    }
}

impl Known {
    fn take(&mut self, message: &StoredMessage) {
        let header = |name: &str| message.headers.get(name);
        if let Some(place) = log::place(&header) {
            self.extent.take(place);
        } else if header("Onscene-Kind") == Some(log::KIND_THROUGH) {
            // What cannot be read is told by whoever reads all of it.
            let record = serde_json::from_slice::<ThroughRecord>(&message.payload);
            self.extent.reach(record.map_or(0, |record| record.through));
        }
    }
}

impl Feed for StreamFeed {
    fn next(&mut self) -> Result<Option<Dealt>, BacktestError> {
        let runtime = self.runtime.clone();
        runtime.block_on(self.read())
    }
}

/// The partition in `scene.in.<partition>.…`; none for a broadcast.
fn partition_in(subject: &str) -> Option<u16> {
    let rest = subject.strip_prefix("scene.in.")?;
    rest.split('.').next()?.parse().ok()
}

/// The partition in `scene.actions.<channel>.<partition>`.
pub(super) fn lane_of(subject: &str) -> Option<u16> {
    subject.rsplit('.').next()?.parse().ok()
}
