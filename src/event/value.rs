//! A value of an event's data: exact, ordered, and of a known type.

use ecow::EcoString;
use rust_decimal::Decimal;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A text of an event. Up to 15 bytes it stands in place, so that names of fields and most words are copied without
/// asking for memory; what is longer is shared by its copies.
pub type Word = EcoString;

/// What JSON can say, with numbers exact.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, and what is absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction, exact.
    Decimal(Decimal),
    /// Text.
    Text(Word),
    /// A list.
    List(Vec<Value>),
    /// A record: names and values in the order in which they came.
    Record(Vec<(Word, Value)>),
}

impl Value {
    /// The member `name` of a record.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Record(members) => members.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text, if it is one, as it is kept.
    #[must_use]
    pub fn as_word(&self) -> Option<&Word> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number as a decimal, if it is one.
    #[must_use]
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Int(n) => Some(Decimal::from(*n)),
            Self::Decimal(d) => Some(*d),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// What kind of value it is, in a user's words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Decimal(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Record(_) => "an object",
        }
    }
}

impl Value {
    /// JSON from which the very same value can be read again: a decimal is a number with a point, also
    /// when it is whole.
    #[must_use]
    pub fn to_exact_json(&self) -> String {
        let mut json = String::new();
        self.write_exact(&mut json);
        json
    }

    fn write_exact(&self, json: &mut String) {
        use std::fmt::Write as _;
        // Writing to a String does not fail.
        let quoted = |json: &mut String, text: &str| {
            let _ = write!(json, "{}", serde_json::Value::from(text));
        };
        let separate = |json: &mut String, at: usize| {
            if at > 0 {
                json.push(',');
            }
        };
        match self {
            Self::Null => json.push_str("null"),
            Self::Bool(b) => json.push_str(if *b { "true" } else { "false" }),
            Self::Int(n) => {
                let _ = write!(json, "{n}");
            }
            Self::Decimal(d) => {
                let _ = write!(json, "{d}");
                if d.scale() == 0 {
                    json.push_str(".0");
                }
            }
            Self::Text(text) => quoted(json, text),
            Self::List(items) => {
                json.push('[');
                for (at, item) in items.iter().enumerate() {
                    separate(json, at);
                    item.write_exact(json);
                }
                json.push(']');
            }
            Self::Record(members) => {
                json.push('{');
                for (at, (name, item)) in members.iter().enumerate() {
                    separate(json, at);
                    quoted(json, name);
                    json.push(':');
                    item.write_exact(json);
                }
                json.push('}');
            }
        }
    }
}

/// Writes decimals as strings, so that no reader turns them into binary floating point.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::Decimal(d) => serializer.collect_str(&d.normalize()),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Record(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name.as_str(), value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_json;

    #[test]
    fn exact_json_gives_the_very_same_value_back() {
        let text = |text: &str| Value::Text(text.into());
        let value = Value::Record(vec![
            ("whole decimal".into(), Value::Decimal(Decimal::new(12, 0))),
            ("trailing".into(), Value::Decimal(Decimal::new(12_850, 3))),
            ("below".into(), Value::Decimal(Decimal::new(-1, 4))),
            ("int".into(), Value::Int(-7)),
            ("quoted \"name\"".into(), text("line\nbreak \u{1} 客户 \\")),
            (
                "items".into(),
                Value::List(vec![Value::Null, Value::Bool(true), Value::List(vec![])]),
            ),
            ("empty".into(), Value::Record(vec![])),
        ]);
        let json = value.to_exact_json();
        let back = parse_json(json.as_bytes()).unwrap();
        assert_eq!(back, value, "{json}");
        assert_eq!(back.to_exact_json(), json);
    }
}
