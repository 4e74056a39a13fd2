//! What rules that listen to one type of event say of themselves, each group of those that say the same.

use super::bits::{Bits, Few};
use crate::rules::rule::Rule;
use crate::terms::{Days, Percent, Terms};
use std::collections::HashMap;
use std::sync::Arc;

/// Rules in groups. A rule that says nothing is in none.
#[derive(Debug)]
pub struct Gates {
    /// By dates, days and hours.
    pub schedules: Vec<Group>,
    /// By audience.
    pub audiences: Vec<Group>,
    /// By how old what they answer may be; every rule is in one.
    pub freshness: Vec<Group>,
    /// Rules that are not rolled out to everybody.
    pub partial: Vec<Group>,
}

/// Rules that say the same.
#[derive(Debug)]
pub struct Group {
    /// One of them.
    pub first: u32,
    rules: Few,
}

impl Group {
    /// Whether one of them is open.
    #[must_use]
    pub fn meets(&self, open: &Bits) -> bool {
        self.rules.meets(open)
    }

    /// Takes those that are open out, telling each.
    pub fn take_out(&self, open: &mut Bits, tell: impl FnMut(u32)) {
        self.rules.common(open).into_iter().for_each(tell);
        self.rules.clear(open);
    }
}

impl Gates {
    pub(super) fn new(rules: &[Arc<Rule>]) -> Self {
        let has_schedule = |terms: &Terms| {
            let has_date = terms.starts.is_some() || terms.ends.is_some();
            has_date || terms.hours.is_some() || terms.days != Days::ALL
        };
        Self {
            schedules: groups(rules, |terms| {
                let parts = (terms.starts, terms.ends, terms.hours, terms.days);
                has_schedule(terms).then(|| format!("{parts:?}"))
            }),
            audiences: groups(rules, |terms| {
                let audience = &terms.audience;
                (!audience.is_empty()).then(|| format!("{audience:?}"))
            }),
            freshness: groups(rules, |terms| {
                Some(format!("{:?}", (terms.delay.unwrap_or(0), terms.fresh)))
            }),
            partial: groups(rules, |terms| {
                // Each rule draws for itself.
                (terms.rollout != Percent::ALL).then(|| terms.name.to_string())
            }),
        }
    }
}

fn groups(rules: &[Arc<Rule>], key: impl Fn(&Terms) -> Option<String>) -> Vec<Group> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for (number, rule) in (0..).zip(rules) {
        let Some(key) = key(&rule.terms) else {
            continue;
        };
        let place = *places.entry(key).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(number);
    }
    let group = |group: Vec<u32>| {
        Some(Group {
            first: *group.first()?,
            rules: Few::new(group, rules.len()),
        })
    };
    groups.into_iter().filter_map(group).collect()
}
