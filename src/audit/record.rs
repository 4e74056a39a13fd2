//! A message of the log as a line of an export.
//!
//! ```text
//! {"n":2,"sequence":17,"partition":3,"stored_at":"…","subject":"…","payload":{…},"headers":{…}
//! ```
//!
//! The payload stands there as it is stored, byte for byte, so that tools can read into it and its hash can be made
//! again; one that is not JSON on one line is `payload_hex`. Its bounds are certain: what comes before is numbers and text
//! without bare quotes, and in `headers` every value is text.

use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

use crate::clock::format_rfc3339;
use crate::durable::log::KIND_ACTION;
use crate::nats::chain_link::{self, HEADER_CHAIN};
use crate::nats::{ChainHash, LogMessage};

const PAYLOAD: &str = ",\"payload\":";
const PAYLOAD_HEX: &str = ",\"payload_hex\":";
const HEADERS: &str = ",\"headers\":";

/// A message of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its sequence in `SCENE_ACTIONS`.
    pub sequence: u64,
    /// The partition whose log it is of.
    pub partition: u16,
    /// When the server stored it, RFC 3339 in milliseconds.
    pub stored_at: String,
    /// Its subject.
    pub subject: String,
    /// Its headers, sorted.
    pub headers: Vec<(String, String)>,
    /// Its payload.
    pub payload: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    n: u64,
    sequence: u64,
    partition: u16,
    stored_at: String,
    subject: String,
}

impl Record {
    /// A stored message; none if its subject is not one of the log's.
    #[must_use]
    pub fn of(message: &LogMessage) -> Option<Self> {
        let headers = message.headers.iter();
        let mut headers: Vec<(String, String)> = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        headers.sort_unstable();
        Some(Self {
            sequence: message.sequence,
            partition: message.subject.rsplit('.').next()?.parse().ok()?,
            stored_at: format_rfc3339(message.stored_at),
            subject: message.subject.clone(),
            headers,
            payload: message.payload.clone(),
        })
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// What kind of message it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.header("Onscene-Kind").unwrap_or("unknown")
    }

    /// The generation of rules that decided it, if it is a decision that names one.
    #[must_use]
    pub fn generation(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Action {
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            generation: String,
        }
        if self.kind() != KIND_ACTION {
            return None;
        }
        let action: Action = serde_json::from_slice(&self.payload).ok()?;
        Some(action.data.generation)
    }

    /// The link that it carries.
    #[must_use]
    pub fn link(&self) -> Option<ChainHash> {
        self.header(HEADER_CHAIN).and_then(ChainHash::parse)
    }

    /// The hash of what it says.
    #[must_use]
    pub fn content(&self) -> ChainHash {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
        chain_link::content(&self.subject, headers, &self.payload)
    }

    pub(super) fn body(&self, n: u64) -> Vec<u8> {
        let front = Front {
            n,
            sequence: self.sequence,
            partition: self.partition,
            stored_at: self.stored_at.clone(),
            subject: self.subject.clone(),
        };
        let mut body = serde_json::to_vec(&front).expect("invariant: text and numbers serialise");
        body.pop();
        if stands_on_a_line(&self.payload) {
            body.extend_from_slice(PAYLOAD.as_bytes());
            body.extend_from_slice(&self.payload);
        } else {
            body.extend_from_slice(PAYLOAD_HEX.as_bytes());
            body.push(b'"');
            for byte in &self.payload {
                body.extend_from_slice(format!("{byte:02x}").as_bytes());
            }
            body.push(b'"');
        }
        body.extend_from_slice(HEADERS.as_bytes());
        serde_json::to_writer(&mut body, &Pairs(&self.headers))
            .expect("invariant: text and numbers serialise");
        body
    }

    /// Reads what a line says, and the number that it claims.
    pub(super) fn parse(body: &[u8]) -> Result<(u64, Self), String> {
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8 text".to_owned())?;
        let missing = |what: &str| format!("it has no {what}");
        let start = text
            .find(",\"payload")
            .ok_or_else(|| missing("`payload`"))?;
        let end = text
            .rfind(",\"headers\":{")
            .filter(|end| *end > start)
            .ok_or_else(|| missing("`headers`"))?;
        let (front, middle, back) = (&text[..start], &text[start..end], &text[end..]);
        let wrong = |error: serde_json::Error| error.to_string();
        let front: Front = serde_json::from_str(&format!("{front}}}")).map_err(wrong)?;
        let payload = match (
            middle.strip_prefix(PAYLOAD),
            middle.strip_prefix(PAYLOAD_HEX),
        ) {
            (Some(json), _) => Bytes::copy_from_slice(json.as_bytes()),
            (_, Some(hex)) => from_hex(hex).ok_or("its `payload_hex` is not hexadecimal")?,
            _ => return Err(missing("`payload`")),
        };
        let headers: OwnedPairs =
            serde_json::from_str(back.strip_prefix(HEADERS).unwrap_or(back)).map_err(wrong)?;
        let record = Self {
            sequence: front.sequence,
            partition: front.partition,
            stored_at: front.stored_at,
            subject: front.subject,
            headers: headers.0,
            payload,
        };
        Ok((front.n, record))
    }
}

/// Whether a payload can stand in a line as it is.
fn stands_on_a_line(payload: &[u8]) -> bool {
    std::str::from_utf8(payload).is_ok_and(|text| {
        !text.contains(['\n', '\r']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
    })
}

fn from_hex(quoted: &str) -> Option<Bytes> {
    let hex = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes = pairs.map(|pair| byte(pair).filter(|_| pair.len() == 2));
    bytes.collect::<Option<Vec<u8>>>().map(Bytes::from)
}

/// Names and values as a JSON object, in their order, also when a name comes twice.
struct Pairs<'a>(&'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

struct OwnedPairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for OwnedPairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = OwnedPairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers: an object whose values are text")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OwnedPairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(OwnedPairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(payload: &'static [u8], headers: &[(&str, &str)]) -> Record {
        let headers = headers.iter();
        Record {
            sequence: 17,
            partition: 3,
            stored_at: "2026-11-22T10:00:00.000Z".to_owned(),
            subject: "scene.actions.push.3".to_owned(),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            payload: Bytes::from_static(payload),
        }
    }

    #[test]
    fn every_payload_and_every_header_comes_back_as_it_was() {
        let nasty = [
            ("a", "1"),
            ("a", "2"),
            ("payload", "\",\"headers\":{\""),
            ("x", "\u{1}\n"),
        ];
        let payloads: [&[u8]; 8] = [
            b"{}",
            b"{\"payload\":{\"headers\":{\"a\":\"b\"}},\"hash\":\"00\"}",
            b"[1,  2]",
            b"{\n}",
            b"not JSON",
            b"\xff\x00",
            b"",
            b"\"\\\",\\\"headers\\\":{\"",
        ];
        for payload in payloads {
            for headers in [&nasty[..], &[]] {
                let record = record(payload, headers);
                let body = record.body(5);
                assert!(!body.contains(&b'\n'));
                assert_eq!(Record::parse(&body), Ok((5, record)));
            }
        }
    }

    #[test]
    fn a_line_is_json_that_one_can_read_into() {
        let record = record(
            b"{\"data\":{\"generation\":\"ab\"}}",
            &[("Onscene-Kind", "action")],
        );
        let line = String::from_utf8(record.body(2)).unwrap() + "}";
        assert_eq!(
            line,
            "{\"n\":2,\"sequence\":17,\"partition\":3,\"stored_at\":\"2026-11-22T10:00:00.000Z\",\
             \"subject\":\"scene.actions.push.3\",\"payload\":{\"data\":{\"generation\":\"ab\"}},\
             \"headers\":{\"Onscene-Kind\":\"action\"}}"
        );
        assert_eq!(record.generation().as_deref(), Some("ab"));
    }
}
