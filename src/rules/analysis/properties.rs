//! What stands behind a point: fields of events and objects, attributes of customers.

use super::findings::Fault;
use super::kind::{self, Kind, Object, Type};
use super::walk::Walker;
use crate::rules::catalogue::{
    CUSTOMER_FUNCTIONS, CUSTOMER_PROPERTIES, TEXT_PROPERTIES, is_standard, names,
};
use crate::rules::diagnostic::did_you_mean;
use rhai::{Expr, Position};
use std::sync::Arc;

impl Walker<'_, '_> {
    /// `.name` on something that begins with an expression.
    pub(super) fn property(&mut self, of: &Type, name: &str, at: Position, root: &Expr) -> Type {
        match &of.kind {
            Kind::Customer => match kind::property(name, self.world.schema) {
                Some(known) => known,
                None => {
                    self.unknown_attribute(name, at);
                    Type::ANY
                }
            },
            Kind::Object(object) => match object.fields.get(name) {
                Some(known) => {
                    self.not_in_all(object, name, at);
                    known.clone()
                }
                None if object.open => Type::ANY,
                None => {
                    self.unknown_field(object, name, at, root);
                    Type::ANY
                }
            },
            Kind::Map(known) => match known.get(name) {
                Some(kind) => kind.clone(),
                None => {
                    self.unknown_key(known.keys().map(|key| &**key), name, at);
                    Type::ANY
                }
            },
            Kind::Number(..) | Kind::Boolean | Kind::Text(_) if !is_property(of, name) => {
                let span = self.file.marks().token(at);
                let start = self.start(root);
                let before = span.clone().map(|span| start..span.start.saturating_sub(1));
                let text = before.map_or(String::new(), |span| {
                    self.file.marks().slice(&span).trim().to_owned()
                });
                let hint = if of.is_text() {
                    format!(
                        "write `{text}` alone; a part of a text is `{text}.sub_string(0, 4)`: see \"Texts\" in docs/rules.md"
                    )
                } else {
                    format!("write `{text}` alone")
                };
                self.error(
                    span,
                    Fault::new(
                        "unknown-field",
                        format!("`{text}` is {} and has no field `{name}`", of.name()),
                        "unknown field",
                        hint,
                    ),
                );
                Type::ANY
            }
            _ => Type::ANY,
        }
    }

    fn unknown_attribute(&mut self, name: &str, at: Position) {
        let schema = self.world.schema;
        let attributes = schema.attributes().map(|(name, _)| name);
        let known = attributes.chain(names(CUSTOMER_PROPERTIES));
        let function = CUSTOMER_FUNCTIONS.iter().find(|f| f.name == name);
        let on_event =
            |on: &Arc<crate::event::EventType>| on.fields.iter().any(|field| *field.name == *name);
        let hint = if let Some(function) = function {
            format!("it wants brackets: `{}`", function.example)
        } else if let Some(meant) = did_you_mean(name, known) {
            format!("did you mean `{meant}`?")
        } else if self.on.iter().any(on_event) {
            format!(
                "the event has it: `event.{name}`; if the customer's own is meant, declare it in schema.toml under [attributes]: {name} = \"text\""
            )
        } else {
            format!(
                "declare it in schema.toml under [attributes]: {name} = \"text\", \"number\", \"boolean\" or \"date\""
            )
        };
        let span = self.file.marks().token(at);
        self.error(
            span,
            Fault::new(
                "unknown-attribute",
                format!("a customer has no attribute `{name}`"),
                "unknown attribute",
                hint,
            ),
        );
    }

    fn unknown_field(&mut self, object: &Object, name: &str, at: Position, root: &Expr) {
        // What asks for the event's type may look at fields of other types than the rule's.
        let is_event = !object.types.is_empty();
        if is_event && self.asks_type && self.world.some_type_has(name) {
            return;
        }
        let start = self.start(root);
        let marks = self.file.marks();
        let span = marks.token(at);
        let written = span
            .as_ref()
            .map_or("", |span| marks.slice(&(start..span.end)));
        let what = match object.types.as_slice() {
            [] => object.what.clone(),
            [one] => format!("\"{}\"", one.name),
            many => {
                let names: Vec<String> = many.iter().map(|t| format!("\"{}\"", t.name)).collect();
                format!("none of {}", names.join(", "))
            }
        };
        let has = if object.types.len() > 1 {
            "has"
        } else {
            "has no field"
        };
        let message = if object.types.len() > 1 {
            format!("`{written}`: {what} {has} a field `{name}`")
        } else {
            format!("`{written}`: {what} {has} `{name}`")
        };
        let known = object.fields.keys().map(|field| &**field);
        let inner = object
            .fields
            .iter()
            .find_map(|(field, kind)| match &kind.kind {
                Kind::Object(inner) if inner.fields.contains_key(name) => Some(field),
                _ => None,
            });
        let hint = if let Some(outer) = inner {
            format!("it stands inside: `event.{outer}.{name}`")
        } else if let Some(meant) = did_you_mean(name, known.clone()) {
            format!("did you mean `{meant}`?")
        } else if is_event && kind::property(name, self.world.schema).is_some() {
            format!("it is asked of the customer: `customer.{name}`")
        } else if is_event && CUSTOMER_FUNCTIONS.iter().any(|f| f.name == name) {
            format!("it is asked of the customer: `customer.{name}(…)`")
        } else {
            let names: Vec<&str> = known.collect();
            format!("it has {}", names.join(", "))
        };
        let written_span = span;
        self.error(
            written_span,
            Fault::new("unknown-field", message, "unknown field", hint),
        );
    }

    /// A field that only some of the rule's events have, in a function that never asks which it is.
    fn not_in_all(&mut self, object: &Object, name: &str, at: Position) {
        if object.types.len() < 2 || self.asks_type {
            return;
        }
        let envelope = names(crate::rules::catalogue::EVENT_PROPERTIES).any(|known| known == name);
        if envelope {
            return;
        }
        let without = |on: &&Arc<crate::event::EventType>| {
            !on.fields.iter().any(|field| *field.name == *name)
        };
        let Some(lacking) = object.types.iter().find(without) else {
            return;
        };
        let Some(having) = object.types.iter().find(|on| !without(on)) else {
            return;
        };
        let span = self.file.marks().token(at);
        self.warning(
            span,
            Fault::new(
                "field-of-some",
                format!(
                    "\"{}\" has no field `{name}`: there the rule fails",
                    lacking.name
                ),
                format!("only \"{}\" has it", having.name),
                format!(
                    "ask first which event it is: `event.type == \"{}\" && …`",
                    having.name
                ),
            ),
        );
    }

    fn unknown_key<'k>(
        &mut self,
        known: impl Iterator<Item = &'k str> + Clone,
        name: &str,
        at: Position,
    ) {
        let hint = did_you_mean(name, known.clone()).map_or_else(
            || format!("it has {}", known.collect::<Vec<_>>().join(", ")),
            |meant| format!("did you mean `{meant}`?"),
        );
        if is_standard(name) {
            return;
        }
        let span = self.file.marks().token(at);
        self.error(
            span,
            Fault::new(
                "unknown-field",
                format!("this map has no key `{name}`"),
                "unknown key",
                hint,
            ),
        );
    }
}

/// Whether Rhai has a property of that name on texts, or something by that name on other plain values.
fn is_property(of: &Type, name: &str) -> bool {
    if of.is_text() {
        TEXT_PROPERTIES.contains(&name)
    } else {
        is_standard(name)
    }
}
