//! Declared event types and profile attributes: the built-in ones and those of `rules/schema.toml`.

mod built_in;
mod declared;

use super::value::Word;
use built_in::built_in;
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
    pub name: Word,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether an event without it is refused.
    pub required: bool,
    /// Whether the journal keeps it, for filters.
    pub keep: bool,
    /// The words its text can be; none for any text. Rules are held to them, events are not.
    pub words: Vec<Box<str>>,
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
    words: BTreeMap<Box<str>, Vec<Box<str>>>,
    locales: Vec<Box<str>>,
    /// What actions for a channel need; `None` if the file does not speak of channels.
    channels: Option<BTreeMap<Box<str>, Vec<Box<str>>>>,
}

/// What is wrong with a `schema.toml`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaError {
    /// What.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
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
            words: BTreeMap::new(),
            locales: Vec::new(),
            channels: None,
        }
    }
}

impl Schema {
    /// The built-in types and what a `schema.toml` adds.
    ///
    /// # Errors
    /// Every fault: what is not TOML, unknown sections, keys and kinds of fields, a built-in type
    /// declared again, a field by a name that the event itself has, words for no field.
    pub fn parse(text: &str) -> Result<Self, Vec<SchemaError>> {
        declared::parse(text)
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

    /// The known words of text fields and attributes of a name, `category` and `segment` among them;
    /// `None` if any text will do.
    #[must_use]
    pub fn words(&self, name: &str) -> Option<&[Box<str>]> {
        self.words.get(name).map(Vec::as_slice)
    }

    /// The known words of a field: its own, else those of its name.
    #[must_use]
    pub fn words_of<'a>(&'a self, field: &'a Field) -> Option<&'a [Box<str>]> {
        if field.words.is_empty() {
            self.words(&field.name)
        } else {
            Some(&field.words)
        }
    }

    /// The locales that the text of every action must have.
    #[must_use]
    pub fn required_locales(&self) -> &[Box<str>] {
        &self.locales
    }

    /// The channels that the file names, each with the keys that its actions need; `None` if it does
    /// not speak of channels.
    #[must_use]
    pub fn channels(&self) -> Option<&BTreeMap<Box<str>, Vec<Box<str>>>> {
        self.channels.as_ref()
    }
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
        let wrong = |text: &str| {
            let error = Schema::parse(text).unwrap_err().remove(0);
            format!("{}: {}", error.message, error.hint.unwrap_or_default())
        };
        assert!(wrong("[attributes]\ntier = \"txt\"\n").contains("use \"text\""));
        assert!(wrong("[events.\"merchant.checkout\"]\n").contains("built in"));
        assert!(wrong("[events.\"a.b\"]\ntime = \"time\"\n").contains("choose another name"));
        assert!(wrong("[events.bill]\nx = \"text\"\n").contains("<domain>.<kind>"));
        assert!(wrong("[event]\n").contains("did you mean `events`"));
    }

    #[test]
    fn words_locales_and_channels_are_what_rules_are_held_to() {
        let schema = Schema::parse(
            "[words]\ncategory = [\"dining\"]\nsegment = [\"family\"]\n\
             [locales]\nrequired = [\"en\"]\n[channels.sms]\nneeds = [\"sender\"]\n\
             [events.\"bill.due\"]\nkind = { type = \"text\", words = [\"utility\"] }\ncategory = \"text\"\n",
        )
        .unwrap();
        let bill = schema.event_type("bill.due").unwrap();
        let words = |name: &str| {
            let field = bill.fields.iter().find(|field| &*field.name == name);
            schema.words_of(field.unwrap()).unwrap().to_vec()
        };
        assert_eq!(words("kind"), ["utility".into()]);
        assert_eq!(words("category"), ["dining".into()]);
        assert_eq!(schema.required_locales(), ["en".into()]);
        assert_eq!(schema.channels().unwrap()["sms"], ["sender".into()]);
    }

    #[test]
    fn every_fault_is_reported_with_its_place() {
        let text = "[attributes]\ntier = \"txt\"\nage = 5\n[wrods]\n[words]\ncolour = [\"red\"]\n\
                    [events.\"a.b\"]\nid = \"text\"\nx = { type = \"list\", keep = true, kep = 1 }\n";
        let faults = Schema::parse(text).unwrap_err();
        assert_eq!(faults.len(), 7, "{faults:#?}");
        for fault in faults {
            assert!(fault.span.is_some_and(|span| text.get(span).is_some()));
        }
    }
}
