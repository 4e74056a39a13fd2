//! Values between the engine and Rhai. A [`Record`] is an object whose fields are known: an absent
//! one reads as `()`, an undeclared one is an error with a suggestion.

use super::diagnostic::did_you_mean;
use crate::clock::Millis;
use crate::event::{Event, Occasion, Path, Value, Word};
use crate::partitioning::CustomerId;
use rhai::{Dynamic, EvalAltResult, Identifier, ImmutableString, Position};
use rust_decimal::Decimal;
use std::sync::Arc;

/// An object with known fields, cheap to clone. There are so few that walking them is quicker than
/// keeping them in order.
#[derive(Clone, Debug)]
pub(super) struct Record {
    what: &'static str,
    fields: Arc<Fields>,
}

/// Names, each once, and values.
pub(super) type Fields = Vec<(Identifier, Dynamic)>;

pub(super) fn error(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

impl Record {
    pub(super) fn new(what: &'static str, fields: Fields) -> Self {
        Self {
            what,
            fields: fields.into(),
        }
    }

    pub(super) fn of_event(event: &Event) -> Self {
        let envelope = [&*event.id, &*event.source, &*event.kind];
        Self::of_parts(envelope, Some(&event.customer), event.time, &event.data)
    }

    pub(super) fn of_occasion(occasion: &Occasion, customer: Option<&CustomerId>) -> Self {
        let envelope = [&*occasion.id, &*occasion.source, &*occasion.kind];
        Self::of_parts(envelope, customer, occasion.time, &occasion.data)
    }

    fn of_parts(
        [id, source, kind]: [&str; 3],
        customer: Option<&CustomerId>,
        time: Millis,
        data: &Value,
    ) -> Self {
        let customer = customer.map_or(Dynamic::UNIT, |id| text(id.as_str()));
        let mut fields = vec![
            ("id".into(), text(id)),
            ("source".into(), text(source)),
            ("type".into(), text(kind)),
            ("customer".into(), customer),
            ("time".into(), time.div_euclid(1000).into()),
        ];
        // No declaration may give a field one of those names.
        if let Value::Record(members) = data {
            fields.extend(fields_of(members));
        }
        Self::new("event", fields)
    }

    pub(super) fn get(&self, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        if let Some((_, value)) = self.fields.iter().find(|(known, _)| known == name) {
            return Ok(value.clone());
        }
        let mut known: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        known.sort_unstable();
        Err(error(match did_you_mean(name, known.iter().copied()) {
            Some(meant) => format!(
                "`{}` has no field `{name}`: did you mean `{meant}`?",
                self.what
            ),
            None => format!(
                "`{}` has no field `{name}`: declare it in schema.toml, or use one of {}",
                self.what,
                known.join(", ")
            ),
        }))
    }
}

pub(super) fn text(text: &str) -> Dynamic {
    ImmutableString::from(text).into()
}

/// A value as Rhai sees it.
pub(super) fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Decimal(d) => Dynamic::from_decimal(*d),
        Value::Text(word) => text(word),
        Value::List(items) => items.iter().map(dynamic).collect::<rhai::Array>().into(),
        Value::Record(members) => {
            Dynamic::from(Record::new("this object", fields_of(members).collect()))
        }
    }
}

fn fields_of(members: &[(Word, Value)]) -> impl Iterator<Item = (Identifier, Dynamic)> {
    members
        .iter()
        .map(|(name, value)| (name.as_str().into(), dynamic(value)))
}

/// A number of either kind.
pub(super) fn decimal(value: &Dynamic) -> Option<Decimal> {
    value
        .as_int()
        .map(Decimal::from)
        .or_else(|_| value.as_decimal())
        .ok()
}

/// A value that a rule returned. Fails for what no JSON can say, naming its path.
pub(super) fn value(dynamic: &Dynamic, path: Path<'_>) -> Result<Value, String> {
    if dynamic.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(b) = dynamic.as_bool() {
        return Ok(Value::Bool(b));
    }
    if let Ok(n) = dynamic.as_int() {
        return Ok(Value::Int(n));
    }
    if let Ok(d) = dynamic.as_decimal() {
        return Ok(Value::Decimal(d));
    }
    if let Ok(word) = dynamic.as_immutable_string_ref() {
        return Ok(Value::Text(word.as_str().into()));
    }
    if let Ok(c) = dynamic.as_char() {
        return Ok(Value::Text(c.to_string().into()));
    }
    if let Ok(items) = dynamic.as_array_ref() {
        return items
            .iter()
            .enumerate()
            .map(|(at, item)| value(item, Path::Item(&path, at)))
            .collect::<Result<_, _>>()
            .map(Value::List);
    }
    if let Ok(map) = dynamic.as_map_ref() {
        return members(map.iter(), path);
    }
    if let Some(record) = dynamic.read_lock::<Record>() {
        return members(record.fields.iter().map(|(name, item)| (name, item)), path);
    }
    Err(format!(
        "`{path}` is a {}, which an action cannot carry",
        dynamic.type_name()
    ))
}

fn members<'a>(
    fields: impl Iterator<Item = (&'a Identifier, &'a Dynamic)>,
    path: Path<'_>,
) -> Result<Value, String> {
    fields
        .map(|(name, item)| Ok((name.as_str().into(), value(item, Path::Field(&path, name))?)))
        .collect::<Result<_, _>>()
        .map(Value::Record)
}
