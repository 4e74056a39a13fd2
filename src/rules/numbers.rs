//! The helper functions that rules have for numbers.

use rhai::Engine;
use rust_decimal::{Decimal, RoundingStrategy};

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("min", |a: Decimal, b: Decimal| a.min(b))
        .register_fn("min", |a: Decimal, b: i64| a.min(b.into()))
        .register_fn("min", |a: i64, b: Decimal| Decimal::from(a).min(b))
        .register_fn("max", |a: Decimal, b: Decimal| a.max(b))
        .register_fn("max", |a: Decimal, b: i64| a.max(b.into()))
        .register_fn("max", |a: i64, b: Decimal| Decimal::from(a).max(b))
        .register_fn("round", |x: Decimal, digits: i64| rounded(x, digits))
        .register_fn("round", |x: i64, _digits: i64| x)
        .register_fn("money", |x: Decimal| money_text(x))
        .register_fn("money", |x: i64| money_text(x.into()));
}

/// Rounds half to even.
fn rounded(x: Decimal, digits: i64) -> Decimal {
    let digits = u32::try_from(digits.clamp(0, 28)).unwrap_or(0);
    x.round_dp_with_strategy(digits, RoundingStrategy::MidpointNearestEven)
}

fn money_text(x: Decimal) -> String {
    format!("{:.2}", rounded(x, 2))
}
