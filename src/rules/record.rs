//! Values between the engine and Rhai. A [`Record`] is an object whose fields are known: an absent
//! one reads as `()`, an undeclared one is an error with a suggestion.

use super::diagnostic::did_you_mean;
use crate::event::{Event, Value};
use rhai::{Dynamic, EvalAltResult, ImmutableString, Map, Position};
use std::sync::Arc;

/// An object with known fields, cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Record {
    what: &'static str,
    fields: Arc<Map>,
}

pub(super) fn error(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

impl Record {
    pub(super) fn new(what: &'static str, fields: Map) -> Self {
        Self {
            what,
            fields: fields.into(),
        }
    }

    pub(super) fn of_event(event: &Event) -> Self {
        let mut fields = match &event.data {
            Value::Record(members) => members
                .iter()
                .map(|(name, value)| (name.as_ref().into(), dynamic(value)))
                .collect(),
            _ => Map::new(),
        };
        fields.insert("id".into(), text(&event.id));
        fields.insert("source".into(), text(&event.source));
        fields.insert("type".into(), text(&event.kind));
        fields.insert("customer".into(), text(event.customer.as_str()));
        fields.insert("time".into(), event.time.div_euclid(1000).into());
        Self::new("event", fields)
    }

    pub(super) fn get(&self, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        if let Some(value) = self.fields.get(name) {
            return Ok(value.clone());
        }
        let known = self.fields.keys().map(|key| key.as_str());
        Err(error(match did_you_mean(name, known) {
            Some(meant) => format!(
                "`{}` has no field `{name}`: did you mean `{meant}`?",
                self.what
            ),
            None => format!(
                "`{}` has no field `{name}`: declare it in schema.toml, or use one of {}",
                self.what,
                self.fields
                    .keys()
                    .map(|k| k.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
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
        Value::Record(members) => Dynamic::from(Record::new(
            "this object",
            members
                .iter()
                .map(|(name, value)| (name.as_ref().into(), dynamic(value)))
                .collect(),
        )),
    }
}

/// A value that a rule returned. Fails for what no JSON can say, naming its path.
pub(super) fn value(dynamic: &Dynamic, path: &str) -> Result<Value, String> {
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
            .map(|(at, item)| value(item, &format!("{path}[{at}]")))
            .collect::<Result<_, _>>()
            .map(Value::List);
    }
    if let Ok(map) = dynamic.as_map_ref() {
        return members(&map, path);
    }
    if let Some(record) = dynamic.read_lock::<Record>() {
        return members(&record.fields, path);
    }
    Err(format!(
        "`{path}` is a {}, which an action cannot carry",
        dynamic.type_name()
    ))
}

fn members(map: &Map, path: &str) -> Result<Value, String> {
    map.iter()
        .map(|(name, item)| {
            Ok((
                name.as_str().into(),
                value(item, &format!("{path}.{name}"))?,
            ))
        })
        .collect::<Result<_, _>>()
        .map(Value::Record)
}
