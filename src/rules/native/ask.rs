//! What conditions ask of an event and a customer, each question once for all rules of a set.

use super::node::{Const, Val};
use crate::event::{Direction, Event, Value};
use crate::rules::moment::{Moment, Subject};
use crate::rules::record::Record;
use crate::state::{
    Attribute, Distinct, Filter, FilterField, FilterValue, Name, Names, View, Window,
};
use rhai::{Dynamic, Identifier};
use rust_decimal::Decimal;
use std::cell::OnceCell;
use std::collections::HashMap;

/// The number of a question.
pub(in crate::rules) type AskId = u32;

/// Text that Rhai would refuse as too long, with a margin: nothing is known of it here.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// What sums and extremes are taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::rules) enum Sum {
    Spend,
    Average,
    Largest,
    Inflow,
    Outflow,
}

/// A field of a filter.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) struct Place {
    pub(super) name: Box<str>,
    /// `None` for one that its type's declaration keeps.
    pub(super) fixed: Option<FilterField>,
}

/// What a field of a filter must be.
pub(in crate::rules) type Wanted = (Place, Const);

/// A question. Every word in it stands in a rule file.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) enum Ask {
    /// A field of the event, by its path.
    Event(Box<[Box<str>]>),
    Property(Box<str>),
    Segment(Box<str>),
    Consents(Box<str>),
    Sum(Sum, Option<Box<str>>, Window),
    BalanceChange(Window),
    Count(Box<str>, Window, Vec<Wanted>),
    Since(Box<str>, Vec<Wanted>),
    Distinct(Distinct, Window),
    Share(Box<str>, Window),
    Preference(Window),
    Offers(Box<str>, Window),
    Accepted(Box<str>),
}

/// All questions of a set while its rules are read.
#[derive(Debug, Default)]
pub(super) struct Asks {
    list: Vec<Ask>,
    known: HashMap<String, AskId>,
}

impl Asks {
    /// The number of a question, new or known.
    pub(super) fn number(&mut self, ask: Ask) -> AskId {
        let next = AskId::try_from(self.list.len()).unwrap_or(AskId::MAX);
        // Whatever is written the same is the same question.
        let id = *self.known.entry(format!("{ask:?}")).or_insert(next);
        if id == next {
            self.list.push(ask);
        }
        id
    }

    pub(super) fn into_list(self) -> Vec<Ask> {
        self.list
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(in crate::rules) enum Answered {
    /// Rhai throws, or might.
    Unsure,
    Unit,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    /// Short texts take no allocation.
    Text(Identifier),
    Object,
}

impl Answered {
    pub(super) fn val(&self) -> Option<Val<'_>> {
        Some(match self {
            Self::Unsure => return None,
            Self::Unit => Val::Unit,
            Self::Bool(b) => Val::Bool(*b),
            Self::Int(n) => Val::Int(*n),
            Self::Decimal(n) => Val::Decimal(*n),
            Self::Text(text) => Val::Text(text),
            Self::Object => Val::Object,
        })
    }

    fn text(text: &str) -> Self {
        if text.len() > TEXT_BYTES_MAX {
            return Self::Unsure;
        }
        Self::Text(text.into())
    }

    fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// The answers at one moment, each computed when it is asked for first.
#[derive(Debug)]
pub(in crate::rules) struct Memo(Box<[OnceCell<Answered>]>);

impl Memo {
    pub(in crate::rules) fn new(asks: usize) -> Self {
        Self((0..asks).map(|_| OnceCell::new()).collect())
    }

    /// An answer; `compute` is called for the first.
    pub(in crate::rules) fn get(&self, id: AskId, compute: impl FnOnce() -> Answered) -> &Answered {
        self.0[id as usize].get_or_init(compute)
    }
}

impl Ask {
    /// The window it reaches back over, if any.
    fn window(&self) -> Option<Window> {
        match self {
            Self::Sum(_, _, window)
            | Self::BalanceChange(window)
            | Self::Count(_, window, _)
            | Self::Distinct(_, window)
            | Self::Share(_, window)
            | Self::Preference(window)
            | Self::Offers(_, window) => Some(*window),
            Self::Event(_)
            | Self::Property(_)
            | Self::Segment(_)
            | Self::Consents(_)
            | Self::Since(..)
            | Self::Accepted(_) => None,
        }
    }

    /// What `count` and `since` come to with more in their filter.
    pub(super) fn count_of(&self, moment: &Moment<'_>, mut more: Filter) -> Option<i64> {
        let view = self.view(moment);
        match self {
            Self::Count(kind, window, wanted) => {
                more.extend(filter(wanted, &view));
                let count = view.count(kind, *window, &more);
                Some(i64::try_from(count).unwrap_or(i64::MAX))
            }
            Self::Since(kind, wanted) => {
                more.extend(filter(wanted, &view));
                Some(view.since(kind, &more))
            }
            _ => None,
        }
    }

    /// What it is asked of; marks the moment if the window reaches over the edge of the journal.
    fn view<'a>(&self, moment: &Moment<'a>) -> View<'a> {
        let standing = moment.standing();
        let view = View {
            customer: standing.customer,
            names: standing.customers.names(),
            time: standing.time,
            index: standing.index,
        };
        if self.window().is_some_and(|window| view.is_trimmed(window)) {
            moment.mark_trimmed();
        }
        view
    }

    /// The answer, as Rhai would get it; marks the moment if the window reaches over the edge of the journal.
    pub(in crate::rules) fn answer(&self, moment: &Moment<'_>) -> Answered {
        let view = self.view(moment);
        match self {
            Self::Event(path) => match moment.subject() {
                Subject::Event(event) => of_event(event, path),
                Subject::View(shown) => of_view(shown.dynamic(), path),
            },
            Self::Property(name) => property(name, moment, &view),
            Self::Segment(segment) => {
                let found = view.names.find(segment);
                let held = found.is_some_and(|name| view.customer.profile.in_segment(name));
                Answered::Bool(held)
            }
            Self::Consents(channel) => {
                let found = view.names.find(channel);
                let said = found.and_then(|name| view.customer.profile.consents(name));
                Answered::Bool(said.unwrap_or(false))
            }
            Self::Accepted(code) => {
                let found = view.names.find(code);
                let held = found.is_some_and(|code| view.customer.contacts.accepted(code));
                Answered::Bool(held)
            }
            Self::Offers(rule, window) => {
                let contacts = &view.customer.contacts;
                let count = |rule| contacts.offers(rule, view.time, window.millis());
                Answered::count(view.names.find(rule).map_or(0, count))
            }
            windowed => windowed.of_journal(&view),
        }
    }

    fn of_journal(&self, view: &View<'_>) -> Answered {
        match self {
            Self::Sum(sum, category, window) => {
                let (category, window) = (category.as_deref(), *window);
                Answered::Decimal(match sum {
                    Sum::Spend => view.spend(category, window).to_decimal(),
                    Sum::Average => view.average(category, window),
                    Sum::Largest => view.largest(category, window).to_decimal(),
                    Sum::Inflow => view.flow(Direction::In, category, window).to_decimal(),
                    Sum::Outflow => view.flow(Direction::Out, category, window).to_decimal(),
                })
            }
            Self::BalanceChange(window) => {
                Answered::Decimal(view.balance_change(*window).to_decimal())
            }
            Self::Count(kind, window, wanted) => {
                Answered::count(view.count(kind, *window, &filter(wanted, view)))
            }
            Self::Since(kind, wanted) => Answered::Int(view.since(kind, &filter(wanted, view))),
            Self::Distinct(what, window) => Answered::count(view.distinct(*what, *window)),
            Self::Share(category, window) => Answered::Decimal(view.share(category, *window)),
            Self::Preference(window) => match view.preference(*window) {
                Some(word) => Answered::text(&word),
                None => Answered::Unit,
            },
            _ => Answered::Unsure,
        }
    }
}

impl Place {
    pub(super) fn field(&self, moment: &Moment<'_>) -> FilterField {
        self.resolve(moment.standing().customers.names())
    }

    fn resolve(&self, names: &Names) -> FilterField {
        self.fixed
            .unwrap_or_else(|| FilterField::Kept(names.intern(&self.name)))
    }
}

fn filter(wanted: &[Wanted], view: &View<'_>) -> Filter {
    let resolve = |(place, value): &Wanted| {
        // Of constants, those that no filter takes are not read.
        let value = resolved(value.val(), view.names).unwrap_or(FilterValue::Unseen);
        (place.resolve(view.names), value)
    };
    wanted.iter().map(resolve).collect()
}

/// A value that a filter compares with; `None` for one that it does not take.
pub(super) fn filter_value(value: Val<'_>, moment: &Moment<'_>) -> Option<FilterValue> {
    resolved(value, moment.standing().customers.names())
}

fn resolved(value: Val<'_>, names: &Names) -> Option<FilterValue> {
    Some(match value {
        Val::Bool(b) => FilterValue::Bool(b),
        Val::Int(_) | Val::Decimal(_) => FilterValue::Number(value.number()?),
        Val::Text(word) => names
            .find(word)
            .map_or(FilterValue::Unseen, FilterValue::Text),
        Val::Unit | Val::Object => return None,
    })
}

fn property(name: &str, moment: &Moment<'_>, view: &View<'_>) -> Answered {
    let profile = &view.customer.profile;
    let word = |name: Option<Name>| {
        name.map_or(Answered::Unit, |name| Answered::text(view.names.text(name)))
    };
    match name {
        "balance" => Answered::Decimal(view.customer.balance().to_decimal()),
        "id" => Answered::text(moment.standing().id.as_str()),
        "locale" => word(profile.locale()),
        "time_zone" => word(profile.time_zone()),
        _ => match view.names.find(name).and_then(|n| profile.attribute(n)) {
            None => Answered::Unit,
            Some(Attribute::Bool(b)) => Answered::Bool(*b),
            Some(Attribute::Int(n)) => Answered::Int(*n),
            Some(Attribute::Decimal(n)) => Answered::Decimal(*n),
            Some(Attribute::Text(word)) => Answered::text(word),
        },
    }
}

fn of_event(event: &Event, path: &[Box<str>]) -> Answered {
    let [first, rest @ ..] = path else {
        return Answered::Unsure;
    };
    let envelope = match &**first {
        "id" => Answered::text(&event.id),
        "source" => Answered::text(&event.source),
        "type" => Answered::text(&event.kind),
        "customer" => Answered::text(event.customer.as_str()),
        "time" => Answered::Int(event.time.div_euclid(1000)),
        _ => {
            let mut value = &event.data;
            for name in path {
                match value.get(name) {
                    Some(member) => value = member,
                    None => return Answered::Unsure,
                }
            }
            return of_value(value);
        }
    };
    if rest.is_empty() {
        envelope
    } else {
        Answered::Unsure
    }
}

fn of_value(value: &Value) -> Answered {
    match value {
        Value::Null => Answered::Unit,
        Value::Bool(b) => Answered::Bool(*b),
        Value::Int(n) => Answered::Int(*n),
        Value::Decimal(n) => Answered::Decimal(*n),
        Value::Text(text) => Answered::text(text),
        Value::List(_) | Value::Record(_) => Answered::Object,
    }
}

fn of_view(shown: &Dynamic, path: &[Box<str>]) -> Answered {
    let mut value = shown.clone();
    for name in path {
        let member = match value.read_lock::<Record>() {
            Some(record) => record.get(name),
            None => return Answered::Unsure,
        };
        match member {
            Ok(member) => value = member,
            Err(_) => return Answered::Unsure,
        }
    }
    if value.is_unit() {
        Answered::Unit
    } else if let Ok(b) = value.as_bool() {
        Answered::Bool(b)
    } else if let Ok(n) = value.as_int() {
        Answered::Int(n)
    } else if let Ok(n) = value.as_decimal() {
        Answered::Decimal(n)
    } else if let Ok(text) = value.as_immutable_string_ref() {
        Answered::text(&text)
    } else {
        Answered::Object
    }
}
