//! Reading messages one by one, past any whose headers or subject the client library cannot parse.
//!
//! The server takes and stores any bytes as headers. The client library demands UTF-8 of headers and
//! subjects and breaks the connection otherwise, again after every reconnect: one such event would stop its reader
//! for ever, and every other reader on that connection. The server's JSON answer carries headers as
//! base64, so this way leads past it.

use bytes::Bytes;
use serde::Deserialize;

use super::connect::Connection;
use super::message::{Headers, StoredMessage};
use super::pull::PullSpec;

/// Messages that are read in this way before a consumer is tried again.
const CAREFUL_MESSAGES: usize = 64;
const ERROR_NO_MESSAGE: u64 = 10_037;
/// What is said of messages behind one that was read in this way: at least one, since nobody counted.
const PENDING_UNKNOWN: u64 = 1;

#[derive(Deserialize)]
struct Answer {
    message: Option<RawMessage>,
    error: Option<RawError>,
}

#[derive(Deserialize)]
struct RawError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct RawMessage {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    time: String,
}

/// Reads up to a few messages from sequence `next` on; none if there are none.
pub(super) async fn read(
    connection: &Connection,
    spec: &PullSpec,
    next: u64,
) -> Result<Vec<StoredMessage>, String> {
    let mut messages = Vec::new();
    let mut next = next;
    while messages.len() < CAREFUL_MESSAGES {
        let Some(message) = read_one(connection, spec, next).await? else {
            break;
        };
        next = message.sequence + 1;
        messages.push(message);
    }
    Ok(messages)
}

/// The first message from sequence `next` on; none if there is none. One attempt.
pub(super) async fn read_one(
    connection: &Connection,
    spec: &PullSpec,
    next: u64,
) -> Result<Option<StoredMessage>, String> {
    let everything = [">".to_owned()];
    let filters = if spec.filters.is_empty() {
        &everything[..]
    } else {
        &spec.filters[..]
    };
    let mut earliest: Option<RawMessage> = None;
    for filter in filters {
        let request = serde_json::json!({ "seq": next, "next_by_subj": filter });
        let answer: Answer = connection
            .jetstream()
            .request(format!("STREAM.MSG.GET.{}", spec.stream), &request)
            .await
            .map_err(|error| error.to_string())?;
        match (answer.message, answer.error) {
            (Some(message), _) => {
                if earliest
                    .as_ref()
                    .is_none_or(|known| message.seq < known.seq)
                {
                    earliest = Some(message);
                }
            }
            (None, Some(error)) if error.err_code != ERROR_NO_MESSAGE => {
                return Err(error.description);
            }
            (None, _) => {}
        }
    }
    earliest
        .map(|raw| stored(raw, spec.headers_only))
        .transpose()
}

fn stored(raw: RawMessage, headers_only: bool) -> Result<StoredMessage, String> {
    let time: jiff::Timestamp = raw
        .time
        .parse()
        .map_err(|error: jiff::Error| error.to_string())?;
    Ok(StoredMessage {
        sequence: raw.seq,
        stored_at: time.as_millisecond(),
        pending: PENDING_UNKNOWN,
        subject: raw.subject,
        headers: headers(&from_base64(&raw.hdrs)),
        payload: if headers_only {
            Bytes::new()
        } else {
            from_base64(&raw.data).into()
        },
    })
}

/// Reads headers as far as they can be read: what is not UTF-8 becomes U+FFFD.
fn headers(bytes: &[u8]) -> Headers {
    let text = String::from_utf8_lossy(bytes);
    text.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}

/// Base64 with the standard alphabet, as the server writes it; anything else in it is skipped.
fn from_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).expect("invariant: masked to a byte"));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_with_and_without_padding() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("//79", b"\xff\xfe\xfd"),
        ] {
            assert_eq!(from_base64(text), bytes, "{text}");
        }
    }

    #[test]
    fn headers_that_are_not_utf_8_are_read_as_far_as_they_can_be() {
        let headers = headers(b"NATS/1.0\r\nce-id: 7\r\nbad: \xff\r\nno colon\r\n\r\n");
        assert_eq!(headers.get("ce-id"), Some("7"));
        assert_eq!(headers.get("bad"), Some("\u{fffd}"));
        assert_eq!(headers.iter().count(), 2);
    }
}
