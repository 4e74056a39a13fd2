//! Where the demands of all partitions on scarce budgets meet, a broadcast at a time.

use super::listeners::Listeners;
use crate::partition::SweepKey;
use crate::policy::Demand;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Gathers demands until every partition of this engine has spoken, so that what is shared out does not
/// depend on which partition was first.
#[derive(Debug)]
pub(super) struct Allotments {
    gatherings: Mutex<Gatherings>,
    /// Changes whenever something was shared out.
    settled: Listeners<u64>,
}

/// What all partitions want for a broadcast, or one for a daily trigger of its own.
#[derive(Clone, Debug)]
pub(super) struct Gathering {
    pub(super) key: SweepKey,
    pub(super) demands: BTreeMap<u16, Vec<Demand>>,
}

#[derive(Debug, Default)]
struct Gatherings {
    open: HashMap<u64, BTreeMap<u16, Vec<Demand>>>,
    /// In which every partition has spoken.
    ready: Vec<Gathering>,
    granted: HashMap<(SweepKey, u16), Vec<bool>>,
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
    pub(super) fn new() -> Self {
        Self {
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
        self.complete(&mut gatherings, broadcast);
    }

    /// Hands a partition's demands in.
    pub(super) fn submit(&self, key: SweepKey, partition: u16, demands: Vec<Demand>) {
        let mut gatherings = self.lock();
        match key {
            SweepKey::Broadcast(broadcast) => {
                let open = gatherings.open.entry(broadcast).or_default();
                open.insert(partition, demands);
                self.complete(&mut gatherings, broadcast);
            }
            SweepKey::Daily { .. } => {
                let demands = BTreeMap::from([(partition, demands)]);
                gatherings.ready.push(Gathering { key, demands });
            }
        }
    }

    /// The gatherings in which every partition has spoken; each is given out once, to be weighed.
    pub(super) fn ready(&self) -> Vec<Gathering> {
        std::mem::take(&mut self.lock().ready)
    }

    /// Notes which demands were covered, of each partition.
    pub(super) fn settle(&self, key: &SweepKey, granted: BTreeMap<u16, Vec<bool>>) {
        let mut gatherings = self.lock();
        for (partition, own) in granted {
            gatherings.granted.insert((key.clone(), partition), own);
        }
        gatherings.settled += 1;
        self.settled.tell(gatherings.settled);
    }

    /// What was granted to a partition, once it is known.
    pub(super) fn take(&self, key: &SweepKey, partition: u16) -> Option<Vec<bool>> {
        self.lock().granted.remove(&(key.clone(), partition))
    }

    fn complete(&self, gatherings: &mut Gatherings, broadcast: u64) {
        let Some(open) = gatherings.open.get(&broadcast) else {
            return;
        };
        let missing = gatherings.begun.keys().filter(|partition| {
            !open.contains_key(partition) && !gatherings.is_absent(broadcast, **partition)
        });
        if missing.count() > 0 {
            return;
        }
        if let Some(demands) = gatherings.open.remove(&broadcast) {
            let key = SweepKey::Broadcast(broadcast);
            gatherings.ready.push(Gathering { key, demands });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gatherings> {
        self.gatherings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
