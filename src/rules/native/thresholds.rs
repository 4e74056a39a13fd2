//! Comparisons of one number with many constants: sorted, so that one search tells which of them hold.

use super::bits::{Bits, Few};
use rust_decimal::Decimal;

/// After so many thresholds there is a ready-made set of all rules behind them.
const STEP: usize = 64;

/// What is asked of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// Rules by their threshold.
#[derive(Debug)]
pub(super) struct Thresholds {
    all: Few,
    /// Above and at least, from the lowest; and below and at most, from the highest.
    sides: [Side; 2],
}

/// Thresholds in such an order that those that hold come before those that do not.
#[derive(Debug)]
struct Side {
    is_lower: bool,
    numbers: Vec<(Decimal, bool)>,
    rules: Vec<u32>,
    /// All rules from a multiple of [`STEP`] on, if there are many.
    behind: Vec<Bits>,
}

impl Thresholds {
    pub(super) fn new(thresholds: Vec<(Bound, Decimal, u32)>, count: usize) -> Self {
        let all = thresholds.iter().map(|(_, _, rule)| *rule).collect();
        let (lower, upper): (Vec<_>, Vec<_>) = thresholds
            .into_iter()
            .partition(|(bound, ..)| matches!(bound, Bound::Above | Bound::AtLeast));
        Self {
            all: Few::new(all, count),
            sides: [
                Side::new(lower, true, count),
                Side::new(upper, false, count),
            ],
        }
    }

    /// Takes the rules out whose comparison does not hold: all of them if there is no number.
    pub(super) fn apply(&self, number: Option<Decimal>, open: &mut Bits) {
        match number {
            None => self.all.clear(open),
            Some(number) => self.sides.iter().for_each(|side| side.apply(number, open)),
        }
    }
}

impl Side {
    fn new(mut thresholds: Vec<(Bound, Decimal, u32)>, is_lower: bool, count: usize) -> Self {
        // Of the same number, the bound that includes it holds earlier.
        let is_strict = |bound: Bound| matches!(bound, Bound::Above | Bound::Below);
        thresholds.sort_by(|a, b| {
            let order = a.1.cmp(&b.1);
            let order = if is_lower { order } else { order.reverse() };
            order.then(is_strict(a.0).cmp(&is_strict(b.0)))
        });
        let numbers = thresholds.iter();
        let numbers = numbers.map(|(bound, number, _)| (*number, is_strict(*bound)));
        let numbers: Vec<(Decimal, bool)> = numbers.collect();
        let rules: Vec<u32> = thresholds.iter().map(|(_, _, rule)| *rule).collect();
        let mut behind = Vec::new();
        if rules.len() > STEP {
            let mut bits = Bits::none(count);
            for chunk in rules.chunks(STEP).rev() {
                chunk.iter().for_each(|rule| bits.set(*rule));
                behind.push(bits.clone());
            }
            behind.reverse();
        }
        Self {
            is_lower,
            numbers,
            rules,
            behind,
        }
    }

    fn apply(&self, number: Decimal, open: &mut Bits) {
        let holding = self.numbers.partition_point(|(threshold, is_strict)| {
            let order = number.cmp(threshold);
            let order = if self.is_lower {
                order
            } else {
                order.reverse()
            };
            order.is_gt() || (order.is_eq() && !is_strict)
        });
        let mut end = self.rules.len();
        let step = holding.div_ceil(STEP);
        if let Some(behind) = self.behind.get(step) {
            open.clear(behind);
            end = step * STEP;
        }
        for rule in &self.rules[holding..end] {
            open.unset(*rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_those_stay_whose_comparison_holds() {
        for count in [7_u32, 300, 1_000] {
            let bounds = [Bound::Below, Bound::AtMost, Bound::Above, Bound::AtLeast];
            let rules: Vec<(Bound, Decimal, u32)> = (0..count)
                .map(|rule| {
                    let number = Decimal::from(rule * 7_919 % 101);
                    (bounds[rule as usize % 4], number, rule)
                })
                .collect();
            let thresholds = Thresholds::new(rules.clone(), count as usize);
            for tenths in -5..1_050 {
                let number = Decimal::new(tenths, 1);
                let mut open = Bits::all(count as usize);
                thresholds.apply(Some(number), &mut open);
                for (bound, threshold, rule) in &rules {
                    let holds = match bound {
                        Bound::Below => number < *threshold,
                        Bound::AtMost => number <= *threshold,
                        Bound::Above => number > *threshold,
                        Bound::AtLeast => number >= *threshold,
                    };
                    assert_eq!(open.has(*rule), holds, "{number} {bound:?} {threshold}");
                }
            }
            let mut open = Bits::all(count as usize);
            thresholds.apply(None, &mut open);
            assert!(open.is_empty());
        }
    }
}
