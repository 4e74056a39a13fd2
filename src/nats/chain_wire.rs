//! How the chain's writes travel: headers out, acknowledgements and refusals in.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{HeaderMap, Message, Request};
use bytes::Bytes;

use super::connect::Connection;

/// How long an acknowledgement may take before the write is in doubt.
pub(super) const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of an attempt to write.
#[derive(Debug)]
pub enum Outcome {
    /// Stored; the last sequence of it.
    Stored(u64),
    /// The partition's last sequence is not the expected one.
    NotTheTail(String),
    /// Nobody knows whether it is stored; or the server cannot store now.
    Doubt(String),
    /// The server takes no such batch (now); nothing of it is stored.
    NoBatch(String),
    /// Larger than the server takes.
    TooLarge(String),
    /// Refused for good.
    Refused(String),
}

/// Sends a message and waits for its acknowledgement, a break of the connection, or too long a silence.
pub(super) async fn send(
    connection: &Connection,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
) -> Outcome {
    let broken = connection.broken();
    if !connection.is_connected() {
        return Outcome::Doubt("not connected".to_owned());
    }
    let request = Request::new()
        .headers(headers)
        .payload(payload)
        .timeout(Some(COMMIT_TIMEOUT));
    tokio::select! {
        biased;
        answer = connection.client().send_request(subject, request) => match answer {
            Ok(answer) => outcome(&answer),
            Err(error) if error.kind() == RequestErrorKind::MaxPayloadExceeded => {
                Outcome::TooLarge(error.to_string())
            }
            Err(error) => Outcome::Doubt(error.to_string()),
        },
        () = broken => Outcome::Doubt("connection broke".to_owned()),
    }
}

fn outcome(answer: &Message) -> Outcome {
    match serde_json::from_slice::<Response<PublishAck>>(&answer.payload) {
        Ok(Response::Ok(ack)) => Outcome::Stored(ack.sequence),
        Ok(Response::Err { error }) => refusal(&error),
        Err(error) => Outcome::Doubt(format!("answer not understood: {error}")),
    }
}

fn refusal(error: &jetstream::Error) -> Outcome {
    let text = error.to_string();
    match error.error_code() {
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT => {
            Outcome::NotTheTail(text)
        }
        ErrorCode::ATOMIC_PUBLISH_DISABLED
        | ErrorCode::ATOMIC_PUBLISH_INCOMPLETE_BATCH
        | ErrorCode::ATOMIC_PUBLISH_MISSING_SEQ
        | ErrorCode::ATOMIC_PUBLISH_TOO_LARGE_BATCH
        | ErrorCode::ATOMIC_PUBLISH_INVALID_BATCH_COMMIT
        | ErrorCode::ATOMIC_PUBLISH_INVALID_BATCH_ID
        | ErrorCode::ATOMIC_PUBLISH_UNSUPPORTED_HEADER
        | ATOMIC_PUBLISH_TOO_MANY_INFLIGHT => Outcome::NoBatch(text),
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => Outcome::TooLarge(text),
        // Full disk, a full stream, no leader, not enough memory: these pass, and until then the write waits. Of an
        // account that has no room left, the server says so as if it were the client's fault.
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED => Outcome::Doubt(text),
        _ if error.code() >= 500 => Outcome::Doubt(text),
        _ => Outcome::Refused(text),
    }
}

/// Too many batches in flight (ADR-50); the client library does not name it.
const ATOMIC_PUBLISH_TOO_MANY_INFLIGHT: ErrorCode = ErrorCode(10210);

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u64, err_code: u64) -> Outcome {
        let error = serde_json::json!({ "code": code, "err_code": err_code, "description": "x" });
        refusal(&serde_json::from_value(error).unwrap())
    }

    #[test]
    fn refusals_are_told_apart_by_what_to_do_about_them() {
        assert!(matches!(refused(400, 10071), Outcome::NotTheTail(_)));
        assert!(matches!(refused(400, 10164), Outcome::NotTheTail(_)));
        assert!(matches!(refused(400, 10176), Outcome::NoBatch(_)));
        assert!(matches!(refused(503, 10077), Outcome::Doubt(_)));
        assert!(matches!(refused(400, 10002), Outcome::Doubt(_)));
        assert!(matches!(refused(400, 10054), Outcome::TooLarge(_)));
        assert!(matches!(refused(400, 10060), Outcome::Refused(_)));
    }
}
