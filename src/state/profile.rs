//! Who a customer is. Per item, the last writer by event time wins.

use super::names::{Name, Names};
use crate::clock::Millis;
use crate::event::{ProfileChange, Value};
use rust_decimal::Decimal;

/// A profile attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Decimal(Decimal),
    /// Text.
    Text(Box<str>),
}

#[derive(Clone, Debug, PartialEq)]
struct Dated<T> {
    name: Name,
    time: Millis,
    value: T,
}

/// Attributes, segments, consents, reachability, time zone and locale.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    attributes: Vec<Dated<Option<Attribute>>>,
    segments: Vec<Dated<bool>>,
    consents: Vec<Dated<bool>>,
    reachable: Vec<Dated<bool>>,
    time_zone: Option<(Millis, Name)>,
    locale: Option<(Millis, Name)>,
}

/// Sets `name` unless something newer is there. At the same time, the later arrival wins.
fn put<T>(items: &mut Vec<Dated<T>>, name: Name, time: Millis, value: T) {
    match items.iter_mut().find(|item| item.name == name) {
        Some(item) if item.time > time => {}
        Some(item) => *item = Dated { name, time, value },
        None => items.push(Dated { name, time, value }),
    }
}

fn get<T>(items: &[Dated<T>], name: Name) -> Option<&T> {
    items
        .iter()
        .find(|item| item.name == name)
        .map(|item| &item.value)
}

impl Profile {
    pub(super) fn apply(&mut self, change: &ProfileChange, time: Millis, names: &Names) {
        for (name, value) in &change.attributes {
            let value = match value {
                Value::Bool(b) => Some(Attribute::Bool(*b)),
                Value::Int(n) => Some(Attribute::Int(*n)),
                Value::Decimal(d) => Some(Attribute::Decimal(*d)),
                Value::Text(text) => Some(Attribute::Text(text.clone())),
                Value::Null | Value::List(_) | Value::Record(_) => None,
            };
            put(&mut self.attributes, names.intern(name), time, value);
        }
        for (items, flags) in [
            (&mut self.segments, &change.segments),
            (&mut self.consents, &change.consents),
            (&mut self.reachable, &change.reachable),
        ] {
            for (name, flag) in flags {
                put(items, names.intern(name), time, *flag);
            }
        }
        for (slot, word) in [
            (&mut self.time_zone, &change.time_zone),
            (&mut self.locale, &change.locale),
        ] {
            if let Some(word) = word
                && slot.is_none_or(|(at, _)| at <= time)
            {
                *slot = Some((time, names.intern(word)));
            }
        }
    }

    /// An attribute's value.
    #[must_use]
    pub fn attribute(&self, name: Name) -> Option<&Attribute> {
        get(&self.attributes, name).and_then(Option::as_ref)
    }

    /// Whether the customer is in a segment.
    #[must_use]
    pub fn in_segment(&self, name: Name) -> bool {
        get(&self.segments, name) == Some(&true)
    }

    /// What the customer said about a channel; `None` if nothing.
    #[must_use]
    pub fn consents(&self, channel: Name) -> Option<bool> {
        get(&self.consents, channel).copied()
    }

    /// Whether a channel reaches the customer; `None` if unknown.
    #[must_use]
    pub fn reachable(&self, channel: Name) -> Option<bool> {
        get(&self.reachable, channel).copied()
    }

    /// The IANA time zone.
    #[must_use]
    pub fn time_zone(&self) -> Option<Name> {
        self.time_zone.map(|(_, name)| name)
    }

    /// The locale.
    #[must_use]
    pub fn locale(&self) -> Option<Name> {
        self.locale.map(|(_, name)| name)
    }

    /// All attributes that have a value.
    pub fn attributes(&self) -> impl Iterator<Item = (Name, &Attribute)> {
        self.attributes
            .iter()
            .filter_map(|item| item.value.as_ref().map(|value| (item.name, value)))
    }

    /// All segments the customer is in.
    pub fn segments(&self) -> impl Iterator<Item = Name> {
        self.segments.iter().filter(|s| s.value).map(|s| s.name)
    }

    /// What was said about each channel.
    pub fn all_consents(&self) -> impl Iterator<Item = (Name, bool)> {
        self.consents.iter().map(|c| (c.name, c.value))
    }

    /// Which channels are known to reach the customer or not.
    pub fn all_reachable(&self) -> impl Iterator<Item = (Name, bool)> {
        self.reachable.iter().map(|c| (c.name, c.value))
    }
}
