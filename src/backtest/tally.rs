//! What one side of one partition comes to: counts by rule, money by rule and day, contacts by customer and week.

use super::comparison::Side;
use super::told::Told;
use crate::action::Verdict;
use crate::clock::Millis;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::policy::local_day;
use crate::rules;
use foldhash::fast::RandomState;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What one side did with one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OfRule {
    pub(super) sent: u64,
    /// Decided and not delivered: held out, or in shadow mode.
    pub(super) withheld: u64,
    pub(super) cost: Money,
    pub(super) value: Money,
    pub(super) converted: u64,
    pub(super) errors: u64,
}

/// What one side did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) rules: BTreeMap<Arc<str>, OfRule>,
    pub(super) verdicts: HashMap<(Arc<str>, Verdict), u64>,
    /// Verdicts that [`Tally::add`] adds to these.
    pub(super) quiet: rules::Tally,
    pub(super) spent: BTreeMap<(Arc<str>, Date), Money>,
    /// By which rule set, how many decisions.
    pub(super) generations: BTreeMap<Arc<str>, u64>,
    pub(super) customers: HashSet<CustomerId, RandomState>,
}

impl Tally {
    pub(super) fn decided(&mut self, told: &Told, zone: &TimeZone) {
        let rule = self.rules.entry(told.rule.clone()).or_default();
        if told.is_sent() {
            rule.sent += 1;
            rule.value = rule.value.saturating_add(told.value.unwrap_or_default());
            let cost = told.cost.unwrap_or_default();
            rule.cost = rule.cost.saturating_add(cost);
            if cost != Money::ZERO {
                let day = local_day(told.at, zone);
                let spent = self.spent.entry((told.rule.clone(), day)).or_default();
                *spent = spent.saturating_add(cost);
            }
            if !self.customers.contains(&told.customer) {
                self.customers.insert(told.customer.clone());
            }
        } else {
            rule.withheld += 1;
        }
        match self.generations.get_mut(&told.generation) {
            Some(count) => *count += 1,
            None => {
                self.generations.insert(told.generation.clone(), 1);
            }
        }
    }

    pub(super) fn converted(&mut self, rule: &Arc<str>) {
        self.rules.entry(rule.clone()).or_default().converted += 1;
    }

    pub(super) fn failed(&mut self, rule: &Arc<str>) {
        self.rules.entry(rule.clone()).or_default().errors += 1;
    }

    /// Adds what the same side did in another partition.
    pub(super) fn add(&mut self, mut other: Self) {
        for (rule, more) in other.rules {
            let own = self.rules.entry(rule).or_default();
            own.sent += more.sent;
            own.withheld += more.withheld;
            own.cost = own.cost.saturating_add(more.cost);
            own.value = own.value.saturating_add(more.value);
            own.converted += more.converted;
            own.errors += more.errors;
        }
        other.quiet.settle(&mut other.verdicts);
        for (key, more) in other.verdicts {
            *self.verdicts.entry(key).or_default() += more;
        }
        for (key, more) in other.spent {
            let own = self.spent.entry(key).or_default();
            *own = own.saturating_add(more);
        }
        for (generation, more) in other.generations {
            *self.generations.entry(generation).or_default() += more;
        }
        self.customers.extend(other.customers);
    }
}

/// How many messages each customer got in each week, on both sides.
#[derive(Debug, Default)]
pub(super) struct Contacts(HashMap<(CustomerId, i32), [u32; 2], RandomState>);

impl Contacts {
    pub(super) fn decided(&mut self, side: Side, told: &Told, zone: &TimeZone) {
        if told.is_sent() {
            let key = (told.customer.clone(), week(told.at, zone));
            self.0.entry(key).or_default()[side as usize] += 1;
        }
    }

    /// How many weeks of customers had so many messages, on one side; those with none are not counted.
    pub(super) fn histogram(&self, side: Side) -> BTreeMap<u32, u64> {
        let mut weeks = BTreeMap::new();
        let counts = self.0.values().map(|counts| counts[side as usize]);
        for count in counts.filter(|count| *count > 0) {
            *weeks.entry(count).or_default() += 1;
        }
        weeks
    }
}

/// The number of the week, from Monday to Sunday, in which something was said.
fn week(at: Millis, zone: &TimeZone) -> i32 {
    // The first of January 1970 was a Thursday.
    let monday = date(1969, 12, 29);
    let days = monday
        .until(local_day(at, zone))
        .map_or(0, |span| span.get_days());
    days.div_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::parse_rfc3339;

    #[test]
    fn a_week_goes_from_monday_to_sunday_in_the_engines_zone() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let week = |text: &str| week(parse_rfc3339(text).unwrap(), &zone);
        let sunday = week("2026-11-22T23:59:59+08:00");
        assert_eq!(week("2026-11-16T00:00:00+08:00"), sunday);
        assert_eq!(week("2026-11-23T00:00:00+08:00"), sunday + 1);
        assert_eq!(week("2026-11-15T23:59:59+08:00"), sunday - 1);
    }
}
