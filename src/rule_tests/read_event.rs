//! The events of a test: by name, by name with changes, or in full.

use super::document::{Content, Item, Member, Span, Table};
use super::model::Happening;
use super::read::Reader;
use super::times::{LENGTH, TIME, length, time};
use crate::clock::Millis;
use crate::event::{EventType, Field, FieldKind};
use crate::rules::did_you_mean;
use std::sync::Arc;

const EVENT_KEYS: [&str; 7] = ["use", "type", "data", "at", "ago", "id", "source"];

impl Reader<'_, '_> {
    /// An event by name, as `use` of a name with more, or in full.
    pub(super) fn happening(&mut self, item: &Item, now: Millis) -> Option<Happening> {
        let mut spec = Table::default();
        match &item.content {
            Content::Text(name) => spec = self.named(name, &item.span)?,
            Content::Table(table) => {
                self.faults.unknown_keys(table, "an event", &EVENT_KEYS);
                if let Some((name, span)) = self.faults.text(table, "use") {
                    spec = self.named(name, &span)?;
                }
                spec.merge(table);
            }
            _ => {
                let hint = "write the name of an event, or `{ type = \"…\", data = { … } }`";
                let message = format!("an event cannot be {}", item.kind());
                self.faults.add(&item.span, message, hint);
                return None;
            }
        }
        let time = self.event_time(&spec, now);
        let Some((kind, span)) = self.faults.text(&spec, "type") else {
            if spec.get("type").is_none() {
                let hint = "add `type = \"merchant.checkout\"`, or `use = \"…\"` of a named event";
                self.faults.add(&item.span, "the event has no `type`", hint);
            }
            return None;
        };
        self.check_data(kind, &span, &spec);
        let data = self
            .faults
            .table(&spec, "data")
            .cloned()
            .unwrap_or_default();
        Some(Happening {
            time,
            kind: kind.to_owned(),
            data: data.json(),
            id: self.faults.text(&spec, "id").map(|(id, _)| id.to_owned()),
            source: self
                .faults
                .text(&spec, "source")
                .map(|(source, _)| source.to_owned()),
            span: item.span.clone(),
        })
    }

    fn named(&mut self, name: &str, span: &Span) -> Option<Table> {
        let events = self.file.get("events").map(|item| &item.content);
        let known: &[Member] = match events {
            Some(Content::Table(events)) => &events.members,
            _ => &[],
        };
        match known.iter().find(|member| member.key == name) {
            Some(member) => match &member.item.content {
                Content::Table(table) => Some(table.clone()),
                // Told where it is declared.
                _ => None,
            },
            None => {
                let names = known.iter().map(|member| &*member.key);
                let hint = did_you_mean(name, names).map_or_else(
                    || format!("declare it above: `[events.{name}]`, with its `type` and `data`"),
                    |meant| format!("did you mean \"{meant}\"?"),
                );
                self.faults
                    .add(span, format!("there is no event \"{name}\""), hint);
                None
            }
        }
    }

    fn event_time(&mut self, spec: &Table, now: Millis) -> Millis {
        if let Some((text, span)) = self.faults.text(spec, "ago") {
            if let Some(ago) = length(text) {
                return now.saturating_sub(ago);
            }
            let message = format!("`ago` is \"{text}\", which is not a length");
            self.faults.add(&span, message, format!("write {LENGTH}"));
        }
        if let Some((text, span)) = self.faults.text(spec, "at") {
            if let Some(at) = time(text, now) {
                return at;
            }
            let message = format!("`at` is \"{text}\", which is not a time");
            self.faults.add(&span, message, format!("write {TIME}"));
        }
        now
    }

    /// Whether type and fields are declared: a field that nobody reads would be a test of nothing.
    pub(super) fn check_data(&mut self, kind: &str, span: &Span, spec: &Table) {
        let declared: Option<Arc<EventType>> = self.schema.event_type(kind).cloned();
        let Some(declared) = declared else {
            let known = self.schema.event_types().map(|t| &*t.name);
            let hint = if kind == "timer.daily" {
                "leave the event out: a daily rule's event is the timer, and the test's `now` its time"
                    .to_owned()
            } else {
                did_you_mean(kind, known).map_or_else(
                    || "declare it under [events] in schema.toml".to_owned(),
                    |meant| format!("did you mean \"{meant}\"?"),
                )
            };
            self.faults
                .add(span, format!("no event type `{kind}` is declared"), hint);
            return;
        };
        if let Some(data) = self.faults.table(spec, "data") {
            self.check_fields(kind, &declared.fields, data);
        }
    }

    /// Whether a word is one of those that rules may ask for: a slip would be a test of nothing.
    pub(super) fn known_word(
        &mut self,
        name: &str,
        words: Option<&[Box<str>]>,
        word: &str,
        span: &Span,
    ) {
        let Some(words) = words.filter(|words| words.iter().all(|known| **known != *word)) else {
            return;
        };
        let hint = did_you_mean(word, words.iter().map(|word| &**word)).map_or_else(
            || format!("add it to the words of `{name}` in schema.toml, or use one of them"),
            |meant| format!("did you mean \"{meant}\"?"),
        );
        let message = format!("\"{word}\" is none of the words of `{name}`");
        self.faults.add(span, message, hint);
    }

    fn check_fields(&mut self, kind: &str, fields: &[Field], data: &Table) {
        for member in &data.members {
            match fields.iter().find(|field| *field.name == *member.key) {
                Some(field) => {
                    if let (FieldKind::Record(inner), Content::Table(table)) =
                        (&field.kind, &member.item.content)
                    {
                        self.check_fields(kind, inner, table);
                    }
                    if let Content::Text(word) = &member.item.content {
                        let words = self.schema.words_of(field);
                        self.known_word(&field.name, words, word, &member.item.span);
                    }
                }
                None => {
                    let names = fields.iter().map(|field| &*field.name);
                    let hint = did_you_mean(&member.key, names.clone()).map_or_else(
                        || format!("it has: {}", names.collect::<Vec<_>>().join(", ")),
                        |meant| format!("did you mean `{meant}`?"),
                    );
                    let message = format!("`{kind}` has no field `{}` there", member.key);
                    self.faults.add(&member.key_span, message, hint);
                }
            }
        }
    }
}
