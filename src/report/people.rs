//! The customers behind journeys, each counted once: they are what chance assigns to a control group, so they
//! are what a comparison counts. Ten journeys of one customer are not ten independent observations.

use super::fact::Side;
use super::units::Unit;
use crate::clock::Millis;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::statistics::{Proportion, Sample};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// A customer as an experiment sees them.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// On which side they were first, and so are counted.
    pub(super) side: Side,
    /// The variant they got first.
    pub(super) variant: Arc<str>,
    /// When they were first spoken to, or held out.
    pub(super) at: Millis,
    /// When they first did what it was for.
    pub(super) converted_at: Option<Millis>,
    /// What that brought, all journeys together.
    pub(super) value: Money,
    /// Whether they were on another side later, since the control group was changed.
    pub(super) switched: bool,
}

/// Customers by their id. Those in shadow mode are on no side of a comparison.
pub(super) type People<'a> = HashMap<&'a CustomerId, Person>;

/// The customers behind units, which may be those of several rules.
pub(super) fn people<'a>(units: impl Iterator<Item = &'a Unit>) -> People<'a> {
    let mut units: Vec<&Unit> = units.filter(|unit| unit.side != Side::Shadow).collect();
    units.sort_by_key(|unit| unit.at);
    let mut people = People::new();
    for unit in units {
        match people.entry(&unit.customer) {
            Entry::Vacant(vacant) => {
                vacant.insert(Person {
                    side: unit.side,
                    variant: unit.variant.clone(),
                    at: unit.at,
                    converted_at: unit.converted_at,
                    value: unit.value,
                    switched: false,
                });
            }
            Entry::Occupied(mut known) => {
                let person = known.get_mut();
                person.switched |= person.side != unit.side;
                person.value = person.value.saturating_add(unit.value);
                person.converted_at = match (person.converted_at, unit.converted_at) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
            }
        }
    }
    people
}

/// What one side of an experiment did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    pub(super) converted: Proportion,
    pub(super) value: Sample,
}

impl Group {
    pub(super) fn add(&mut self, person: &Person) {
        self.converted.of += 1;
        self.converted.successes += u64::from(person.converted_at.is_some());
        self.value.add(approximate(person.value));
    }
}

/// An amount as statistics take it.
pub(super) fn approximate(money: Money) -> f64 {
    money.ten_thousandths() as f64 / 10_000.0
}
