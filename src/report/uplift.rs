//! How much more those did who were spoken to than those who were not.

use super::model::{Bounds, Compared, GroupFigures, Incremental, Uplift};
use super::people::{Group, approximate};
use crate::money::Money;
use crate::statistics::{ConfidenceSequence, Difference, Interval};

/// Compares customers who were spoken to with those held out. `cost` is what speaking to them cost.
pub(super) fn uplift(
    sequence: &ConfidenceSequence,
    treated: &Group,
    held_out: &Group,
    cost: Money,
) -> Option<Uplift> {
    if treated.converted.of == 0 || held_out.converted.of == 0 {
        return None;
    }
    let conversion = sequence.of_proportions(treated.converted, held_out.converted);
    let value = sequence.of_means(&treated.value, &held_out.value);
    let verdict = match conversion {
        None => "too few customers to say",
        Some(difference) if difference.absolute.low > 0.0 => "better",
        Some(difference) if difference.absolute.high < 0.0 => "worse",
        Some(_) => "not told apart yet",
    };
    let customers = treated.converted.of as f64;
    Some(Uplift {
        treated: group(treated),
        held_out: group(held_out),
        conversion: conversion.map(compared),
        value_per_customer: value.map(compared),
        incremental: conversion.map(|conversion| {
            let value = value.map(|value| times(value.absolute, customers));
            let spent = approximate(cost);
            Incremental {
                conversions: times(conversion.absolute, customers),
                value,
                return_on_spend: value
                    .filter(|_| spent > 0.0)
                    .map(|value| value.map(|number| number / spent)),
            }
        }),
        verdict,
    })
}

fn group(group: &Group) -> GroupFigures {
    GroupFigures {
        customers: group.converted.of,
        converted: group.converted.successes,
        rate: group.converted.rate(),
        value_per_customer: group.value.mean(),
    }
}

fn compared(difference: Difference) -> Compared {
    Compared {
        absolute: bounds(difference.absolute),
        relative: difference.relative.map(bounds),
        p_value: difference.p_value,
    }
}

fn times(interval: Interval, factor: f64) -> Bounds {
    bounds(interval).map(|number| number * factor)
}

/// An interval as a report has it.
pub(super) fn bounds(interval: Interval) -> Bounds {
    Bounds {
        estimate: interval.estimate,
        low: interval.low,
        high: interval.high,
    }
}
