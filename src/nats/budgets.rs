//! The key-value bucket of what engines have been granted of shared budgets: `SCENE_BUDGETS`.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::RawMessageErrorKind;
use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::chain_wire::{self, Outcome};
use super::connect::Connection;
use super::stream_state::InfoError;

/// The stream below the bucket.
pub const BUDGETS: &str = "KV_SCENE_BUDGETS";
/// The subjects of its keys.
pub(super) const SUBJECTS: &str = "$KV.SCENE_BUDGETS.>";
const PREFIX: &str = "$KV.SCENE_BUDGETS.";

const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The revision and the value of a key; none if it is not there. One attempt.
///
/// It asks the leader: a direct get may be answered by a replica that is behind.
pub async fn read_budget(
    connection: &Connection,
    key: &str,
) -> Result<Option<(u64, Bytes)>, InfoError> {
    if !connection.is_connected() {
        return Err(InfoError::Other("not connected".to_owned()));
    }
    let broken = connection.broken();
    let other = |error: &dyn std::fmt::Display| InfoError::Other(error.to_string());
    let read = async {
        let jetstream = connection.jetstream();
        let stream = jetstream.get_stream_no_info(BUDGETS).await;
        let stream = stream.map_err(|error| other(&error))?;
        let subject = format!("{PREFIX}{key}");
        let request = stream.raw_message_builder().last_by_subject(subject);
        match request.send().await {
            // Somebody deleted the key: what is left of it is a revision without a value.
            Ok(message) => Ok(Some((message.sequence, message.payload))),
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
        read = tokio::time::timeout(READ_TIMEOUT, read) => {
            read.unwrap_or_else(|_| Err(InfoError::Other("time-out".to_owned())))
        }
        () = broken => Err(InfoError::Other("connection broke".to_owned())),
    }
}

/// Writes a key if its revision is still this one (0: it is not there yet), and returns the new one;
/// `None` if somebody else was quicker. After an error nobody knows whether it was written, or will be.
pub async fn write_budget(
    connection: &Connection,
    key: &str,
    value: Bytes,
    revision: u64,
) -> Result<Option<u64>, InfoError> {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string());
    let subject = format!("{PREFIX}{key}");
    match chain_wire::send(connection, subject, headers, value).await {
        Outcome::Stored(revision) => Ok(Some(revision)),
        Outcome::NotTheTail(_) => Ok(None),
        Outcome::Doubt(reason)
        | Outcome::TooLarge(reason)
        | Outcome::Refused(reason)
        | Outcome::NoBatch(reason) => Err(InfoError::Other(reason)),
    }
}

/// All keys of the bucket.
pub async fn budget_keys(connection: &Connection) -> Result<Vec<String>, InfoError> {
    let other = |error: &dyn std::fmt::Display| InfoError::Other(error.to_string());
    let stream = connection.jetstream().get_stream_no_info(BUDGETS).await;
    let stream = stream.map_err(|error| other(&error))?;
    let subjects = stream.info_with_subjects(SUBJECTS).await;
    let subjects = subjects.map_err(|error| other(&error))?;
    let subjects: Vec<(String, usize)> = subjects
        .try_collect()
        .await
        .map_err(|error| other(&error))?;
    let key = |(subject, _): (String, usize)| Some(subject.strip_prefix(PREFIX)?.to_owned());
    Ok(subjects.into_iter().filter_map(key).collect())
}
