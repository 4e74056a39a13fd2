//! Where the demands of all partitions on scarce budgets meet when a broadcast goes out.

use super::turns::{Turn, Turnstile};
use crate::partition::SweepKey;
use crate::policy::{self, Demand};
use crate::state::{Drawn, Ledger};
use std::collections::BTreeMap;
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};

/// What one partition wants for a broadcast.
pub(super) struct Wanted {
    pub(super) lane: u16,
    pub(super) key: SweepKey,
    pub(super) demands: Vec<Demand>,
}

type ByLane<T> = BTreeMap<SweepKey, BTreeMap<u16, T>>;

/// Gathers what all threads bring, and shares it out in one order over all customers.
#[derive(Debug)]
pub(super) struct Exchange {
    turnstile: Arc<Turnstile>,
    barrier: Barrier,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    wanted: ByLane<Vec<Demand>>,
    granted: Arc<ByLane<Vec<bool>>>,
}

impl Exchange {
    pub(super) fn new(turnstile: Arc<Turnstile>, threads: usize) -> Self {
        Self {
            turnstile,
            barrier: Barrier::new(threads),
            table: Mutex::default(),
        }
    }

    /// Brings what the partitions of a thread want; returns which demands of all partitions were covered, once all threads
    /// have come. All come, also those that want nothing; `None` if nobody wanted anything.
    pub(super) fn weigh(
        &self,
        (thread, turn): (usize, Turn),
        wanted: Vec<Wanted>,
        ledger: &Ledger,
    ) -> Option<Arc<ByLane<Vec<bool>>>> {
        for Wanted { lane, key, demands } in wanted {
            let mut table = self.lock();
            let own = table.wanted.entry(key).or_default();
            own.insert(lane, demands);
        }
        // Everybody stands aside, so that whoever shares out need not wait for them.
        self.turnstile.stand(thread, Turn::LAST);
        if self.barrier.wait().is_leader() {
            let wanted = std::mem::take(&mut self.lock().wanted);
            let granted = wanted.into_iter().map(|(key, by_lane)| {
                let granted = share_out(&by_lane, ledger);
                (key, granted)
            });
            let granted = Arc::new(granted.collect());
            self.lock().granted = granted;
        }
        self.barrier.wait();
        let granted = self.lock().granted.clone();
        self.turnstile.stand(thread, turn);
        // Nobody draws before everybody is back in line.
        self.barrier.wait();
        (!granted.is_empty()).then_some(granted)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn share_out(by_lane: &BTreeMap<u16, Vec<Demand>>, ledger: &Ledger) -> BTreeMap<u16, Vec<bool>> {
    let all = by_lane.iter();
    let all = all.flat_map(|(lane, own)| own.iter().map(move |demand| (*lane, demand.clone())));
    let (lanes, demands): (Vec<u16>, Vec<Demand>) = all.unzip();
    let covered = policy::allot(&demands, |at| {
        let Demand { draw, budget, .. } = &demands[at];
        ledger.draw(lanes[at], draw, budget) == Drawn::Paid
    });
    let mut granted: BTreeMap<u16, Vec<bool>> =
        by_lane.keys().map(|lane| (*lane, Vec::new())).collect();
    for (lane, covered) in lanes.into_iter().zip(covered) {
        granted.entry(lane).or_default().push(covered);
    }
    granted
}
