//! Windows: queries over the journal, exact at both edges.

use super::customer::Customer;
use super::journal::{Entries, EntryRef, KeptValue};
use super::names::{Name, Names};
use super::shape::{EntryPhase, Shape, ShapeClass};
use crate::clock::{DAY, HOUR, MINUTE, Millis, SECOND};
use crate::event::{Direction, Stage};
use crate::money::Money;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::fmt;

/// A length of time such as `90s`, `10m`, `24h` or `30d`. A window reaches back from a time *t*:
/// (*t* − length, *t*].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(Millis);

impl Window {
    /// Reads a whole number above zero followed by `s`, `m`, `h` or `d`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = match unit {
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            _ => return None,
        };
        let plain = number.bytes().all(|b| b.is_ascii_digit());
        let number: i64 = plain.then(|| number.parse().ok()).flatten()?;
        let length = number.checked_mul(unit)?;
        (number > 0 && length <= 36_500 * DAY).then_some(Self(length))
    }

    /// A window of so many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: Millis) -> Self {
        Self(millis)
    }

    /// Its length.
    #[must_use]
    pub const fn millis(self) -> Millis {
        self.0
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, letter) in [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm')] {
            if self.0 % unit == 0 {
                return write!(f, "{}{letter}", self.0 / unit);
            }
        }
        write!(f, "{}s", self.0 / SECOND)
    }
}

/// What `distinct` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distinct {
    /// Merchants.
    Merchant,
    /// Categories.
    Category,
    /// Counterparties.
    Counterparty,
    /// Channels.
    Channel,
}

impl Distinct {
    pub(super) fn of(self, shape: &Shape) -> Option<Name> {
        match self {
            Self::Merchant => shape.merchant(),
            Self::Category => shape.category,
            Self::Counterparty => shape.counterparty(),
            Self::Channel => shape.channel,
        }
    }
}

/// A field of an entry that a filter can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterField {
    /// Amount in base currency.
    Amount,
    /// Category.
    Category,
    /// Merchant's id.
    Merchant,
    /// Counterparty's name.
    Counterparty,
    /// Channel.
    Channel,
    /// Stage of a checkout.
    Stage,
    /// Direction of a movement.
    Direction,
    /// Tender of a checkout.
    Tender,
    /// Purpose of a movement.
    Purpose,
    /// Whether the merchant is a partner.
    Partner,
    /// A field that its type's declaration keeps.
    Kept(Name),
}

/// What a filter asks a field to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FilterValue {
    /// This truth value.
    Bool(bool),
    /// This number.
    Number(Decimal),
    /// This word.
    Text(Name),
    /// A word that no customer's state knows: nothing matches.
    Unseen,
}

/// What entries must be like: all of the fields.
pub type Filter = Vec<(FilterField, FilterValue)>;

/// The value that an entry has for a field.
fn field_value(
    entry: EntryRef<'_>,
    class: ShapeClass,
    field: FilterField,
    names: &Names,
) -> Option<FilterValue> {
    let shape = || names.shape(entry.shape());
    let text = |name: Option<Name>| name.map(FilterValue::Text);
    let word = |word: &str| names.find(word).map(FilterValue::Text);
    match (field, class.phase) {
        (FilterField::Amount, _) => Some(FilterValue::Number(entry.amount().to_decimal())),
        (FilterField::Category, _) => text(class.category),
        (FilterField::Merchant, _) => text(shape().merchant()),
        (FilterField::Counterparty, _) => text(shape().counterparty()),
        (FilterField::Channel, _) => text(shape().channel),
        (FilterField::Stage, EntryPhase::Checkout(stage, _)) => word(stage.word()),
        (FilterField::Partner, EntryPhase::Checkout(_, partner)) => {
            Some(FilterValue::Bool(partner))
        }
        (FilterField::Tender, EntryPhase::Checkout(..)) => text(shape().means),
        (FilterField::Direction, EntryPhase::Movement(direction)) => word(direction.word()),
        (FilterField::Purpose, EntryPhase::Movement(_)) => text(shape().means),
        (FilterField::Kept(name), _) => {
            (entry.kept().iter())
                .find(|(n, _)| *n == name)
                .map(|(_, value)| match value {
                    KeptValue::Bool(b) => FilterValue::Bool(*b),
                    KeptValue::Number(n) => FilterValue::Number(*n),
                    KeptValue::Text(t) => FilterValue::Text(*t),
                })
        }
        _ => None,
    }
}

/// A customer as of one event: everything up to its time, itself included.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The customer.
    pub customer: &'a Customer,
    /// The words their state refers to.
    pub names: &'a Names,
    /// Event time of the trigger.
    pub time: Millis,
    /// The trigger's index in the journal.
    pub index: usize,
}

impl<'a> View<'a> {
    /// The entries of a window.
    #[must_use]
    pub fn entries(&self, window: Window) -> Entries<'a> {
        self.customer
            .journal
            .range(self.time.saturating_sub(window.millis()), self.time)
    }

    /// Whether a window reaches over the edge where the journal was trimmed.
    #[must_use]
    pub fn is_trimmed(&self, window: Window) -> bool {
        self.customer
            .journal
            .trimmed_until()
            .is_some_and(|edge| edge > self.time.saturating_sub(window.millis()))
    }

    /// The entries of a window with the classes of their shapes.
    fn classed(
        &self,
        window: Window,
    ) -> impl Iterator<Item = (EntryRef<'a>, ShapeClass)> + use<'a> {
        let names = self.names;
        let entries = self.entries(window).iter();
        entries.map(move |entry| (entry, names.class(entry.shape())))
    }

    fn checkouts(
        &self,
        category: Option<&str>,
        window: Window,
    ) -> impl Iterator<Item = (Stage, EntryRef<'a>, ShapeClass)> + use<'a> {
        let category = category.map(|word| self.names.find(word));
        self.classed(window)
            .filter_map(move |(entry, class)| match class.phase {
                EntryPhase::Checkout(stage, _) if matches(category, class) => {
                    Some((stage, entry, class))
                }
                _ => None,
            })
    }

    fn paid(
        &self,
        category: Option<&str>,
        window: Window,
    ) -> impl Iterator<Item = Money> + use<'a> {
        self.checkouts(category, window)
            .filter(|(stage, ..)| *stage == Stage::Paid)
            .map(|(_, entry, _)| entry.amount())
    }

    /// Paid checkouts less refunds.
    #[must_use]
    pub fn spend(&self, category: Option<&str>, window: Window) -> Money {
        self.checkouts(category, window)
            .fold(Money::ZERO, |sum, (stage, entry, _)| {
                spent(sum, stage, entry)
            })
    }

    /// Average amount of paid checkouts; zero if there are none.
    #[must_use]
    pub fn average(&self, category: Option<&str>, window: Window) -> Decimal {
        let (sum, count) = self
            .paid(category, window)
            .fold((Money::ZERO, 0_i64), |(sum, n), amount| {
                (sum.saturating_add(amount), n + 1)
            });
        sum.to_decimal()
            .checked_div(count.into())
            .unwrap_or_default()
    }

    /// Largest paid checkout; zero if there are none.
    #[must_use]
    pub fn largest(&self, category: Option<&str>, window: Window) -> Money {
        self.paid(category, window).max().unwrap_or_default()
    }

    /// Sum of account movements in one direction; `category` is the counterparty's.
    #[must_use]
    pub fn flow(&self, direction: Direction, category: Option<&str>, window: Window) -> Money {
        let category = category.map(|word| self.names.find(word));
        self.classed(window)
            .filter(|(_, c)| c.phase == EntryPhase::Movement(direction) && matches(category, *c))
            .fold(Money::ZERO, |sum, (e, _)| sum.saturating_add(e.amount()))
    }

    /// Money in less money out.
    #[must_use]
    pub fn balance_change(&self, window: Window) -> Money {
        self.flow(Direction::In, None, window)
            .saturating_sub(self.flow(Direction::Out, None, window))
    }

    /// Events of a type that match a filter.
    #[must_use]
    pub fn count(&self, kind: &str, window: Window, filter: &Filter) -> usize {
        let kind = self.names.find(kind);
        self.classed(window)
            .filter(|(e, c)| Some(c.kind) == kind && self.fits(*e, *c, filter))
            .count()
    }

    /// How many different ones there are.
    #[must_use]
    pub fn distinct(&self, what: Distinct, window: Window) -> usize {
        let entries = self.entries(window).iter();
        let mut seen: Vec<Name> = entries
            .filter_map(|entry| what.of(&self.names.shape(entry.shape())))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    }

    /// The latest event of a type before the trigger that matches a filter.
    #[must_use]
    pub fn last(&self, kind: &str, filter: &Filter) -> Option<EntryRef<'a>> {
        let kind = self.names.find(kind)?;
        let before = self.customer.journal.entries().first(self.index);
        before.iter().rev().find(|e| {
            let class = self.names.class(e.shape());
            class.kind == kind && self.fits(*e, class, filter)
        })
    }

    /// Whole seconds since [`View::last`], or since the customer was first seen.
    #[must_use]
    pub fn since(&self, kind: &str, filter: &Filter) -> i64 {
        let then = self
            .last(kind, filter)
            .map_or(self.customer.first_seen, EntryRef::time);
        (self.time - then).max(0) / SECOND
    }

    /// A category's part of all spending, in 0..1; zero if nothing was spent.
    #[must_use]
    pub fn share(&self, category: &str, window: Window) -> Decimal {
        let part = self.spend(Some(category), window).to_decimal();
        let all = self.spend(None, window).to_decimal();
        if part <= Decimal::ZERO || all <= Decimal::ZERO {
            return Decimal::ZERO;
        }
        part.checked_div(all).unwrap_or_default().min(Decimal::ONE)
    }

    /// The category with the most spending; of equal ones, the first by name.
    #[must_use]
    pub fn preference(&self, window: Window) -> Option<std::sync::Arc<str>> {
        let mut sums: BTreeMap<Name, Money> = BTreeMap::new();
        for (stage, entry, class) in self.checkouts(None, window) {
            if let Some(category) = class.category {
                let sum = sums.entry(category).or_default();
                *sum = spent(*sum, stage, entry);
            }
        }
        sums.into_iter()
            .filter(|(_, sum)| *sum > Money::ZERO)
            .map(|(name, sum)| (sum, self.names.word(name)))
            .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
            .map(|(_, word)| word)
    }

    pub(super) fn fits(&self, entry: EntryRef<'_>, class: ShapeClass, filter: &Filter) -> bool {
        filter
            .iter()
            .all(|(field, wanted)| field_value(entry, class, *field, self.names) == Some(*wanted))
    }
}

fn matches(category: Option<Option<Name>>, class: ShapeClass) -> bool {
    match category {
        None => true,
        Some(None) => false,
        Some(wanted) => class.category == wanted,
    }
}

fn spent(sum: Money, stage: Stage, entry: EntryRef<'_>) -> Money {
    match stage {
        Stage::Paid => sum.saturating_add(entry.amount()),
        Stage::Refunded => sum.saturating_sub(entry.amount()),
        Stage::Started | Stage::Abandoned => sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_whole_number_and_a_unit() {
        assert_eq!(Window::parse("90s"), Some(Window(90_000)));
        assert_eq!(Window::parse("30d").unwrap().to_string(), "30d");
        for wrong in [
            "", "d", "0d", "-1d", "1.5h", "30", "30 d", "1w", "+3d", "天",
        ] {
            assert_eq!(Window::parse(wrong), None, "{wrong}");
        }
    }
}
