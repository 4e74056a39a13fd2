//! Who converted and who did not: customers compared attribute by attribute, by what was known of them when
//! they were first spoken to.

use super::fact::{Side, Trait};
use super::fold::{Change, Fold};
use super::model::{Attribute, TraitGroup};
use super::people::{People, Person};
use super::profile;
use crate::clock::Millis;
use crate::statistics::{Proportion, cramers_v};
use std::collections::{BTreeMap, HashMap};

/// A number with more values than this is compared by quarters of the customers.
const VALUES_MAX: usize = 8;
/// Groups of an attribute that are shown; the others are one group together.
const GROUPS_MAX: usize = 8;
/// A word with more values than this, and more than one in three of a customer's own, is a name.
const NAMES_MIN: usize = 50;

/// The group of those of whom nothing is known.
const UNKNOWN: &str = "not known";
/// The group of those with a rarer word.
const OTHER: &str = "other";

/// Compares the customers of a rule. The attributes that tell most come first.
pub(super) fn compare(fold: &Fold, people: &People<'_>) -> Vec<Attribute> {
    let mut columns: BTreeMap<&str, Vec<(Option<&Trait>, &Person)>> = BTreeMap::new();
    let compared = |person: &&Person| matches!(person.side, Side::Treated | Side::HeldOut);
    let known: Vec<(HashMap<&str, &Trait>, &Person)> = (people.iter())
        .filter(|(_, person)| compared(person))
        .map(|(customer, person)| {
            let changes = fold.people.get(*customer).map_or(&[][..], |c| c);
            (as_of(changes, person.at), person)
        })
        .collect();
    for (traits, _) in &known {
        for name in traits.keys() {
            columns.entry(name).or_default();
        }
    }
    for (name, column) in &mut columns {
        column.extend(
            known
                .iter()
                .map(|(traits, person)| (traits.get(name).copied(), *person)),
        );
    }
    let mut attributes: Vec<Attribute> = (columns.into_iter())
        .filter_map(|(name, column)| attribute(name, &column))
        .collect();
    attributes.sort_by(|one, other| {
        (other.strength.total_cmp(&one.strength)).then_with(|| one.name.cmp(&other.name))
    });
    attributes
}

/// What was known at a moment.
fn as_of(changes: &[Change], at: Millis) -> HashMap<&str, &Trait> {
    let mut latest: HashMap<&str, (Millis, Option<&Trait>)> = HashMap::new();
    for change in changes.iter().filter(|change| change.since <= at) {
        let known = latest.entry(&change.name).or_insert((change.since, None));
        if change.since >= known.0 {
            *known = (change.since, change.value.as_ref());
        }
    }
    let known = latest.into_iter();
    known
        .filter_map(|(name, (_, value))| Some((name, value?)))
        .collect()
}

fn attribute(name: &str, column: &[(Option<&Trait>, &Person)]) -> Option<Attribute> {
    let label = labels(name, column)?;
    let mut groups: BTreeMap<(usize, String), [Proportion; 2]> = BTreeMap::new();
    for (value, person) in column {
        let sides = groups.entry(label(*value)).or_default();
        let side = &mut sides[usize::from(person.side == Side::HeldOut)];
        side.of += 1;
        side.successes += u64::from(person.converted_at.is_some());
    }
    let treated = |sides: &[Proportion; 2]| sides[0];
    let counts: Vec<(u64, u64)> = (groups.values())
        .map(|sides| {
            let treated = treated(sides);
            (treated.successes, treated.of - treated.successes)
        })
        .collect();
    let converted: u64 = counts.iter().map(|(yes, _)| yes).sum();
    let others: u64 = counts.iter().map(|(_, no)| no).sum();
    let share = |part: u64, all: u64| part as f64 / all.max(1) as f64;
    let groups = (groups.into_iter()).zip(&counts);
    Some(Attribute {
        name: name.to_owned(),
        strength: cramers_v(&counts),
        groups: groups
            .map(|(((_, group), sides), (yes, no))| TraitGroup {
                group,
                converted: *yes,
                not_converted: *no,
                share_of_converted: share(*yes, converted),
                share_of_not_converted: share(*no, others),
                rate: sides[0].rate(),
                held_out: sides[1].of,
                held_out_converted: sides[1].successes,
            })
            .collect(),
    })
}

type Label<'a> = Box<dyn Fn(Option<&Trait>) -> (usize, String) + 'a>;

/// How the values of an attribute are put into groups, with the order of each group; `None` if they are
/// names, which nobody can be compared by.
fn labels<'a>(name: &str, column: &[(Option<&'a Trait>, &Person)]) -> Option<Label<'a>> {
    let mut numbers = Vec::new();
    let mut words: HashMap<&str, usize> = HashMap::new();
    for (value, _) in column {
        match value {
            Some(Trait::Number(number)) => numbers.push(*number),
            Some(Trait::Word(word)) => *words.entry(word).or_default() += 1,
            None => {}
        }
    }
    if words.len() > NAMES_MIN && words.len() * 3 > column.len() {
        return None;
    }
    numbers.sort_by(f64::total_cmp);
    let all = numbers.clone();
    numbers.dedup();
    let number: Box<dyn Fn(f64) -> (usize, String)> = if numbers.len() <= VALUES_MAX {
        Box::new(move |value| {
            let order = numbers.iter().position(|known| *known == value);
            (order.unwrap_or_default(), value.to_string())
        })
    } else {
        quarters(&all)
    };
    let mut frequent: Vec<(&str, usize)> = words.into_iter().collect();
    frequent.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    frequent.truncate(GROUPS_MAX);
    // Who was never put into a segment is not in it.
    let is_segment = name.starts_with(profile::SEGMENT);
    let absent = if is_segment { "no" } else { UNKNOWN };
    Some(Box::new(move |value| match value {
        None => (usize::MAX, absent.to_owned()),
        Some(Trait::Number(value)) => number(*value),
        Some(Trait::Word(word)) => match frequent.iter().position(|(known, _)| *known == &**word) {
            Some(order) => (VALUES_MAX + order, word.to_string()),
            None => (usize::MAX - 1, OTHER.to_owned()),
        },
    }))
}

/// Four groups of about as many customers each.
fn quarters(sorted: &[f64]) -> Box<dyn Fn(f64) -> (usize, String)> {
    let mut edges: Vec<f64> = (1..4).map(|part| sorted[sorted.len() * part / 4]).collect();
    edges.dedup();
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    Box::new(move |value| {
        let order = edges.partition_point(|edge| *edge <= value);
        let low = order.checked_sub(1).map_or(least, |at| edges[at]);
        let group = match edges.get(order) {
            Some(high) => format!("{low} to below {high}"),
            None => format!("{low} to {most}"),
        };
        (order, group)
    })
}
