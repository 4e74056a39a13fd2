//! The customer of a test: what the file says of every one, and the test over it.

use super::document::{Content, Item, Span, Table};
use super::model::Persona;
use super::read::Reader;
use super::times::{LENGTH, TIME, length, time};
use crate::clock::Millis;
use crate::event::FieldKind;
use crate::rules::did_you_mean;

const CUSTOMER_KEYS: [&str; 8] = [
    "attributes",
    "without",
    "segments",
    "consents",
    "reachable",
    "time_zone",
    "locale",
    "first_seen",
];

impl Reader<'_, '_> {
    pub(super) fn customer(&mut self, table: &Table, now: Millis) -> Persona {
        let span = table.get("customer").map(|item| item.span.clone());
        let mut merged = self.faults.table(self.file, "customer").cloned();
        if let Some(over) = self.faults.table(table, "customer") {
            merged.get_or_insert_default().merge(over);
        }
        let merged = merged.unwrap_or_default();
        self.faults
            .unknown_keys(&merged, "a customer", &CUSTOMER_KEYS);
        let mut profile = serde_json::Map::new();
        if let Some(attributes) = self.attributes(&merged) {
            profile.insert("attributes".into(), attributes.json());
        }
        let segments = self.faults.texts(&merged, "segments");
        for (segment, span) in &segments {
            self.known_word("segment", self.schema.words("segment"), segment, span);
        }
        let segments: Vec<String> = segments.into_iter().map(|(segment, _)| segment).collect();
        profile.insert("segments".into(), serde_json::json!({ "add": segments }));
        for key in ["consents", "reachable"] {
            if let Some(flags) = self.faults.table(&merged, key) {
                for member in &flags.members {
                    self.faults.boolean(flags, &member.key);
                }
                profile.insert(key.into(), flags.json());
            }
        }
        for key in ["time_zone", "locale"] {
            if let Some((text, _)) = self.faults.text(&merged, key) {
                profile.insert(key.into(), text.into());
            }
        }
        let first_seen = self
            .faults
            .text(&merged, "first_seen")
            .and_then(|(text, span)| {
                let seen = length(text)
                    .map(|ago| now - ago)
                    .or_else(|| time(text, now));
                if seen.is_none() {
                    let hint = format!("write how long ago, {LENGTH}, or {TIME}");
                    let message = format!("`first_seen` is \"{text}\", which is not a time");
                    self.faults.add(&span, message, hint);
                }
                seen
            });
        Persona {
            profile: serde_json::Value::Object(profile),
            first_seen,
            span: span.unwrap_or(0..0),
        }
    }

    /// The attributes that the customer has, less those that the test takes away.
    fn attributes(&mut self, customer: &Table) -> Option<Table> {
        let mut attributes = self.faults.table(customer, "attributes").cloned();
        for member in attributes.iter().flat_map(|table| &table.members) {
            match self.schema.attribute(&member.key).cloned() {
                Some(kind) => self.attribute(&member.key, &kind, &member.item),
                None => self.unknown_attribute(&member.key, &member.key_span),
            }
        }
        for (name, span) in self.faults.texts(customer, "without") {
            if self.schema.attribute(&name).is_none() {
                self.unknown_attribute(&name, &span);
            } else if !attributes.as_mut().is_some_and(|table| table.remove(&name)) {
                let hint = "it takes away an attribute that `[customer]` at the top gives to all";
                let message = format!("no customer here has `{name}` to be without");
                self.faults.add(&span, message, hint);
            }
        }
        attributes
    }

    fn unknown_attribute(&mut self, name: &str, span: &Span) {
        let known = self.schema.attributes().map(|(name, _)| name);
        let hint = did_you_mean(name, known).map_or_else(
            || "declare it under [attributes] in schema.toml".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        let message = format!("a customer has no attribute `{name}`");
        self.faults.add(span, message, hint);
    }

    /// Whether the engine would take an attribute as it is written here.
    fn attribute(&mut self, name: &str, kind: &FieldKind, item: &Item) {
        let (fits, example) = match (kind, &item.content) {
            (FieldKind::Number, content) => (matches!(content, Content::Number(_)), "a number"),
            (FieldKind::Boolean, content) => {
                (matches!(content, Content::Bool(_)), "`true` or `false`")
            }
            (_, content) => (matches!(content, Content::Text(_)), "text in double quotes"),
        };
        if !fits {
            let (declared, found) = (kind.name(), item.kind());
            let message = format!("`{name}` is declared as {declared}, and this is {found}");
            let hint = format!("write {example}, or declare it otherwise in schema.toml");
            self.faults.add(&item.span, message, hint);
        }
        if let Content::Text(word) = &item.content {
            self.known_word(name, self.schema.words(name), word, &item.span);
        }
    }
}
