//! The fields of `RULE` that are maps of their own: `budget` and `steps`.

use super::header::{Header, called};
use super::record::decimal;
use crate::clock::Millis;
use crate::event::{FieldKind, Schema};
use crate::money::Money;
use crate::state::Window;
use crate::terms::{Budget, StepTime, WAIT_MAX};
use rhai::Map;
use std::sync::Arc;

/// The most steps a journey may have.
const STEPS_MAX: usize = 32;

const BUDGET_EXAMPLE: &str = "write `budget: #{ total: 500000, daily: 20000 }`";
const STEPS_EXAMPLE: &str = "write `steps: [#{ after: \"0s\" }, #{ after: \"1d\" }, #{ before: \"1d\", of: \"race_date\" }]`";

pub(super) fn budget(header: &mut Header<'_>) -> Option<Budget> {
    let value = header.map.get("budget")?.clone();
    let Some(map) = value.try_cast::<Map>() else {
        header.fault("budget", "`budget` must be a map", BUDGET_EXAMPLE);
        return None;
    };
    const KEYS: [&str; 3] = ["total", "daily", "per"];
    for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        let message = format!("`budget` has no field `{key}`");
        header.unknown(&format!("budget.{key}"), message, KEYS.into_iter());
    }
    let mut limit = |name: &str| {
        let value = map.get(name)?;
        let amount = decimal(value)
            .and_then(|number| Money::exact(number).ok())
            .filter(|amount| *amount > Money::ZERO);
        if amount.is_none() {
            let place = format!("budget.{name}");
            if let Ok(text) = value.as_immutable_string_ref() {
                let message = format!("`{name}` of `budget` must be a number, not text");
                let hint = format!(
                    "write it without quotes: `{name}: {}`",
                    text.replace(',', "")
                );
                header.fault(&place, message, hint);
            } else {
                let message = format!("`{name}` of `budget` must be an amount above zero");
                header.fault(&place, message, BUDGET_EXAMPLE);
            }
        }
        amount
    };
    let (total, daily) = (limit("total"), limit("daily"));
    let limits = map.contains_key("total") || map.contains_key("daily");
    if !limits && map.keys().all(|key| KEYS.contains(&key.as_str())) {
        header.fault(
            "budget",
            "`budget` has neither `total` nor `daily`",
            BUDGET_EXAMPLE,
        );
    }
    let per = map.get("per");
    let per = match per.map(|value| (value, value.clone().into_string())) {
        None => None,
        Some((_, Ok(key))) => Some(key.into()),
        Some((value, Err(_))) => {
            header.fault(
                "budget.per",
                format!("`per` of `budget` must be text, not {}", called(value)),
                "name the key of the action's map whose values have a budget each: `per: \"merchant\"`",
            );
            None
        }
    };
    Some(Budget { total, daily, per })
}

pub(super) fn steps(header: &mut Header<'_>, on: &[Arc<str>], schema: &Schema) -> Vec<StepTime> {
    let Some(value) = header.map.get("steps").cloned() else {
        return Vec::new();
    };
    let items = value.into_typed_array::<Map>().unwrap_or_default();
    if items.is_empty() || items.len() > STEPS_MAX {
        header.fault(
            "steps",
            format!("`steps` must be a list of 1 to {STEPS_MAX} maps"),
            STEPS_EXAMPLE,
        );
        return Vec::new();
    }
    let mut steps = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        match step(item, on, schema) {
            Ok(step) => steps.push(step),
            Err((message, hint)) => {
                let place = format!("steps.{at}");
                header.fault(&place, format!("this step {message}"), hint);
            }
        }
    }
    let mut last = None;
    let all_read = steps.len() == items.len();
    for (at, step) in steps.iter().enumerate().filter(|_| all_read) {
        if let StepTime::After(after) = step {
            if last.is_some_and(|last| *after <= last) {
                header.fault(
                    &format!("steps.{at}"),
                    "this step is not later than the one before",
                    "`after` counts from the trigger, not from the step before: put them in the order of time",
                );
            }
            last = Some(*after);
        }
    }
    if header.map.contains_key("delay") {
        header.fault(
            "steps",
            "a rule has either `delay` or `steps`",
            "write the delay as the first step: `steps: [#{ after: \"10m\" }, …]`",
        );
    }
    steps
}

fn step(item: &Map, on: &[Arc<str>], schema: &Schema) -> Result<StepTime, (String, String)> {
    let fault = |message: &str, hint: &str| (message.to_owned(), hint.to_owned());
    let text = |name: &str| {
        let value = item.get(name)?;
        Some(value.clone().into_string().unwrap_or_default())
    };
    let known = |name: &&rhai::Identifier| !["after", "before", "of"].contains(&name.as_str());
    if let Some(name) = item.keys().find(known) {
        return Err(fault(&format!("has no field `{name}`"), STEPS_EXAMPLE));
    }
    match (text("after"), text("before"), text("of")) {
        (Some(after), None, None) => length(&after).map(StepTime::After).ok_or_else(|| {
            fault(
                &format!("says no length of time in `after`: \"{after}\""),
                STEPS_EXAMPLE,
            )
        }),
        (None, Some(before), Some(of)) => {
            let lead = length(&before).ok_or_else(|| {
                fault(
                    &format!("says no length of time in `before`: \"{before}\""),
                    STEPS_EXAMPLE,
                )
            })?;
            let is_time = |kind: &Arc<str>| {
                let declared = schema.event_type(kind);
                let mut fields = declared.into_iter().flat_map(|declared| &declared.fields);
                fields.any(|field| *field.name == *of && field.kind == FieldKind::Time)
            };
            if !on.is_empty() && !on.iter().any(is_time) {
                return Err(fault(
                    &format!("counts from `{of}`, which is no time of the event"),
                    "name a field that schema.toml declares as \"time\"",
                ));
            }
            Ok(StepTime::Before {
                lead,
                of: of.into(),
            })
        }
        (None, Some(_), None) => Err(fault("has `before` without `of`", STEPS_EXAMPLE)),
        _ => Err(fault(
            "must have either `after`, or `before` and `of`",
            STEPS_EXAMPLE,
        )),
    }
}

/// A length that may be nothing at all.
fn length(text: &str) -> Option<Millis> {
    let number = text.strip_suffix(['s', 'm', 'h', 'd']);
    if number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b == b'0')) {
        return Some(0);
    }
    Window::parse(text)
        .map(Window::millis)
        .filter(|length| *length <= WAIT_MAX)
}
