//! Facts, kept by rule and journey.

use super::fact::{Converted, Fact, Said, Trait, is_final};
use super::units::{Book, Unit};
use crate::clock::Millis;
use crate::partitioning::CustomerId;
use crate::state::DecisionId;
use std::collections::HashMap;
use std::sync::Arc;

/// Which journeys a report is about: those that began in it, by policy time. What came of them counts
/// whenever it came, so the report of a past period grows while outcomes are late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// The first moment of it; without one, from the beginning of the log.
    pub from: Option<Millis>,
    /// The first moment after it; without one, up to the end of the log.
    pub to: Option<Millis>,
}

impl Period {
    /// Whether a moment is in it.
    #[must_use]
    pub fn contains(&self, at: Millis) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }
}

/// A decision that was seen: whose unit it belongs to, and when it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) book: usize,
    pub(super) unit: usize,
    pub(super) at: Millis,
}

/// What was known of a customer from a moment on.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) since: Millis,
    pub(super) name: Box<str>,
    pub(super) value: Option<Trait>,
}

/// An event that was what decisions were for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conversion {
    pub(super) touch: Seen,
    pub(super) event: u64,
    pub(super) value: Option<crate::money::Money>,
}

/// What was seen of a period so far. A partition's log is taken in its order; partitions may come in any.
#[derive(Debug, Default)]
pub struct Fold {
    pub(super) period: Period,
    /// The rule that is asked for; those of others are kept too, since they may have spoken last.
    pub(super) rule: Option<Box<str>>,
    pub(super) books: Vec<Book>,
    by_rule: HashMap<Arc<str>, usize>,
    seen: HashMap<DecisionId, Seen>,
    entries: HashMap<DecisionId, (usize, usize)>,
    pub(super) conversions: Vec<Conversion>,
    pub(super) people: HashMap<CustomerId, Vec<Change>>,
}

impl Fold {
    /// Begins a report of a period, of all rules or of one.
    #[must_use]
    pub fn new(period: Period, rule: Option<&str>) -> Self {
        Self {
            period,
            rule: rule.map(Into::into),
            ..Self::default()
        }
    }

    /// The period.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// Takes one more fact.
    pub fn take(&mut self, fact: Fact) {
        match fact {
            Fact::Said(said) => self.said(said),
            Fact::Waits { entry, rule, at } => {
                if let Some(book) = self.book_at(&rule, at) {
                    self.books[book].waits.insert(entry);
                }
            }
            Fact::Silenced {
                entry,
                rule,
                verdict,
                at,
            } => {
                if is_final(&verdict)
                    && let Some(book) = self.book_at(&rule, at)
                {
                    let book = &mut self.books[book];
                    *book.silenced.entry(verdict).or_default() += 1;
                    book.silenced_at_once += u64::from(entry.is_none());
                }
            }
            Fact::Outcome { decision, outcome } => {
                if let Some(seen) = self.seen.get(&decision) {
                    self.books[seen.book].units[seen.unit].add_outcome(outcome);
                }
            }
            Fact::Converted(converted) => self.converted(&converted),
            Fact::Profile {
                customer,
                since,
                traits,
            } => {
                let changes = self.people.entry(customer).or_default();
                changes.extend(traits.into_iter().map(|(name, value)| Change {
                    since,
                    name,
                    value,
                }));
            }
        }
    }

    /// How many proposals of a rule are known: journeys that said something or would have, those that waited
    /// and said nothing, and those that were silenced at once, if somebody told.
    pub(super) fn proposals(&self, book: &Book) -> u64 {
        let is_silent = |entry: &&DecisionId| !self.entries.contains_key(*entry);
        let silent = book.waits.iter().filter(is_silent).count() as u64;
        book.units.len() as u64 + silent + book.silenced_at_once
    }

    /// The book of a rule, if the moment is in the period.
    fn book_at(&mut self, rule: &Arc<str>, at: Millis) -> Option<usize> {
        let books = &mut self.books;
        self.period.contains(at).then(|| {
            *self.by_rule.entry(rule.clone()).or_insert_with(|| {
                books.push(Book::new(rule.clone()));
                books.len() - 1
            })
        })
    }

    fn said(&mut self, said: Said) {
        if self.seen.contains_key(&said.id) {
            return;
        }
        let Some((book, unit)) = self.unit_of(&said) else {
            return;
        };
        self.seen.insert(
            said.id,
            Seen {
                book,
                unit,
                at: said.at,
            },
        );
        let book = &mut self.books[book];
        book.decisions += 1;
        book.first = Some(book.first.map_or(said.at, |first| first.min(said.at)));
        book.last = book.last.max(Some(said.at));
        if said.scene.is_some() {
            book.scene = said.scene;
        }
        let unit = &mut book.units[unit];
        if said.side == super::Side::Treated {
            unit.messages += 1;
            unit.cost = unit.cost.saturating_add(said.cost.unwrap_or_default());
        }
    }

    /// The unit that a decision belongs to: the one of its entry, or a new one if it begins in the period. A
    /// later step of what began before the period belongs to no unit of it.
    fn unit_of(&mut self, said: &Said) -> Option<(usize, usize)> {
        if let Some(known) = self.entries.get(&said.entry) {
            return Some(*known);
        }
        let number = self.book_at(&said.rule, said.at)?;
        let book = &mut self.books[number];
        let begins = said.id == said.entry || book.waits.contains(&said.entry);
        if !begins {
            return None;
        }
        let variant = book.variant(&said.variant);
        let unit = Unit::new(said.customer.clone(), variant, said.side, said.at);
        book.units.push(unit);
        let place = (number, book.units.len() - 1);
        self.entries.insert(said.entry, place);
        Some(place)
    }

    fn converted(&mut self, converted: &Converted) {
        let Some(touch) = self.seen.get(&converted.decision).copied() else {
            return;
        };
        let unit = &mut self.books[touch.book].units[touch.unit];
        unit.convert(converted.event, converted.value, converted.at);
        self.conversions.push(Conversion {
            touch,
            event: converted.event,
            value: converted.value,
        });
    }
}
