//! Where the demands of all partitions on scarce budgets meet, a broadcast at a time.

use super::listeners::Listeners;
use crate::policy::{self, Demand};
use crate::state::Ledger;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Gathers demands until every partition has spoken, and shares the budgets out then: so the result does not
/// depend on which partition was first.
#[derive(Debug)]
pub(super) struct Allotments {
    ledger: Arc<Ledger>,
    gatherings: Mutex<Gatherings>,
    /// Changes whenever something was shared out.
    settled: Listeners<u64>,
}

#[derive(Debug, Default)]
struct Gatherings {
    open: HashMap<u64, BTreeMap<u16, Vec<Demand>>>,
    granted: HashMap<(u64, u16), Vec<bool>>,
    /// Partitions that will never ask for a broadcast: they were done with it before this start, or
    /// could not read it.
    absent: HashSet<(u64, u16)>,
    /// The first event that each partition reads since this start, and the broadcasts before it that it is not
    /// done with.
    begun: HashMap<u16, (u64, HashSet<u64>)>,
    /// How often something was shared out.
    settled: u64,
}

impl Gatherings {
    /// Whether a partition will never ask for a broadcast.
    fn is_absent(&self, broadcast: u64, partition: u16) -> bool {
        let was_done =
            |(from, open): &(u64, HashSet<u64>)| broadcast < *from && !open.contains(&broadcast);
        self.absent.contains(&(broadcast, partition))
            || self.begun.get(&partition).is_some_and(was_done)
    }
}

impl Allotments {
    pub(super) fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            gatherings: Mutex::default(),
            settled: Listeners::new(0),
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.settled.listen()
    }

    /// Notes where a partition begins to read, and which broadcasts before that it is not done with.
    pub(super) fn begin_at(&self, partition: u16, from: u64, open: HashSet<u64>) {
        self.lock().begun.insert(partition, (from, open));
    }

    /// Notes that a partition has no demands for a broadcast and never will.
    pub(super) fn excuse(&self, broadcast: u64, partition: u16) {
        let mut gatherings = self.lock();
        gatherings.absent.insert((broadcast, partition));
        self.settle(&mut gatherings, broadcast);
    }

    /// Hands a partition's demands in.
    pub(super) fn submit(&self, broadcast: u64, partition: u16, demands: Vec<Demand>) {
        let mut gatherings = self.lock();
        let open = gatherings.open.entry(broadcast).or_default();
        open.insert(partition, demands);
        self.settle(&mut gatherings, broadcast);
    }

    /// What was granted to a partition, once it is known.
    pub(super) fn take(&self, broadcast: u64, partition: u16) -> Option<Vec<bool>> {
        self.lock().granted.remove(&(broadcast, partition))
    }

    fn settle(&self, gatherings: &mut Gatherings, broadcast: u64) {
        let Some(open) = gatherings.open.get(&broadcast) else {
            return;
        };
        let missing = gatherings.begun.keys().filter(|partition| {
            !open.contains_key(partition) && !gatherings.is_absent(broadcast, **partition)
        });
        if missing.count() > 0 {
            return;
        }
        let Some(open) = gatherings.open.remove(&broadcast) else {
            return;
        };
        let sizes: Vec<(u16, usize)> = open
            .iter()
            .map(|(p, demands)| (*p, demands.len()))
            .collect();
        let all: Vec<Demand> = open.into_values().flatten().collect();
        let mut granted = policy::allot(&self.ledger, &all).into_iter();
        for (partition, size) in sizes {
            let own = granted.by_ref().take(size).collect();
            gatherings.granted.insert((broadcast, partition), own);
        }
        gatherings.settled += 1;
        self.settled.tell(gatherings.settled);
    }

    fn lock(&self) -> MutexGuard<'_, Gatherings> {
        self.gatherings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
