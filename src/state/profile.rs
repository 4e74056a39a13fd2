//! Who a customer is. Per item, the last writer by event time wins.

use super::list::List;
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
pub(super) struct Dated<T> {
    pub(super) name: Name,
    /// Event time of the value.
    pub(super) time: Millis,
    pub(super) value: T,
}

/// Attributes, segments, consents, reachability, time zone and locale. Most customers may have none of
/// it, and then it takes eight bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile(Option<Box<Items>>);

/// What is known of a customer who told, or of whom somebody told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Items {
    /// `None` for one that was set to null, so that nothing older sets it again.
    pub(super) attributes: List<Dated<Option<Attribute>>>,
    pub(super) segments: List<Dated<bool>>,
    pub(super) consents: List<Dated<bool>>,
    pub(super) reachable: List<Dated<bool>>,
    pub(super) time_zone: Option<(Millis, Name)>,
    pub(super) locale: Option<(Millis, Name)>,
}

/// Sets `name` unless something newer is there. At the same time, the later arrival wins.
fn put<T>(items: &mut List<Dated<T>>, name: Name, time: Millis, value: T) {
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

impl Items {
    fn apply(&mut self, change: &ProfileChange, time: Millis, names: &Names) {
        for (name, value) in &change.attributes {
            let value = match value {
                Value::Bool(b) => Some(Attribute::Bool(*b)),
                Value::Int(n) => Some(Attribute::Int(*n)),
                Value::Decimal(d) => Some(Attribute::Decimal(*d)),
                Value::Text(text) => Some(Attribute::Text(text.as_str().into())),
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
}

impl Profile {
    pub(super) fn apply(&mut self, change: &ProfileChange, time: Millis, names: &Names) {
        if *change != ProfileChange::default() {
            let items = self.0.get_or_insert_default();
            items.apply(change, time, names);
        }
    }

    /// Notes that a customer wants to hear nothing by a channel any more, as of a time.
    pub(super) fn withdraw(&mut self, channel: Name, time: Millis) {
        let items = self.0.get_or_insert_default();
        put(&mut items.consents, channel, time, false);
    }

    /// Everything with its times; `None` if nothing is known.
    pub(super) fn items(&self) -> Option<&Items> {
        self.0.as_deref()
    }

    /// The profile of what [`Profile::items`] told.
    pub(super) fn of(items: Items) -> Self {
        Self(Some(Box::new(items)))
    }

    /// An attribute's value.
    #[must_use]
    pub fn attribute(&self, name: Name) -> Option<&Attribute> {
        get(&self.items()?.attributes, name)?.as_ref()
    }

    /// Whether the customer is in a segment.
    #[must_use]
    pub fn in_segment(&self, name: Name) -> bool {
        self.items().and_then(|items| get(&items.segments, name)) == Some(&true)
    }

    /// What the customer said about a channel; `None` if nothing.
    #[must_use]
    pub fn consents(&self, channel: Name) -> Option<bool> {
        get(&self.items()?.consents, channel).copied()
    }

    /// Whether a channel reaches the customer; `None` if unknown.
    #[must_use]
    pub fn reachable(&self, channel: Name) -> Option<bool> {
        get(&self.items()?.reachable, channel).copied()
    }

    /// The IANA time zone.
    #[must_use]
    pub fn time_zone(&self) -> Option<Name> {
        self.items()?.time_zone.map(|(_, name)| name)
    }

    /// The locale.
    #[must_use]
    pub fn locale(&self) -> Option<Name> {
        self.items()?.locale.map(|(_, name)| name)
    }

    /// All attributes that have a value.
    pub fn attributes(&self) -> impl Iterator<Item = (Name, &Attribute)> {
        let items = self.items().into_iter();
        items
            .flat_map(|items| items.attributes.iter())
            .filter_map(|item| item.value.as_ref().map(|value| (item.name, value)))
    }

    /// All segments the customer is in.
    pub fn segments(&self) -> impl Iterator<Item = Name> {
        let items = self.items().into_iter();
        let segments = items.flat_map(|items| items.segments.iter());
        segments.filter(|s| s.value).map(|s| s.name)
    }

    /// What was said about each channel.
    pub fn all_consents(&self) -> impl Iterator<Item = (Name, bool)> {
        let items = self.items().into_iter();
        let consents = items.flat_map(|items| items.consents.iter());
        consents.map(|c| (c.name, c.value))
    }

    /// Which channels are known to reach the customer or not.
    pub fn all_reachable(&self) -> impl Iterator<Item = (Name, bool)> {
        let items = self.items().into_iter();
        let reachable = items.flat_map(|items| items.reachable.iter());
        reachable.map(|c| (c.name, c.value))
    }
}
