//! A backtest from beginning to end.

use super::comparison::Side;
use super::crew::{self, Dealt, Feed};
use super::exchange::Exchange;
use super::files::FileFeed;
use super::report::Report;
use super::start::{self, Start};
use super::stream::{Known, StreamFeed};
use super::summary::Origin;
use super::turns::Turnstile;
use super::worker::Shared;
use crate::clock::Millis;
use crate::decode::Decoder;
use crate::durable::LogError;
use crate::nats::{
    Connection, DeadLetterError, DeadLetters, Edge, History, Period, ReadError, Whose,
};
use crate::rules::RuleSet;
use crate::state::{JournalLimits, Ledger};
use jiff::tz::TimeZone;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// What is tried, and how.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The rules that are tried.
    pub rules: Arc<RuleSet>,
    /// The rules that they are compared with; without, with what was decided.
    pub against: Option<Arc<RuleSet>>,
    /// How events are read.
    pub decoder: Decoder,
    /// How long and how large journals are.
    pub journal: JournalLimits,
    /// Of customers whose profile names none; the calendar days of budgets.
    pub zone: TimeZone,
    /// Into how many partitions customers fall; in NATS as many as the engine has.
    pub partitions: u16,
    /// How many threads work; what comes out does not depend on it.
    pub threads: usize,
    /// When the period begins; with the first event if there is none.
    pub from: Option<Millis>,
    /// The first moment that does not belong to the period.
    pub to: Option<Millis>,
    /// How many examples of each rule and kind of difference are shown.
    pub examples: usize,
}

impl Setup {
    /// The rule sets that are run, with the sides that they are.
    pub(super) fn sides(&self) -> impl Iterator<Item = (Side, &Arc<RuleSet>)> {
        let before = self.against.iter().map(|rules| (Side::Before, rules));
        before.chain([(Side::After, &self.rules)])
    }

    fn threads(&self) -> usize {
        self.threads.clamp(1, usize::from(self.partitions))
    }
}

/// Why a backtest has no result.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A stream.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log.
    #[error("failed to read what was decided")]
    Log(#[from] LogError),
    /// The dead letters.
    #[error("failed to read which events were refused")]
    DeadLetters(#[from] DeadLetterError),
    /// A file.
    #[error("could not read {name}")]
    File {
        /// Which.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// A thread panicked.
    #[error("a thread ended unexpectedly")]
    Worker,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Events that have been given out to be decided about.
    pub events: u64,
    /// The clock of history.
    pub at: Millis,
    /// How much of the stream is behind it, and how much there is, in sequences; unknown for files.
    pub of: Option<(u64, u64)>,
}

/// Tries rules on history in files.
///
/// # Errors
/// When a file cannot be read.
pub fn files(
    setup: &Setup,
    names: &[String],
    tell: &mut dyn FnMut(Progress),
) -> Result<Report, BacktestError> {
    let shared = shared(setup, Millis::MIN);
    let lanes = start::lanes(setup, &shared.ledgers, false);
    let mut feed = FileFeed::new(shared.clone(), names, setup.partitions, setup.to);
    let told = match setup.from {
        None => "an empty state before the first line".to_owned(),
        Some(_) => "an empty state before the first line; what the rules would have said before --from is in it, and not counted".to_owned(),
    };
    let done = run(setup, &shared, lanes, &mut feed, tell, None)?;
    let origin = Origin {
        start: told,
        has_before: setup.against.is_some(),
        is_live: false,
        unreadable: feed.refused,
        first_refusal: (feed.first_refusal).map(|(at, why)| format!("{at}: {why}")),
        dead: 0,
    };
    Ok(Report::new(setup, done, origin))
}

/// Tries rules on history in NATS. `data` is the engine's data folder, in which a checkpoint from before the period is
/// looked for.
///
/// Must not be called from a task of the runtime.
///
/// # Errors
/// When a stream cannot be read.
pub fn stream(
    setup: &Setup,
    connection: &Connection,
    runtime: &Handle,
    data: Option<&Path>,
    tell: &mut dyn FnMut(Progress),
) -> Result<Report, BacktestError> {
    let mut feeding = shared(setup, Millis::MIN);
    let mut lanes = start::lanes(setup, &feeding.ledgers, true);
    let preparing = start::prepare(connection, setup, data, &mut lanes, &feeding.ledgers);
    let Start {
        first,
        decide_from,
        told,
    } = runtime.block_on(preparing)?;
    if let Some(shared) = Arc::get_mut(&mut feeding) {
        shared.decide_from = decide_from;
    }
    let opening = feed(
        setup,
        connection,
        feeding.clone(),
        (first, decide_from),
        runtime,
    );
    let mut feed = runtime.block_on(opening)?;
    let extent = Some((first.max(1), feed.last));
    let done = run(setup, &feeding, lanes, &mut feed, tell, extent)?;
    let origin = Origin {
        start: told,
        has_before: true,
        is_live: setup.against.is_none(),
        unreadable: 0,
        first_refusal: None,
        dead: feed.dead_seen,
    };
    Ok(Report::new(setup, done, origin))
}

async fn feed(
    setup: &Setup,
    connection: &Connection,
    shared: Arc<Shared>,
    (first, decide_from): (u64, Millis),
    runtime: &Handle,
) -> Result<StreamFeed, BacktestError> {
    let of_events = Period {
        from: Some(Edge::Sequence(first)),
        to: setup.to.map(Edge::Time),
    };
    let events = History::events(connection, &Whose::All, of_events).await?;
    let of_log = Period {
        from: Some(Edge::Time(decide_from)).filter(|_| decide_from > Millis::MIN),
        to: None,
    };
    let log = match setup.against {
        None => Some(History::log(connection, &Whose::All, of_log).await?),
        Some(_) => None,
    };
    Ok(StreamFeed {
        shared,
        runtime: runtime.clone(),
        connection: connection.clone(),
        last: events.progress().last,
        events: Some(events),
        log,
        log_at: Millis::MIN,
        known: (0..setup.partitions).map(|_| Known::default()).collect(),
        dead: DeadLetters::new(connection).known_since(first).await?,
        dead_seen: 0,
        to: setup.to,
        clock: Millis::MIN,
        decided_at: Millis::MIN,
        is_over: false,
    })
}

fn shared(setup: &Setup, decide_from: Millis) -> Arc<Shared> {
    let turnstile = Arc::new(Turnstile::new(setup.threads()));
    let ledgers = setup
        .sides()
        .map(|_| Arc::new(Ledger::in_turn(turnstile.clone())));
    let mut schemas: Vec<_> = setup
        .sides()
        .map(|(_, rules)| rules.schema().clone())
        .collect();
    if schemas.len() == 2 && schemas[0] == schemas[1] {
        schemas[1] = schemas[0].clone();
    }
    Arc::new(Shared {
        decoder: Decoder {
            partitions: setup.partitions,
            ..setup.decoder.clone()
        },
        ledgers: ledgers.collect(),
        schemas,
        exchange: Exchange::new(turnstile.clone(), setup.threads()),
        turnstile,
        decide_from,
        failure: Mutex::new(None),
    })
}

fn run(
    setup: &Setup,
    shared: &Arc<Shared>,
    lanes: Vec<super::lane::Lane>,
    feed: &mut dyn Feed,
    tell: &mut dyn FnMut(Progress),
    extent: Option<(u64, u64)>,
) -> Result<crew::Done, BacktestError> {
    let mut events = 0;
    let mut told = |dealt: &Dealt| {
        events += dealt.events;
        let behind = |(first, last): (u64, u64)| {
            let behind = dealt.until.sequence.saturating_sub(first);
            (behind, (last + 1).saturating_sub(first))
        };
        tell(Progress {
            events,
            at: dealt.until.at,
            of: extent.map(behind),
        });
    };
    crew::work(shared, lanes, setup.threads(), feed, &mut told)
}
