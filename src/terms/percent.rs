//! Parts of a hundred, exact: who asks for 2.5 % gets 2.5 %, not 2.

use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use std::fmt;

/// Digits after the point that a percentage may have.
const SCALE: u32 = 4;
/// Units of one percent.
const ONE: u32 = 10_000;

/// A percentage from 0 to 100 with at most four decimals, in units of a millionth of the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

impl Percent {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(100 * ONE);
    /// How many units make everything.
    pub const UNITS: u64 = 100 * ONE as u64;

    /// A whole number of percent; what is above 100 is 100.
    #[must_use]
    pub const fn whole(percent: u8) -> Self {
        if percent > 100 {
            return Self::ALL;
        }
        Self(percent as u32 * ONE)
    }

    /// A number from 0 to 100 with at most four decimals; `None` for any other.
    #[must_use]
    pub fn exact(percent: Decimal) -> Option<Self> {
        let percent = percent.normalize();
        if percent.scale() > SCALE || percent > Decimal::ONE_HUNDRED {
            return None;
        }
        let units = percent.checked_mul(Decimal::from(ONE))?;
        units.to_u32().map(Self)
    }

    /// Millionths of the whole.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// The number of percent.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0.into(), SCALE).normalize()
    }

    /// Part of the whole, from 0 to 1.
    #[must_use]
    pub fn part(self) -> f64 {
        f64::from(self.0) / f64::from(Self::ALL.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_decimals_are_exact_and_a_fifth_or_more_than_a_hundred_is_refused() {
        let read = |text: &str| Percent::exact(text.parse().unwrap());
        assert_eq!(read("2.5"), Some(Percent(25_000)));
        assert_eq!(read("0.0001000"), Some(Percent(1)));
        assert_eq!(read("100"), Some(Percent::ALL));
        for wrong in ["0.00001", "100.0001", "-1", "79228162514264337593543950335"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(Percent(25_000).to_string(), "2.5");
        assert_eq!(Percent::whole(10).to_string(), "10");
        assert_eq!(Percent::whole(255), Percent::ALL);
    }
}
