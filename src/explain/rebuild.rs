//! A customer as of just before one of their events, put together as a partition is at a start: from a checkpoint,
//! the events since, and what the log says was decided about them.

use crate::durable::{Checkpoint, CheckpointError, LogItem, Recovery};
use crate::event::Incoming;
use crate::partition::{Input, Logged, Partition, Rest};
use crate::partitioning::CustomerId;
use crate::state::{Customer, Customers, JournalLimits, Ledger};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// What a partition is made with.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) journal: JournalLimits,
    pub(super) zone: TimeZone,
}

/// Where it begins.
pub(super) struct Base {
    /// The checkpoint's number.
    pub(super) number: u64,
    /// Every event up to here is in it.
    pub(super) through: u64,
    /// The customer, and whoever was contacted under the key of a household: with them, caps may be shared.
    customers: Vec<(CustomerId, Customer)>,
    rest: Rest,
}

/// One customer's past up to an event.
pub(super) struct Past {
    setting: Setting,
    id: CustomerId,
    customers: Arc<Customers>,
    base: Option<Base>,
    /// The customer's events after the base and before the event.
    events: Vec<Input>,
    /// What the log says of them.
    log: Vec<LogItem>,
}

impl Past {
    pub(super) fn new(setting: Setting, id: CustomerId) -> Self {
        Self {
            setting,
            id,
            customers: Arc::default(),
            base: None,
            events: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Begins with a checkpoint.
    pub(super) fn begin_with(
        &mut self,
        number: u64,
        checkpoint: &Checkpoint,
    ) -> Result<(), CheckpointError> {
        let cut = checkpoint.cut();
        let mut rest = cut.rest.clone();
        // What goes through many customers is not gone through here.
        rest.sweeps.clear();
        let names = self.customers.names();
        let mut customers = checkpoint.customers_that(names, |id, customer| {
            let contacts = customer.contacts.all();
            *id == self.id || contacts.iter().any(|contact| contact.household.is_some())
        })?;
        for (id, customer) in &mut customers {
            if *id != self.id {
                // What they wait for is theirs, and is not gone on with.
                customer.pending = Default::default();
            }
        }
        self.base = Some(Base {
            number,
            through: cut.through,
            customers,
            rest,
        });
        Ok(())
    }

    /// Takes the customer's events from the base on, and what the log says of them.
    pub(super) fn go_on_with(&mut self, events: Vec<Input>, log: Vec<LogItem>) {
        let is_event = |input: &Input| matches!(input.what, Incoming::Event(_));
        self.events = events.into_iter().filter(is_event).collect();
        self.log = log;
        self.log.retain_mut(|item| concerns(item, &self.id));
    }

    /// How many events and entries of the log are folded.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.events.len(), self.log.len())
    }

    pub(super) fn id(&self) -> &CustomerId {
        &self.id
    }

    pub(super) fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    pub(super) fn customers(&self) -> &Arc<Customers> {
        &self.customers
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.setting.zone
    }

    pub(super) fn limits(&self) -> JournalLimits {
        self.setting.journal
    }

    /// A partition of this customer alone, as of just before the event; each is independent of those before.
    pub(super) fn partition(&self, ledger: Arc<Ledger>) -> Partition {
        let Setting { journal, zone } = &self.setting;
        self.customers.retain(|_| false);
        let mut partition = Partition::new(self.customers.clone(), *journal, zone.clone())
            .listing_silenced()
            .listing_checks();
        partition.spend_from(ledger);
        let through = self.base.as_ref().map_or(0, |base| base.through);
        if let Some(base) = &self.base {
            for (id, customer) in &base.customers {
                partition.adopt(id.clone(), customer.clone());
            }
            partition.restore(&base.rest);
        }
        let mut recovery = Recovery::from(through);
        for item in &self.log {
            recovery.take(item.clone());
        }
        for input in &self.events {
            recovery.before(input.sequence, &mut partition);
            partition.fold(input);
        }
        recovery.finish(&mut partition);
        partition
    }

    /// The customer as rules saw them: with the event applied and before anything was decided about it, and its place
    /// in the journal. `None` if the event changed nothing: it was seen before, or is too old.
    pub(super) fn standing(&self, input: &Input) -> Option<(Arc<Customer>, usize)> {
        let Incoming::Event(event) = &input.what else {
            return None;
        };
        let known = self.customers.get(self.id.as_str());
        let mut customer = known.map_or_else(
            || Customer::new(event.time),
            |customer| Customer::clone(&customer),
        );
        match customer.apply(event, self.customers.names(), self.limits()) {
            crate::state::Applied::At(index) => Some((Arc::new(customer), index)),
            crate::state::Applied::Duplicate | crate::state::Applied::TooOld(_) => None,
        }
    }
}

/// Whether an entry of the log is about a customer, about somebody with whom caps may be shared, or about all.
fn concerns(item: &mut LogItem, id: &CustomerId) -> bool {
    let LogItem::Entry { logged, .. } = item else {
        return false;
    };
    match logged {
        Logged::Decision(decision) if decision.customer == *id => true,
        Logged::Decision(decision) => {
            // What comes next of it is theirs, and is not gone on with.
            decision.next = None;
            decision.household.is_some()
        }
        Logged::Timer(record) => *record.customer == *id.as_str(),
        Logged::Conversion(record) => *record.customer == *id.as_str(),
        Logged::Outcome(record) => *record.customer == *id.as_str(),
        // Nothing is gone through customer by customer here.
        Logged::Sweep(_) | Logged::Progress(_) => false,
        // What is of rules, and not of anybody.
        _ => true,
    }
}
