//! Sums of money: integer cents, spread as sums of money are in life.

use super::random::Random;

/// Cents in a yuan.
pub(super) const YUAN: i64 = 100;

/// How many independent factors make one amount.
const FACTORS: usize = 4;

/// A distribution of amounts around a median: a product of a few independent factors, each as
/// likely to stretch as to shrink, so close to log-normal, and exact on every machine since it
/// is made of integers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amounts {
    /// Half of the amounts are below; in cents.
    pub(super) median_cents: i64,
    /// How far one factor may stretch or shrink, in permille: 300 is narrow, 900 wide.
    pub(super) spread_permille: i64,
}

/// Amounts around a median given in whole yuan.
pub(super) const fn yuan(median: i64, spread_permille: i64) -> Amounts {
    Amounts {
        median_cents: median * YUAN,
        spread_permille,
    }
}

impl Amounts {
    /// One amount, in cents.
    pub(super) fn draw(self, random: &mut Random) -> i64 {
        let mut cents = self.median_cents;
        for _ in 0..FACTORS {
            let factor = 1000 + random.between(0, self.spread_permille);
            cents = if random.chance(500) {
                cents * factor / 1000
            } else {
                cents * 1000 / factor
            };
        }
        cents.max(1)
    }

    /// One amount as a price tag shows it: whole, or ending in .50 or .90; in cents.
    pub(super) fn price(self, random: &mut Random) -> i64 {
        let whole = (self.draw(random) / YUAN).max(2) * YUAN;
        match random.below(10) {
            0..=4 => whole,
            5..=6 => whole + 50,
            _ => whole - 10,
        }
    }

    /// One amount as people transfer it: rounded down to a round sum of yuan; in cents.
    pub(super) fn round(self, random: &mut Random) -> i64 {
        round_sum(self.draw(random))
    }
}

/// Rounds cents down to a sum that people would type: tens, hundreds or thousands of yuan.
pub(super) fn round_sum(cents: i64) -> i64 {
    let step = match cents / YUAN {
        ..100 => YUAN,
        100..2_000 => 10 * YUAN,
        2_000..50_000 => 100 * YUAN,
        _ => 1_000 * YUAN,
    };
    (cents / step * step).max(YUAN)
}

/// Cents as a decimal text with two digits, as producers write amounts.
pub(super) fn decimal(cents: i64) -> String {
    debug_assert!(cents >= 0, "amounts on the wire are not negative");
    format!("{}.{:02}", cents / YUAN, cents % YUAN)
}
