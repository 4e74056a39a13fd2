//! Deals history out to threads.

use super::lane::Lane;
use super::run::BacktestError;
use super::tally::Tally;
use super::turns::Turn;
use super::worker::{Batch, Shared, Work, Worker};
use std::collections::BTreeSet;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};

/// Parts of history that wait for a thread before reading pauses.
const BATCHES_MAX: usize = 8;

/// Where history comes from.
pub(super) trait Feed {
    /// The next part, in order; none at the end.
    fn next(&mut self) -> Result<Option<Dealt>, BacktestError>;
}

/// A part of history.
pub(super) struct Dealt {
    pub(super) works: Vec<Work>,
    /// How many events it has.
    pub(super) events: u64,
    /// Everything before this has been given out.
    pub(super) until: Turn,
}

/// What came of it.
pub(super) struct Done {
    /// In order.
    pub(super) lanes: Vec<Lane>,
    /// What was decided live.
    pub(super) live: Tally,
}

/// Takes partitions through history on so many threads; `tell` is told after each part. What comes out does not depend
/// on the number of threads.
pub(super) fn work(
    shared: &Arc<Shared>,
    lanes: Vec<Lane>,
    threads: usize,
    feed: &mut dyn Feed,
    tell: &mut dyn FnMut(&Dealt),
) -> Result<Done, BacktestError> {
    let workers = hire(shared, lanes, threads);
    let (fed, workers) = std::thread::scope(|scope| {
        let mut senders = Vec::new();
        let mut running = Vec::new();
        for worker in workers {
            let (sender, receiver) = sync_channel(BATCHES_MAX);
            senders.push(sender);
            running.push(scope.spawn(move || worker.run(&receiver)));
        }
        let fed = deal_all(&senders, feed, tell);
        drop(senders);
        let workers: Vec<_> = running.into_iter().map(|thread| thread.join()).collect();
        (fed, workers)
    });
    fed?;
    let mut done = Done {
        lanes: Vec::new(),
        live: Tally::default(),
    };
    for worker in workers {
        let worker = worker.map_err(|_| BacktestError::Worker)?;
        done.lanes.extend(worker.lanes);
        done.live.add(worker.live);
    }
    done.lanes.sort_by_key(|lane| lane.number);
    let failure = shared
        .failure
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(done),
    }
}

fn hire(shared: &Arc<Shared>, lanes: Vec<Lane>, threads: usize) -> Vec<Worker> {
    let mut workers: Vec<Worker> = (0..threads)
        .map(|thread| Worker {
            shared: shared.clone(),
            thread,
            lanes: Vec::new(),
            threads,
            live: Tally::default(),
            dues: BTreeSet::new(),
            has_begun: false,
        })
        .collect();
    for lane in lanes {
        workers[shared.turnstile.thread_of(lane.number)]
            .lanes
            .push(lane);
    }
    workers
}

fn deal_all(
    senders: &[SyncSender<Batch>],
    feed: &mut dyn Feed,
    tell: &mut dyn FnMut(&Dealt),
) -> Result<(), BacktestError> {
    while let Some(mut dealt) = feed.next()? {
        let mut parts: Vec<Vec<Work>> = senders.iter().map(|_| Vec::new()).collect();
        for work in dealt.works.drain(..) {
            match &work {
                Work::Stored(lane, ..) | Work::Event(lane, _) | Work::Log(lane, _) => {
                    parts[usize::from(*lane) % senders.len()].push(work);
                }
                Work::Broadcast(_) => parts.iter_mut().for_each(|part| part.push(work.clone())),
            }
        }
        for (works, sender) in parts.into_iter().zip(senders) {
            let until = dealt.until;
            // Whoever has ended did so with a panic, which is told when the threads are joined.
            let _ = sender.send(Batch { works, until });
        }
        tell(&dealt);
    }
    Ok(())
}
