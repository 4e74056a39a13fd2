//! What was stored up to now, read once from end to end: events, or what was decided about them.
//!
//! It stops at the last message that was there when it was opened, whatever comes meanwhile. It holds a bounded
//! number of messages, goes on by itself where it stood when the broker or its consumer is lost, and lets go of its
//! consumers at the end.
//!
//! Each filter has a consumer of its own and they are merged by sequence: one with two filters was measured to be
//! thirty times slower (see [`reader`](super::reader)).

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use super::connect::Connection;
use super::message::StoredMessage;
use super::pull::{PullReader, PullSpec, ReadError};
use super::pull_careful;
use super::stream_state::{InfoError, stream_info};
use super::streams::{ACTIONS, EVENTS, PARTITIONS_KEY};
use crate::clock::{Millis, parse_rfc3339};
use crate::partitioning::{CustomerId, bucket_of, partition_of};

/// Messages of one consumer that wait to be merged.
const READY_MESSAGES: usize = 1_000;
/// Silence after which it is asked whether there is anything left: what was counted may have grown too old to be kept.
const SILENCE: Duration = Duration::from_secs(1);
/// How long until the broker is asked again that did not answer.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How often in a row a stream must be found missing before that is believed: a broker that has just started may not have
/// found its streams yet.
const STREAM_MISSING_MAX: u32 = 8;

/// Whose history is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's, broadcasts included.
    #[default]
    All,
    /// That of a partition's customers. Of events, broadcasts are included: every partition reads them.
    Partition(u16),
    /// Of events, those about profiles; of actions, everybody's.
    Profiles,
    /// That of the customers who share a customer's bucket of 4,096: few others, to be passed over by whoever reads
    /// it. Of actions, those of the customer's partition. Broadcasts are included.
    Customer {
        /// The customer.
        id: CustomerId,
        /// How many partitions the deployment has.
        partitions: u16,
    },
}

/// One end of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// A sequence of the stream.
    Sequence(u64),
    /// When something was stored, in milliseconds since the Unix epoch.
    Time(Millis),
}

/// Which part of a stream is read; without edges, all that is there when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// The first sequence, or the first time.
    pub from: Option<Edge>,
    /// The last sequence, or the first time that does not belong to it.
    pub to: Option<Edge>,
}

/// How far a history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryProgress {
    /// The first sequence of the period that the stream had when it was opened.
    pub first: u64,
    /// The last one; before the first if there is nothing.
    pub last: u64,
    /// Everything before this sequence was handed out.
    pub next: u64,
}

/// Reads a part of a stream from end to end, in the order of the stream.
pub struct History {
    connection: Connection,
    sources: Vec<Source>,
    progress: HistoryProgress,
}

struct Source {
    spec: PullSpec,
    /// `None` once everything was read.
    pull: Option<PullReader>,
    ready: VecDeque<StoredMessage>,
}

impl History {
    /// Opens the history of events.
    ///
    /// Waits for the broker if it is away. An error means that reading can never succeed.
    pub async fn events(
        connection: &Connection,
        whose: &Whose,
        period: Period,
    ) -> Result<Self, ReadError> {
        let filters = match whose {
            Whose::All => vec![None],
            Whose::Profiles => vec![Some("scene.in.*.*.customer.profile".to_owned())],
            Whose::Partition(partition) => of_events(format!("scene.in.{partition}.>")),
            Whose::Customer { id, partitions } => {
                let token = id.token();
                let partition = partition_of(&token, *partitions);
                of_events(format!("scene.in.{partition}.{}.>", bucket_of(&token)))
            }
        };
        Self::open(connection, EVENTS, filters, period).await
    }

    /// Opens the history of what was decided, records included; `durable::log` reads its messages.
    ///
    /// Waits for the broker if it is away. An error means that reading can never succeed.
    pub async fn log(
        connection: &Connection,
        whose: &Whose,
        period: Period,
    ) -> Result<Self, ReadError> {
        let partition = match whose {
            Whose::All | Whose::Profiles => None,
            Whose::Partition(partition) => Some(*partition),
            Whose::Customer { id, partitions } => Some(partition_of(&id.token(), *partitions)),
        };
        let filter = partition.map(super::log_reader::subject_filter);
        Self::open(connection, ACTIONS, vec![filter], period).await
    }

    async fn open(
        connection: &Connection,
        stream: &'static str,
        filters: Vec<Option<String>>,
        period: Period,
    ) -> Result<Self, ReadError> {
        let (first, last) = extent(connection, stream).await?;
        let first = match period.from {
            None => first,
            Some(Edge::Sequence(sequence)) => first.max(sequence),
            Some(Edge::Time(at)) => stored_since(connection, stream, at, (first, last)).await?,
        };
        let last = match period.to {
            None => last,
            Some(Edge::Sequence(sequence)) => last.min(sequence),
            Some(Edge::Time(at)) => {
                let after = stored_since(connection, stream, at, (first, last)).await?;
                after.saturating_sub(1)
            }
        };
        let progress = HistoryProgress {
            first,
            last,
            next: first,
        };
        let mut sources = Vec::with_capacity(filters.len());
        for filter in filters.into_iter().filter(|_| first <= last) {
            let spec = PullSpec {
                stream,
                filters: filter.into_iter().collect(),
                headers_only: false,
            };
            sources.push(Source {
                pull: Some(PullReader::open(connection, spec.clone(), first).await?),
                spec,
                ready: VecDeque::new(),
            });
        }
        Ok(Self {
            connection: connection.clone(),
            sources,
            progress,
        })
    }

    /// The next messages in order, up to `max`; none when the end is reached. Cancel safe.
    pub async fn next_batch(
        &mut self,
        max: usize,
    ) -> Result<Option<Vec<StoredMessage>>, ReadError> {
        let last = self.progress.last;
        for source in &mut self.sources {
            source.fill(&self.connection, last).await?;
        }
        let mut batch = Vec::new();
        while batch.len() < max.max(1) {
            let heads = self.sources.iter().enumerate();
            let heads = heads.filter_map(|(at, source)| Some((source.ready.front()?.sequence, at)));
            let Some((_, at)) = heads.min() else { break };
            batch.extend(self.sources[at].ready.pop_front());
            // Whatever it holds next may come before what the others hold.
            if self.sources[at].is_empty_handed() {
                break;
            }
        }
        self.progress.next = match batch.last() {
            Some(message) => message.sequence + 1,
            None => self.progress.next.max(last.saturating_add(1)),
        };
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// How far it is read.
    pub fn progress(&self) -> HistoryProgress {
        self.progress
    }

    /// Ends it before its end: lets go of its consumers at once. One that is dropped is forgotten by the server after
    /// half a minute.
    pub async fn close(self) {
        for source in self.sources {
            if let Some(pull) = source.pull {
                pull.close().await;
            }
        }
    }
}

impl Source {
    /// Whether it is not known what comes next.
    fn is_empty_handed(&self) -> bool {
        self.pull.is_some() && self.ready.is_empty()
    }

    /// Waits until it is known what comes next.
    async fn fill(&mut self, connection: &Connection, last: u64) -> Result<(), ReadError> {
        let mut is_silent = false;
        while self.is_empty_handed() {
            let Some(pull) = &mut self.pull else { break };
            let next = pull.next_sequence();
            let may_be_over = is_silent || pull.pending() == 0;
            if next > last || may_be_over && !is_there(connection, &self.spec, next, last).await {
                self.finish().await;
                break;
            }
            match tokio::time::timeout(SILENCE, pull.next_batch(READY_MESSAGES)).await {
                Ok(batch) => {
                    let batch = batch?.into_iter();
                    self.ready
                        .extend(batch.filter(|message| message.sequence <= last));
                    is_silent = false;
                }
                Err(_) => is_silent = true,
            }
        }
        Ok(())
    }

    async fn finish(&mut self) {
        if let Some(pull) = self.pull.take() {
            pull.close().await;
        }
    }
}

/// Of events: the subjects of some customers, and the broadcasts.
fn of_events(customers: String) -> Vec<Option<String>> {
    vec![Some(customers), Some("scene.broadcast.>".to_owned())]
}

/// Whether there is anything left to be read; yes if nobody can tell.
async fn is_there(connection: &Connection, spec: &PullSpec, next: u64, last: u64) -> bool {
    match pull_careful::read_one(connection, spec, next).await {
        Ok(found) => found.is_some_and(|message| message.sequence <= last),
        Err(_) => true,
    }
}

/// The first and the last sequence of a stream.
async fn extent(connection: &Connection, stream: &'static str) -> Result<(u64, u64), ReadError> {
    let state = stream_surely(connection, stream).await?.state;
    Ok((state.first_sequence.max(1), state.last_sequence))
}

/// Into how many partitions the deployment's customers fall; `None` if the stream of events does not say.
///
/// Waits for the broker if it is away. An error means that there is no such stream.
pub async fn deployed_partitions(connection: &Connection) -> Result<Option<u16>, ReadError> {
    let info = stream_surely(connection, EVENTS).await?;
    let partitions = info.config.metadata.get(PARTITIONS_KEY);
    Ok(partitions.and_then(|number| number.parse().ok()))
}

/// Asks for a stream until there is an answer.
async fn stream_surely(
    connection: &Connection,
    stream: &'static str,
) -> Result<async_nats::jetstream::stream::Info, ReadError> {
    let mut missing = 0;
    loop {
        match stream_info(connection, stream).await {
            Ok(info) => return Ok(info),
            Err(InfoError::Missing) => missing += 1,
            Err(InfoError::Other(_)) => connection.connected().await,
        }
        if missing >= STREAM_MISSING_MAX {
            return Err(ReadError::StreamGone { stream });
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// From which sequence on everything was stored at a time or later: one beyond the last if nothing was.
async fn stored_since(
    connection: &Connection,
    stream: &'static str,
    at: Millis,
    (first, last): (u64, u64),
) -> Result<u64, ReadError> {
    let everything = PullSpec {
        stream,
        filters: Vec::new(),
        headers_only: false,
    };
    let (mut low, mut high) = (first, last.saturating_add(1).max(first));
    while low < high {
        let middle = low + (high - low) / 2;
        match pull_careful::read_one(connection, &everything, middle).await {
            Ok(Some(found)) if found.sequence < high && found.stored_at < at => {
                low = found.sequence + 1;
            }
            // What lies between the middle and what was found is no longer there.
            Ok(_) => high = middle,
            Err(_) => {
                connection.connected().await;
                tokio::time::sleep(ASK_AGAIN).await;
                extent(connection, stream).await?;
            }
        }
    }
    Ok(low)
}

impl FromStr for Edge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(sequence) = text.parse() {
            return Ok(Self::Sequence(sequence));
        }
        parse_rfc3339(text).map(Self::Time).ok_or_else(|| {
            "write a time such as 2026-11-22T10:00:00+08:00, or a sequence of the stream such as 81234".to_owned()
        })
    }
}
