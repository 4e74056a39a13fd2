//! A consistent cut of a partition, taken while it goes on (DESIGN, law 4).
//!
//! The cut is what the partition knew when it began. Its customers are written by somebody else, on a thread of
//! their own; one that is about to change is kept as it was until the cut has been written. So what is written is
//! all of one moment, and nobody waits for it.

use super::members::Members;
use super::record::{Place, QuarantineRecord, SweepKey};
use super::sweep::Sweep;
use super::{Broadcasts, Partition};
use crate::clock::Millis;
use crate::partitioning::CustomerId;
use crate::policy::{Held, Switches};
use crate::state::{
    CodecError, Customer, CustomerDecoder, CustomerEncoder, Customers, Remembered, Spending,
    SpentAccount,
};
use dashmap::DashMap;
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a partition knows beside its customers. Timers are not in it: customers know what they wait for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rest {
    /// Every event up to this sequence has been stepped.
    pub position: u64,
    /// Policy time.
    pub clock: Option<Millis>,
    /// Broadcasts and daily triggers that are not done with. They begin anew: what is in the log is not said
    /// again.
    pub sweeps: Vec<OpenSweep>,
    /// The broadcasts that were seen.
    pub broadcasts: Broadcasts,
    /// What the log said that budgets had spent.
    pub spending: Vec<SpentAccount>,
    /// Rules in quarantine.
    pub quarantines: Vec<QuarantineRecord>,
    /// What people have switched off; checkpoints of engines that knew no switches have none.
    #[serde(default, skip_serializing_if = "is_untouched")]
    pub switches: Arc<Switches>,
}

fn is_untouched(switches: &Arc<Switches>) -> bool {
    switches.is_untouched()
}

/// A broadcast or a daily trigger that is not done with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenSweep {
    /// Which.
    pub key: SweepKey,
    /// What it is about.
    pub occasion: Arc<Remembered>,
    /// Policy time.
    pub at: Millis,
    /// How often it had been begun before.
    #[serde(default, skip_serializing_if = "super::record::is_zero")]
    pub run: u32,
}

/// The customers of a cut, to be written by somebody else while the partition goes on. When this is dropped, the cut
/// is given up.
#[derive(Debug)]
pub struct CutCustomers {
    customers: Arc<Customers>,
    members: Members,
    early: Arc<Early>,
    encoder: CustomerEncoder,
    /// The next of the members to be written.
    next: usize,
    written: u64,
}

impl CutCustomers {
    /// Writes at most so many further customers behind `out`; tells whether all have been written.
    pub fn write(&mut self, customers_max: usize, out: &mut Vec<u8>) -> bool {
        let mut left = customers_max;
        for id in self.members.from(self.next) {
            if left == 0 {
                return false;
            }
            left -= 1;
            self.next += 1;
            // In this order: whoever changed in between was kept before.
            let now = self.customers.get(id.as_str());
            if let Some(customer) = self.early.get(id).or(now) {
                let names = self.customers.names();
                self.encoder.encode(id, &customer, names, out);
                self.written += 1;
            }
        }
        true
    }

    /// How many customers have been written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }
}

/// Those who have changed since a cut, as they were then.
#[derive(Debug, Default)]
pub(super) struct Early(DashMap<CustomerId, Arc<Customer>, RandomState>);

impl Early {
    fn get(&self, id: &CustomerId) -> Option<Arc<Customer>> {
        self.0.get(id).map(|customer| customer.clone())
    }

    fn keep(&self, id: &CustomerId, customers: &Customers) {
        if self.0.contains_key(id) {
            return;
        }
        // Whoever is not there yet is not of the cut; and whoever was written already is kept for nothing, which
        // costs less than to know.
        if let Some(customer) = customers.get(id.as_str()) {
            self.0.insert(id.clone(), customer);
        }
    }
}

impl Partition {
    /// Begins a cut as of now: what belongs to it beside the customers, and the customers, to be written while the
    /// partition goes on. One that was begun before must have ended.
    pub fn begin_cut(&mut self) -> (Rest, CutCustomers) {
        let early = Arc::new(Early::default());
        self.cut = Arc::downgrade(&early);
        let rest = Rest {
            position: self.position,
            clock: self.clock,
            sweeps: self.sweeps.iter().map(Sweep::open).collect(),
            broadcasts: self.broadcasts.clone(),
            spending: self.spending.accounts(),
            quarantines: self.quarantines(),
            switches: self.switches.clone(),
        };
        let customers = CutCustomers {
            customers: self.customers.clone(),
            members: self.members.clone(),
            early,
            encoder: CustomerEncoder::new(),
            next: 0,
            written: 0,
        };
        (rest, customers)
    }

    /// Somebody is about to change: if a cut is being written, they are kept for it as they are.
    pub(super) fn keep_for_cut(&self, id: &CustomerId) {
        if let Some(early) = self.cut.upgrade() {
            early.keep(id, &self.customers);
        }
    }

    /// Takes what belongs to a cut beside the customers.
    pub fn restore(&mut self, rest: &Rest) {
        self.position = rest.position;
        self.clock = rest.clock;
        self.sweeps = rest.sweeps.iter().map(Sweep::reopen).collect();
        self.broadcasts = rest.broadcasts.clone();
        self.spending = Spending::of(&rest.spending);
        self.switches = rest.switches.clone();
        for record in &rest.quarantines {
            self.hold(record);
        }
    }

    fn quarantines(&self) -> Vec<QuarantineRecord> {
        let held = self.quarantine.held().into_iter();
        held.map(|(rule, digest, held)| QuarantineRecord {
            rule,
            digest,
            until: held.until,
            times: held.times,
            place: Place::default(),
        })
        .collect()
    }

    /// Goes on not asking a rule that was put into quarantine.
    pub(super) fn hold(&self, record: &QuarantineRecord) {
        let held = Held {
            until: record.until,
            times: record.times,
        };
        self.quarantine.restore(&record.rule, record.digest, held);
    }

    /// Begins to take the customers of a cut.
    #[must_use]
    pub fn restoring(&self) -> Restoring {
        Restoring(CustomerDecoder::new())
    }

    /// The sequences of the broadcasts that are not done with.
    pub fn open_broadcasts(&self) -> impl Iterator<Item = u64> {
        self.sweeps.iter().filter_map(|sweep| match &sweep.key {
            SweepKey::Broadcast(sequence) => Some(*sequence),
            SweepKey::Daily { .. } => None,
        })
    }

    /// Takes a customer as they are.
    pub(crate) fn adopt(&mut self, id: CustomerId, customer: Customer) {
        self.member_zones.insert(customer.profile.time_zone());
        for pending in customer.pending.iter() {
            self.timers.push(pending.due, &id, pending.entry);
        }
        self.households.adopt(&id, &customer);
        self.members.push(id.clone());
        self.customers.insert(id, customer);
    }

    /// Forgets all its customers, as when a cut turns out to be damaged half-way.
    pub fn forget_members(&mut self) {
        self.households.forget();
        for id in std::mem::take(&mut self.members).iter() {
            self.customers.remove(id);
        }
    }
}

/// Takes the customers of a cut, in the order in which they were written.
#[derive(Debug)]
pub struct Restoring(CustomerDecoder);

impl Restoring {
    /// Takes the customers of a block; returns how many were written there.
    ///
    /// # Errors
    /// When the bytes cannot be understood.
    pub fn take(&mut self, partition: &mut Partition, mut bytes: &[u8]) -> Result<u64, CodecError> {
        let customers = partition.customers.clone();
        let mut taken = 0;
        while let Some((id, customer)) = self.0.decode(&mut bytes, customers.names())? {
            taken += 1;
            // Written twice, it is the same.
            if customers.get(id.as_str()).is_none() {
                partition.adopt(id, customer);
            }
        }
        Ok(taken)
    }
}
