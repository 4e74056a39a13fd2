//! The windows that a rule may ask of a customer, as functions of Rhai.

use super::api::{Answer, CustomerView, called};
use super::record::{error, text};
use crate::event::Direction;
use crate::state::{Distinct, Question, View, Window};
use rhai::{Dynamic, Engine, Map};
use rust_decimal::Decimal;

pub(super) fn register(engine: &mut Engine) {
    money(engine);
    journal(engine);
}

/// Registers a function of a window with and without a category before it.
macro_rules! windowed {
    ($engine:ident, $name:literal, $question:expr, $compute:expr) => {
        $engine
            .register_fn($name, |v: &mut CustomerView, w: &str| -> Answer<Decimal> {
                let compute: fn(&View<'_>, Option<&str>, Window) -> Decimal = $compute;
                let (length, w) = (w, v.window(w)?);
                v.note(
                    || called($name, &[length], &Map::new()),
                    || $question(None, w),
                );
                Ok(compute(&v.view(), None, w))
            })
            .register_fn(
                $name,
                |v: &mut CustomerView, category: &str, w: &str| -> Answer<Decimal> {
                    let compute: fn(&View<'_>, Option<&str>, Window) -> Decimal = $compute;
                    let (length, w) = (w, v.window(w)?);
                    v.note(
                        || called($name, &[category, length], &Map::new()),
                        || $question(Some(category.into()), w),
                    );
                    Ok(compute(&v.view(), Some(category), w))
                },
            );
    };
}

fn inflow_of(category: Option<Box<str>>, window: Window) -> Question {
    Question::Flow(Direction::In, category, window)
}

fn outflow_of(category: Option<Box<str>>, window: Window) -> Question {
    Question::Flow(Direction::Out, category, window)
}

fn money(engine: &mut Engine) {
    windowed!(engine, "spend", Question::Spend, |v, c, w| v
        .spend(c, w)
        .to_decimal());
    windowed!(engine, "average", Question::Average, |v, c, w| v
        .average(c, w));
    windowed!(engine, "largest", Question::Largest, |v, c, w| v
        .largest(c, w)
        .to_decimal());
    windowed!(engine, "inflow", inflow_of, |v, c, w| v
        .flow(Direction::In, c, w)
        .to_decimal());
    windowed!(engine, "outflow", outflow_of, |v, c, w| v
        .flow(Direction::Out, c, w)
        .to_decimal());
    engine.register_fn(
        "balance_change",
        |v: &mut CustomerView, w: &str| -> Answer<Decimal> {
            let (length, w) = (w, v.window(w)?);
            v.note(
                || called("balance_change", &[length], &Map::new()),
                || Question::BalanceChange(w),
            );
            Ok(v.view().balance_change(w).to_decimal())
        },
    );
}

fn journal(engine: &mut Engine) {
    let none = Map::new;
    engine
        .register_fn("count", move |v: &mut CustomerView, kind: &str, w: &str| {
            v.count(kind, w, &none())
        })
        .register_fn(
            "count",
            |v: &mut CustomerView, kind: &str, w: &str, filter: Map| v.count(kind, w, &filter),
        )
        .register_fn("last", move |v: &mut CustomerView, kind: &str| {
            v.last(kind, &none())
        })
        .register_fn("last", |v: &mut CustomerView, kind: &str, filter: Map| {
            v.last(kind, &filter)
        })
        .register_fn("since", move |v: &mut CustomerView, kind: &str| {
            v.since(kind, &none())
        })
        .register_fn("since", |v: &mut CustomerView, kind: &str, filter: Map| {
            v.since(kind, &filter)
        })
        .register_fn(
            "distinct",
            |v: &mut CustomerView, what: &str, w: &str| -> Answer<i64> {
                let (of, window) = (distinct_of(what)?, v.window(w)?);
                v.note(
                    || called("distinct", &[what, w], &Map::new()),
                    || Question::Distinct(of, window),
                );
                Ok(i64::try_from(v.view().distinct(of, window)).unwrap_or(i64::MAX))
            },
        )
        .register_fn(
            "share",
            |v: &mut CustomerView, category: &str, w: &str| -> Answer<Decimal> {
                let (length, w) = (w, v.window(w)?);
                v.note(
                    || called("share", &[category, length], &Map::new()),
                    || Question::Share(category.into(), w),
                );
                Ok(v.view().share(category, w))
            },
        )
        .register_fn(
            "preference",
            |v: &mut CustomerView, w: &str| -> Answer<Dynamic> {
                let (length, w) = (w, v.window(w)?);
                v.note(
                    || called("preference", &[length], &Map::new()),
                    || Question::Preference(w),
                );
                Ok(v.view()
                    .preference(w)
                    .map_or(Dynamic::UNIT, |word| text(&word)))
            },
        );
}

pub(super) fn distinct_of(what: &str) -> Answer<Distinct> {
    Ok(match what {
        "merchant" => Distinct::Merchant,
        "category" => Distinct::Category,
        "counterparty" => Distinct::Counterparty,
        "channel" => Distinct::Channel,
        _ => {
            return Err(error(format!(
                "`distinct` counts \"merchant\", \"category\", \"counterparty\" or \"channel\", not \"{what}\""
            )));
        }
    })
}
