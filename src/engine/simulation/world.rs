//! The model of the server: its streams, its clock, and what it does with a request when one arrives.

use super::super::listeners::Listeners;
use super::faults::{Fate, Faults, Planted};
use super::random::Random;
use super::time::Time;
use crate::nats::{
    Behind, EventsState, Extent, Headers, LogMessage, LogWrite, Outcome, StoredEvent,
};
use bytes::Bytes;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// An event that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dead {
    pub(super) sequence: u64,
    pub(super) reason: String,
}

/// Everything that survives engines.
#[derive(Debug)]
pub(super) struct World {
    pub(super) time: Time,
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) planted: Planted,
    /// `SCENE_EVENTS`.
    pub(super) events: Vec<StoredEvent>,
    /// `SCENE_ACTIONS`.
    pub(super) log: Vec<LogMessage>,
    /// The last sequence of each partition's log; 0 for none.
    tails: Vec<u64>,
    /// `SCENE_DLQ`.
    pub(super) dead: Vec<Dead>,
    /// `SCENE_BUDGETS`: the revision and the value of each key.
    budgets: BTreeMap<String, (u64, Bytes)>,
    /// Until when the server is away, in the runtime's milliseconds.
    down_until: u64,
    /// Changes when an event was stored.
    stored: Listeners<u64>,
    /// What happened, if it is to be told.
    history: Option<String>,
}

/// A request to extend a log.
#[derive(Clone, Debug)]
pub(super) struct Append {
    pub(super) partition: u16,
    pub(super) owner: String,
    pub(super) tail: u64,
    pub(super) writes: Vec<LogWrite>,
}

impl Append {
    pub(super) fn new(behind: Behind<'_>, writes: &[LogWrite]) -> Self {
        Self {
            partition: behind.partition,
            owner: behind.owner.to_owned(),
            tail: behind.tail,
            writes: writes.to_vec(),
        }
    }
}

impl World {
    pub(super) fn new(seed: u64, partitions: u16, time: Time, planted: Planted) -> Self {
        Self {
            time,
            random: Random::new(seed, 1),
            faults: Faults::NONE,
            planted,
            events: Vec::new(),
            log: Vec::new(),
            tails: vec![0; usize::from(partitions)],
            dead: Vec::new(),
            budgets: BTreeMap::new(),
            down_until: 0,
            stored: Listeners::new(0),
            history: None,
        }
    }

    pub(super) fn tell_history(&mut self) {
        self.history = Some(String::new());
    }

    pub(super) fn history(&self) -> &str {
        self.history.as_deref().unwrap_or_default()
    }

    /// Notes what happened; the words are made only if they are wanted.
    pub(super) fn tell(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.history.is_some() {
            let line = what(self);
            let at = self.time.elapsed();
            if let Some(history) = &mut self.history {
                let _ = writeln!(history, "{at:>6} {line}");
            }
        }
    }

    pub(super) fn budget(&self, key: &str) -> Option<(u64, Bytes)> {
        self.budgets.get(key).cloned()
    }

    /// Writes a key if its revision is the expected one; revisions are those of one stream.
    pub(super) fn put_budget(&mut self, key: &str, value: &Bytes, revision: u64) -> Option<u64> {
        let known = self.budgets.get(key).map_or(0, |(revision, _)| *revision);
        let is_expected = known == revision;
        self.tell(|_| {
            let value = String::from_utf8_lossy(value);
            format!("budget {key} behind {revision} of {known}: {value}")
        });
        if !is_expected {
            return None;
        }
        let newest = self.budgets.values().map(|(revision, _)| *revision).max();
        let next = newest.unwrap_or(0) + 1;
        self.budgets.insert(key.to_owned(), (next, value.clone()));
        Some(next)
    }

    pub(super) fn budget_keys(&self) -> Vec<String> {
        self.budgets.keys().cloned().collect()
    }

    pub(super) fn is_down(&self) -> bool {
        self.time.elapsed() < self.down_until
    }

    pub(super) fn go_down(&mut self, ms: u64) {
        self.down_until = self.down_until.max(self.time.elapsed() + ms);
        self.tell(|_| format!("the broker is away for {ms} ms"));
    }

    pub(super) fn heal(&mut self) {
        self.faults = Faults::NONE;
        self.down_until = 0;
        self.tell(|_| "everything is healed".to_owned());
    }

    pub(super) fn fate(&mut self) -> Fate {
        Fate::draw(&self.faults, &mut self.random)
    }

    pub(super) fn watch_events(&self) -> watch::Receiver<u64> {
        self.stored.listen()
    }

    /// Stores an event, and returns its sequence.
    pub(super) fn publish(&mut self, subject: String, payload: Bytes) -> u64 {
        let sequence = self.events.len() as u64 + 1;
        self.tell(|world| {
            let text = String::from_utf8_lossy(&payload);
            format!("event {sequence} at {} {subject} {text}", world.time.now())
        });
        self.events.push(StoredEvent {
            sequence,
            stored_at: self.time.now(),
            pending: 0,
            subject,
            headers: Headers::default(),
            payload,
        });
        self.stored.tell(sequence);
        sequence
    }

    pub(super) fn events_state(&self) -> EventsState {
        EventsState {
            clock: self.time.now(),
            first_sequence: 1,
            last_sequence: self.events.len() as u64,
        }
    }

    pub(super) fn refuse(&mut self, reason: &str, sequence: u64) {
        self.tell(|_| format!("event {sequence} is dead: {reason}"));
        self.dead.push(Dead {
            sequence,
            reason: reason.to_owned(),
        });
    }

    pub(super) fn refused_since(&self, sequence: u64) -> HashSet<u64> {
        let dead = self.dead.iter().map(|dead| dead.sequence);
        dead.filter(|at| *at >= sequence).collect()
    }

    pub(super) fn extent(&self) -> Extent {
        Extent {
            first: 1,
            last: self.log.len() as u64,
        }
    }

    pub(super) fn tail(&self, partition: u16) -> u64 {
        self.tails[usize::from(partition)]
    }

    /// The partition's last message, or the first from a sequence on.
    pub(super) fn read(&self, partition: u16, from: Option<u64>) -> Option<LogMessage> {
        match from {
            None => self.message(self.tail(partition)).cloned(),
            Some(from) => self.partition_log(partition, from).next().cloned(),
        }
    }

    fn message(&self, sequence: u64) -> Option<&LogMessage> {
        let index = usize::try_from(sequence.checked_sub(1)?).unwrap();
        self.log.get(index)
    }

    /// The messages of a partition's log from a sequence on.
    pub(super) fn partition_log(
        &self,
        partition: u16,
        from: u64,
    ) -> impl Iterator<Item = &LogMessage> {
        let from = usize::try_from(from.saturating_sub(1)).unwrap();
        let later = self.log.iter().skip(from);
        later.filter(move |message| partition_of(message) == partition)
    }

    /// What the server does with a request to extend a log: all of it or nothing (ADR-50).
    pub(super) fn append(&mut self, request: &Append) -> Outcome {
        let outcome = self.append_or_refuse(request);
        self.tell(|_| {
            let ids: Vec<&str> = request.writes.iter().map(|w| &*w.id).collect();
            format!(
                "{} writes to {} behind {}: {} -> {outcome:?}",
                request.owner,
                request.partition,
                request.tail,
                ids.join(" "),
            )
        });
        outcome
    }

    fn append_or_refuse(&mut self, request: &Append) -> Outcome {
        let faults = self.faults;
        if request.writes.len() > 1 && self.random.chance(faults.no_batch) {
            return Outcome::NoBatch("too many inflight".to_owned());
        }
        if self.random.chance(faults.unavailable) {
            return Outcome::Doubt("no leader".to_owned());
        }
        let tail = self.tail(request.partition);
        let is_expected = request.tail == tail || self.planted == Planted::NoExpectation;
        if !is_expected || self.random.chance(faults.refused_wrongly) {
            return Outcome::NotTheTail(format!("wrong last sequence: {tail}"));
        }
        for write in &request.writes {
            let message = self.message_of(request, write);
            self.log.push(message);
        }
        let last = self.log.len() as u64;
        self.tails[usize::from(request.partition)] = last;
        Outcome::Stored(last)
    }

    fn message_of(&self, request: &Append, write: &LogWrite) -> LogMessage {
        let is_lost = self.planted == Planted::TimerNotLogged && write.kind == "timer";
        let kind = if is_lost { "nothing" } else { write.kind };
        let own = [
            ("Onscene-Owner", &*request.owner),
            ("Onscene-Id", &*write.id),
            ("Onscene-Kind", kind),
        ];
        let others = write.headers.iter();
        let others = others.map(|(name, value)| (&**name, &**value));
        LogMessage {
            sequence: self.log.len() as u64 + 1,
            stored_at: self.time.now(),
            pending: 0,
            subject: format!("scene.actions.{}.{}", write.channel, request.partition),
            headers: own.into_iter().chain(others).collect(),
            payload: write.payload.clone(),
        }
    }
}

/// The partition that a message of a log belongs to.
pub(super) fn partition_of(message: &LogMessage) -> u16 {
    let last = message.subject.rsplit('.').next();
    last.and_then(|token| token.parse().ok()).unwrap()
}

/// The server, for all who speak to it.
#[derive(Clone, Debug)]
pub(super) struct Server(Arc<Mutex<World>>);

impl Server {
    pub(super) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}
