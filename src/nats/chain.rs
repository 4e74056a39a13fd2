//! A partition's log as a chain that only its owner can extend (DESIGN, law 3).
//!
//! Every write expects the partition's last sequence, so a former owner's write is refused. After a
//! refusal or any doubt (time-out, broken connection) the tail is read before anything is sent again.
//!
//! Why reading the tail settles a doubt although the doubtful write may still be on its way, in a socket's
//! buffer or in the server: it expects the sequence S that was the tail before it. If it is stored before
//! we read, we find it there and do not send it again. If it arrives later, the first thing we send
//! again expects the same S, and the server stores only one of the two: ours and the latecomer is
//! refused, or the latecomer and ours is refused, which makes us read the tail again and find it. The same holds
//! for a batch, whose expectation the server checks when its last message comes, all or nothing.

use crate::clock::runtime_now;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::chain_error::{ChainError, ChainState, TAKE_OVER_ATTEMPTS_MAX};
use super::chain_link::{self, ChainHash, HEADER_CHAIN};
use super::chain_pace::Pace;
use super::chain_wire::Outcome;
use super::connect::Connection;
use super::log_reader::stored_subject;
use super::log_store::{Behind, LogStore};
use super::log_write::{
    HEADER_ID, HEADER_KIND, HEADER_OWNER, KIND_OWNER, LogWrite, RECORD_CHANNEL, fitting,
};
use super::message::LogMessage;
use super::stream_state::InfoError;
use super::waiting::Waiting;

/// How often in a row the stream, or messages that we know of, must be missing before that is believed: a
/// broker that has just started, or a new leader, may not have caught up.
const MISSING_MAX: u32 = 10;
const RETRY_DELAY_MAX: Duration = Duration::from_secs(1);

/// The right to extend one partition's log.
#[derive(Debug)]
pub struct Chain<S = Connection> {
    store: S,
    partition: u16,
    owner: String,
    /// The sequence of the partition's last message, as far as we know.
    tail: u64,
    /// Its id; empty if it is not known.
    tail_id: String,
    /// Its link; none before the first message, and for one that an engine without links wrote.
    tail_link: ChainHash,
    /// Something was sent and not acknowledged: read the tail before sending. It is set before each
    /// sending, so that it also holds when a commit is dropped half-way.
    doubt: bool,
    /// Ids and sequences stored by a commit that has not returned them (yet): it failed, or was dropped.
    unreported: Vec<(String, u64)>,
    fenced: Option<String>,
    state: watch::Sender<ChainState>,
    retries: u32,
    pace: Pace,
}

impl<S: LogStore> Chain<S> {
    /// Takes the partition: writes the owner record behind whatever is there, and returns the chain with
    /// the record's sequence. The log up to there ([`Chain::read_log`]) is then all that came before.
    ///
    /// `owner` changes with each start of an engine. A connection that is the `store` should be one that
    /// commits only. Waits for the broker if it is away.
    pub async fn take_over(
        store: &S,
        partition: u16,
        owner: &str,
        record: Vec<u8>,
    ) -> Result<(Self, u64), ChainError> {
        let state = watch::Sender::new(ChainState::Flowing);
        Self::take_over_telling(store, partition, owner, record, state).await
    }

    /// The same, with `state` telling what it waits for already while it takes over.
    pub async fn take_over_telling(
        store: &S,
        partition: u16,
        owner: &str,
        record: Vec<u8>,
        state: watch::Sender<ChainState>,
    ) -> Result<(Self, u64), ChainError> {
        let mut chain = Self {
            store: store.clone(),
            partition,
            owner: owner.to_owned(),
            tail: 0,
            tail_id: String::new(),
            tail_link: ChainHash::NONE,
            doubt: false,
            unreported: Vec::new(),
            fenced: None,
            state,
            retries: 0,
            pace: Pace::default(),
        };
        let record = Bytes::from(record);
        let mut by = String::new();
        for attempt in 1..=TAKE_OVER_ATTEMPTS_MAX {
            let tail = chain.read_tail().await?;
            chain.tail = tail.as_ref().map_or(0, |message| message.sequence);
            chain.tail_link = tail.as_ref().map_or(ChainHash::NONE, link_or_none);
            let write = LogWrite {
                channel: RECORD_CHANNEL.to_owned(),
                id: format!("{owner}/{partition}/{attempt}"),
                kind: KIND_OWNER,
                headers: Vec::new(),
                payload: record.clone(),
            };
            match chain.commit(vec![write]).await {
                Ok(sequences) => {
                    let sequence = sequences.first().copied().unwrap_or(chain.tail);
                    return Ok((chain, sequence));
                }
                Err(ChainError::Fenced { by: other, .. }) => {
                    by = other;
                    chain.fenced = None;
                    chain.doubt = false;
                    chain.state.send_replace(ChainState::Flowing);
                }
                Err(error) => return Err(error),
            }
        }
        Err(ChainError::Contended { partition, by })
    }

    /// The partition.
    pub fn partition(&self) -> u16 {
        self.partition
    }

    /// The sequence of the partition's last message, as far as this chain knows.
    pub fn tail(&self) -> u64 {
        self.tail
    }

    /// The id of that message; empty if it is not known.
    pub fn tail_id(&self) -> &str {
        &self.tail_id
    }

    /// The link of that message: whoever keeps it elsewhere can show that nothing before it was changed.
    pub fn tail_link(&self) -> ChainHash {
        self.tail_link
    }

    /// Tells, also while a commit runs, whether writes get through.
    pub fn watch_state(&self) -> watch::Receiver<ChainState> {
        self.state.subscribe()
    }

    /// Appends writes in their order, each exactly once, and returns the sequence of each.
    ///
    /// Waits for the broker as long as it takes; an error means that the chain cannot go on. Of a commit
    /// that fails, or whose future is dropped, a leading part may be stored; calling it again with the same
    /// writes appends the rest.
    pub async fn commit(&mut self, mut writes: Vec<LogWrite>) -> Result<Vec<u64>, ChainError> {
        if let Some(by) = &self.fenced {
            return Err(ChainError::Fenced {
                partition: self.partition,
                by: by.clone(),
            });
        }
        let mut stored = self.stored_before(&writes);
        let mut batches = true;
        while self.doubt || stored.len() < writes.len() {
            if self.doubt {
                self.settle(&writes, &mut stored).await?;
                continue;
            }
            let rest = &mut writes[stored.len()..];
            let count = if batches { self.batch_length(rest) } else { 1 };
            let link = self.link(&mut rest[..count]);
            let started = runtime_now();
            self.doubt = true;
            let outcome = self.store.append(self.behind(), &rest[..count]).await;
            match outcome {
                Outcome::Stored(last) => {
                    match count {
                        1 => self.pace.single_took(started.elapsed()),
                        _ => self.pace.batch_took(started.elapsed(), count),
                    }
                    // A batch is stored as a whole under one lock, so its sequences follow each other.
                    let first = last + 1 - u64::try_from(count).unwrap_or(1);
                    for (write, sequence) in rest.iter().zip(first..=last) {
                        self.unreported.push((write.id.clone(), sequence));
                        stored.push(sequence);
                    }
                    self.tail_link = link;
                    self.flowing(last, &rest[count - 1].id);
                }
                Outcome::NotTheTail(_) => {}
                Outcome::Doubt(reason) => self.wait(&reason).await,
                Outcome::NoBatch(reason) => {
                    tracing::warn!(
                        partition = self.partition,
                        reason,
                        "batch refused, writing singly"
                    );
                    batches = false;
                }
                Outcome::TooLarge(reason) => {
                    self.doubt = false;
                    let (partition, id) = (self.partition, rest[0].id.clone());
                    return Err(ChainError::TooLarge {
                        partition,
                        id,
                        reason,
                    });
                }
                Outcome::Refused(reason) => {
                    self.doubt = false;
                    let (partition, id) = (self.partition, rest[0].id.clone());
                    return Err(ChainError::Refused {
                        partition,
                        id,
                        reason,
                    });
                }
            }
        }
        self.unreported.clear();
        Ok(stored)
    }

    /// Which of these writes, from the first on, a commit before has stored without returning.
    fn stored_before(&mut self, writes: &[LogWrite]) -> Vec<u64> {
        let same = writes
            .iter()
            .zip(&self.unreported)
            .take_while(|(write, (id, _))| write.id == *id);
        let stored: Vec<u64> = same.map(|(_, (_, sequence))| *sequence).collect();
        self.unreported.truncate(stored.len());
        stored
    }

    fn behind(&self) -> Behind<'_> {
        Behind {
            partition: self.partition,
            owner: &self.owner,
            tail: self.tail,
        }
    }

    /// Links writes behind the tail, as they are sent now: after a doubt the tail may be another one. Returns the last
    /// link.
    fn link(&self, writes: &mut [LogWrite]) -> ChainHash {
        writes.iter_mut().fold(self.tail_link, |before, write| {
            let headers = write.headers.iter();
            let headers = headers.map(|(name, value)| (name.as_ref(), value.as_str()));
            let own = [
                (HEADER_OWNER, self.owner.as_str()),
                (HEADER_ID, write.id.as_str()),
                (HEADER_KIND, write.kind),
            ];
            let subject = stored_subject(&write.channel, self.partition);
            let content =
                chain_link::content(&subject, own.into_iter().chain(headers), &write.payload);
            let link = chain_link::link(before, content);
            write.headers.retain(|(name, _)| name != HEADER_CHAIN);
            write.headers.push((HEADER_CHAIN.into(), link.to_string()));
            link
        })
    }

    fn flowing(&mut self, tail: u64, id: &str) {
        self.tail = tail;
        id.clone_into(&mut self.tail_id);
        self.doubt = false;
        self.retries = 0;
        self.state.send_if_modified(|state| {
            let waited = state.waiting().is_some();
            if waited {
                tracing::info!(partition = self.partition, "writing again");
            }
            *state = ChainState::Flowing;
            waited
        });
    }

    /// Waits a little, longer each time, and says once that the broker is awaited.
    async fn wait(&mut self, reason: &str) {
        let partition = self.partition;
        self.state.send_if_modified(|state| {
            let before = state.waiting();
            let next = Waiting::go_on(before, reason);
            if before.is_none_or(|before| before.cause != next.cause) {
                tracing::warn!(
                    partition,
                    reason,
                    "cannot write now, trying on until it works"
                );
            }
            *state = ChainState::Waiting(next);
            true
        });
        let delay = Duration::from_millis(5) * 2_u32.pow(self.retries.min(8));
        tokio::time::sleep(delay.min(RETRY_DELAY_MAX)).await;
        self.retries = self.retries.saturating_add(1);
        self.store.connected().await;
    }

    /// How many of the writes to send at once: 1 while that is quicker.
    fn batch_length(&self, writes: &[LogWrite]) -> usize {
        match fitting(writes) {
            count if self.pace.batch_pays(count) => count,
            _ => 1,
        }
    }

    /// Ends a doubt: finds which of `writes` are stored beyond those already known.
    async fn settle(
        &mut self,
        writes: &[LogWrite],
        stored: &mut Vec<u64>,
    ) -> Result<(), ChainError> {
        let found = self
            .read_tail()
            .await?
            .map_or(0, |message| message.sequence);
        if found < self.tail {
            return self.tail_is_gone(found).await;
        }
        let mut sequence = self.tail;
        while sequence < found {
            let Some(message) = self.read_next(sequence + 1).await? else {
                break;
            };
            let header = |name: &str| message.headers.get(name);
            let owner = header(HEADER_OWNER).unwrap_or("nobody");
            if owner != self.owner {
                let by = owner.to_owned();
                self.fenced = Some(by.clone());
                self.state.send_replace(ChainState::Fenced);
                return Err(ChainError::Fenced {
                    partition: self.partition,
                    by,
                });
            }
            // Ours, and not the one that is due: left by a commit that was dropped half-way.
            if writes
                .get(stored.len())
                .is_some_and(|due| header(HEADER_ID) == Some(due.id.as_str()))
            {
                self.unreported
                    .push((writes[stored.len()].id.clone(), message.sequence));
                stored.push(message.sequence);
            }
            sequence = message.sequence;
            // Kept at once, so that nothing is counted twice should this be dropped before the end.
            self.tail = sequence;
            self.tail_id = header(HEADER_ID).unwrap_or_default().to_owned();
            self.tail_link = link_or_none(&message);
        }
        self.doubt = false;
        Ok(())
    }

    /// The tail that we know of is not there. Either it outlived its retention, or the stream has lost data,
    /// or the one that answered is behind.
    async fn tail_is_gone(&mut self, found: u64) -> Result<(), ChainError> {
        for _ in 0..MISSING_MAX {
            if let Ok(extent) = self.store.extent().await
                && extent.first > self.tail
                && extent.last >= self.tail
            {
                self.tail = found;
                self.tail_id.clear();
                return Ok(());
            }
            self.wait("the log's known tail is not there").await;
            if self
                .read_tail()
                .await?
                .map_or(0, |message| message.sequence)
                >= self.tail
            {
                return Ok(());
            }
        }
        Err(ChainError::RolledBack {
            partition: self.partition,
            expected: self.tail,
            found,
        })
    }

    async fn read_tail(&mut self) -> Result<Option<LogMessage>, ChainError> {
        self.read_message(None).await
    }

    async fn read_next(&mut self, from: u64) -> Result<Option<LogMessage>, ChainError> {
        self.read_message(Some(from)).await
    }

    /// Reads the partition's last message, or the first from a sequence on; tries until it gets an answer.
    ///
    /// It asks the stream's leader: a direct get may be answered by a replica that is behind.
    async fn read_message(&mut self, from: Option<u64>) -> Result<Option<LogMessage>, ChainError> {
        let mut missing = 0;
        loop {
            self.store.connected().await;
            match self.store.read(self.partition, from).await {
                Ok(message) => return Ok(message),
                Err(InfoError::Missing) => {
                    missing += 1;
                    if missing >= MISSING_MAX {
                        return Err(ChainError::StreamGone {
                            partition: self.partition,
                        });
                    }
                    self.wait("the stream is not there").await;
                }
                Err(InfoError::Other(reason)) => self.wait(&reason).await,
            }
        }
    }
}

fn link_or_none(message: &LogMessage) -> ChainHash {
    chain_link::link_of(message).unwrap_or(ChainHash::NONE)
}
