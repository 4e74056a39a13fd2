//! What a condition asks of the customer, with arguments that stand in the file.

use super::ask::{Ask, Sum, Wanted};
use super::node::Const;
use super::read::Reader;
use crate::event::Schema;
use crate::rules::api::filter_place;
use crate::rules::catalogue::{self, CUSTOMER_PROPERTIES};
use crate::rules::windows::distinct_of;
use crate::state::Window;
use rhai::{Dynamic, Expr, FnCallExpr, Token};
use std::ops::{Range, RangeInclusive};

/// A property that every customer has, or a declared attribute.
pub(super) fn property(name: &str, schema: &Schema) -> Option<Ask> {
    let is_known = catalogue::names(CUSTOMER_PROPERTIES).any(|known| known == name)
        || schema.attribute(name).is_some();
    is_known.then(|| Ask::Property(name.into()))
}

/// A call of one of the customer's functions that cannot fail.
pub(super) fn of_customer(reader: &Reader<'_>, call: &FnCallExpr) -> Option<Ask> {
    if !call.namespace.path.is_empty() || call.capture_parent_scope {
        return None;
    }
    let texts = || call.args.iter().map(|argument| text(reader, argument));
    let sum = match call.name.as_str() {
        "spend" => Some(Sum::Spend),
        "average" => Some(Sum::Average),
        "largest" => Some(Sum::Largest),
        "inflow" => Some(Sum::Inflow),
        "outflow" => Some(Sum::Outflow),
        _ => None,
    };
    if matches!(call.name.as_str(), "count" | "since") {
        return of_entries(reader, call);
    }
    let words: Vec<Box<str>> = texts().collect::<Option<_>>()?;
    Some(match (call.name.as_str(), &words[..]) {
        (_, [window]) if sum.is_some() => Ask::Sum(sum?, None, Window::parse(window)?),
        (_, [category, window]) if sum.is_some() => {
            Ask::Sum(sum?, Some(category.clone()), Window::parse(window)?)
        }
        ("balance_change", [window]) => Ask::BalanceChange(Window::parse(window)?),
        ("in_segment", [segment]) => Ask::Segment(segment.clone()),
        ("consents", [channel]) => Ask::Consents(channel.clone()),
        ("distinct", [what, window]) => {
            Ask::Distinct(distinct_of(what).ok()?, Window::parse(window)?)
        }
        ("share", [category, window]) => Ask::Share(category.clone(), Window::parse(window)?),
        ("preference", [window]) => Ask::Preference(Window::parse(window)?),
        ("offers", [rule, window]) => Ask::Offers(rule.clone(), Window::parse(window)?),
        ("accepted", [code]) => Ask::Accepted(code.clone()),
        _ => return None,
    })
}

/// `count` and `since`, with and without a filter.
fn of_entries(reader: &Reader<'_>, call: &FnCallExpr) -> Option<Ask> {
    let is_count = call.name == "count";
    let (kind, rest) = call.args.split_first()?;
    let kind = text(reader, kind)?;
    reader.schema.event_type(&kind)?;
    let (window, rest) = if is_count {
        let (window, rest) = rest.split_first()?;
        (Window::parse(&text(reader, window)?), rest)
    } else {
        (None, rest)
    };
    let wanted = match rest {
        [] => Vec::new(),
        [filter] => wanted(reader, &kind, filter)?,
        _ => return None,
    };
    if is_count {
        Some(Ask::Count(kind, window?, wanted))
    } else {
        Some(Ask::Since(kind, wanted))
    }
}

fn wanted(reader: &Reader<'_>, kind: &str, filter: &Expr) -> Option<Vec<Wanted>> {
    let mut members: Vec<(Box<str>, Const)> = match filter {
        Expr::Map(parts, _) => {
            let members = parts.0.iter();
            let member = |(name, value): &(rhai::Ident, Expr)| {
                Some((name.name.as_str().into(), reader.constant(value)?))
            };
            members.map(member).collect::<Option<_>>()?
        }
        Expr::DynamicConstant(map, _) => {
            let map = map.as_map_ref().ok()?;
            let member = |(name, value): (&rhai::Identifier, &Dynamic)| {
                Some((name.as_str().into(), constant(value)?))
            };
            map.iter().map(member).collect::<Option<_>>()?
        }
        _ => return None,
    };
    members.sort_by(|a, b| a.0.cmp(&b.0));
    let wanted = members.into_iter().map(|(name, value)| {
        if value == Const::Unit {
            return None;
        }
        let place = filter_place(reader.schema, kind, &name).ok()?;
        Some((name, place, value))
    });
    wanted.collect()
}

fn text(reader: &Reader<'_>, expr: &Expr) -> Option<Box<str>> {
    match reader.constant(expr)? {
        Const::Text(text) => Some(text),
        _ => None,
    }
}

/// A simple value.
pub(super) fn constant(value: &Dynamic) -> Option<Const> {
    Some(if value.is_unit() {
        Const::Unit
    } else if let Ok(b) = value.as_bool() {
        Const::Bool(b)
    } else if let Ok(n) = value.as_int() {
        Const::Int(n)
    } else if let Ok(n) = value.as_decimal() {
        Const::Decimal(n)
    } else {
        Const::Text(value.as_immutable_string_ref().ok()?.as_str().into())
    })
}

/// The first and the last number of a range that stands in the file.
pub(super) fn range(expr: &Expr) -> Option<(i64, i64)> {
    match expr {
        Expr::FnCall(call, _) => {
            let [
                Expr::IntegerConstant(first, _),
                Expr::IntegerConstant(end, _),
            ] = &call.args[..]
            else {
                return None;
            };
            match &call.op_token {
                Some(Token::InclusiveRange) => Some((*first, *end)),
                Some(Token::ExclusiveRange) => Some((*first, end.checked_sub(1)?)),
                _ => None,
            }
        }
        Expr::DynamicConstant(value, _) => {
            if let Some(range) = value.read_lock::<RangeInclusive<i64>>() {
                return Some((*range.start(), *range.end()));
            }
            let range = value.read_lock::<Range<i64>>()?;
            Some((range.start, range.end.checked_sub(1)?))
        }
        _ => None,
    }
}
