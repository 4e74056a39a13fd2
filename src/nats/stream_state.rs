//! Asks for a stream's state.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::Info as StreamInfo;

use super::connect::Connection;
use super::streams::EVENTS;
use crate::clock::{Millis, parse_rfc3339};

/// Why a stream's state, or a message of it, is not known.
#[derive(Clone, Debug)]
pub enum InfoError {
    /// The stream is not there.
    Missing,
    /// Nobody answers, or not as expected.
    Other(String),
}

/// Asks for a stream's state.
pub(super) async fn stream_info(
    connection: &Connection,
    stream: &str,
) -> Result<StreamInfo, InfoError> {
    use async_nats::jetstream::context::GetStreamErrorKind;
    match connection.jetstream().get_stream(stream).await {
        Ok(stream) => Ok(stream.cached_info().clone()),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(cause)
                if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Err(InfoError::Missing)
            }
            _ => Err(InfoError::Other(error.to_string())),
        },
    }
}

/// The events stream as the server sees it at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventsState {
    /// The server's clock when it had answered.
    pub clock: Millis,
    /// The first sequence that was kept, at some time before.
    pub first_sequence: u64,
    /// The last sequence stored, at some time before.
    pub last_sequence: u64,
}

/// Which stream of events it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventsIdentity {
    /// There is none.
    Missing,
    /// When it was created, to the nanosecond: one that was made anew, or that is elsewhere, differs.
    Created(String),
    /// The server does not answer now, and why.
    Unknown(String),
}

/// Asks which stream of events there is.
pub async fn events_identity(connection: &Connection) -> EventsIdentity {
    match stream_info(connection, EVENTS).await {
        Ok(info) => EventsIdentity::Created(info.created.unix_timestamp_nanos().to_string()),
        Err(InfoError::Missing) => EventsIdentity::Missing,
        Err(InfoError::Other(reason)) => EventsIdentity::Unknown(reason),
    }
}

#[derive(serde::Deserialize)]
struct InfoAnswer {
    ts: String,
    state: InfoState,
}

#[derive(serde::Deserialize)]
struct InfoState {
    first_seq: u64,
    last_seq: u64,
}

/// Asks for the state of `SCENE_EVENTS`; `None` if the server does not answer now.
pub async fn events_state(connection: &Connection) -> Option<EventsState> {
    let subject = format!("STREAM.INFO.{EVENTS}");
    let answer = connection.jetstream().request(subject, &()).await.ok()?;
    match answer {
        Response::Ok::<InfoAnswer>(info) => Some(EventsState {
            clock: parse_rfc3339(&info.ts)?,
            first_sequence: info.state.first_seq,
            last_sequence: info.state.last_seq,
        }),
        Response::Err { .. } => None,
    }
}
