//! Broadcasts and daily triggers: one occasion, applied to all customers, a slice at a time, so that
//! events of single customers go on in between.
//!
//! First every customer is surveyed: who would be told something, and what would it cost? When all
//! partitions know that, scarce budgets are shared out in one order over all customers, which a hash
//! decides. Then those who have something coming are served in that order. A crash in between loses
//! nothing: what is in the log is not said again, and what it cost is spent.

use super::OpenSweep;
use super::Partition;
use super::case::{Case, Origin};
use super::output::{Output, Parked};
use super::record::{LogEntry, Place, SweepKey, SweepRecord};
use super::till::Till;
use crate::clock::Millis;
use crate::event::{Occasion, Value};
use crate::partitioning::CustomerId;
use crate::policy::{self, Demand, Trace};
use crate::rules::{EventView, Moment, Rule, RuleSet, Standing, Subject};
use crate::state::{Customer, Draw, Drawn, Remembered, Want};
use crate::terms::DAILY;
use std::sync::Arc;

/// What a daily trigger has for a source.
const DAILY_SOURCE: &str = "onscene";

/// One occasion on its way through all customers.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) key: SweepKey,
    occasion: Occasion,
    view: EventView,
    /// Its sequence in the stream; 0 for a daily trigger.
    sequence: u64,
    /// Policy time.
    pub(super) at: Millis,
    phase: Phase,
    /// Who gets something, the last in order first.
    proposals: Vec<Proposal>,
    demands: Vec<Demand>,
    /// How many customers were surveyed or served, each counted each time.
    pub(super) taken: u64,
    /// How often it had been begun before.
    pub(super) run: u32,
    /// Whether beginning it is beginning it again.
    is_reopened: bool,
}

#[derive(Debug)]
enum Phase {
    /// Not begun.
    New,
    /// Customers to be surveyed, the last in order first.
    Survey(Vec<(u64, CustomerId)>),
    /// The demands are to be taken where all partitions' are weighed.
    Surveyed,
    /// They have been taken.
    Weighed,
    /// Customers are being served.
    Serve,
}

#[derive(Debug)]
struct Proposal {
    customer: CustomerId,
    rules: Vec<Arc<str>>,
    /// The first of its demands, and how many they are.
    demands: (usize, usize),
    granted: Vec<Draw>,
}

impl Sweep {
    pub(super) fn broadcast(occasion: &Occasion, sequence: u64, at: Millis) -> Self {
        let key = SweepKey::Broadcast(sequence);
        Self::new(key, occasion.clone(), sequence, at)
    }

    pub(super) fn daily(key: &SweepKey) -> Self {
        let (date, due) = match key {
            SweepKey::Daily { date, due, .. } => (&**date, *due),
            SweepKey::Broadcast(_) => ("", 0),
        };
        let occasion = Occasion {
            id: date.into(),
            source: DAILY_SOURCE.into(),
            kind: DAILY.into(),
            time: due,
            traceparent: None,
            data: Value::Record(vec![("date".into(), Value::Text(date.into()))]),
        };
        Self::new(key.clone(), occasion, 0, due)
    }

    fn new(key: SweepKey, occasion: Occasion, sequence: u64, at: Millis) -> Self {
        Self {
            key,
            view: EventView::new(&occasion, None),
            occasion,
            sequence,
            at,
            phase: Phase::New,
            proposals: Vec::new(),
            demands: Vec::new(),
            taken: 0,
            run: 0,
            is_reopened: false,
        }
    }

    /// What a checkpoint keeps of it.
    pub(super) fn open(&self) -> OpenSweep {
        OpenSweep {
            key: self.key.clone(),
            occasion: Arc::new(Remembered::new(&self.occasion, self.sequence)),
            at: self.at,
            run: self.run,
        }
    }

    /// The same, begun anew.
    pub(super) fn reopen(open: &OpenSweep) -> Self {
        let (occasion, sequence) = (open.occasion.occasion(), open.occasion.sequence);
        Self {
            run: open.run,
            is_reopened: true,
            ..Self::new(open.key.clone(), occasion, sequence, open.at)
        }
    }

    /// The log says that it was begun, having been begun so often before.
    pub(super) fn was_begun(&mut self, run: u32) {
        self.run = self.run.max(run);
        self.is_reopened = true;
    }

    /// The rules it is for.
    fn rules(&self, rules: &RuleSet) -> Vec<Arc<Rule>> {
        let is_for = |rule: &&Arc<Rule>| match &self.key {
            SweepKey::Broadcast(_) => true,
            SweepKey::Daily { time, .. } => rule
                .terms
                .daily_at()
                .is_some_and(|at| at.strftime("%H:%M").to_string() == *time),
        };
        let listening = rules.listening(&self.occasion.kind).iter();
        listening.filter(is_for).cloned().collect()
    }
}

impl Partition {
    /// Writes down that a daily trigger begins, and begins it.
    pub(super) fn begin_sweep(&mut self, key: SweepKey, at: Millis, output: &mut Output) {
        let first = output.entries.len();
        output.entries.push(self.sweep_record(key, at, false));
        self.settle(output, first);
    }

    fn sweep_record(&self, key: SweepKey, at: Millis, done: bool) -> LogEntry {
        LogEntry::Sweep(SweepRecord {
            key,
            at,
            done,
            place: Place {
                after: self.position,
                part: None,
            },
        })
    }

    /// Whether there are customers to be surveyed or served now.
    #[must_use]
    pub fn is_sweeping(&self) -> bool {
        self.sweeps
            .front()
            .is_some_and(|sweep| !matches!(sweep.phase, Phase::Surveyed | Phase::Weighed))
    }

    /// Takes the broadcast that was begun first further, by at most so many customers.
    pub fn sweep(&mut self, customers_max: usize, now: Millis, rules: &RuleSet) -> Output {
        self.book.open(rules, &self.customers);
        let mut output = Output::default();
        let Some(mut sweep) = self.sweeps.pop_front() else {
            return output;
        };
        if matches!(sweep.phase, Phase::New) {
            sweep.phase = Phase::Survey(self.order(&sweep));
            sweep.run += u32::from(std::mem::take(&mut sweep.is_reopened));
        }
        let listening = sweep.rules(rules);
        let taken = sweep.taken;
        let mut left = customers_max;
        if let Phase::Survey(members) = &mut sweep.phase {
            let mut members = std::mem::take(members);
            let first = output.entries.len();
            if listening.is_empty() {
                members.clear();
            }
            while left > 0
                && let Some((rank, id)) = members.pop()
            {
                left -= 1;
                sweep.taken += 1;
                self.survey(&mut sweep, rank, &id, &listening, now, rules, &mut output);
            }
            sweep.phase = Phase::Survey(members);
            self.settle(&output, first);
        }
        self.weigh(&mut sweep);
        let is_served = matches!(sweep.phase, Phase::Serve);
        while is_served
            && left > 0
            && let Some(proposal) = sweep.proposals.pop()
        {
            left -= 1;
            sweep.taken += 1;
            if let Some((proposal, want)) = self.serve(&sweep, proposal, now, rules, &mut output) {
                sweep.taken -= 1;
                sweep.proposals.push(proposal);
                output.parked = Some(Parked { inputs: 0, want });
                break;
            }
        }
        if is_served && sweep.proposals.is_empty() {
            let record = self.sweep_record(sweep.key, sweep.at, true);
            output.entries.push(record);
        } else {
            if sweep.taken > taken {
                output.entries.push(self.progress_record(&sweep));
            }
            self.sweeps.push_front(sweep);
        }
        output
    }

    /// The customers it may concern, the last in order first.
    fn order(&self, sweep: &Sweep) -> Vec<(u64, CustomerId)> {
        let zone = match &sweep.key {
            SweepKey::Broadcast(_) => None,
            SweepKey::Daily { zone, .. } => Some(
                zone.as_deref()
                    .map(|word| self.customers.names().intern(word)),
            ),
        };
        let concerns = |id: &&CustomerId| {
            zone.is_none_or(|zone| {
                let customer = self.customers.get(id.as_str());
                customer.is_some_and(|customer| customer.profile.time_zone() == zone)
            })
        };
        let (source, event) = (&sweep.occasion.source, &sweep.occasion.id);
        let mut members: Vec<(u64, CustomerId)> = (self.members.iter())
            .filter(concerns)
            .map(|id| (policy::rank(source, event, id), id.clone()))
            .collect();
        members.sort_unstable_by(|a, b| b.cmp(a));
        members
    }

    /// When everybody has been asked: shares out what is scarce, here or where all partitions do.
    fn weigh(&self, sweep: &mut Sweep) {
        if !matches!(&sweep.phase, Phase::Survey(members) if members.is_empty()) {
            return;
        }
        // From here on the first in order comes last, to be taken from the end.
        sweep.proposals.reverse();
        let is_shared = self.shares_budgets && matches!(sweep.key, SweepKey::Broadcast(_));
        if self.is_led() {
            sweep.grant(&[]);
        } else if is_shared || self.ledger.is_by_grant() {
            sweep.phase = Phase::Surveyed;
        } else {
            let granted = policy::allot(&sweep.demands, |at| {
                let demand = &sweep.demands[at];
                let drawn = self.ledger.draw(self.number, &demand.draw, &demand.budget);
                drawn == Drawn::Paid
            });
            sweep.grant(&granted);
        }
    }

    /// The demands of what was surveyed; given out once. Those of a broadcast are to be weighed together
    /// with those of all other partitions. It goes on with [`Partition::grant`].
    pub fn demands(&mut self) -> Option<(SweepKey, Vec<Demand>)> {
        let sweep = self.sweeps.front_mut()?;
        if !matches!(sweep.phase, Phase::Surveyed) {
            return None;
        }
        sweep.phase = Phase::Weighed;
        Some((sweep.key.clone(), sweep.demands.clone()))
    }

    /// Which of the demands of a broadcast or a daily trigger were covered.
    pub fn grant(&mut self, key: &SweepKey, granted: &[bool]) {
        if let Some(sweep) = self.sweeps.iter_mut().find(|sweep| sweep.key == *key) {
            sweep.grant(granted);
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a customer, an occasion, and what the step was given"
    )]
    fn survey(
        &mut self,
        sweep: &mut Sweep,
        rank: u64,
        id: &CustomerId,
        listening: &[Arc<Rule>],
        now: Millis,
        rules: &RuleSet,
        output: &mut Output,
    ) {
        let Some(customer) = self.customers.get(id.as_str()) else {
            return;
        };
        let customers = self.customers.clone();
        let standing = standing(sweep, id, &customer, &customers);
        let moment = rules.moment(Subject::View(&sweep.view), standing);
        let mut case = sweep.case(id, &customer, rules, &moment, now, Till::default(), output);
        case.trace = Trace::new(self.list_checks);
        let mut proposal = Proposal {
            customer: id.clone(),
            rules: Vec::new(),
            demands: (sweep.demands.len(), 0),
            granted: Vec::new(),
        };
        let mut wanting = Vec::new();
        for rule in listening {
            let age = now.saturating_sub(sweep.occasion.time);
            // What was answered before a crash stands, whatever the rule would say today.
            if !case.is_entered(rule)
                && let Some(verdict) = case.gate(self, rule, age)
            {
                case.count(rule, 0, verdict);
                continue;
            }
            proposal.rules.push(rule.terms.name.clone());
            wanting.push(rule.clone());
        }
        let demands = case.demands(self, rank, wanting);
        if moment.crossed_trimmed_edge() {
            output.trimmed_windows += 1;
        }
        if !proposal.rules.is_empty() {
            proposal.demands.1 = demands.len();
            sweep.demands.extend(demands);
            sweep.proposals.push(proposal);
        }
    }

    /// Tells a customer what is coming to them; gives them back if a grant must be waited for.
    fn serve(
        &mut self,
        sweep: &Sweep,
        proposal: Proposal,
        now: Millis,
        rules: &RuleSet,
        output: &mut Output,
    ) -> Option<(Proposal, Want)> {
        let id = &proposal.customer;
        let customer = self.customers.get(id.as_str())?;
        let mut trial = self.try_out(output);
        let output = trial.output();
        let first = output.entries.len();
        let customers = self.customers.clone();
        let standing = standing(sweep, id, &customer, &customers);
        let moment = rules.moment(Subject::View(&sweep.view), standing);
        let till = match self.is_led() {
            true => Till::default(),
            false => Till::with_grants(proposal.granted.clone()),
        };
        let mut case = sweep.case(id, &customer, rules, &moment, now, till, output);
        case.trace = Trace::new(self.list_checks);
        let mut proposed = Vec::with_capacity(proposal.rules.len());
        for name in &proposal.rules {
            // The rule may have gone since, or its time may be over.
            let Some(rule) = rules.rule(name) else {
                continue;
            };
            let age = now.saturating_sub(sweep.occasion.time);
            if age > rule.terms.fresh && !case.is_entered(rule) {
                case.conclude(self, rule, 0, crate::action::Verdict::Stale, None);
            } else {
                proposed.push(rule.clone());
            }
        }
        case.arbitrate(self, &proposed);
        let want = case.till.close(self);
        drop(moment);
        drop(customer);
        if want.is_some() {
            output.retract();
        }
        self.settle(output, first);
        trial.end(want).map(|want| (proposal, want))
    }
}

impl Sweep {
    fn grant(&mut self, granted: &[bool]) {
        for proposal in &mut self.proposals {
            let (first, count) = proposal.demands;
            for at in first..first + count {
                if granted.get(at) == Some(&true) {
                    proposal.granted.push(self.demands[at].draw.clone());
                }
            }
        }
        self.demands = Vec::new();
        self.phase = Phase::Serve;
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a customer, an occasion, and what the step was given"
    )]
    fn case<'a>(
        &'a self,
        id: &'a CustomerId,
        customer: &'a Arc<Customer>,
        rules: &'a RuleSet,
        moment: &'a Moment<'a>,
        now: Millis,
        till: Till,
        output: &'a mut Output,
    ) -> Case<'a> {
        Case {
            origin: Origin::Occasion(&self.occasion, self.sequence),
            id,
            customer,
            rules,
            moment,
            at: self.at,
            time: self.occasion.time,
            now,
            till,
            trace: Trace::default(),
            spoken: Vec::new(),
            output,
        }
    }
}

fn standing<'a>(
    sweep: &Sweep,
    id: &'a CustomerId,
    customer: &'a Arc<Customer>,
    customers: &'a Arc<crate::state::Customers>,
) -> Standing<'a> {
    let time = sweep.occasion.time;
    Standing {
        id,
        customer,
        customers,
        time,
        index: customer.journal.count_until(time),
    }
}
