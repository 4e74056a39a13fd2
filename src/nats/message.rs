//! A message as a stream holds it.

use std::borrow::Cow;
use std::fmt;

use async_nats::{HeaderMap, HeaderName};
use bytes::Bytes;

use crate::clock::Millis;
use crate::event::Stored;

/// One message of a stream.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its sequence in the stream, from 1.
    pub sequence: u64,
    /// When the server stored it, in milliseconds since the Unix epoch.
    pub stored_at: Millis,
    /// How many messages that the same reader will get were stored behind it when it was sent: 0 means
    /// that the reader has caught up.
    pub pending: u64,
    /// The subject it is stored under.
    pub subject: String,
    /// Its headers.
    pub headers: Headers,
    /// Its payload, untouched.
    pub payload: Bytes,
}

impl StoredMessage {
    /// The same as `decode` takes it.
    pub fn to_stored(&self) -> Stored {
        Stored {
            sequence: self.sequence,
            stored_at: self.stored_at,
            subject: self.subject.clone(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            payload: self.payload.clone(),
        }
    }
}

/// A message of `SCENE_EVENTS`.
pub type StoredEvent = StoredMessage;

/// A message of a partition's log in `SCENE_ACTIONS`.
pub type LogMessage = StoredMessage;

/// The headers of a message. Names are compared exactly, as NATS does.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Option<HeaderMap>);

impl Headers {
    /// The first value under a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        // A name that the client library would not accept cannot be in the map, and would panic there.
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return None;
        }
        Some(self.0.as_ref()?.get(name)?.as_str())
    }

    /// All names and values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(HeaderMap::iter)
            .flat_map(|(name, values)| {
                let name: &str = name.as_ref();
                values.iter().map(move |value| (name, value.as_str()))
            })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(HeaderMap::is_empty)
    }

    pub(super) fn into_map(self) -> HeaderMap {
        self.0.unwrap_or_default()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl From<Option<HeaderMap>> for Headers {
    fn from(map: Option<HeaderMap>) -> Self {
        Self(map)
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            put(&mut map, name.as_ref(), value.as_ref());
        }
        Self(Some(map))
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b':'
}

/// Adds a header, as it can stand on the wire.
pub(super) fn put(map: &mut HeaderMap, name: &str, value: &str) {
    map.append(wire_name(name).as_ref(), wire_value(value).as_ref());
}

/// The same for a name that the program itself has, which needs no copy.
pub(super) fn put_known(map: &mut HeaderMap, name: &'static str, value: &str) {
    match wire_name(name) {
        Cow::Borrowed(_) => map.append(HeaderName::from_static(name), wire_value(value).as_ref()),
        Cow::Owned(mended) => map.append(mended, wire_value(value).as_ref()),
    }
}

/// A header's name as it can stand on the wire. The client library panics on one that cannot, and these come from
/// outside, so bad characters become `-`.
pub(super) fn wire_name(name: &str) -> Cow<'_, str> {
    if name.is_empty() {
        Cow::Borrowed("-")
    } else if name.bytes().all(is_name_byte) {
        Cow::Borrowed(name)
    } else {
        let good = |c: char| u8::try_from(c).is_ok_and(is_name_byte);
        Cow::Owned(
            name.chars()
                .map(|c| if good(c) { c } else { '-' })
                .collect(),
        )
    }
}

/// A header's value as it can stand on the wire: line breaks become blanks.
pub(super) fn wire_value(value: &str) -> Cow<'_, str> {
    if value.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) {
        Cow::Owned(value.replace(['\r', '\n'], " "))
    } else {
        Cow::Borrowed(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_cannot_stand_on_the_wire_are_mended_not_panicked_on() {
        let headers: Headers = [
            ("a b:c", "one\r\ntwo"),
            ("", "x"),
            ("ce-id", "7"),
            ("ü", "ü"),
        ]
        .into_iter()
        .collect();
        assert_eq!(headers.get("a-b-c"), Some("one  two"));
        assert_eq!(headers.get("-"), Some("x"));
        assert_eq!(headers.get("ce-id"), Some("7"));
        assert_eq!(headers.get("a b"), None);
        assert_eq!(headers.iter().count(), 4);
        assert!(Headers::default().is_empty());
    }
}
