//! What the engine needs of a broker: NATS, or a model of it in a simulation.

use super::EngineError;
use crate::health::{Health, Waits};
use crate::nats::{
    Connection, DeadLetterError, DeadLetters, EventReader, EventsState, LogMessage, LogReader,
    LogStore, ReadError, StoredEvent, events_state,
};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Messages of the log read at a time while a partition is taken over.
const LOG_BATCH_MAX: usize = 2_000;

/// The streams of one deployment.
pub(super) trait Broker: Clone + fmt::Debug + Send + Sync + 'static {
    /// The partitions' logs.
    type Log: LogStore;
    /// One partition's events.
    type Events: Events;

    /// Where logs are written.
    fn log(&self) -> &Self::Log;

    /// Hands over a partition's log in order, from a sequence on up to and with `until`, which is the
    /// sequence of a message of it (or 0: nothing).
    fn read_log(
        &self,
        partition: u16,
        from: u64,
        until: u64,
        take: impl FnMut(LogMessage) -> Result<(), EngineError> + Send,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Opens readers of partitions, each from a sequence on, in the order asked for. Each gets its partition's
    /// events and all broadcasts.
    fn read_events(
        &self,
        from: &[(u16, u64)],
    ) -> impl Future<Output = Result<Vec<Self::Events>, ReadError>> + Send;

    /// The state of the events' stream; `None` if nobody answers now.
    fn events_state(&self) -> impl Future<Output = Option<EventsState>> + Send;

    /// Keeps an event that was refused; waits as long as it takes.
    fn refuse(
        &self,
        reason: &str,
        event: &StoredEvent,
        error: &str,
    ) -> impl Future<Output = Result<(), DeadLetterError>> + Send;

    /// Which events from a sequence on were refused before.
    fn refused_since(
        &self,
        sequence: u64,
    ) -> impl Future<Output = Result<HashSet<u64>, DeadLetterError>> + Send;
}

/// One partition's events in the order in which they were stored.
pub(super) trait Events: Send + 'static {
    /// At least one, at most so many. Cancel safe.
    fn next_batch(
        &mut self,
        max: usize,
    ) -> impl Future<Output = Result<Vec<StoredEvent>, ReadError>> + Send;

    /// Everything of this partition before this sequence has been handed out.
    fn next_sequence(&self) -> u64;

    /// How many were stored and not handed out, as far as is known.
    fn pending(&self) -> u64;

    /// How often reading had to begin anew.
    fn reopened(&self) -> u64;
}

/// NATS: one connection to read and one to commit, since the client library runs one task for each.
#[derive(Clone, Debug)]
pub(super) struct NatsBroker {
    reading: Connection,
    committing: Connection,
    dead_letters: DeadLetters,
    /// Is told what waits for the broker, and why.
    health: Arc<Health>,
}

impl NatsBroker {
    pub(super) fn new(reading: &Connection, committing: &Connection, health: &Arc<Health>) -> Self {
        let dead_letters = DeadLetters::new(committing);
        health.watch_waiting(Waits::DeadLetters, dead_letters.watch_waiting());
        Self {
            reading: reading.clone(),
            committing: committing.clone(),
            dead_letters,
            health: health.clone(),
        }
    }
}

impl Broker for NatsBroker {
    type Log = Connection;
    type Events = EventReader;

    fn log(&self) -> &Connection {
        &self.committing
    }

    async fn read_log(
        &self,
        partition: u16,
        from: u64,
        until: u64,
        mut take: impl FnMut(LogMessage) -> Result<(), EngineError> + Send,
    ) -> Result<(), EngineError> {
        let mut log = LogReader::open(&self.reading, partition, from, until).await?;
        while let Some(messages) = log.next_batch(LOG_BATCH_MAX).await? {
            messages.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    }

    async fn read_events(&self, from: &[(u16, u64)]) -> Result<Vec<EventReader>, ReadError> {
        let readers = EventReader::open_all(&self.reading, from).await?;
        // They share a consumer.
        if let Some(reader) = readers.first() {
            let waiting = reader.watch_waiting();
            self.health.watch_waiting(Waits::Events, waiting);
        }
        Ok(readers)
    }

    async fn events_state(&self) -> Option<EventsState> {
        events_state(&self.reading).await
    }

    async fn refuse(
        &self,
        reason: &str,
        event: &StoredEvent,
        error: &str,
    ) -> Result<(), DeadLetterError> {
        let kept = self.dead_letters.publish(reason, event, error, None).await;
        kept.map(|_| ())
    }

    async fn refused_since(&self, sequence: u64) -> Result<HashSet<u64>, DeadLetterError> {
        self.dead_letters.known_since(sequence).await
    }
}

impl Events for EventReader {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<StoredEvent>, ReadError> {
        Self::next_batch(self, max).await
    }

    fn next_sequence(&self) -> u64 {
        Self::next_sequence(self)
    }

    fn pending(&self) -> u64 {
        Self::pending(self)
    }

    fn reopened(&self) -> u64 {
        Self::reopened(self)
    }
}
