//! What was known before the period: from checkpoints, and from the log beyond them.

use super::comparison::Side;
use super::lane::{Lane, Led, Run};
use super::run::{BacktestError, Setup};
use super::stream::lane_of;
use super::worker::read_log;
use crate::clock::{Millis, format_rfc3339};
use crate::durable::{CheckpointFolder, CheckpointStore as _, Cut, LogItem, Recovery, load};
use crate::nats::log_write::HEADER_ID;
use crate::nats::{Connection, Edge, History, LogStore as _, Period, Whose};
use crate::partition::{Logged, LoggedDecision};
use crate::rules::RuleSet;
use crate::state::Ledger;
use std::path::Path;
use std::sync::Arc;

/// Messages that are read at a time.
const MESSAGES: usize = 1_000;

/// What the partitions know before the first event of the period is decided about.
pub(super) struct Start {
    /// The first event that must be read.
    pub(super) first: u64,
    /// From when on it is decided; before, it is folded with what the log says.
    pub(super) decide_from: Millis,
    /// In words.
    pub(super) told: String,
}

/// Puts together what was known at the beginning of the period.
pub(super) async fn prepare(
    connection: &Connection,
    setup: &Setup,
    data: Option<&Path>,
    lanes: &mut [Lane],
    ledgers: &[Arc<Ledger>],
) -> Result<Start, BacktestError> {
    let (kept, first_at) = first_event(connection).await?;
    // Without a beginning, it begins with the first event that is kept; before the very first there is nothing to know.
    let Some(from) = setup.from.or(first_at.filter(|_| kept > 1)) else {
        return Ok(Start {
            first: 0,
            decide_from: Millis::MIN,
            told: "an empty state: events are kept from the very first on".to_owned(),
        });
    };
    let mut restored = Vec::new();
    let mut log_from = 0;
    if let Some(data) = data {
        for lane in lanes.iter_mut() {
            let cut = restore(connection, setup, data, from, lane, ledgers).await?;
            restored.extend(cut);
        }
    }
    if restored.len() == lanes.len() {
        log_from = restored.iter().map(|cut| cut.log).min().unwrap_or(0) + 1;
    }
    let entries = read_before(
        connection,
        setup,
        (log_from, from),
        &restored,
        lanes,
        ledgers,
    )
    .await?;
    let first = lanes.iter().map(|lane| lane.through + 1).min().unwrap_or(0);
    for lane in lanes.iter_mut() {
        lane.period.start = lane.period.start.max(from);
    }
    let found = match restored.iter().map(|cut| cut.rest.clock).min().flatten() {
        None => "no checkpoint".to_owned(),
        Some(oldest) => format!(
            "checkpoints of {} of {} partitions, the oldest as of {}",
            restored.len(),
            lanes.len(),
            format_rfc3339(oldest)
        ),
    };
    let gap = if first < kept {
        format!(
            "; events before {kept} are no longer kept, so what happened before is known from the log alone"
        )
    } else {
        String::new()
    };
    Ok(Start {
        first,
        decide_from: from,
        told: format!(
            "{found}, the events from there on, and {entries} entries of the log up to {}{gap}",
            format_rfc3339(from)
        ),
    })
}

/// The first event that is kept, and when it was stored.
async fn first_event(connection: &Connection) -> Result<(u64, Option<Millis>), BacktestError> {
    let mut events = History::events(connection, &Whose::All, Period::default()).await?;
    let batch = events.next_batch(1).await?.unwrap_or_default();
    let first = batch.first();
    let found = (
        first.map_or(0, |message| message.sequence),
        first.map(|message| message.stored_at),
    );
    events.close().await;
    Ok(found)
}

/// Puts a partition together from its newest checkpoint that was taken before the period; none if there is none that is
/// sound and of this log.
async fn restore(
    connection: &Connection,
    setup: &Setup,
    data: &Path,
    from: Millis,
    lane: &mut Lane,
    ledgers: &[Arc<Ledger>],
) -> Result<Option<Cut>, BacktestError> {
    let folder = CheckpointFolder::new(data);
    let numbers = folder
        .numbers(lane.number)
        .map_err(|source| BacktestError::File {
            name: folder.path().display().to_string(),
            source,
        })?;
    for number in numbers {
        // One that is damaged or gone is passed over: this is not whose it is to put aside.
        let Ok(checkpoint) = load(&folder, lane.number, number) else {
            continue;
        };
        let cut = checkpoint.cut();
        let is_before = cut.rest.clock.is_some_and(|clock| clock < from);
        if !is_before || cut.partitions != setup.partitions || !fits(connection, cut).await {
            continue;
        }
        let mut whole = true;
        for run in &mut lane.runs {
            whole &= checkpoint.restore(&mut run.partition).is_ok();
        }
        if !whole {
            for run in &mut lane.runs {
                run.partition.forget_members();
            }
            continue;
        }
        for (run, ledger) in lane.runs.iter().zip(ledgers) {
            ledger.add_all(lane.number, run.partition.spending());
        }
        for run in &mut lane.runs {
            run.recovery = Recovery::from(cut.through);
        }
        lane.through = cut.through;
        return Ok(Some(cut.clone()));
    }
    Ok(None)
}

/// Whether a checkpoint is of this log: the message that it knows last is there.
async fn fits(connection: &Connection, cut: &Cut) -> bool {
    let message = connection.read(cut.partition, Some(cut.log)).await;
    let Ok(Some(message)) = message else {
        return cut.log == 0;
    };
    message.sequence == cut.log
        && (cut.log_id.is_empty() || message.headers.get(HEADER_ID) == Some(&cut.log_id))
}

/// Reads what was decided before the period; returns how many entries that were.
async fn read_before(
    connection: &Connection,
    setup: &Setup,
    (log_from, from): (u64, Millis),
    restored: &[Cut],
    lanes: &mut [Lane],
    ledgers: &[Arc<Ledger>],
) -> Result<u64, BacktestError> {
    let period = Period {
        from: Some(Edge::Sequence(log_from)),
        to: None,
    };
    let mut log = History::log(connection, &Whose::All, period).await?;
    let mut entries = 0;
    while let Some(batch) = log.next_batch(MESSAGES).await? {
        for message in batch {
            let Some(lane) = lane_of(&message.subject).filter(|lane| *lane < setup.partitions)
            else {
                continue;
            };
            let cut = restored.iter().find(|cut| cut.partition == lane);
            if cut.is_some_and(|cut| message.sequence <= cut.log) {
                continue;
            }
            let live = read_log(&message)?;
            if let LogItem::Entry { logged, .. } = &live.item
                && policy_time(logged).unwrap_or(live.stored_at) < from
            {
                entries += 1;
                if let Logged::Decision(decision) = logged {
                    spend(ledgers, lane, decision, setup);
                }
                for run in &mut lanes[usize::from(lane)].runs {
                    run.recovery.take(live.item.clone());
                }
            }
        }
    }
    Ok(entries)
}

fn spend(ledgers: &[Arc<Ledger>], lane: u16, decision: &LoggedDecision, setup: &Setup) {
    if let Some(draw) = decision.draw(&setup.zone) {
        for ledger in ledgers {
            ledger.add(lane, &draw);
        }
    }
}

/// When something was decided; `None` if it does not say.
fn policy_time(logged: &Logged) -> Option<Millis> {
    match logged {
        Logged::Decision(decision) => Some(decision.at),
        Logged::Timer(record) => Some(record.at),
        Logged::Conversion(record) => Some(record.at),
        Logged::Outcome(record) => Some(record.at),
        Logged::Sweep(record) => Some(record.at),
        Logged::Progress(record) => Some(record.at),
        // The others say it by when they were stored.
        _ => None,
    }
}

/// Partitions that know nothing yet, with their rule sets; they are led by what was decided `live`, if that is what is
/// compared with.
pub(super) fn lanes(setup: &Setup, ledgers: &[Arc<Ledger>], live: bool) -> Vec<Lane> {
    let lane = |number| {
        let led = (live && setup.against.is_none()).then(|| Led::new(&setup.rules));
        let run = |((side, rules), ledger): ((Side, &Arc<RuleSet>), &Arc<Ledger>)| {
            let run = Run::new(number, side, rules, ledger, setup);
            match &led {
                Some(led) => run.following(led.precedents.clone()),
                None => run,
            }
        };
        Lane {
            number,
            runs: setup.sides().zip(ledgers).map(run).collect(),
            comparison: Default::default(),
            contacts: Default::default(),
            evidence: Default::default(),
            counts: Default::default(),
            led,
            due: None,
            through: 0,
            period: setup.from.unwrap_or(Millis::MIN)..setup.to.unwrap_or(Millis::MAX),
            zone: setup.zone.clone(),
        }
    };
    (0..setup.partitions).map(lane).collect()
}
