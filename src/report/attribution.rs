//! Whose conversion it is, when several rules spoke to a customer before it.

use super::fact::Side;
use super::fold::{Conversion, Fold, Seen};
use crate::money::Money;
use crate::terms::AttributionModel as Model;
use std::collections::BTreeMap;

/// What is credited to one rule. Over all rules the conversions add up to the events that followed anything
/// that was sent, and the value to theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Credit {
    pub(super) conversions: f64,
    pub(super) value: Money,
}

/// Credits each rule, in the order of the fold's books. Only what was sent is credited.
pub(super) fn credits(fold: &Fold, model: Model) -> Vec<Credit> {
    let mut credits = vec![Credit::default(); fold.books.len()];
    let mut events: BTreeMap<u64, Vec<&Conversion>> = BTreeMap::new();
    for conversion in &fold.conversions {
        let Seen { book, unit, .. } = conversion.touch;
        if fold.books[book].units[unit].side == Side::Treated {
            events.entry(conversion.event).or_default().push(conversion);
        }
    }
    for mut touches in events.into_values() {
        // A journey that spoke several times is one touch, at its last or first word.
        touches.sort_by_key(|conversion| conversion.touch.at);
        if model != Model::FirstTouch {
            touches.reverse();
        }
        let mut journeys: Vec<&Conversion> = Vec::new();
        for conversion in touches {
            let same = |other: &&Conversion| {
                (other.touch.book, other.touch.unit)
                    == (conversion.touch.book, conversion.touch.unit)
            };
            if !journeys.iter().any(same) {
                journeys.push(conversion);
            }
        }
        if model != Model::Linear {
            journeys.truncate(1);
        }
        let value = journeys.iter().find_map(|conversion| conversion.value);
        let shares = shares(value.unwrap_or_default(), journeys.len());
        for (conversion, value) in journeys.iter().zip(shares) {
            let credit = &mut credits[conversion.touch.book];
            credit.conversions += 1.0 / journeys.len() as f64;
            credit.value = credit.value.saturating_add(value);
        }
    }
    credits
}

/// An amount in equal parts that add up to it exactly: the first ones get what is left over.
fn shares(value: Money, parts: usize) -> impl Iterator<Item = Money> {
    let parts = i64::try_from(parts).unwrap_or(i64::MAX).max(1);
    let units = value.ten_thousandths();
    let (each, over) = (units.div_euclid(parts), units.rem_euclid(parts));
    (0..parts).map(move |at| Money::from_ten_thousandths(each + i64::from(at < over)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_amount_add_up_to_it() {
        for parts in 1..7 {
            let total = Money::from_ten_thousandths(100_001);
            let sum = shares(total, parts).fold(Money::ZERO, Money::saturating_add);
            assert_eq!(sum, total);
            assert_eq!(shares(total, parts).count(), parts);
        }
    }
}
