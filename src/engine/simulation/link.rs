//! One engine's way to the model: requests and answers travel, are late, are lost, or come twice. What an engine
//! has sent may arrive after it is gone.

use super::super::EngineError;
use super::super::broker::Broker;
use super::faults::Planted;
use super::feed::Feed;
use super::time::pause;
use super::world::{Append, Server, World};
use crate::nats::{
    Behind, DeadLetterError, EventsState, Extent, InfoError, LogMessage, LogStore, LogWrite,
    Outcome, ReadError, StoredEvent,
};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long an answer is awaited, in the runtime's milliseconds.
const PATIENCE: Duration = Duration::from_millis(60);
/// How often somebody who waits for the broker looks.
const LOOK_MS: u64 = 5;

/// An engine's connection.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) server: Server,
    owner: Arc<str>,
    state: Arc<LinkState>,
}

#[derive(Debug, Default)]
struct LinkState {
    /// Until when the process is stopped, in the runtime's milliseconds.
    stopped_until: AtomicU64,
    /// Whether the process has been killed.
    is_gone: AtomicBool,
}

/// Why there is no answer.
enum NoAnswer {
    NotConnected,
    TimeOut,
}

impl NoAnswer {
    fn text(&self) -> String {
        match self {
            Self::NotConnected => "not connected".to_owned(),
            Self::TimeOut => "time-out".to_owned(),
        }
    }
}

impl Link {
    pub(super) fn new(server: &Server, owner: &str) -> Self {
        Self {
            server: server.clone(),
            owner: owner.into(),
            state: Arc::default(),
        }
    }

    /// As SIGSTOP does: nothing is sent and nothing received for so long.
    pub(super) fn stop(&self, ms: u64) {
        let until = self.server.lock().time.elapsed() + ms;
        self.state.stopped_until.store(until, Ordering::Relaxed);
    }

    /// As SIGCONT does.
    pub(super) fn go_on(&self) {
        self.state.stopped_until.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        let now = self.server.lock().time.elapsed();
        now < self.state.stopped_until.load(Ordering::Relaxed)
    }

    /// As SIGKILL does: the sockets are closed.
    pub(super) fn kill(&self) {
        self.state.is_gone.store(true, Ordering::Relaxed);
    }

    /// Waits while the process is stopped.
    pub(super) async fn running(&self) {
        while self.is_stopped() {
            pause(LOOK_MS).await;
        }
    }

    /// Waits until the process runs and the broker is there.
    pub(super) async fn connected(&self) {
        self.running().await;
        while self.server.lock().is_down() {
            pause(LOOK_MS).await;
            self.running().await;
        }
    }

    /// Sends a request and waits for its answer. `handle` is what the server does with it, each time that it
    /// arrives.
    async fn request<T: Send + 'static>(
        &self,
        handle: impl Fn(&mut World) -> T + Send + Sync + 'static,
    ) -> Result<T, NoAnswer> {
        self.running().await;
        let (fate, is_down) = {
            let mut world = self.server.lock();
            (world.fate(), world.is_down())
        };
        if is_down {
            pause(1).await;
            return Err(NoAnswer::NotConnected);
        }
        let (answer, answered) = oneshot::channel();
        let (server, state) = (self.server.clone(), self.state.clone());
        // On its way it is nobody's: the one who sent it may be gone when it arrives.
        tokio::spawn(async move {
            let arrive = || {
                let mut world = server.lock();
                (!world.is_down()).then(|| handle(&mut world))
            };
            pause(fate.there).await;
            let is_gone = state.is_gone.load(Ordering::Relaxed) && fate.dies_with_sender;
            if fate.request_lost || is_gone {
                return;
            }
            let answered = arrive().filter(|_| !fate.answer_lost);
            pause(fate.back).await;
            if let Some(answered) = answered {
                let _ = answer.send(answered);
            }
            if let Some(later) = fate.again {
                pause(later).await;
                let _ = arrive();
            }
        });
        // The one who asked finds out that there is no answer by waiting in vain.
        let answer = tokio::time::timeout(PATIENCE, async {
            match answered.await {
                Ok(answer) => answer,
                Err(_) => std::future::pending().await,
            }
        });
        let answer = answer.await;
        self.running().await;
        answer.map_err(|_| NoAnswer::TimeOut)
    }
}

impl LogStore for Link {
    async fn append(&self, behind: Behind<'_>, writes: &[LogWrite]) -> Outcome {
        let request = Append::new(behind, writes);
        let answer = self.request(move |world| world.append(&request)).await;
        answer.unwrap_or_else(|none| Outcome::Doubt(none.text()))
    }

    async fn read(
        &self,
        partition: u16,
        from: Option<u64>,
    ) -> Result<Option<LogMessage>, InfoError> {
        let owner = self.owner.clone();
        let answer = self.request(move |world| {
            if world.planted == Planted::TailNotRead && from.is_some() {
                return Some(not_read(world, partition, &owner));
            }
            world.read(partition, from)
        });
        let answer = answer.await;
        answer.map_err(|none| InfoError::Other(none.text()))
    }

    async fn extent(&self) -> Result<Extent, InfoError> {
        let answer = self.request(|world| world.extent()).await;
        answer.map_err(|none| InfoError::Other(none.text()))
    }

    async fn connected(&self) {
        Self::connected(self).await;
    }
}

/// What a chain sees that takes the last message's sequence without looking at the message.
fn not_read(world: &World, partition: u16, owner: &str) -> LogMessage {
    let headers = [("Onscene-Owner", owner), ("Onscene-Id", "not looked at")];
    LogMessage {
        sequence: world.tail(partition),
        stored_at: 0,
        pending: 0,
        subject: String::new(),
        headers: headers.into_iter().collect(),
        payload: bytes::Bytes::new(),
    }
}

impl Broker for Link {
    type Log = Self;
    type Events = Feed;

    fn log(&self) -> &Self {
        self
    }

    async fn read_log(
        &self,
        partition: u16,
        from: u64,
        until: u64,
        mut take: impl FnMut(LogMessage) -> Result<(), EngineError> + Send,
    ) -> Result<(), EngineError> {
        let mut next = from;
        loop {
            self.connected().await;
            let (travel, count) = {
                let mut world = self.server.lock();
                let fate = world.fate();
                (fate.there + fate.back, world.random.index(200) + 20)
            };
            pause(travel).await;
            self.connected().await;
            let messages: Vec<LogMessage> = {
                let world = self.server.lock();
                let rest = world.partition_log(partition, next);
                let rest = rest.take_while(|message| message.sequence <= until);
                rest.take(count).cloned().collect()
            };
            let Some(last) = messages.last() else {
                return Ok(());
            };
            next = last.sequence + 1;
            messages.into_iter().try_for_each(&mut take)?;
        }
    }

    async fn read_events(&self, from: &[(u16, u64)]) -> Result<Vec<Feed>, ReadError> {
        self.connected().await;
        let open = |(partition, from): &(u16, u64)| Feed::open(self, *partition, *from);
        Ok(from.iter().map(open).collect())
    }

    async fn events_state(&self) -> Option<EventsState> {
        // The server looks up the last sequence first and reads its clock when it answers.
        let looked_up = self.request(|world| world.events_state().last_sequence);
        let last_sequence = looked_up.await.ok()?;
        let clock = self
            .request(|world| world.events_state().clock)
            .await
            .ok()?;
        Some(EventsState {
            clock,
            first_sequence: 1,
            last_sequence,
        })
    }

    async fn refuse(
        &self,
        reason: &str,
        event: &StoredEvent,
        _error: &str,
    ) -> Result<(), DeadLetterError> {
        loop {
            let (reason, sequence) = (reason.to_owned(), event.sequence);
            let kept = self.request(move |world| world.refuse(&reason, sequence));
            if kept.await.is_ok() {
                return Ok(());
            }
            pause(LOOK_MS).await;
        }
    }

    async fn refused_since(&self, sequence: u64) -> Result<HashSet<u64>, DeadLetterError> {
        loop {
            let refused = self.request(move |world| world.refused_since(sequence));
            if let Ok(refused) = refused.await {
                return Ok(refused);
            }
            pause(LOOK_MS).await;
        }
    }
}
