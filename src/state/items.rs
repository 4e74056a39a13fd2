//! What an answer about a customer is made of: the entries of the journal, or the contacts, that count in
//! it, and how much of it each is. Put together again, they give the answer.

use super::contacts::Contact;
use super::journal::EntryRef;
use super::names::Name;
use super::shape::EntryPhase;
use super::window::{Distinct, Filter, View, Window};
use crate::clock::SECOND;
use crate::event::{Direction, Stage};
use crate::money::Money;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A question that a rule may ask of what a customer did, or of what was said to them.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Paid checkouts less refunds, of a category or of all.
    Spend(Option<Box<str>>, Window),
    /// The average of paid checkouts.
    Average(Option<Box<str>>, Window),
    /// The largest paid checkout.
    Largest(Option<Box<str>>, Window),
    /// Account movements in one direction.
    Flow(Direction, Option<Box<str>>, Window),
    /// Money in less money out.
    BalanceChange(Window),
    /// Events of a type that match a filter.
    Count(Box<str>, Window, Filter),
    /// How many different ones there are.
    Distinct(Distinct, Window),
    /// The latest event of a type before the trigger that matches a filter.
    Last(Box<str>, Filter),
    /// Its age in seconds.
    Since(Box<str>, Filter),
    /// A category's part of all spending.
    Share(Box<str>, Window),
    /// The category with the most spending.
    Preference(Window),
    /// How often a rule spoke.
    Offers(Option<Name>, Window),
    /// Whether an action with a code was taken.
    Accepted(Option<Name>),
}

/// What a question is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A number: an amount in base currency, a count, seconds, or a part in 0..1.
    Number(Decimal),
    /// A word, or none.
    Word(Option<Arc<str>>),
    /// Yes or no; of [`Question::Last`], whether there is one.
    Truth(bool),
}

/// Something that counts in an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ItemOf<'a> {
    /// An entry of the journal.
    Entry(EntryRef<'a>),
    /// Something that was said.
    Contact(&'a Contact),
}

/// One thing that an answer is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item<'a> {
    /// What it is.
    pub of: ItemOf<'a>,
    /// What it adds: an amount in base currency (below zero for a refund), a count, or seconds. Of what
    /// [`Question::Distinct`] has counted already, nothing.
    pub part: Decimal,
}

impl Question {
    /// How far it reaches back; `None` if as far as anything is known.
    #[must_use]
    pub const fn window(&self) -> Option<Window> {
        match self {
            Self::Spend(_, window)
            | Self::Average(_, window)
            | Self::Largest(_, window)
            | Self::Flow(_, _, window)
            | Self::BalanceChange(window)
            | Self::Count(_, window, _)
            | Self::Distinct(_, window)
            | Self::Share(_, window)
            | Self::Preference(window)
            | Self::Offers(_, window) => Some(*window),
            Self::Last(..) | Self::Since(..) | Self::Accepted(_) => None,
        }
    }

    /// How its items make its answer, in a word that people read.
    #[must_use]
    pub const fn made_as(&self) -> &'static str {
        match self {
            Self::Average(..) => "average",
            Self::Largest(..) => "largest",
            Self::Distinct(..) => "different",
            Self::Last(..) | Self::Since(..) => "latest",
            Self::Share(..) => "part of the sum",
            Self::Preference(_) => "largest sum by category",
            Self::Accepted(_) => "any",
            _ => "sum",
        }
    }
}

fn number(count: usize) -> Decimal {
    Decimal::from(count)
}

impl<'a> View<'a> {
    /// The answer, as rules get it.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Answer {
        let contacts = &self.customer.contacts;
        let amount = |money: Money| Answer::Number(money.to_decimal());
        match question {
            Question::Spend(category, window) => amount(self.spend(category.as_deref(), *window)),
            Question::Average(category, window) => {
                Answer::Number(self.average(category.as_deref(), *window))
            }
            Question::Largest(category, window) => {
                amount(self.largest(category.as_deref(), *window))
            }
            Question::Flow(direction, category, window) => {
                amount(self.flow(*direction, category.as_deref(), *window))
            }
            Question::BalanceChange(window) => amount(self.balance_change(*window)),
            Question::Count(kind, window, filter) => {
                Answer::Number(number(self.count(kind, *window, filter)))
            }
            Question::Distinct(what, window) => {
                Answer::Number(number(self.distinct(*what, *window)))
            }
            Question::Last(kind, filter) => Answer::Truth(self.last(kind, filter).is_some()),
            Question::Since(kind, filter) => Answer::Number(self.since(kind, filter).into()),
            Question::Share(category, window) => Answer::Number(self.share(category, *window)),
            Question::Preference(window) => Answer::Word(self.preference(*window)),
            Question::Offers(rule, window) => {
                let offers = |rule| contacts.offers(rule, self.time, window.millis());
                Answer::Number(number(rule.map_or(0, offers)))
            }
            Question::Accepted(code) => {
                Answer::Truth(code.is_some_and(|code| contacts.accepted(code)))
            }
        }
    }

    /// What the answer is made of, oldest first.
    #[must_use]
    pub fn items(&self, question: &Question) -> Vec<Item<'a>> {
        match question {
            Question::Spend(category, window) => self.spent_items(category.as_deref(), *window),
            Question::Average(category, window) | Question::Largest(category, window) => {
                let mut items = self.spent_items(category.as_deref(), *window);
                items.retain(|item| self.phase(item) == Some(Stage::Paid));
                items
            }
            // The whole is needed to tell a part of it.
            Question::Share(_, window) | Question::Preference(window) => {
                self.spent_items(None, *window)
            }
            Question::Flow(direction, category, window) => {
                self.flow_items(Some(*direction), category.as_deref(), *window)
            }
            Question::BalanceChange(window) => self.flow_items(None, None, *window),
            Question::Count(kind, window, filter) => {
                let kind = self.names.find(kind);
                let counted = self.entries(*window).iter().filter(|entry| {
                    let class = self.names.class(entry.shape());
                    Some(class.kind) == kind && self.fits(*entry, class, filter)
                });
                counted.map(|entry| of_entry(entry, Decimal::ONE)).collect()
            }
            Question::Distinct(what, window) => self.distinct_items(*what, *window),
            Question::Last(kind, filter) | Question::Since(kind, filter) => {
                let last = self.last(kind, filter).into_iter();
                let age = |entry: EntryRef<'_>| (self.time - entry.time()).max(0) / SECOND;
                last.map(|entry| of_entry(entry, age(entry).into()))
                    .collect()
            }
            Question::Offers(rule, window) => self.offer_items(*rule, *window),
            Question::Accepted(code) => self.accepted_items(*code),
        }
    }

    /// What items of a question come to when they are put together: its answer.
    #[must_use]
    pub fn summed(&self, question: &Question, items: &[Item<'_>]) -> Answer {
        let parts = || items.iter().map(|item| item.part);
        let sum: Decimal = parts().sum();
        match question {
            Question::Average(..) => {
                Answer::Number(sum.checked_div(number(items.len())).unwrap_or_default())
            }
            Question::Largest(..) => Answer::Number(parts().max().unwrap_or_default()),
            Question::Last(..) => Answer::Truth(!items.is_empty()),
            Question::Since(..) if items.is_empty() => {
                let age = (self.time - self.customer.first_seen).max(0) / SECOND;
                Answer::Number(age.into())
            }
            Question::Share(category, _) => {
                let wanted = self.names.find(category);
                let own = items
                    .iter()
                    .filter(|item| wanted.is_some() && self.category(item) == wanted);
                let own: Decimal = own.map(|item| item.part).sum();
                if own <= Decimal::ZERO || sum <= Decimal::ZERO {
                    return Answer::Number(Decimal::ZERO);
                }
                Answer::Number(own.checked_div(sum).unwrap_or_default().min(Decimal::ONE))
            }
            Question::Preference(_) => Answer::Word(self.most(items)),
            Question::Accepted(_) => Answer::Truth(!items.is_empty()),
            _ => Answer::Number(sum),
        }
    }

    /// Paid checkouts and, below zero, refunds.
    fn spent_items(&self, category: Option<&str>, window: Window) -> Vec<Item<'a>> {
        let category = category.map(|word| self.names.find(word));
        let spent = self.entries(window).iter().filter_map(|entry| {
            let class = self.names.class(entry.shape());
            let amount = entry.amount().to_decimal();
            let part = match class.phase {
                EntryPhase::Checkout(Stage::Paid, _) => amount,
                EntryPhase::Checkout(Stage::Refunded, _) => -amount,
                _ => return None,
            };
            // A word that nobody's state knows is nobody's category.
            let counts = category.is_none_or(|wanted| wanted.is_some() && class.category == wanted);
            counts.then(|| of_entry(entry, part))
        });
        spent.collect()
    }

    fn flow_items(
        &self,
        wanted: Option<Direction>,
        category: Option<&str>,
        window: Window,
    ) -> Vec<Item<'a>> {
        let category = category.map(|word| self.names.find(word));
        let moved = self.entries(window).iter().filter_map(|entry| {
            let class = self.names.class(entry.shape());
            let EntryPhase::Movement(direction) = class.phase else {
                return None;
            };
            let amount = entry.amount().to_decimal();
            // In one direction, all adds up; in both, what went out is less.
            let part = match (wanted, direction) {
                (None, Direction::Out) => -amount,
                _ => amount,
            };
            let counts = wanted.is_none_or(|wanted| wanted == direction)
                && category.is_none_or(|wanted| wanted.is_some() && class.category == wanted);
            counts.then(|| of_entry(entry, part))
        });
        moved.collect()
    }

    fn distinct_items(&self, what: Distinct, window: Window) -> Vec<Item<'a>> {
        let mut seen = BTreeSet::new();
        let entries = self.entries(window).iter().filter_map(|entry| {
            let name = what.of(&self.names.shape(entry.shape()))?;
            let part = if seen.insert(name) {
                Decimal::ONE
            } else {
                Decimal::ZERO
            };
            Some(of_entry(entry, part))
        });
        entries.collect()
    }

    fn offer_items(&self, rule: Option<Name>, window: Window) -> Vec<Item<'a>> {
        let after = self.time.saturating_sub(window.millis());
        let all = self.customer.contacts.all().iter();
        all.filter(|c| Some(c.rule) == rule && c.time > after && c.time <= self.time)
            .map(|contact| Item {
                of: ItemOf::Contact(contact),
                part: Decimal::ONE,
            })
            .collect()
    }

    fn accepted_items(&self, code: Option<Name>) -> Vec<Item<'a>> {
        use crate::event::OutcomeKind::{Accepted, Redeemed};
        let taken = |c: &&Contact| [Accepted, Redeemed].iter().any(|o| c.outcomes.has(*o));
        let all = self.customer.contacts.all().iter();
        all.filter(|c| code.is_some() && c.code == code)
            .filter(taken)
            .map(|contact| Item {
                of: ItemOf::Contact(contact),
                part: Decimal::ONE,
            })
            .collect()
    }

    fn most(&self, items: &[Item<'_>]) -> Option<Arc<str>> {
        let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
        for item in items {
            if let Some(category) = self.category(item) {
                *sums.entry(self.names.text(category)).or_default() += item.part;
            }
        }
        let mut most: Option<(&str, Decimal)> = None;
        for (word, sum) in sums {
            // In the order of words: of equal ones, the first by name stays.
            if sum > most.map_or(Decimal::ZERO, |(_, most)| most) {
                most = Some((word, sum));
            }
        }
        most.map(|(word, _)| word.into())
    }

    fn category(&self, item: &Item<'_>) -> Option<Name> {
        match item.of {
            ItemOf::Entry(entry) => self.names.class(entry.shape()).category,
            ItemOf::Contact(_) => None,
        }
    }

    fn phase(&self, item: &Item<'_>) -> Option<Stage> {
        match item.of {
            ItemOf::Entry(entry) => match self.names.class(entry.shape()).phase {
                EntryPhase::Checkout(stage, _) => Some(stage),
                _ => None,
            },
            ItemOf::Contact(_) => None,
        }
    }
}

fn of_entry(entry: EntryRef<'_>, part: Decimal) -> Item<'_> {
    Item {
        of: ItemOf::Entry(entry),
        part,
    }
}
