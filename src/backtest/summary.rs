//! Puts together what all partitions came to.

use super::causes::{Cause, Evidence, Inquiry};
use super::comparison::{Differing, Side, sort};
use super::crew::Done;
use super::lane::Counts;
use super::report::{
    Budget, Change, Customers, Difference, Differences, Events, Figures, Pressure, Report,
    RuleLine, Sides, Told, Verdicts,
};
use super::run::Setup;
use super::tally::{Contacts, OfRule, Tally};
use super::told;
use crate::clock::format_rfc3339;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Where history came from.
pub(super) struct Origin {
    pub(super) start: String,
    pub(super) has_before: bool,
    pub(super) is_live: bool,
    pub(super) unreadable: u64,
    pub(super) first_refusal: Option<String>,
    pub(super) dead: u64,
}

impl Report {
    pub(super) fn new(setup: &Setup, done: Done, origin: Origin) -> Self {
        let mut counts = Counts::default();
        let mut tallies = [done.live, Tally::default()];
        let mut pressure = [BTreeMap::new(), BTreeMap::new()];
        let mut same = 0;
        let mut evidence = Vec::new();
        let mut all = Vec::new();
        let mut lanes = HashMap::new();
        for lane in done.lanes {
            counts.add(lane.counts);
            add_weeks(&mut pressure, &lane.contacts);
            for run in lane.runs {
                tallies[run.side as usize].add(run.tally);
            }
            let (own_same, own) = lane.comparison.finish();
            same += own_same;
            if origin.has_before {
                lanes.extend(
                    own.iter()
                        .map(|differing| (differing.shown().id, lane.number)),
                );
                all.extend(own);
            }
            evidence.push(lane.evidence);
        }
        sort(&mut all);
        let lane_of = |differing: &Differing| lanes[&differing.shown().id];
        let causes = causes(setup, &origin, &evidence, &all, lane_of);
        let [before, after] = tallies;
        let [weeks_before, weeks_after] = pressure;
        Self {
            generation: setup.rules.generation().to_string(),
            before: origin.has_before.then(|| {
                let generations = before.generations.iter();
                generations
                    .map(|(name, count)| (name.to_string(), *count))
                    .collect()
            }),
            is_live: origin.is_live,
            from: setup.from.map(format_rfc3339),
            to: setup.to.map(format_rfc3339),
            start: origin.start,
            events: Events {
                decided: counts.events,
                before: counts.before,
                duplicates: counts.duplicates,
                imported: counts.imported,
                refused: counts.refused + origin.unreadable,
                refused_live: origin.dead,
                first_refusal: origin.first_refusal,
            },
            same,
            differences: count(all.iter()),
            causes: sum_up(&causes),
            customers: customers(&before, &after, &all),
            rules: rules(&before, &after, &all),
            verdicts: verdicts(&before, &after, setup.against.is_some(), origin.has_before),
            budgets: budgets(&before, &after),
            pressure: Sides {
                before: Pressure::of(weeks_before),
                after: Pressure::of(weeks_after),
            },
            examples: examples(&all, &causes, setup.examples),
        }
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.before += other.before;
        self.duplicates += other.duplicates;
        self.refused += other.refused;
        self.imported += other.imported;
    }
}

fn add_weeks(pressure: &mut [BTreeMap<u32, u64>; 2], contacts: &Contacts) {
    for side in Side::BOTH {
        for (messages, weeks) in contacts.histogram(side) {
            *pressure[side as usize].entry(messages).or_default() += weeks;
        }
    }
}

/// The cause of each difference, if it is known what was decided live.
fn causes(
    setup: &Setup,
    origin: &Origin,
    evidence: &[Evidence],
    all: &[Differing],
    lane_of: impl Fn(&Differing) -> u16,
) -> Vec<Option<Cause>> {
    if !origin.is_live {
        return vec![None; all.len()];
    }
    let mut inquiry = Inquiry::new(evidence, &setup.rules);
    let all = all.iter();
    all.map(|differing| Some(inquiry.cause(lane_of(differing), differing)))
        .collect()
}

fn sum_up(causes: &[Option<Cause>]) -> BTreeMap<Cause, u64> {
    let mut sums = BTreeMap::new();
    for cause in causes.iter().flatten() {
        *sums.entry(*cause).or_default() += 1;
    }
    sums
}

impl Differing {
    fn change(&self) -> Change {
        match self {
            Self::Gained(_) => Change::Gained,
            Self::Lost(_) => Change::Lost,
            Self::Changed(_) => Change::Changed,
        }
    }
}

fn count<'a>(all: impl Iterator<Item = &'a Differing>) -> Differences {
    let mut count = Differences::default();
    for differing in all {
        match differing.change() {
            Change::Gained => count.gained += 1,
            Change::Lost => count.lost += 1,
            Change::Changed => count.changed += 1,
        }
    }
    count
}

fn customers(before: &Tally, after: &Tally, all: &[Differing]) -> Customers {
    let touched = |change: Change| {
        let own = all.iter().filter(|differing| differing.change() == change);
        let own: BTreeSet<_> = own.map(|differing| &differing.shown().customer).collect();
        own.len() as u64
    };
    Customers {
        spoken_to: Sides {
            before: before.customers.len() as u64,
            after: after.customers.len() as u64,
        },
        gaining: touched(Change::Gained),
        losing: touched(Change::Lost),
        changing: touched(Change::Changed),
    }
}

fn rules(before: &Tally, after: &Tally, all: &[Differing]) -> Vec<RuleLine> {
    let mut by_rule: BTreeMap<&Arc<str>, Vec<&Differing>> = BTreeMap::new();
    for rule in before.rules.keys().chain(after.rules.keys()) {
        by_rule.entry(rule).or_default();
    }
    for differing in all {
        by_rule
            .entry(&differing.shown().rule)
            .or_default()
            .push(differing);
    }
    let lines = by_rule.into_iter().map(|(rule, own)| RuleLine {
        rule: rule.to_string(),
        figures: Sides {
            before: figures(before.rules.get(rule)),
            after: figures(after.rules.get(rule)),
        },
        differences: count(own.into_iter()),
    });
    lines.collect()
}

fn figures(of: Option<&OfRule>) -> Figures {
    let of = of.copied().unwrap_or_default();
    Figures {
        sent: of.sent,
        withheld: of.withheld,
        cost: of.cost.to_string(),
        value: of.value.to_string(),
        converted: of.converted,
        errors: of.errors,
    }
}

fn verdicts(before: &Tally, after: &Tally, is_run: bool, has_before: bool) -> Vec<Verdicts> {
    let keys: BTreeSet<_> = before
        .verdicts
        .keys()
        .chain(after.verdicts.keys())
        .collect();
    let lines = keys.into_iter().map(|key @ (rule, verdict)| {
        let of_log = before.rules.get(rule).copied().unwrap_or_default();
        let counted = before.verdicts.get(key).copied().unwrap_or_default();
        Verdicts {
            rule: rule.to_string(),
            verdict: verdict.word(),
            before: match verdict {
                _ if is_run => Some(counted),
                crate::action::Verdict::Sent if has_before => Some(of_log.sent),
                _ => None,
            },
            after: after.verdicts.get(key).copied().unwrap_or_default(),
        }
    });
    lines.collect()
}

fn budgets(before: &Tally, after: &Tally) -> Vec<Budget> {
    let keys: BTreeSet<_> = before.spent.keys().chain(after.spent.keys()).collect();
    let spent = |tally: &Tally, key| {
        tally
            .spent
            .get(key)
            .copied()
            .unwrap_or_default()
            .to_string()
    };
    let lines = keys.into_iter().map(|key| Budget {
        rule: key.0.to_string(),
        day: key.1.to_string(),
        spent: Sides {
            before: spent(before, key),
            after: spent(after, key),
        },
    });
    lines.collect()
}

impl Pressure {
    fn of(weeks: BTreeMap<u32, u64>) -> Self {
        let all: u64 = weeks.values().sum();
        // The least number of messages that so many percent of the weeks do not go beyond.
        let within = |percent: u64| {
            let mut seen = 0;
            let found = weeks.iter().find(|(_, count)| {
                seen += **count;
                seen * 100 >= all * percent
            });
            found.map_or(0, |(messages, _)| *messages)
        };
        Self {
            most: weeks.keys().last().copied().unwrap_or(0),
            median: within(50),
            p99: within(99),
            weeks,
        }
    }
}

fn examples(all: &[Differing], causes: &[Option<Cause>], max: usize) -> Vec<Difference> {
    let mut shown: HashMap<(&Arc<str>, Change, Option<Cause>), usize> = HashMap::new();
    let mut examples = Vec::new();
    for (differing, cause) in all.iter().zip(causes) {
        let own = shown.entry((&differing.shown().rule, differing.change(), *cause));
        let own = own.or_default();
        *own += 1;
        if *own <= max {
            examples.push(difference(differing, *cause));
        }
    }
    examples
}

fn difference(differing: &Differing, cause: Option<Cause>) -> Difference {
    let told = differing.shown();
    let (before, after) = match differing {
        Differing::Gained(told) => (None, Some(&**told)),
        Differing::Lost(told) => (Some(&**told), None),
        Differing::Changed(both) => (Some(&both.0), Some(&both.1)),
    };
    Difference {
        id: told.id.to_string(),
        change: differing.change(),
        rule: told.rule.to_string(),
        customer: told.customer.as_str().to_owned(),
        at: format_rfc3339(told.at),
        trigger: (told.trigger.kind.to_string(), told.trigger.id.to_string()),
        fields: match (before, after) {
            (Some(before), Some(after)) => before.differs(after),
            _ => Vec::new(),
        },
        cause,
        before: before.map(said),
        after: after.map(said),
    }
}

fn said(told: &told::Told) -> Told {
    Told {
        verdict: told.verdict.to_string(),
        channel: told.channel.to_string(),
        variant: told.variant.to_string(),
        code: told.code.as_deref().map(str::to_owned),
        value: told.value.map(|value| value.to_string()),
        cost: told.cost.map(|cost| cost.to_string()),
    }
}
