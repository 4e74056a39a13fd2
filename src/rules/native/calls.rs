//! What a condition asks of the customer, with arguments that stand in the file.

use super::ask::{Ask, Place, Sum, Wanted};
use super::node::{Const, Node};
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
pub(super) fn of_entries<'r>(reader: &mut Reader<'r>, call: &'r FnCallExpr) -> Option<Node> {
    if !call.namespace.path.is_empty() || call.capture_parent_scope {
        return None;
    }
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
    let (wanted, computed) = match rest {
        [] => (Vec::new(), Vec::new()),
        [filter] => wanted(reader, &kind, filter)?,
        _ => return None,
    };
    let ask = if is_count {
        Ask::Count(kind, window?, wanted)
    } else {
        Ask::Since(kind, wanted)
    };
    Some(if computed.is_empty() {
        reader.ask(ask)
    } else {
        Node::Filtered(ask.into(), computed)
    })
}

/// The members of a filter: those whose values stand in the file, and those that must be computed.
type Members = (Vec<Wanted>, Vec<(Place, Node)>);

fn wanted<'r>(reader: &mut Reader<'r>, kind: &str, filter: &'r Expr) -> Option<Members> {
    let schema = reader.schema;
    let place = |name: &str| {
        let fixed = filter_place(schema, kind, name).ok()?;
        let name = name.into();
        Some(Place { name, fixed })
    };
    let (mut wanted, mut computed) = (Vec::new(), Vec::new());
    match filter {
        Expr::Map(parts, _) => {
            for (name, value) in &parts.0 {
                let place = place(&name.name)?;
                match reader.constant(value) {
                    Some(value) => wanted.push((place, value)),
                    None => computed.push((place, reader.expr(value)?)),
                }
            }
        }
        Expr::DynamicConstant(map, _) => {
            for (name, value) in map.as_map_ref().ok()?.iter() {
                wanted.push((place(name)?, constant(value)?));
            }
        }
        _ => return None,
    }
    let is_taken = |(_, value): &Wanted| *value != Const::Unit;
    wanted.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    wanted.iter().all(is_taken).then_some((wanted, computed))
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
