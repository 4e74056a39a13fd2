//! Declared event types and profile attributes: the built-in ones and those of `rules/schema.toml`.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldKind {
    /// Text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An exact number.
    Number,
    /// An amount in the event's currency, turned into base currency. Never negative.
    Money,
    /// As [`FieldKind::Money`], but it may be below zero.
    SignedMoney,
    /// `true` or `false`.
    Boolean,
    /// An RFC 3339 time; rules see Unix seconds.
    Time,
    /// A list of anything.
    List,
    /// An object with these fields.
    Record(Vec<Field>),
    /// An object of anything, checked elsewhere.
    Open,
}

impl FieldKind {
    /// The name used in `schema.toml` and in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text | Self::Word(_) => "text",
            Self::Number => "number",
            Self::Money | Self::SignedMoney => "money",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::List => "list",
            Self::Record(_) | Self::Open => "object",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "number" => Self::Number,
            "money" => Self::Money,
            "boolean" => Self::Boolean,
            "time" | "date" => Self::Time,
            "list" => Self::List,
            _ => return None,
        })
    }
}

/// A declared field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Box<str>,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether an event without it is refused.
    pub required: bool,
    /// Whether the journal keeps it, for filters.
    pub keep: bool,
}

/// A declared event type.
#[derive(Clone, Debug, PartialEq)]
pub struct EventType {
    /// `<domain>.<kind>`
    pub name: Arc<str>,
    /// The fields of its `data`.
    pub fields: Vec<Field>,
}

/// All declarations.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    types: BTreeMap<Arc<str>, Arc<EventType>>,
    attributes: BTreeMap<Box<str>, FieldKind>,
}

/// What is wrong with a `schema.toml`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaError {
    /// What, and how to mend it.
    pub message: String,
    /// Where in the file, in bytes.
    pub span: Option<std::ops::Range<usize>>,
}

/// Names an event has of itself, so no field of its data may have them.
const ENVELOPE: [&str; 5] = ["id", "type", "time", "source", "customer"];

impl Default for Schema {
    fn default() -> Self {
        let types = built_in()
            .into_iter()
            .map(|t| (t.name.clone(), Arc::new(t)))
            .collect();
        Self {
            types,
            attributes: BTreeMap::new(),
        }
    }
}

impl Schema {
    /// The built-in types and what a `schema.toml` adds.
    ///
    /// # Errors
    /// When the text is not TOML, names an unknown kind of field, declares a built-in type again,
    /// or a field by a name that the event itself has.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let raw: RawSchema = toml::from_str(text).map_err(|e| SchemaError {
            message: e.message().to_owned(),
            span: e.span(),
        })?;
        let mut schema = Self::default();
        for (name, kind) in raw.attributes {
            let span = kind.span();
            let kind = attribute_kind(kind.get_ref()).ok_or_else(|| SchemaError {
                message: format!(
                    "the attribute `{name}` has the unknown kind \"{}\": use \"text\", \"number\", \"boolean\" or \"date\"",
                    kind.get_ref()
                ),
                span: Some(span),
            })?;
            schema.attributes.insert(name.into(), kind);
        }
        for (name, fields) in raw.events {
            let event_type = declared_type(&name, fields)?;
            if schema.types.contains_key(name.as_str()) {
                return Err(SchemaError {
                    message: format!("the event type `{name}` is built in: take its section out"),
                    span: None,
                });
            }
            schema
                .types
                .insert(event_type.name.clone(), Arc::new(event_type));
        }
        Ok(schema)
    }

    /// The declaration of an event type.
    #[must_use]
    pub fn event_type(&self, name: &str) -> Option<&Arc<EventType>> {
        self.types.get(name)
    }

    /// All declared event types, by name.
    pub fn event_types(&self) -> impl Iterator<Item = &Arc<EventType>> {
        self.types.values()
    }

    /// What a profile attribute holds, if it is declared.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&FieldKind> {
        self.attributes.get(name)
    }

    /// All declared profile attributes, by name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &FieldKind)> {
        self.attributes.iter().map(|(name, kind)| (&**name, kind))
    }
}

fn attribute_kind(name: &str) -> Option<FieldKind> {
    match name {
        // A date of a profile stays as it was written: people compare and show it, no window uses it.
        "text" | "date" => Some(FieldKind::Text),
        "number" => Some(FieldKind::Number),
        "boolean" => Some(FieldKind::Boolean),
        _ => None,
    }
}

fn declared_type(
    name: &str,
    raw: BTreeMap<String, toml::Spanned<RawField>>,
) -> Result<EventType, SchemaError> {
    let mut fields = Vec::new();
    for (field, declared) in raw {
        let span = Some(declared.span());
        let (kind_name, keep, required) = declared.into_inner().parts();
        if ENVELOPE.contains(&field.as_str()) {
            return Err(SchemaError {
                message: format!(
                    "`{name}` declares the field `{field}`, which every event has of itself: choose another name"
                ),
                span,
            });
        }
        let kind = FieldKind::from_name(&kind_name).ok_or_else(|| SchemaError {
            message: format!(
                "the field `{field}` of `{name}` has the unknown kind \"{kind_name}\": use \"text\", \"number\", \"money\", \"boolean\", \"time\" or \"list\""
            ),
            span: span.clone(),
        })?;
        if keep && kind == FieldKind::List {
            return Err(SchemaError {
                message: format!(
                    "the journal cannot keep the list `{field}` of `{name}`: take `keep` out"
                ),
                span,
            });
        }
        fields.push(Field {
            name: field.into(),
            kind,
            required,
            keep,
        });
    }
    let well_formed = name.split('.').count() == 2
        && name.split('.').all(|part| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        });
    if !well_formed {
        return Err(SchemaError {
            message: format!("`{name}` is not an event type: write it as \"<domain>.<kind>\""),
            span: None,
        });
    }
    Ok(EventType {
        name: name.into(),
        fields,
    })
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSchema {
    #[serde(default)]
    attributes: BTreeMap<String, toml::Spanned<String>>,
    #[serde(default)]
    events: BTreeMap<String, BTreeMap<String, toml::Spanned<RawField>>>,
}

#[derive(serde::Deserialize)]
#[serde(
    untagged,
    expecting = "a field is its kind, such as \"text\", or { type = \"text\", keep = true, required = true }"
)]
enum RawField {
    Kind(String),
    Full(RawFullField),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFullField {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    keep: bool,
    #[serde(default)]
    required: bool,
}

impl RawField {
    fn parts(self) -> (String, bool, bool) {
        match self {
            Self::Kind(kind) => (kind, false, false),
            Self::Full(full) => (full.kind, full.keep, full.required),
        }
    }
}

fn field(name: &str, kind: FieldKind) -> Field {
    Field {
        name: name.into(),
        kind,
        required: false,
        keep: false,
    }
}

fn required(name: &str, kind: FieldKind) -> Field {
    Field {
        required: true,
        ..field(name, kind)
    }
}

fn built_in() -> Vec<EventType> {
    use super::model::{Direction, OutcomeKind, Stage};
    use FieldKind::{Boolean, List, Money, Number, Open, Record, SignedMoney, Text, Word};
    let counterparty = vec![
        field("name", Text),
        field("bank", Text),
        field("category", Text),
    ];
    let merchant = vec![
        required("id", Text),
        field("name", Text),
        field("category", Text),
        field("mcc", Text),
        field("city", Text),
        field("country", Text),
        field("partner", Boolean),
    ];
    let mut types = vec![
        EventType {
            name: "account.movement".into(),
            fields: vec![
                required("account", Text),
                required("direction", Word(Direction::WORDS)),
                required("amount", Money),
                required("currency", Text),
                field("balance", SignedMoney),
                field("counterparty", Record(counterparty)),
                field("channel", Text),
                field("purpose", Text),
                field("original_amount", Number),
            ],
        },
        EventType {
            name: "merchant.checkout".into(),
            fields: vec![
                required("stage", Word(Stage::WORDS)),
                required("amount", Money),
                required("currency", Text),
                field("tender", Text),
                required("merchant", Record(merchant)),
                field("channel", Text),
                field("items", List),
                field("original_amount", Number),
            ],
        },
        EventType {
            name: "customer.profile".into(),
            fields: vec![
                field("attributes", Open),
                field("segments", Open),
                field("consents", Open),
                field("reachable", Open),
                field("time_zone", Text),
                field("locale", Text),
            ],
        },
    ];
    types.extend(OutcomeKind::WORDS.iter().map(|word| EventType {
        name: format!("offer.{word}").into(),
        fields: vec![required("action", Text), field("channel", Text)],
    }));
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_ones_own_is_declared_with_its_fields() {
        let schema = Schema::parse(
            "[attributes]\ntier = \"text\"\n[events.\"bill.due\"]\namount = \"money\"\ncategory = { type = \"text\", keep = true }\n",
        )
        .unwrap();
        let bill = schema.event_type("bill.due").unwrap();
        assert_eq!(bill.fields.len(), 2);
        assert!(bill.fields.iter().any(|f| f.keep && &*f.name == "category"));
        assert_eq!(schema.attribute("tier"), Some(&FieldKind::Text));
        assert!(schema.event_type("merchant.checkout").is_some());
    }

    #[test]
    fn mistakes_are_named_with_what_to_do() {
        let wrong = |text: &str| Schema::parse(text).unwrap_err().message;
        assert!(wrong("[attributes]\ntier = \"txt\"\n").contains("use \"text\""));
        assert!(wrong("[events.\"merchant.checkout\"]\n").contains("built in"));
        assert!(wrong("[events.\"a.b\"]\ntime = \"time\"\n").contains("choose another name"));
        assert!(wrong("[events.bill]\nx = \"text\"\n").contains("<domain>.<kind>"));
        assert!(wrong("[event]\n").contains("unknown field"));
    }
}
