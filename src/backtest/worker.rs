//! A thread that takes some partitions through history, one piece after another in the order of the stream.

use super::causes::Live;
use super::exchange::Exchange;
use super::lane::{Arrival, Lane};
use super::tally::Tally;
use super::told::Told;
use super::turns::{Turn, Turnstile};
use crate::clock::Millis;
use crate::decode::{Decoder, Rejection};
use crate::durable::{LogError, LogItem, log};
use crate::event::{Incoming, Schema, Stored};
use crate::nats::StoredMessage;
use crate::partition::Input;
use crate::state::Ledger;
use crate::terms::BROADCAST_PREFIX;
use std::collections::BTreeSet;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

/// What is to be done for one partition, or for all of them.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// An event of a partition, as the stream has it.
    Stored(u16, Millis, Box<Stored>),
    /// An event of a partition that was read already.
    Event(u16, Box<Arrival>),
    /// A broadcast, for all.
    Broadcast(Arc<Arrival>),
    /// A message of a partition's log.
    Log(u16, Box<StoredMessage>),
}

/// A part of history for one thread.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) works: Vec<Work>,
    /// Everything before this is in this part, or was in one before.
    pub(super) until: Turn,
}

/// What all threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) decoder: Decoder,
    /// Of each rule set.
    pub(super) schemas: Vec<Arc<Schema>>,
    /// What each rule set's budgets have spent.
    pub(super) ledgers: Vec<Arc<Ledger>>,
    pub(super) turnstile: Arc<Turnstile>,
    pub(super) exchange: Exchange,
    /// Before this, events are folded with what the log says, and nothing is decided.
    pub(super) decide_from: Millis,
    /// Why the log cannot be read, if so.
    pub(super) failure: Mutex<Option<LogError>>,
}

impl Shared {
    /// Reads an event as each rule set's schema has it; one that others declare the same way is read once.
    pub(super) fn read(
        &self,
        at: Millis,
        stored: &Stored,
        read: impl Fn(&Decoder, &Schema) -> Result<Incoming, Rejection>,
    ) -> Arrival {
        let mut inputs: Vec<Result<Input, Rejection>> = Vec::with_capacity(self.schemas.len());
        for (number, schema) in self.schemas.iter().enumerate() {
            let known = self.schemas[..number]
                .iter()
                .position(|other| Arc::ptr_eq(other, schema));
            let input = match known {
                Some(known) => inputs[known].clone(),
                None => read(&self.decoder, schema).map(|what| Input {
                    sequence: stored.sequence,
                    stored_at: stored.stored_at,
                    already: 0,
                    what,
                }),
            };
            inputs.push(input);
        }
        let is_broadcast = |input: &Input| matches!(input.what, Incoming::Broadcast(_));
        Arrival {
            sequence: stored.sequence,
            at,
            is_broadcast: inputs.iter().flatten().any(is_broadcast),
            inputs,
        }
    }

    /// Reads what the stream stored.
    pub(super) fn read_stored(&self, at: Millis, stored: &Stored) -> Arrival {
        let is_broadcast = stored
            .subject
            .strip_prefix("scene.")
            .is_some_and(|subject| subject.starts_with(BROADCAST_PREFIX));
        let arrival = self.read(at, stored, |decoder, schema| {
            if is_broadcast {
                let broadcast = decoder.decode_broadcast(stored, schema);
                broadcast.map(Incoming::Broadcast)
            } else {
                decoder.decode(stored, schema).map(Incoming::Event)
            }
        });
        Arrival {
            is_broadcast,
            ..arrival
        }
    }
}

/// One thread's partitions.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: usize,
    /// In order; the partition's number leads to its place.
    pub(super) lanes: Vec<Lane>,
    pub(super) threads: usize,
    /// What was decided live.
    pub(super) live: Tally,
    pub(super) dues: BTreeSet<(Millis, u16)>,
    pub(super) has_begun: bool,
}

impl Worker {
    /// Works until there is nothing more.
    pub(super) fn run(mut self, batches: &Receiver<Batch>) -> Self {
        let mut until = Turn::FIRST;
        while let Ok(batch) = batches.recv() {
            until = batch.until;
            for work in batch.works {
                self.work(work);
            }
            self.begin_at(batch.until.at);
            if self.has_begun {
                self.fire_until(batch.until.at);
            }
            self.shared.turnstile.stand(self.thread, batch.until);
        }
        for at in 0..self.lanes.len() {
            self.stand(until.at, until.sequence, self.lanes[at].number);
            self.lanes[at].sweep_along(true);
        }
        self.shared.turnstile.stand(self.thread, Turn::LAST);
        self
    }

    fn work(&mut self, work: Work) {
        match work {
            Work::Stored(lane, at, stored) => {
                let arrival = self.shared.read_stored(at, &stored);
                self.event(lane, &arrival);
            }
            Work::Event(lane, arrival) => self.event(lane, &arrival),
            Work::Broadcast(arrival) => self.broadcast(&arrival),
            Work::Log(lane, message) => {
                let at = self.place(lane);
                match read_log(&message) {
                    Ok(live) => self.lanes[at].decided(&mut self.live, live),
                    Err(error) => {
                        let failure = &self.shared.failure;
                        let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        failure.get_or_insert(error);
                    }
                }
            }
        }
    }

    fn event(&mut self, lane: u16, arrival: &Arrival) {
        let at = self.place(lane);
        self.begin_at(arrival.at);
        if !self.has_begun {
            self.lanes[at].fold(arrival);
            return;
        }
        self.fire_until(arrival.at);
        self.stand(arrival.at, arrival.sequence, lane);
        self.lanes[at].step(arrival);
        self.fire_late(at, arrival.at);
    }

    fn broadcast(&mut self, arrival: &Arrival) {
        self.begin_at(arrival.at);
        if !self.has_begun {
            for lane in &mut self.lanes {
                lane.fold(arrival);
            }
            return;
        }
        self.fire_until(arrival.at);
        for at in 0..self.lanes.len() {
            self.stand(arrival.at, arrival.sequence, self.lanes[at].number);
            self.lanes[at].step(arrival);
        }
        self.settle(arrival.at, arrival.sequence);
        for at in 0..self.lanes.len() {
            self.stand(arrival.at, arrival.sequence, self.lanes[at].number);
            self.fire_late(at, arrival.at);
        }
    }

    /// Takes broadcasts to their end, together with all other threads.
    fn settle(&mut self, now: Millis, sequence: u64) {
        let shared = self.shared.clone();
        let first = Turn {
            at: now,
            sequence,
            lane: 0,
        };
        for (run, ledger) in shared.ledgers.iter().enumerate() {
            loop {
                let mut wanted = Vec::new();
                for at in 0..self.lanes.len() {
                    self.stand(now, sequence, self.lanes[at].number);
                    let lane = &mut self.lanes[at];
                    lane.sweep(run, now);
                    wanted.extend(lane.wanted(run));
                }
                let own = (self.thread, first);
                let Some(granted) = shared.exchange.weigh(own, wanted, ledger) else {
                    break;
                };
                for at in 0..self.lanes.len() {
                    self.stand(now, sequence, self.lanes[at].number);
                    self.lanes[at].grant(run, &granted, now);
                }
            }
        }
    }

    /// Goes over to deciding, once history is there.
    fn begin_at(&mut self, at: Millis) {
        if self.has_begun || at < self.shared.decide_from {
            return;
        }
        self.has_begun = true;
        for lane in &mut self.lanes {
            lane.begin();
        }
        // Broadcasts that were on their way then.
        self.settle(self.shared.decide_from, 0);
        for at in 0..self.lanes.len() {
            self.look_ahead(at);
        }
    }

    /// Fires what is due up to a time, in the order of time.
    fn fire_until(&mut self, until: Millis) {
        while let Some((due, lane)) = self.dues.first().copied().filter(|(due, _)| *due <= until) {
            let at = self.place(lane);
            self.stand(due, 0, lane);
            self.lanes[at].fire(due, due);
            self.look_ahead(at);
        }
    }

    /// Fires what was due already when it began to wait.
    fn fire_late(&mut self, at: usize, now: Millis) {
        while let Some(due) = self.lanes[at].next_due().filter(|due| *due <= now) {
            self.lanes[at].fire(due, now);
        }
        self.look_ahead(at);
    }

    fn look_ahead(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        let due = lane.next_due();
        if due != lane.due {
            if let Some(before) = lane.due {
                self.dues.remove(&(before, lane.number));
            }
            lane.due = due;
            self.dues.extend(due.map(|due| (due, lane.number)));
        }
    }

    fn stand(&self, at: Millis, sequence: u64, lane: u16) {
        let turn = Turn { at, sequence, lane };
        self.shared.turnstile.stand(self.thread, turn);
    }

    fn place(&self, lane: u16) -> usize {
        usize::from(lane) / self.threads
    }
}

/// Reads a message of a partition's log.
pub(super) fn read_log(message: &StoredMessage) -> Result<Live, LogError> {
    let header = |name: &str| message.headers.get(name);
    let item = log::read(message.sequence, header, &message.payload)?;
    let told = match &item {
        LogItem::Entry { logged, place } => Told::read(message, logged, *place)?,
        _ => None,
    };
    Ok(Live {
        stored_at: message.stored_at,
        item,
        told,
    })
}
