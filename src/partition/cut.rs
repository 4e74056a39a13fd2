//! A consistent cut of a partition, taken while it goes on (DESIGN, law 4).
//!
//! The cut is what the partition knew when it began. Customers are written one slice after another; one that
//! is about to change and was not written yet is written first. So what is written is all of one moment, and
//! nobody waits for it.

use super::record::{Place, QuarantineRecord, SweepKey};
use super::sweep::Sweep;
use super::{Broadcasts, Partition};
use crate::clock::Millis;
use crate::partitioning::CustomerId;
use crate::policy::Held;
use crate::state::{
    CodecError, Customer, CustomerDecoder, CustomerEncoder, Remembered, Spending, SpentAccount,
};
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
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
}

/// A cut that is being written.
#[derive(Debug)]
pub(super) struct Cut {
    encoder: CustomerEncoder,
    /// How many of the members there were.
    members: usize,
    /// The next of them to be written.
    next: usize,
    /// Those who changed since, and were written before they did.
    early: HashSet<CustomerId, RandomState>,
    customers: u64,
    buffer: Vec<u8>,
}

impl Cut {
    fn write(&mut self, id: &CustomerId, partition: &super::Customers) {
        if let Some(customer) = partition.get(id.as_str()) {
            let names = partition.names();
            self.encoder.encode(id, &customer, names, &mut self.buffer);
            self.customers += 1;
        }
    }
}

impl Partition {
    /// Begins a cut as of now, and returns what belongs to it beside the customers. One that was begun before
    /// is given up.
    pub fn begin_cut(&mut self) -> Rest {
        self.cut = Some(Box::new(Cut {
            encoder: CustomerEncoder::new(),
            members: self.members.len(),
            next: 0,
            early: HashSet::default(),
            customers: 0,
            buffer: Vec::new(),
        }));
        Rest {
            position: self.position,
            clock: self.clock,
            sweeps: self.sweeps.iter().map(Sweep::open).collect(),
            broadcasts: self.broadcasts.clone(),
            spending: self.spending.accounts(),
            quarantines: self.quarantines(),
        }
    }

    /// Writes at most so many further customers; tells whether all have been written.
    pub fn write_cut(&mut self, customers_max: usize) -> bool {
        let Some(cut) = &mut self.cut else {
            return true;
        };
        let end = cut.members.min(cut.next.saturating_add(customers_max));
        for id in &self.members[cut.next..end] {
            if !cut.early.contains(id) {
                cut.write(id, &self.customers);
            }
        }
        cut.next = end;
        end == cut.members
    }

    /// What was written since it was last taken, if it is at least so many bytes.
    pub fn take_cut(&mut self, bytes_min: usize) -> Option<Vec<u8>> {
        let cut = self.cut.as_mut()?;
        let is_enough = !cut.buffer.is_empty() && cut.buffer.len() >= bytes_min;
        is_enough.then(|| std::mem::take(&mut cut.buffer))
    }

    /// Ends the cut, and returns how many customers were written; 0 if there is none.
    pub fn end_cut(&mut self) -> u64 {
        self.cut.take().map_or(0, |cut| cut.customers)
    }

    /// Somebody is about to change: if a cut is being written and they are not, they come first.
    pub(super) fn write_before_change(&mut self, id: &CustomerId) {
        if let Some(cut) = &mut self.cut
            && cut.next < cut.members
            && cut.early.insert(id.clone())
        {
            // Whoever is not there yet is not of the cut, and whoever was passed already is written twice, the
            // same: it costs less than to know.
            cut.write(id, &self.customers);
        }
    }

    /// Takes what belongs to a cut beside the customers.
    pub fn restore(&mut self, rest: &Rest) {
        self.position = rest.position;
        self.clock = rest.clock;
        self.sweeps = rest.sweeps.iter().map(Sweep::reopen).collect();
        self.broadcasts = rest.broadcasts.clone();
        self.spending = Spending::of(&rest.spending);
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
        self.members.push(id.clone());
        self.customers.insert(id, customer);
    }

    /// Forgets all its customers, as when a cut turns out to be damaged half-way.
    pub fn forget_members(&mut self) {
        for id in std::mem::take(&mut self.members) {
            self.customers.remove(&id);
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
