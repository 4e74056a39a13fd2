//! One partition's step: events in, decisions out. A pure function of state, rules, events and the
//! clock it is given: no I/O, no wall clock.

use crate::action::{Body, Decision, Trigger, Verdict, decision_id};
use crate::clock::{DAY, Millis};
use crate::decode::{Reason, Rejection};
use crate::event::Event;
use crate::partitioning::CustomerId;
use crate::policy;
use crate::rules::{Function, Moment, Rule, RuleError, RuleSet, Standing, Subject};
use crate::state::{Applied, Contact, Customer, Customers, DecisionId, JournalLimits, Name};
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::Arc;

/// How long contacts are remembered: at least the longest cooldown and cap.
const CONTACTS_HORIZON: Millis = 400 * DAY;

/// An event with what the stream says of it.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the stream stored it: policy time.
    pub stored_at: Millis,
    /// The event.
    pub event: Event,
}

/// A decision as the log has it: what state needs to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// Its id.
    pub id: DecisionId,
    /// To whom.
    pub customer: CustomerId,
    /// By which rule.
    pub rule: Arc<str>,
    /// The code in its body.
    pub code: Option<Box<str>>,
    /// Whether it was held out.
    pub holdout: bool,
    /// Policy time.
    pub at: Millis,
    /// Event time of its trigger.
    pub time: Millis,
}

/// What a step did.
#[derive(Debug, Default)]
pub struct Output {
    /// What is to be committed, in this order.
    pub decisions: Vec<Decision>,
    /// Events that state could not take, with their sequences.
    pub rejected: Vec<(u64, Rejection)>,
    /// Events seen before.
    pub duplicates: u64,
    /// Events for which a rule asked for a window over the edge of the journal.
    pub trimmed_windows: u64,
    /// How often each rule got each verdict.
    pub verdicts: HashMap<(Arc<str>, Verdict), u64>,
    /// What rules failed with.
    pub errors: Vec<(Arc<str>, RuleError)>,
    /// Proposals that did not go out, if asked for.
    pub silenced: Vec<Silenced>,
}

/// A proposal that did not go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silenced {
    /// The rule.
    pub rule: Arc<str>,
    /// Why.
    pub verdict: Verdict,
    /// To whom.
    pub customer: CustomerId,
    /// What it would have answered.
    pub trigger: Trigger,
    /// The step of a journey; 0 for a rule without steps.
    pub step: u32,
}

/// The customers of one partition, and how to step them.
#[derive(Debug)]
pub struct Partition {
    customers: Arc<Customers>,
    limits: JournalLimits,
    /// Of customers whose profile names none.
    default_zone: TimeZone,
    zones: HashMap<Name, TimeZone>,
    rule_names: HashMap<Arc<str>, Name>,
    /// Whether proposals that did not go out are listed.
    list_silenced: bool,
}

impl Partition {
    /// A partition over a customer map that others may share for other customers.
    #[must_use]
    pub fn new(customers: Arc<Customers>, limits: JournalLimits, default_zone: TimeZone) -> Self {
        Self {
            customers,
            limits,
            default_zone,
            zones: HashMap::new(),
            rule_names: HashMap::new(),
            list_silenced: false,
        }
    }

    /// The same, listing proposals that did not go out.
    #[must_use]
    pub fn listing_silenced(mut self) -> Self {
        self.list_silenced = true;
        self
    }

    /// Steps a batch in order: applies each event and decides. `now` is the wall clock, against
    /// which only freshness is measured.
    pub fn step(&mut self, batch: &[Input], now: Millis, rules: &RuleSet) -> Output {
        let mut output = Output::default();
        for input in batch {
            if let Some((customer, index)) = self.apply(input, &mut output) {
                self.decide(input, customer, index, now, rules, &mut output);
            }
        }
        output
    }

    /// Steps one event without deciding: it was decided before, as the log says.
    pub fn fold(&mut self, input: &Input) -> Output {
        let mut output = Output::default();
        self.apply(input, &mut output);
        output
    }

    /// Takes a decision from the log.
    pub fn fold_decision(&mut self, logged: &Logged) {
        self.note(logged);
    }

    fn apply(&self, input: &Input, output: &mut Output) -> Option<(Arc<Customer>, usize)> {
        let event = &input.event;
        let (customer, applied) = self.customers.update(
            &event.customer,
            || Customer::new(event.time),
            |customer| customer.apply(event, self.customers.names(), self.limits),
        );
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
                    .push((input.sequence, Rejection::new(Reason::TooOld, detail)));
                None
            }
        }
    }

    fn decide(
        &mut self,
        input: &Input,
        customer: Arc<Customer>,
        index: usize,
        now: Millis,
        rules: &RuleSet,
        output: &mut Output,
    ) {
        let listening = rules.listening(&input.event.kind);
        if listening.is_empty() {
            return;
        }
        let first = output.decisions.len();
        let before = {
            let customers = self.customers.clone();
            let standing = Standing {
                id: &input.event.customer,
                customer: &customer,
                customers: &customers,
                time: input.event.time,
                index,
            };
            let moment = rules.moment(Subject::Event(&input.event), standing);
            let mut case = Case {
                input,
                customer: &customer,
                now,
                rules,
                moment: &moment,
                output,
            };
            let mut proposals = Vec::new();
            for rule in listening {
                match case.gate(self, rule) {
                    None => proposals.push(rule),
                    Some(verdict) => case.count(rule, verdict),
                }
            }
            // Stable: rules come by name, so equal priorities stay in that order.
            proposals.sort_by_key(|rule| std::cmp::Reverse(rule.terms.priority));
            let before = case.arbitrate(self, &proposals);
            if moment.crossed_trimmed_edge() {
                output.trimmed_windows += 1;
            }
            before
        };
        // Let go of the snapshot: a customer that nobody else holds is changed in place.
        drop(customer);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let parts = number(before + output.decisions.len() - first);
        for (at, decision) in output.decisions[first..].iter_mut().enumerate() {
            decision.part = (number(before + at), parts);
            let logged = Logged {
                id: decision.id,
                customer: decision.customer.clone(),
                rule: decision.rule.clone(),
                code: decision.body.code.clone(),
                holdout: decision.verdict == Verdict::Holdout,
                at: decision.policy_time,
                time: decision.trigger.time,
            };
            self.note(&logged);
        }
    }

    fn note(&mut self, logged: &Logged) {
        let names = self.customers.names();
        let rule = names.intern(&logged.rule);
        let code = logged.code.as_deref().map(|code| names.intern(code));
        self.rule_names.entry(logged.rule.clone()).or_insert(rule);
        self.customers.update(
            &logged.customer,
            || Customer::new(logged.time),
            |customer| {
                customer.contacts.push(Contact::new(
                    logged.id,
                    rule,
                    logged.at,
                    logged.time,
                    code,
                    logged.holdout,
                ));
                customer
                    .contacts
                    .trim(logged.at.saturating_sub(CONTACTS_HORIZON));
            },
        );
    }

    fn zone_of(&mut self, customer: &Customer) -> TimeZone {
        let Some(name) = customer.profile.time_zone() else {
            return self.default_zone.clone();
        };
        let (names, default) = (self.customers.names(), &self.default_zone);
        self.zones
            .entry(name)
            .or_insert_with(|| TimeZone::get(&names.word(name)).unwrap_or_else(|_| default.clone()))
            .clone()
    }
}

/// One event before all rules that listen to it.
struct Case<'a> {
    input: &'a Input,
    customer: &'a Arc<Customer>,
    now: Millis,
    rules: &'a RuleSet,
    moment: &'a Moment<'a>,
    output: &'a mut Output,
}

impl Case<'_> {
    fn count(&mut self, rule: &Rule, verdict: Verdict) {
        *self
            .output
            .verdicts
            .entry((rule.terms.name.clone(), verdict))
            .or_default() += 1;
    }

    /// Everything before the proposal, in the order in which verdicts are tried; `None` if the
    /// condition held.
    fn gate(&mut self, partition: &mut Partition, rule: &Rule) -> Option<Verdict> {
        let terms = &rule.terms;
        let (event, at) = (&self.input.event, self.input.stored_at);
        if !policy::is_scheduled(terms, at, || partition.zone_of(self.customer)) {
            return Some(Verdict::Schedule);
        }
        let names = partition.customers.names();
        let in_audience = terms.audience.is_empty()
            || terms.audience.iter().any(|segment| {
                names
                    .find(segment)
                    .is_some_and(|name| self.customer.profile.in_segment(name))
            });
        if !in_audience {
            return Some(Verdict::Audience);
        }
        if !policy::is_rolled_out(terms, &event.customer) {
            return Some(Verdict::Rollout);
        }
        if self.now.saturating_sub(event.time) > terms.fresh {
            return Some(Verdict::Stale);
        }
        match self.rules.when(rule, self.moment) {
            Ok(true) => None,
            Ok(false) => Some(Verdict::Condition),
            Err(error) => {
                self.fail(rule, error);
                Some(Verdict::Error)
            }
        }
    }

    fn fail(&mut self, rule: &Rule, error: RuleError) {
        self.output.errors.push((rule.terms.name.clone(), error));
    }

    /// Tries proposals in order; the first of a group that passes wins it. Returns how many of them
    /// the log had already.
    fn arbitrate(&mut self, partition: &Partition, proposals: &[&Arc<Rule>]) -> usize {
        let event = &self.input.event;
        let id = |rule: &Rule| {
            decision_id(
                &event.customer,
                &event.source,
                &event.id,
                &rule.terms.name,
                0,
            )
        };
        // Decisions of this event that the log had already: only when a former run stopped midway.
        let decided = |id| {
            let contacts = self.customer.contacts.all();
            contacts.iter().rev().any(|contact| contact.id == id)
        };
        let mut won: Vec<&str> = proposals
            .iter()
            .filter(|rule| decided(id(rule)))
            .filter_map(|rule| rule.terms.group.as_deref())
            .collect();
        let mut before = 0;
        for rule in proposals {
            let id = id(rule);
            if decided(id) {
                before += 1;
                continue;
            }
            let group = rule.terms.group.as_deref();
            let verdict = if group.is_some_and(|group| won.contains(&group)) {
                Verdict::Arbitration
            } else {
                self.attempt(partition, rule, id)
            };
            self.count(rule, verdict);
            if matches!(verdict, Verdict::Sent | Verdict::Holdout) {
                won.extend(group);
            } else if partition.list_silenced {
                let silenced = Silenced {
                    rule: rule.terms.name.clone(),
                    verdict,
                    customer: event.customer.clone(),
                    trigger: self.trigger(),
                    step: 0,
                };
                self.output.silenced.push(silenced);
            }
        }
        before
    }

    fn attempt(&mut self, partition: &Partition, rule: &Rule, id: DecisionId) -> Verdict {
        let (terms, at) = (&rule.terms, self.input.stored_at);
        let known = partition.rule_names.get(&terms.name).copied();
        if let Some(verdict) = policy::frequency(terms, known, &self.customer.contacts, at) {
            return verdict;
        }
        let names = partition.customers.names();
        let channel = match policy::channel(terms, &self.customer.profile, names) {
            Ok(channel) => channel,
            Err(verdict) => return verdict,
        };
        let variant = policy::variant(terms, &self.input.event.customer);
        let body = match self.rules.action(rule, self.moment, variant, 0) {
            Ok(None) => return Verdict::None,
            Ok(Some(returned)) => {
                Body::check(returned).map_err(|message| rule.error(Function::Action, message))
            }
            Err(error) => Err(error),
        };
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                self.fail(rule, error);
                return Verdict::Error;
            }
        };
        let verdict = if policy::is_held_out(terms, &self.input.event.customer) {
            Verdict::Holdout
        } else {
            Verdict::Sent
        };
        let decision = Decision {
            id,
            customer: self.input.event.customer.clone(),
            rule: terms.name.clone(),
            generation: self.rules.generation().clone(),
            channel: channel.into(),
            variant: variant.into(),
            step: 0,
            verdict,
            trigger: self.trigger(),
            body,
            decided_at: self.now,
            policy_time: at,
            traceparent: self.input.event.traceparent.clone(),
            part: (0, 1),
        };
        self.output.decisions.push(decision);
        verdict
    }

    fn trigger(&self) -> Trigger {
        let event = &self.input.event;
        Trigger {
            id: event.id.clone(),
            source: event.source.clone(),
            kind: event.kind.clone(),
            time: event.time,
            sequence: self.input.sequence,
        }
    }
}
