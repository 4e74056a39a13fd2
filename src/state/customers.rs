//! All customers of this engine, by id.

use super::customer::Customer;
use super::names::Names;
use crate::event::{Direction, Stage};
use crate::partitioning::CustomerId;
use dashmap::DashMap;
use foldhash::fast::RandomState;
use std::sync::Arc;

/// Parts of the map, each with a lock of its own. So many that partitions seldom meet at one, and that none takes long to
/// grow.
const SHARDS: usize = 256;

/// The customer map. Each customer is written only by the task that owns its partition; a reader
/// takes a snapshot, which the writer leaves alone (copy on write).
#[derive(Debug)]
pub struct Customers {
    map: DashMap<CustomerId, Arc<Customer>, RandomState>,
    names: Names,
}

impl Default for Customers {
    /// No customers; the words that filters compare with stages and directions are known.
    fn default() -> Self {
        let names = Names::default();
        for word in Stage::WORDS.iter().chain(Direction::WORDS) {
            names.intern(word);
        }
        Self {
            map: DashMap::with_capacity_and_hasher_and_shard_amount(
                0,
                RandomState::default(),
                SHARDS,
            ),
            names,
        }
    }
}

impl Customers {
    /// The words that customers' states refer to.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// How many customers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// A snapshot of one customer.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Customer>> {
        self.map.get(id).map(|customer| customer.clone())
    }

    /// Changes a customer, who is made by `new` if unknown, and returns a snapshot with what
    /// `change` returned.
    pub fn update<T>(
        &self,
        id: &CustomerId,
        new: impl FnOnce() -> Customer,
        change: impl FnOnce(&mut Customer) -> T,
    ) -> (Arc<Customer>, T) {
        let mut entry = match self.map.get_mut(id) {
            Some(entry) => entry,
            None => self
                .map
                .entry(id.clone())
                .or_insert_with(|| Arc::new(new())),
        };
        let changed = change(Arc::make_mut(&mut entry));
        (entry.clone(), changed)
    }

    /// Puts in a customer as a checkpoint has them.
    pub fn insert(&self, id: CustomerId, customer: Customer) {
        self.map.insert(id, Arc::new(customer));
    }

    /// Forgets a customer.
    pub fn remove(&self, id: &CustomerId) {
        self.map.remove(id);
    }

    /// Forgets every customer for whom `keep` is false, as when a partition is given up.
    pub fn retain(&self, mut keep: impl FnMut(&CustomerId) -> bool) {
        self.map.retain(|id, _| keep(id));
    }

    /// Every customer's id and state, in no order; one shard at a time is read.
    pub fn for_each(&self, mut visit: impl FnMut(&CustomerId, &Arc<Customer>)) {
        for entry in &self.map {
            visit(entry.key(), entry.value());
        }
    }
}
