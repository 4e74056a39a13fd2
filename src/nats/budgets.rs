//! The key-value bucket of what engines have been granted of shared budgets: `SCENE_BUDGETS`.

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::chain_wire::{self, Outcome};
use super::connect::Connection;
use super::log_tail::raw_message;
use super::stream_state::InfoError;

/// The stream below the bucket.
pub const BUDGETS: &str = "KV_SCENE_BUDGETS";
/// The subjects of its keys.
pub(super) const SUBJECTS: &str = "$KV.SCENE_BUDGETS.>";
const PREFIX: &str = "$KV.SCENE_BUDGETS.";

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
    let subject = format!("{PREFIX}{key}");
    let message = raw_message(connection, BUDGETS, &subject, None).await?;
    // Somebody deleted the key: what is left of it is a revision without a value.
    Ok(message.map(|message| (message.sequence, message.payload)))
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
