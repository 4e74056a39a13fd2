//! One partition's step: events in, entries for the log out. A pure function of state, rules, events
//! and the clock it is given: no I/O, no wall clock.
//!
//! In the order in which an event meets them: [`step`] applies it, fires what was due before it
//! ([`timer`]) and asks the rules ([`event`]); [`case`] is what deciding about an event, a timer and a
//! broadcast ([`sweep`]) have in common, [`speak`] the part of it that says something; [`note`] puts what was decided into state, the same way
//! whether it was decided just now or is read from the log; [`cut`] takes a checkpoint of all that while it
//! goes on; [`output`] is what goes in and comes out, [`record`] what of it the log keeps.

mod broadcasts;
mod case;
mod control;
mod cut;
mod demand;
mod event;
mod fallback;
mod households;
mod members;
mod note;
mod outcome;
mod output;
mod progress;
mod record;
mod sift;
mod speak;
mod step;
mod sweep;
mod till;
mod timer;
mod trial;

use crate::clock::Millis;
use crate::policy::{Quarantine, Switches};
use crate::rules::{Function, Rule, RuleSet};
use crate::state::{Customer, Customers, JournalLimits, Ledger, Name, Spending};
use jiff::tz::TimeZone;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Weak};

pub use broadcasts::Broadcasts;
pub use cut::{CutCustomers, OpenSweep, Rest, Restoring};
pub use output::{Input, Output, Parked, Quarantined, RuleChecks, Silenced};
pub use progress::Sweeping;
pub use record::{
    ControlRecord, ConversionRecord, LogEntry, Logged, LoggedDecision, OutcomeRecord, Place,
    ProgressRecord, QuarantineRecord, SweepKey, SweepRecord, TimerChange, TimerRecord,
};
pub use till::Precedents;

/// The customers of one partition, and how to step them.
#[derive(Debug)]
pub struct Partition {
    customers: Arc<Customers>,
    limits: JournalLimits,
    /// Which partition it is, for those who share budgets.
    number: u16,
    ledger: Arc<Ledger>,
    /// What the log says that budgets have spent.
    spending: Spending,
    quarantine: Arc<Quarantine>,
    /// What people have switched off, as the log says.
    switches: Arc<Switches>,
    /// Of customers whose profile names none.
    default_zone: TimeZone,
    zones: RefCell<HashMap<Name, TimeZone>>,
    book: Book,
    /// Every customer of the partition, in the order in which they were first seen.
    members: members::Members,
    /// The time zones that profiles name; `None` for those that name none.
    member_zones: BTreeSet<Option<Name>>,
    /// Every event up to this sequence has been stepped.
    position: u64,
    /// An event that was applied and waits for a grant to be decided about.
    undecided: Option<Applied>,
    /// The event of the last outcome that was recorded.
    reported: Option<u64>,
    /// Policy time: nothing that is due up to it is still to come.
    clock: Option<Millis>,
    timers: timer::Timers,
    daily: timer::DailyClock,
    sweeps: VecDeque<sweep::Sweep>,
    /// The broadcasts that were seen.
    broadcasts: Broadcasts,
    /// Who was contacted under which household's key.
    households: households::Households,
    /// Whom a checkpoint that is being written still needs as they were.
    cut: Weak<cut::Early>,
    /// What became of the same draws when they were decided before.
    precedents: Option<Arc<dyn Precedents>>,
    /// Whether others spend the same budgets at the same time.
    shares_budgets: bool,
    /// Whether proposals that did not go out are listed.
    list_silenced: bool,
    /// Whether everything that was asked about a rule is listed.
    list_checks: bool,
    /// Whether verdicts of rules that had nothing to say stay apart ([`Output::quiet`]).
    keeps_quiet: bool,
    paused: RefCell<Option<sift::Paused>>,
}

impl Partition {
    /// A partition over a customer map that others may share for other customers.
    #[must_use]
    pub fn new(customers: Arc<Customers>, limits: JournalLimits, default_zone: TimeZone) -> Self {
        Self {
            customers,
            limits,
            number: 0,
            ledger: Arc::default(),
            spending: Spending::default(),
            quarantine: Arc::default(),
            switches: Arc::default(),
            default_zone,
            zones: RefCell::default(),
            book: Book::default(),
            members: members::Members::default(),
            member_zones: BTreeSet::from([None]),
            position: 0,
            undecided: None,
            reported: None,
            clock: None,
            timers: timer::Timers::default(),
            daily: timer::DailyClock::default(),
            sweeps: VecDeque::new(),
            broadcasts: Broadcasts::default(),
            households: households::Households::default(),
            cut: Weak::new(),
            precedents: None,
            shares_budgets: false,
            list_silenced: false,
            list_checks: false,
            keeps_quiet: false,
            paused: RefCell::default(),
        }
    }

    /// The same, listing proposals that did not go out.
    #[must_use]
    pub fn listing_silenced(mut self) -> Self {
        self.list_silenced = true;
        self
    }

    /// The same, keeping verdicts of rules that had nothing to say apart ([`Output::quiet`]): with many rules,
    /// putting each into a map takes longer than deciding.
    #[must_use]
    pub fn keeping_quiet(mut self) -> Self {
        self.keeps_quiet = true;
        self
    }

    /// The same, listing all that stood between each rule and the customer ([`Output::checks`]).
    #[must_use]
    pub fn listing_checks(mut self) -> Self {
        self.list_checks = true;
        self
    }

    /// The same, spending budgets that other partitions spend too: whoever steps it carries its
    /// [demands](Partition::demands) to where all of them are weighed together.
    #[must_use]
    pub fn sharing(
        mut self,
        number: u16,
        ledger: Arc<Ledger>,
        quarantine: Arc<Quarantine>,
    ) -> Self {
        self.number = number;
        self.ledger = ledger;
        self.quarantine = quarantine;
        self.shares_budgets = true;
        self
    }

    /// The same, deciding what was decided before: what its budgets covered then, they cover now.
    #[must_use]
    pub fn following(mut self, precedents: Arc<dyn Precedents>) -> Self {
        self.precedents = Some(precedents);
        self
    }

    /// Takes over what budgets have spent before.
    pub fn spend_from(&mut self, ledger: Arc<Ledger>) {
        self.ledger = ledger;
    }

    fn zone_of(&self, customer: &Customer) -> TimeZone {
        self.zone(customer.profile.time_zone())
    }

    fn zone(&self, name: Option<Name>) -> TimeZone {
        let Some(name) = name else {
            return self.default_zone.clone();
        };
        let (names, default) = (self.customers.names(), &self.default_zone);
        self.zones
            .borrow_mut()
            .entry(name)
            .or_insert_with(|| TimeZone::get(&names.word(name)).unwrap_or_else(|_| default.clone()))
            .clone()
    }
}

/// An event that was applied, and what is to be known of it to decide about it.
#[derive(Clone, Copy, Debug)]
struct Applied {
    /// Its place in the customer's journal.
    index: usize,
    /// The position before it.
    before: u64,
    /// What it said of an action.
    told: Option<outcome::Told>,
}

/// The rules of the live generation by the names that state refers to them by.
#[derive(Debug, Default)]
struct Book {
    generation: Option<Arc<str>>,
    names: HashMap<Arc<str>, Name>,
    rules: HashMap<Name, Arc<Rule>>,
    /// Whether any rule has `converted`.
    asks_conversions: bool,
}

impl Book {
    /// Takes over a generation, if it is another one.
    fn open(&mut self, rules: &RuleSet, customers: &Customers) {
        if self.generation.as_ref() == Some(rules.generation()) {
            return;
        }
        let names = customers.names();
        self.generation = Some(rules.generation().clone());
        self.names.clear();
        self.rules.clear();
        for rule in rules.rules() {
            let name = names.intern(&rule.terms.name);
            self.names.insert(rule.terms.name.clone(), name);
            self.rules.insert(name, rule.clone());
        }
        self.asks_conversions = rules.rules().iter().any(|r| r.has(Function::Converted));
    }

    fn name(&self, rule: &Rule) -> Option<Name> {
        self.names.get(&rule.terms.name).copied()
    }
}
