//! Stepping: events in the order of the stream, and the clock between them.

use super::Partition;
use super::output::{Input, Output, Parked};
use super::record::Logged;
use super::sweep::Sweep;
use crate::clock::Millis;
use crate::decode::{Reason, Rejection};
use crate::event::{Event, Facts, Incoming, Occasion, fingerprint};
use crate::rules::RuleSet;
use crate::state::{Applied, Customer, Spending, Want};
use std::sync::Arc;

impl Partition {
    /// Steps a batch in order: fires what was due before each event, applies the event, and decides.
    /// An imported event is applied and decides nothing. `now` is the wall clock, against which only
    /// freshness is measured.
    pub fn step(&mut self, batch: &[Input], now: Millis, rules: &RuleSet) -> Output {
        self.book.open(rules, &self.customers);
        let mut output = Output::default();
        for (inputs, input) in batch.iter().enumerate() {
            if let Some(want) = self.take(input, now, rules, &mut output) {
                output.parked = Some(Parked { inputs, want });
                break;
            }
        }
        if !self.keeps_quiet {
            output.quiet.settle(&mut output.verdicts);
        }
        output
    }

    /// Takes one event the whole way; returns what must be granted first, if anything.
    fn take(
        &mut self,
        input: &Input,
        now: Millis,
        rules: &RuleSet,
        output: &mut Output,
    ) -> Option<Want> {
        if self.undecided.is_none() && input.already == 0 {
            // What arrives at the very time at which something is due arrives after it. Before an event that was
            // answered in part, everything due had been fired: what is due now began to wait with that part.
            self.fire_until(input.stored_at, usize::MAX, now, rules, output);
            if let Some(parked) = output.parked.take() {
                return Some(parked.want);
            }
        }
        let event = match &input.what {
            Incoming::Event(event) => event,
            Incoming::Broadcast(occasion) => {
                self.arrive(input);
                self.begin_broadcast(occasion, input);
                return None;
            }
        };
        // What waited for a grant was applied before.
        let (customer, applied) = match self.undecided.take() {
            Some(waited) => (self.customers.get(event.customer.as_str())?, waited),
            None => {
                let before = self.position;
                self.arrive(input);
                let told = self.told(input, event);
                // What was imported is past: it is known from now on, and nobody answers it.
                let applied = self.apply(event, input.sequence, output);
                let (customer, index) = applied.filter(|_| !event.imported)?;
                if let Some(told) = told {
                    let key = (told.outcome.word(), told.reception.word());
                    *output.outcomes.entry(key).or_default() += 1;
                }
                let applied = super::Applied {
                    index,
                    before,
                    told,
                };
                (customer, applied)
            }
        };
        let want = self.decide(input, event, (customer, applied), now, rules, output);
        self.undecided = want.as_ref().map(|_| applied);
        want
    }

    /// What budgets have spent, as far as this partition's log says.
    #[must_use]
    pub fn spending(&self) -> &Spending {
        &self.spending
    }

    /// Steps one event without deciding: it was decided before, as the log says.
    pub fn fold(&mut self, input: &Input) -> Output {
        let mut output = Output::default();
        self.arrive(input);
        match &input.what {
            Incoming::Event(event) => {
                self.apply(event, input.sequence, &mut output);
            }
            // Until the log says that it was done with, it is not.
            Incoming::Broadcast(occasion) => self.begin_broadcast(occasion, input),
        }
        output
    }

    /// Takes an entry of the log.
    pub fn fold_logged(&mut self, logged: &Logged) {
        if let Logged::Quarantine(record) = logged {
            self.hold(record);
        }
        self.note(logged);
    }

    /// Moves the clock on: fires what is due up to `to`.
    pub fn advance(&mut self, to: Millis, now: Millis, rules: &RuleSet) -> Output {
        self.advance_some(to, usize::MAX, now, rules).0
    }

    /// Moves the clock on, firing at most so many timers; tells whether those were all.
    pub fn advance_some(
        &mut self,
        to: Millis,
        timers_max: usize,
        now: Millis,
        rules: &RuleSet,
    ) -> (Output, bool) {
        self.book.open(rules, &self.customers);
        let mut output = Output::default();
        let all = self.fire_until(to, timers_max, now, rules, &mut output);
        (output, all)
    }

    /// Every event up to this sequence has been stepped.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Policy time: nothing that is due up to it is still to come.
    #[must_use]
    pub fn clock(&self) -> Option<Millis> {
        self.clock
    }

    /// Whether something is due that waits for a single customer.
    #[must_use]
    pub fn is_due(&self, at: Millis) -> bool {
        self.timers.next_due().is_some_and(|due| due <= at)
    }

    /// When something is due next. What was ended since may still be counted.
    #[must_use]
    pub fn next_due(&mut self, rules: &RuleSet) -> Option<Millis> {
        let daily = self.next_daily(rules);
        [self.timers.next_due(), daily].into_iter().flatten().min()
    }

    fn arrive(&mut self, input: &Input) {
        self.position = self.position.max(input.sequence);
        self.pass(input.stored_at);
    }

    /// Policy time has come to `at`.
    pub(super) fn pass(&mut self, at: Millis) {
        self.clock = Some(self.clock.map_or(at, |clock| clock.max(at)));
    }

    fn apply(
        &mut self,
        event: &Event,
        sequence: u64,
        output: &mut Output,
    ) -> Option<(Arc<Customer>, usize)> {
        self.keep_for_cut(&event.customer);
        let mut is_new = false;
        let (customer, applied) = self.customers.update(
            &event.customer,
            || {
                is_new = true;
                Customer::new(event.time)
            },
            |customer| customer.apply(event, self.customers.names(), self.limits),
        );
        if is_new {
            self.members.push(event.customer.clone());
        }
        if matches!(event.facts, Facts::Profile(_)) {
            self.member_zones.insert(customer.profile.time_zone());
        }
        match applied {
            Applied::At(index) => Some((customer, index)),
            Applied::Duplicate => {
                output.duplicates += 1;
                None
            }
            Applied::TooOld(edge) => {
                let detail = format!(
                    "`time` lies before {}, up to which this customer's journal was trimmed",
                    crate::clock::format_rfc3339(edge)
                );
                output
                    .rejected
                    .push((sequence, Rejection::new(Reason::TooOld, detail)));
                None
            }
        }
    }

    /// Puts what is to be committed from `first` on into state.
    pub(super) fn settle(&mut self, output: &Output, first: usize) {
        for entry in &output.entries[first..] {
            self.note(&entry.logged());
        }
    }

    fn begin_broadcast(&mut self, occasion: &Occasion, input: &Input) {
        // Published again, it changes nothing.
        if !self
            .broadcasts
            .note(fingerprint(&occasion.source, &occasion.id))
        {
            return;
        }
        let sweep = Sweep::broadcast(occasion, input.sequence, input.stored_at);
        self.sweeps.push_back(sweep);
    }
}
