//! JSON bytes to a [`Value`]: exact numbers, no duplicate keys, bounded depth.

use super::value::{Value, Word};
use rust_decimal::Decimal;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// How deep lists and objects may nest.
const DEPTH_MAX: usize = 32;
/// How serde_json hands over a number whose digits it kept (feature `arbitrary_precision`).
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// Why bytes are not JSON that we accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not UTF-8; the offset in bytes.
    #[error("not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// Not JSON, or cut off.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// A key that stands twice in one object.
    #[error("the key `{0}` stands twice in one object")]
    DuplicateKey(String),
    /// Nested deeper than 32 levels.
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// A number that no 96-bit decimal holds.
    #[error("the number {0} is out of range")]
    NumberRange(String),
}

/// Parses one JSON document.
///
/// # Errors
/// See [`JsonError`].
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|e| JsonError::NotUtf8(e.valid_up_to()))?;
    let refusal = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Seed {
        depth: 0,
        refusal: &refusal,
    };
    seed.deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| {
            refusal.take().unwrap_or_else(|| {
                if error.to_string().starts_with("recursion limit") {
                    JsonError::TooDeep
                } else {
                    JsonError::Syntax(error.to_string())
                }
            })
        })
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    depth: usize,
    /// Set when we refuse what JSON itself would allow.
    refusal: &'a Cell<Option<JsonError>>,
}

impl Seed<'_> {
    fn refuse<E: serde::de::Error>(&self, error: JsonError) -> E {
        let message = error.to_string();
        self.refusal.set(Some(error));
        E::custom(message)
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(self.refuse(JsonError::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn number<E: serde::de::Error>(&self, digits: &str) -> Result<Value, E> {
        if let Ok(n) = digits.parse::<i64>() {
            return Ok(Value::Int(n));
        }
        // A significand that does not fit is refused, as rounding it would change the number.
        let exact = match digits.split_once(['e', 'E']) {
            None => Decimal::from_str_exact(digits),
            Some((significand, _)) => {
                Decimal::from_str_exact(significand).and_then(|_| Decimal::from_scientific(digits))
            }
        };
        exact
            .map(Value::Decimal)
            .map_err(|_| self.refuse(JsonError::NumberRange(digits.chars().take(40).collect())))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::Decimal(value.into()), Value::Int))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members: Vec<(Word, Value)> = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            if members.is_empty() && key == NUMBER_TOKEN {
                let digits: String = map.next_value()?;
                return self.number(&digits);
            }
            if members.iter().any(|(name, _)| *name == key) {
                return Err(self.refuse(JsonError::DuplicateKey(key.chars().take(80).collect())));
            }
            if members.len() >= MEMBERS_MAX {
                return Err(A::Error::custom("more than 1,024 members in one object"));
            }
            let value = map.next_value_seed(inner)?;
            if members.is_empty() {
                members.reserve(MEMBERS_USUAL);
            }
            members.push((key, value));
        }
        Ok(Value::Record(members))
    }
}

/// A key of an object.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Word;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Word, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Word, E> {
        Ok(key.into())
    }
}

/// Members for which there is room from the first on: as many as envelopes and their data usually have.
const MEMBERS_USUAL: usize = 8;
/// How many members an object may have: duplicates are looked for by walking them.
const MEMBERS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        let value = parse(br#"{"a":0.1,"b":12345678901234567.8901,"c":5,"d":1.5e3}"#).unwrap();
        assert_eq!(value.get("a"), Some(&Value::Decimal(Decimal::new(1, 1))));
        assert_eq!(
            value.get("b").unwrap().as_decimal().unwrap().to_string(),
            "12345678901234567.8901"
        );
        assert_eq!(value.get("c"), Some(&Value::Int(5)));
        assert_eq!(value.get("d").unwrap().as_decimal(), Some(1500.into()));
    }

    #[test]
    fn what_json_allows_and_we_refuse_is_named() {
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(parse(deep.as_bytes()), Err(JsonError::TooDeep));
        let very_deep = "[".repeat(4000);
        assert_eq!(parse(very_deep.as_bytes()), Err(JsonError::TooDeep));
        assert_eq!(
            parse(br#"{"a":1,"\u0061":2}"#),
            Err(JsonError::DuplicateKey("a".into()))
        );
        assert!(matches!(
            parse(b"{\"a\":1e9999}"),
            Err(JsonError::NumberRange(_))
        ));
        for rounded in [
            "1.00000000000000000000000000000000001",
            "1.00000000000000000000000000000000001e0",
        ] {
            assert!(matches!(
                parse(rounded.as_bytes()),
                Err(JsonError::NumberRange(_))
            ));
        }
        assert!(matches!(parse(b"{\"a\":NaN}"), Err(JsonError::Syntax(_))));
        assert!(matches!(parse(b"\"\xff\""), Err(JsonError::NotUtf8(1))));
        assert!(matches!(parse(b"{} x"), Err(JsonError::Syntax(_))));
    }
}
