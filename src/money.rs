//! Exact money: a count of ten-thousandths, never binary floating point.

use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::BTreeMap;
use std::fmt;

/// An amount in units of 1/10,000 of a currency's main unit. ISO 4217 knows no currency with more
/// than four decimals, so every amount of a real currency is exact. The range is about
/// ±922 trillion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// How many ten-thousandths make one unit.
const SCALE: u32 = 4;

/// Why a decimal is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// More than four decimals would have to be rounded away.
    #[error("has more than four decimals")]
    TooPrecise,
    /// Beyond ±922 trillion.
    #[error("is out of range")]
    OutOfRange,
}

impl Money {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// From ten-thousandths of the main unit.
    #[must_use]
    pub const fn from_ten_thousandths(units: i64) -> Self {
        Self(units)
    }

    /// In ten-thousandths of the main unit.
    #[must_use]
    pub const fn ten_thousandths(self) -> i64 {
        self.0
    }

    /// An exact conversion.
    ///
    /// # Errors
    /// When the decimal has more than four decimals or is out of range.
    pub fn exact(decimal: Decimal) -> Result<Self, MoneyError> {
        if decimal.normalize().scale() > SCALE {
            return Err(MoneyError::TooPrecise);
        }
        Self::rounded(decimal).ok_or(MoneyError::OutOfRange)
    }

    /// Rounds half to even at the fourth decimal; `None` when out of range.
    #[must_use]
    pub fn rounded(decimal: Decimal) -> Option<Self> {
        let mut rounded =
            decimal.round_dp_with_strategy(SCALE, RoundingStrategy::MidpointNearestEven);
        rounded.rescale(SCALE);
        if rounded.scale() != SCALE {
            return None;
        }
        i64::try_from(rounded.mantissa()).ok().map(Self)
    }

    /// The amount as a decimal, without trailing zeros.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, SCALE).normalize()
    }

    /// Sum that stops at the ends of the range.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference that stops at the ends of the range.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

/// Rates that turn amounts into the base currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    base: String,
    /// Units of the base currency for one unit of the key.
    table: BTreeMap<String, Decimal>,
}

impl Rates {
    /// A table for `base`, with the units of `base` that one unit of each other currency is worth.
    #[must_use]
    pub fn new(base: impl Into<String>, table: BTreeMap<String, Decimal>) -> Self {
        Self {
            base: base.into(),
            table,
        }
    }

    /// The same table with more rates, which go before those it has.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = (String, Decimal)>) -> Self {
        let mut table = self.table.clone();
        table.extend(more);
        Self::new(self.base.clone(), table)
    }

    /// The base currency's ISO 4217 code.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What one unit of `currency` is worth; `None` when the table does not name it.
    #[must_use]
    pub fn rate(&self, currency: &str) -> Option<Decimal> {
        if currency == self.base {
            Some(Decimal::ONE)
        } else {
            self.table.get(currency).copied()
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self::new("CNY", BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str(text).unwrap()
    }

    #[test]
    fn four_decimals_are_exact_and_a_fifth_is_refused() {
        assert_eq!(Money::exact(decimal("128.5000000")).unwrap().0, 1_285_000);
        assert_eq!(Money::exact(decimal("0.0001")).unwrap().0, 1);
        assert_eq!(
            Money::exact(decimal("0.00001")),
            Err(MoneyError::TooPrecise)
        );
        assert_eq!(
            Money::exact(decimal("79228162514264337593543950335")),
            Err(MoneyError::OutOfRange)
        );
        assert_eq!(Money(1_285_000).to_string(), "128.5");
    }

    #[test]
    fn conversion_rounds_half_to_even() {
        assert_eq!(Money::rounded(decimal("0.00005")).unwrap().0, 0);
        assert_eq!(Money::rounded(decimal("0.00015")).unwrap().0, 2);
    }
}
