//! How far two sides of an experiment differ, with an interval that holds at all looks at once: an
//! asymptotic confidence sequence. A fixed-sample interval of 95 % is wrong in far more than one in twenty
//! experiments when it is looked at every day until it excludes zero; this one is not.
//!
//! Source: I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas, "Time-uniform central limit
//! theory and asymptotic confidence sequences", The Annals of Statistics 52 (2024), arXiv:2103.06476:
//! Theorem 2.2 for the mean of independent units, section 3 for the difference of two randomised groups. It
//! is Robbins' normal mixture ("Statistical methods related to the law of the iterated logarithm", 1970)
//! with the variance estimated. With *n* units of both sides together, the difference's estimated standard
//! error *s*, error level α and tuning ρ, it reaches on both sides
//!
//! ```text
//! s · √( (nρ² + 1) / (nρ²) · ln( (nρ² + 1) / α² ) )
//! ```
//!
//! Assumed: units are independent of one another and assigned at random, their mean does not depend on
//! which of them came first, and they have a finite variance. It is asymptotic: what is said of few units
//! would be a guess, so nothing is said of fewer than [`UNITS_MIN`] on a side, or while fewer than
//! [`EVENTS_MIN`] of the smaller side would have done what is counted, or not done it, if both sides were
//! alike (Cochran's rule for tables of counts, "Some methods for strengthening the common χ² tests", Biometrics 10, 1954,
//! with four times his number, since the table is looked at often).

use super::arm::{Arm, Proportion, Sample};

/// Units that each side needs before anything is said.
pub const UNITS_MIN: u64 = 100;
/// Units of the smaller side that must be expected to have done what is counted, and as many not to have,
/// before anything is said.
pub const EVENTS_MIN: f64 = 20.0;
/// Units of both sides together for which the interval is made as narrow as can be. It must not depend on
/// what is seen; at a tenth and at a hundred times as many the interval is a fifth wider than it could be.
const UNITS_TIGHTEST: f64 = 10_000.0;

/// A rule that gives an interval for any number of units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConfidenceSequence {
    alpha: f64,
    rho_squared: f64,
}

/// An estimate, and between which numbers the truth lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// The least that is compatible with what was seen.
    pub low: f64,
    /// The most that is compatible with what was seen.
    pub high: f64,
}

/// How far a treated side is above the one held out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Treated less held out, in the unit of what is compared.
    pub absolute: Interval,
    /// Treated over held out, less 1: 0.1 is ten percent more. `None` while the held-out side's mean
    /// cannot be told from zero, since then no number is too large.
    pub relative: Option<Interval>,
    /// The least error level at which zero would be excluded by now; it too may be looked at every day.
    pub p_value: f64,
}

impl Interval {
    /// Whether a number lies in it.
    #[must_use]
    pub fn contains(&self, number: f64) -> bool {
        self.low <= number && number <= self.high
    }
}

impl ConfidenceSequence {
    /// A sequence that is wrong, at any look at all, in at most a share `alpha` of experiments.
    ///
    /// Source of the tuning: section B.2 of the paper, for the number of units at which the interval is
    /// narrowest.
    #[must_use]
    pub fn new(alpha: f64) -> Self {
        let level = -2.0 * alpha.ln();
        Self {
            alpha,
            rho_squared: (level + (level + 1.0).ln()) / UNITS_TIGHTEST,
        }
    }

    /// The share of experiments in which it may be wrong.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// How far a rate is above that of the side held out; `None` while there are too few units to say.
    #[must_use]
    pub fn of_proportions(&self, treated: Proportion, held_out: Proportion) -> Option<Difference> {
        let successes = treated.successes + held_out.successes;
        let rarer = successes.min((treated.of + held_out.of).saturating_sub(successes));
        self.compare(treated.arm(), held_out.arm(), rarer)
    }

    /// How far a mean is above that of the side held out; `None` while there are too few units to say.
    #[must_use]
    pub fn of_means(&self, treated: &Sample, held_out: &Sample) -> Option<Difference> {
        let seen = treated.other_than_zero() + held_out.other_than_zero();
        self.compare(treated.arm(), held_out.arm(), seen)
    }

    /// `events` are units of both sides together of which there must be enough.
    pub(super) fn compare(&self, treated: Arm, held_out: Arm, events: u64) -> Option<Difference> {
        let smaller = treated.units.min(held_out.units);
        let units = treated.units + held_out.units;
        let share = events as f64 / units.max(1) as f64;
        if smaller < UNITS_MIN || smaller as f64 * share < EVENTS_MIN {
            return None;
        }
        let time = units as f64 * self.rho_squared;
        let reach = ((time + 1.0) / time * ((time + 1.0) / (self.alpha * self.alpha)).ln()).sqrt();
        let treated_error = treated.variance / treated.units as f64;
        let held_out_error = held_out.variance / held_out.units as f64;
        let error = (treated_error + held_out_error).sqrt();
        let estimate = treated.mean - held_out.mean;
        let distance = if error > 0.0 { estimate / error } else { 0.0 };
        let p_value =
            (time + 1.0).sqrt() * (-0.5 * distance * distance * time / (time + 1.0)).exp();
        let ratio = ratio(
            (treated.mean, treated_error),
            (held_out.mean, held_out_error),
            reach * reach,
        );
        Some(Difference {
            absolute: Interval {
                estimate,
                low: estimate - reach * error,
                high: estimate + reach * error,
            },
            relative: ratio.map(|ratio| Interval {
                estimate: ratio.estimate - 1.0,
                low: ratio.low - 1.0,
                high: ratio.high - 1.0,
            }),
            p_value: p_value.min(1.0),
        })
    }
}

/// Which ratios θ of two means are compatible with what was seen: those for which the difference
/// treated − θ · held out, itself a mean of independent units, has an interval with zero in it.
///
/// Source: E. C. Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B
/// 16 (1954), with a confidence sequence in the place of the fixed-sample interval.
fn ratio(
    (treated, treated_error): (f64, f64),
    (held_out, held_out_error): (f64, f64),
    reach_squared: f64,
) -> Option<Interval> {
    let square = held_out * held_out - reach_squared * held_out_error;
    if square <= 0.0 || held_out <= 0.0 {
        return None;
    }
    let half_linear = treated * held_out;
    let rest = treated * treated - reach_squared * treated_error;
    let root = (half_linear * half_linear - square * rest).max(0.0).sqrt();
    Some(Interval {
        estimate: treated / held_out,
        low: (half_linear - root) / square,
        high: (half_linear + root) / square,
    })
}
