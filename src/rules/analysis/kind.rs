//! What a value can be, as far as a file says.

use crate::event::{EventType, Field, FieldKind, Schema};
use crate::rules::catalogue::{
    CUSTOMER_PROPERTIES, DECISION_FIELDS, EVENT_PROPERTIES, LAST_FIELDS, Returns, names,
};
use crate::terms::DAILY;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Words that a text can only be.
pub(super) type Words = Rc<Vec<Box<str>>>;

/// What a value is. What is not known for certain is [`Kind::Any`], about which nothing is ever said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Any,
    Unit,
    Boolean,
    /// With the lowest and the highest it can be.
    Number(Option<Decimal>, Option<Decimal>),
    Text(Option<Words>),
    List,
    /// A map written in the file, with what its keys hold.
    Map(Rc<BTreeMap<Box<str>, Type>>),
    /// An object whose fields are known.
    Object(Rc<Object>),
    Customer,
    /// A branch that does not come back: `return`, `throw`.
    Never,
}

/// An object that the engine hands to a rule.
#[derive(Debug, PartialEq)]
pub(super) struct Object {
    /// How to call it in a message.
    pub(super) what: String,
    pub(super) fields: BTreeMap<Box<str>, Type>,
    /// The event's types, if it is an event; a field need not be in all of them.
    pub(super) types: Vec<Arc<EventType>>,
    /// Whether it may have fields that are not listed.
    pub(super) open: bool,
}

/// A kind, and whether it may be `()` instead.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Type {
    pub(super) kind: Kind,
    pub(super) optional: bool,
}

impl Type {
    pub(super) const ANY: Self = Self::of(Kind::Any);
    pub(super) const UNIT: Self = Self::of(Kind::Unit);
    pub(super) const BOOLEAN: Self = Self::of(Kind::Boolean);
    pub(super) const NUMBER: Self = Self::of(Kind::Number(None, None));
    pub(super) const TEXT: Self = Self::of(Kind::Text(None));
    pub(super) const NEVER: Self = Self::of(Kind::Never);

    pub(super) const fn of(kind: Kind) -> Self {
        Self {
            kind,
            optional: false,
        }
    }

    pub(super) const fn or_none(kind: Kind) -> Self {
        Self {
            kind,
            optional: true,
        }
    }

    pub(super) fn positive() -> Kind {
        Kind::Number(Some(Decimal::ZERO), None)
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Number(..))
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text(_))
    }

    /// What it is in one or the other case.
    pub(super) fn either(self, other: Self) -> Self {
        match (self, other) {
            (
                Self {
                    kind: Kind::Never, ..
                },
                one,
            )
            | (
                one,
                Self {
                    kind: Kind::Never, ..
                },
            ) => one,
            (
                Self {
                    kind: Kind::Unit, ..
                },
                one,
            )
            | (
                one,
                Self {
                    kind: Kind::Unit, ..
                },
            ) => {
                let known = one.kind != Kind::Any;
                Self {
                    optional: known && one.kind != Kind::Unit || one.optional,
                    ..one
                }
            }
            (a, b) => {
                let optional = a.optional || b.optional;
                let kind = match (a.kind, b.kind) {
                    (a, b) if a == b => a,
                    (Kind::Number(a, b), Kind::Number(c, d)) => Kind::Number(
                        a.zip(c).map(|(a, c)| a.min(c)),
                        b.zip(d).map(|(b, d)| b.max(d)),
                    ),
                    (Kind::Text(_), Kind::Text(_)) => Kind::Text(None),
                    (Kind::Map(a), Kind::Map(b)) => Kind::Map(Rc::new(both(&a, &b))),
                    _ => Kind::Any,
                };
                Self { kind, optional }
            }
        }
    }

    /// In the words of a marketer.
    pub(super) fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Any => "anything",
            Kind::Unit | Kind::Never => "nothing, `()`",
            Kind::Boolean => "true/false",
            Kind::Number(..) => "a number",
            Kind::Text(_) => "text",
            Kind::List => "a list",
            Kind::Map(_) => "a map",
            Kind::Object(_) => "an object",
            Kind::Customer => "the customer",
        }
    }

    pub(super) fn returned(returns: Returns, words: &dyn Fn(&str) -> Option<Words>) -> Self {
        match returns {
            Returns::Number => Self::NUMBER,
            Returns::Positive => Self::of(Self::positive()),
            Returns::Part => Self::of(Kind::Number(Some(Decimal::ZERO), Some(Decimal::ONE))),
            Returns::Boolean => Self::BOOLEAN,
            Returns::Text => Self::TEXT,
            Returns::CategoryOrNone => Self::or_none(Kind::Text(words("category"))),
            Returns::EventOrNone => Self::ANY,
        }
    }
}

/// Of two maps what holds for either: a key that only one has may be absent, so nothing is known of it.
fn both(a: &BTreeMap<Box<str>, Type>, b: &BTreeMap<Box<str>, Type>) -> BTreeMap<Box<str>, Type> {
    let one = |key: &str| match (a.get(key), b.get(key)) {
        (Some(a), Some(b)) => a.clone().either(b.clone()),
        _ => Type::ANY,
    };
    let keys = a.keys().chain(b.keys());
    keys.map(|key| (key.clone(), one(key))).collect()
}

/// What the fields of a declaration hold.
pub(super) fn of_field(field: &Field, schema: &Schema) -> Type {
    let kind = match &field.kind {
        FieldKind::Text => Kind::Text(schema.words_of(field).map(shared)),
        FieldKind::Word(words) => Kind::Text(Some(shared(words.iter().copied()))),
        FieldKind::Money => Type::positive(),
        FieldKind::SignedMoney | FieldKind::Number | FieldKind::Time => Kind::Number(None, None),
        FieldKind::Boolean => Kind::Boolean,
        FieldKind::List => Kind::List,
        FieldKind::Record(inner) => Kind::Object(Rc::new(Object {
            what: format!("`{}`", field.name),
            fields: of_fields(inner, schema),
            types: Vec::new(),
            open: false,
        })),
        FieldKind::Open => Kind::Any,
    };
    Type {
        kind,
        optional: !field.required,
    }
}

pub(super) fn shared<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Words {
    Rc::new(words.into_iter().map(|word| word.as_ref().into()).collect())
}

fn of_fields(fields: &[Field], schema: &Schema) -> BTreeMap<Box<str>, Type> {
    let fields = fields.iter();
    fields
        .map(|field| (field.name.as_str().into(), of_field(field, schema)))
        .collect()
}

/// Names of all event types: shared functions ask for others than those that a rule listens to.
fn every_type(schema: &Schema) -> Words {
    let declared = schema.event_types().map(|declared| &*declared.name);
    shared(declared.chain([DAILY]))
}

/// An event of one of some types.
pub(super) fn event(types: &[Arc<EventType>], schema: &Schema) -> Type {
    let mut fields: BTreeMap<Box<str>, Type> = BTreeMap::new();
    for declared in types {
        for (name, kind) in of_fields(&declared.fields, schema) {
            let kind = match fields.remove(&name) {
                Some(other) => other.either(kind),
                None => kind,
            };
            fields.insert(name, kind);
        }
    }
    for name in names(EVENT_PROPERTIES) {
        let kind = match name {
            "time" => Type::NUMBER,
            "type" => Type::of(Kind::Text(Some(every_type(schema)))),
            "customer" => Type::or_none(Kind::Text(None)),
            _ => Type::TEXT,
        };
        fields.insert(name.into(), kind);
    }
    Type::of(Kind::Object(Rc::new(Object {
        what: "the event".to_owned(),
        fields,
        types: types.to_vec(),
        open: false,
    })))
}

/// A property of a customer.
pub(super) fn property(name: &str, schema: &Schema) -> Option<Type> {
    if let Some(kind) = schema.attribute(name) {
        let words = schema.words(name).map(shared);
        let kind = match kind {
            FieldKind::Text => Kind::Text(words),
            FieldKind::Boolean => Kind::Boolean,
            FieldKind::Number => Kind::Number(None, None),
            _ => Kind::Any,
        };
        return Some(Type::or_none(kind));
    }
    names(CUSTOMER_PROPERTIES)
        .any(|known| known == name)
        .then(|| match name {
            "balance" => Type::NUMBER,
            "id" => Type::TEXT,
            _ => Type::or_none(Kind::Text(None)),
        })
}

/// What `customer.last(type)` answers.
pub(super) fn last(declared: &EventType, schema: &Schema) -> Type {
    let mut fields: BTreeMap<Box<str>, Type> = BTreeMap::new();
    for name in LAST_FIELDS {
        fields.insert((*name).into(), Type::ANY);
    }
    fields.insert("type".into(), Type::TEXT);
    fields.insert("time".into(), Type::NUMBER);
    fields.insert("amount".into(), Type::of(Type::positive()));
    for field in declared.fields.iter().filter(|field| field.keep) {
        let known = of_field(field, schema);
        fields.insert(field.name.as_str().into(), Type::or_none(known.kind));
    }
    Type::or_none(Kind::Object(Rc::new(Object {
        what: format!("what `last(\"{}\")` answers", declared.name),
        fields,
        types: Vec::new(),
        open: false,
    })))
}

/// The decision that `converted` is asked about.
pub(super) fn decision(variants: Option<Words>) -> Type {
    let kind = |name: &str| match name {
        "step" | "time" => Type::NUMBER,
        "variant" => Type::of(Kind::Text(variants.clone())),
        "id" | "rule" | "channel" => Type::TEXT,
        "holdout" => Type::BOOLEAN,
        _ => Type::ANY,
    };
    Type::of(Kind::Object(Rc::new(Object {
        what: "the decision".to_owned(),
        fields: names(DECISION_FIELDS)
            .map(|name| (name.into(), kind(name)))
            .collect(),
        types: Vec::new(),
        open: false,
    })))
}
