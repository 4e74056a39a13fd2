//! `schema.toml` to a [`Schema`], with every fault at once.

use super::{ENVELOPE, EventType, Field, FieldKind, Schema, SchemaError};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const SECTIONS: [&str; 5] = ["attributes", "events", "words", "locales", "channels"];
const FIELD_EXAMPLE: &str = "a field is its kind, such as \"text\", or { type = \"text\", keep = true, required = true, words = [\"…\"] }";
const FIELD_KINDS: &str = "use \"text\", \"number\", \"money\", \"boolean\", \"time\" or \"list\"";
const ATTRIBUTE_KINDS: &str = "use \"text\", \"number\", \"boolean\" or \"date\"";
/// Words that are asked for though no field has their name.
const WORDS_OF_NO_FIELD: [&str; 2] = ["segment", "category"];

type Value<'a> = Spanned<DeValue<'a>>;

pub(super) fn parse(text: &str) -> Result<Schema, Vec<SchemaError>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let faults = errors.into_iter().map(|error| {
        SchemaError {
        message: format!("this is not TOML: {}", error.message()),
        hint: Some(
            "write `name = \"text\"` under a `[section]`: texts, and names with a point, stand in double quotes"
                .to_owned(),
        ),
        span: error.span(),
    }
    });
    let mut reader = Reader {
        schema: Schema::default(),
        faults: faults.collect(),
    };
    // What cannot be read leaves holes, about which there is nothing more to say.
    if reader.faults.is_empty() {
        reader.document(root.get_ref());
    }
    if reader.faults.is_empty() {
        Ok(reader.schema)
    } else {
        reader
            .faults
            .sort_by_key(|fault| fault.span.as_ref().map(|span| span.start));
        Err(reader.faults)
    }
}

/// A field as it is written.
#[derive(Default)]
struct RawField {
    /// With where it stands.
    kind: Option<(String, Range<usize>)>,
    keep: bool,
    required: bool,
    words: Vec<Box<str>>,
    words_at: Option<Range<usize>>,
}

struct Reader {
    schema: Schema,
    faults: Vec<SchemaError>,
}

impl Reader {
    fn fault(&mut self, span: Range<usize>, message: String, hint: impl Into<String>) {
        self.faults.push(SchemaError {
            message,
            hint: Some(hint.into()),
            span: Some(span),
        });
    }

    fn document(&mut self, root: &DeTable<'_>) {
        for (name, value) in root {
            let known = SECTIONS.contains(&&**name.get_ref());
            if !known {
                self.fault(
                    name.span(),
                    format!("there is no section `{}`", name.get_ref()),
                    meant(name.get_ref(), &SECTIONS)
                        .unwrap_or_else(|| format!("the sections are [{}]", SECTIONS.join("], ["))),
                );
            } else if value.get_ref().as_table().is_none() {
                self.fault(
                    name.span(),
                    format!("`{}` is a section", name.get_ref()),
                    format!("write [{}] on a line of its own", name.get_ref()),
                );
            }
        }
        let section = |name: &str| root.get(name).and_then(|value| value.get_ref().as_table());
        for (name, value) in section("attributes").into_iter().flatten() {
            self.attribute(name.get_ref(), value);
        }
        for (name, value) in section("events").into_iter().flatten() {
            self.event(name.get_ref(), name.span(), value);
        }
        for (name, value) in section("words").into_iter().flatten() {
            self.words(name.get_ref(), name.span(), value);
        }
        for (name, value) in section("locales").into_iter().flatten() {
            if name.get_ref() == "required" {
                self.schema.locales = self.texts(value, "a list of locales, [\"zh-CN\", \"en\"]");
            } else {
                self.fault(
                    name.span(),
                    format!("[locales] has no `{}`", name.get_ref()),
                    "write required = [\"zh-CN\", \"en\"]",
                );
            }
        }
        if let Some(channels) = section("channels") {
            let mut known = BTreeMap::new();
            for (name, value) in channels {
                known.insert(name.get_ref().as_ref().into(), self.channel(name, value));
            }
            self.schema.channels = Some(known);
        }
    }

    fn attribute(&mut self, name: &str, value: &Value<'_>) {
        let kind = match value.get_ref().as_str() {
            // A date of a profile stays as it was written: people compare and show it, no window uses it.
            Some("text" | "date") => FieldKind::Text,
            Some("number") => FieldKind::Number,
            Some("boolean") => FieldKind::Boolean,
            Some(other) => {
                return self.fault(
                    value.span(),
                    format!("the attribute `{name}` has the unknown kind \"{other}\""),
                    ATTRIBUTE_KINDS,
                );
            }
            None => {
                return self.fault(
                    value.span(),
                    format!("the attribute `{name}` must be a kind in double quotes"),
                    ATTRIBUTE_KINDS,
                );
            }
        };
        self.schema.attributes.insert(name.into(), kind);
    }

    fn event(&mut self, name: &str, at: Range<usize>, value: &Value<'_>) {
        let part = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            !part.is_empty() && part.chars().all(plain)
        };
        if name.split('.').count() != 2 || !name.split('.').all(part) {
            return self.fault(
                at,
                format!("`{name}` is not an event type"),
                "write it in double quotes as \"<domain>.<kind>\": [events.\"bill.due\"]",
            );
        }
        if self.schema.types.contains_key(name) {
            return self.fault(
                at,
                format!("the event type `{name}` is built in"),
                "take its section out: its fields are known",
            );
        }
        let Some(table) = value.get_ref().as_table() else {
            return self.fault(
                at,
                format!("`{name}` must be a section with the event's fields"),
                format!("write [events.\"{name}\"] and below it `amount = \"money\"`"),
            );
        };
        let mut fields = Vec::new();
        for (field, declared) in table {
            if ENVELOPE.contains(&&**field.get_ref()) {
                self.fault(
                    field.span(),
                    format!(
                        "`{name}` declares the field `{}`, which every event has of itself",
                        field.get_ref()
                    ),
                    "choose another name",
                );
                continue;
            }
            fields.extend(self.field(name, field.get_ref(), declared));
        }
        let name: Arc<str> = name.into();
        let declared = EventType {
            name: name.clone(),
            fields,
        };
        self.schema.types.insert(name, declared.into());
    }

    fn field(&mut self, event: &str, name: &str, value: &Value<'_>) -> Option<Field> {
        let raw = match value.get_ref().as_table() {
            Some(table) => self.raw_field(event, name, table),
            None => RawField {
                kind: value
                    .get_ref()
                    .as_str()
                    .map(|kind| (kind.to_owned(), value.span())),
                ..RawField::default()
            },
        };
        let Some((kind, at)) = raw.kind else {
            self.fault(
                value.span(),
                format!("the field `{name}` of `{event}` has no kind"),
                FIELD_EXAMPLE,
            );
            return None;
        };
        let Some(known) = FieldKind::from_name(&kind) else {
            self.fault(
                at,
                format!("the field `{name}` of `{event}` has the unknown kind \"{kind}\""),
                FIELD_KINDS,
            );
            return None;
        };
        if raw.keep && known == FieldKind::List {
            self.fault(
                at,
                format!("the journal cannot keep the list `{name}` of `{event}`"),
                "take `keep` out",
            );
        }
        if let Some(at) = raw.words_at.filter(|_| known != FieldKind::Text) {
            self.fault(
                at,
                format!("the field `{name}` of `{event}` is no text, so it has no words"),
                "take `words` out",
            );
        }
        Some(Field {
            name: name.into(),
            kind: known,
            required: raw.required,
            keep: raw.keep,
            words: raw.words,
        })
    }

    fn raw_field(&mut self, event: &str, name: &str, table: &DeTable<'_>) -> RawField {
        let mut raw = RawField::default();
        for (key, value) in table {
            let flag = value.get_ref().as_bool();
            match (&**key.get_ref(), flag) {
                ("type", _) => {
                    let kind = value.get_ref().as_str();
                    raw.kind = kind.map(|kind| (kind.to_owned(), value.span()));
                }
                ("keep", Some(flag)) => raw.keep = flag,
                ("required", Some(flag)) => raw.required = flag,
                ("keep" | "required", None) => self.fault(
                    value.span(),
                    format!(
                        "`{}` of the field `{name}` must be true or false",
                        key.get_ref()
                    ),
                    "write it without quotes",
                ),
                ("words", _) => {
                    raw.words = self.texts(value, "a list of words, [\"…\", \"…\"]");
                    raw.words_at = Some(key.span());
                }
                (other, _) => {
                    let known = ["type", "keep", "required", "words"];
                    self.fault(
                        key.span(),
                        format!("the field `{name}` of `{event}` has the unknown key `{other}`"),
                        meant(other, &known).unwrap_or_else(|| FIELD_EXAMPLE.to_owned()),
                    );
                }
            }
        }
        raw
    }

    fn words(&mut self, name: &str, at: Range<usize>, value: &Value<'_>) {
        let words = self.texts(value, "a list of words, [\"dining\", \"travel\"]");
        let mut known: Vec<&str> = WORDS_OF_NO_FIELD.to_vec();
        for declared in self.schema.types.values() {
            text_fields(&declared.fields, &mut known);
        }
        let attributes = self.schema.attributes.iter();
        let texts = attributes.filter(|(_, kind)| **kind == FieldKind::Text);
        known.extend(texts.map(|(name, _)| &**name));
        if !known.contains(&name) {
            let hint = meant(name, &known).unwrap_or_else(|| {
                "the name is that of a text field or attribute, or `segment`".to_owned()
            });
            return self.fault(at, format!("no text field is called `{name}`"), hint);
        }
        self.schema.words.insert(name.into(), words);
    }

    fn channel(
        &mut self,
        name: &Spanned<toml::de::DeString<'_>>,
        value: &Value<'_>,
    ) -> Vec<Box<str>> {
        let mut needs = Vec::new();
        let Some(table) = value.get_ref().as_table() else {
            self.fault(
                name.span(),
                format!("the channel `{}` must be a section", name.get_ref()),
                format!(
                    "write [channels.{}] and below it `needs = [\"text\"]`",
                    name.get_ref()
                ),
            );
            return needs;
        };
        for (key, value) in table {
            if key.get_ref() == "needs" {
                needs = self.texts(value, "a list of keys, [\"text\", \"expires\"]");
            } else {
                self.fault(
                    key.span(),
                    format!(
                        "the channel `{}` has no `{}`",
                        name.get_ref(),
                        key.get_ref()
                    ),
                    "write needs = [\"text\"]: the keys that an action for it must have",
                );
            }
        }
        needs
    }

    fn texts(&mut self, value: &Value<'_>, wanted: &str) -> Vec<Box<str>> {
        let items = value.get_ref().as_array().map(|items| {
            let texts = items
                .iter()
                .map(|item| item.get_ref().as_str().map(Into::into));
            texts.collect::<Option<Vec<Box<str>>>>()
        });
        match items.flatten() {
            Some(items) if !items.is_empty() => items,
            _ => {
                self.fault(
                    value.span(),
                    "this must be a list of texts".to_owned(),
                    format!("write {wanted}"),
                );
                Vec::new()
            }
        }
    }
}

fn text_fields<'a>(fields: &'a [Field], names: &mut Vec<&'a str>) {
    for field in fields {
        match &field.kind {
            FieldKind::Text => names.push(&field.name),
            FieldKind::Record(inner) => text_fields(inner, names),
            _ => {}
        }
    }
}

fn meant(word: &str, known: &[&str]) -> Option<String> {
    let near = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .min()?;
    (near.0 <= 1 + near.1.len() / 4).then(|| format!("did you mean `{}`?", near.1))
}
