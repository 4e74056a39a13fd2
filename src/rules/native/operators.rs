//! Operators as Rhai has them for the kinds of values that conditions know (rhai 1.27, `func/builtin.rs`,
//! with `no_float` and `decimal`).

use super::node::Val;
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Least,
    Most,
}

impl Compare {
    /// Whether an order fits.
    pub(super) fn fits(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// The same with its sides exchanged.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::Unequal => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

/// Compares; `None` for what is no simple value. Values of different kinds are unequal, and neither is less;
/// nothing equals nothing, and is not even less than or equal to it.
#[inline]
pub(super) fn compare(how: Compare, left: Val<'_>, right: Val<'_>) -> Option<bool> {
    Some(match (left, right) {
        (Val::Object, _) | (_, Val::Object) => return None,
        (Val::Int(a), Val::Int(b)) => how.fits(a.cmp(&b)),
        (Val::Decimal(a), Val::Decimal(b)) => how.fits(a.cmp(&b)),
        (Val::Decimal(a), Val::Int(b)) => how.fits(a.cmp(&Decimal::from(b))),
        (Val::Int(a), Val::Decimal(b)) => how.fits(Decimal::from(a).cmp(&b)),
        (Val::Text(a), Val::Text(b)) => match how {
            Compare::Equal => a == b,
            Compare::Unequal => a != b,
            _ => how.fits(a.cmp(b)),
        },
        (Val::Bool(a), Val::Bool(b)) => how.fits(a.cmp(&b)),
        (Val::Unit, Val::Unit) => how == Compare::Equal,
        _ => how == Compare::Unequal,
    })
}

/// Computes; `None` where Rhai throws, and for anything but two numbers.
pub(super) fn compute<'v>(how: Arithmetic, left: Val<'v>, right: Val<'v>) -> Option<Val<'v>> {
    if let (Val::Int(a), Val::Int(b)) = (left, right) {
        return whole(how, a, b).map(Val::Int);
    }
    let (a, b) = (left.number()?, right.number()?);
    let number = match how {
        Arithmetic::Add => a.checked_add(b)?,
        Arithmetic::Subtract => a.checked_sub(b)?,
        Arithmetic::Multiply => a.checked_mul(b)?,
        Arithmetic::Divide if !b.is_zero() => a.checked_div(b)?,
        Arithmetic::Modulo if !b.is_zero() => a.checked_rem(b)?,
        Arithmetic::Divide | Arithmetic::Modulo => return None,
        Arithmetic::Least => a.min(b),
        Arithmetic::Most => a.max(b),
    };
    Some(Val::Decimal(number))
}

fn whole(how: Arithmetic, a: i64, b: i64) -> Option<i64> {
    match how {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide => a.checked_div(b),
        // What Rhai answers for −1 depends on the number: it is asked.
        Arithmetic::Modulo if b == -1 => None,
        Arithmetic::Modulo => a.checked_rem(b),
        Arithmetic::Least => Some(a.min(b)),
        Arithmetic::Most => Some(a.max(b)),
    }
}
