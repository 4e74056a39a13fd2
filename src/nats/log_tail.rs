//! Asks for messages of a partition's log one at a time.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::RawMessageErrorKind;

use super::connect::Connection;
use super::log_reader::subject_filter;
use super::message::LogMessage;
use super::stream_state::InfoError;
use super::streams::ACTIONS;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The partition's last message, or the first from a sequence on; none if there is none. One attempt.
pub(super) async fn read(
    connection: &Connection,
    partition: u16,
    from: Option<u64>,
) -> Result<Option<LogMessage>, InfoError> {
    let message = raw_message(connection, ACTIONS, &subject_filter(partition), from).await?;
    Ok(message.map(log_message))
}

/// The last message of a stream with a subject, or the first from a sequence on; none if there is none. One
/// attempt.
///
/// It asks the stream's leader: a direct get may be answered by a replica that is behind.
pub(super) async fn raw_message(
    connection: &Connection,
    stream: &str,
    subject: &str,
    from: Option<u64>,
) -> Result<Option<StreamMessage>, InfoError> {
    let broken = connection.broken();
    let other = |error: &dyn std::fmt::Display| InfoError::Other(error.to_string());
    let jetstream = connection.jetstream();
    let read = async {
        let stream = jetstream.get_stream_no_info(stream).await;
        let request = stream.map_err(|error| other(&error))?.raw_message_builder();
        let request = match from {
            None => request.last_by_subject(subject),
            Some(from) => request.sequence(from).next_by_subject(subject),
        };
        match request.send().await {
            Ok(message) => Ok(Some(message)),
            Err(error) => match error.kind() {
                RawMessageErrorKind::NoMessageFound => Ok(None),
                RawMessageErrorKind::JetStream(cause)
                    if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Err(InfoError::Missing)
                }
                _ => Err(other(&error)),
            },
        }
    };
    tokio::select! {
        read = tokio::time::timeout(TIMEOUT, read) => {
            read.unwrap_or_else(|_| Err(InfoError::Other("time-out".to_owned())))
        }
        () = broken => Err(InfoError::Other("connection broke".to_owned())),
    }
}

pub(super) fn log_message(message: StreamMessage) -> LogMessage {
    let millis = message.time.unix_timestamp_nanos() / 1_000_000;
    LogMessage {
        sequence: message.sequence,
        stored_at: i64::try_from(millis).unwrap_or_default(),
        pending: 0,
        subject: message.subject.as_str().to_owned(),
        headers: Some(message.headers).into(),
        payload: message.payload,
    }
}
