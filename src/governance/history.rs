//! Which generation went live when, in which engine, and why.

use super::{GovernanceError, damaged, keys};
use crate::clock::Millis;
use crate::nats::{Connection, rules_history, write_rules};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// That a generation went live in an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRecord {
    /// The generation.
    pub generation: Arc<str>,
    /// The one before it in that engine; none at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Arc<str>>,
    /// The engine.
    pub engine: Box<str>,
    /// Why: `start`, `folder`, `rollback`, `release` or `approval`.
    pub cause: Box<str>,
    /// When the bucket stored it; set when it is read.
    #[serde(skip)]
    pub at: Millis,
}

/// Writes that a generation went live.
pub(super) async fn write(
    connection: &Connection,
    record: &LiveRecord,
) -> Result<(), GovernanceError> {
    let value = serde_json::to_vec(record).expect("invariant: text serialises");
    let key = keys::live(&record.generation);
    write_rules(connection, &key, value.into(), None).await?;
    Ok(())
}

/// What went live, the earliest first.
///
/// # Errors
/// When NATS does not answer, or a record cannot be read.
pub async fn history(connection: &Connection) -> Result<Vec<LiveRecord>, GovernanceError> {
    history_since(connection, 0).await
}

/// The generation that was live before the one that went live last.
#[must_use]
pub fn previous(history: &[LiveRecord]) -> Option<&LiveRecord> {
    let last = history.last()?;
    let mut earlier = history.iter().rev();
    earlier.find(|record| record.generation != last.generation)
}

/// What went live after a revision.
pub(super) async fn history_since(
    connection: &Connection,
    revision: u64,
) -> Result<Vec<LiveRecord>, GovernanceError> {
    let entries = rules_history(connection, &keys::live("*"), revision + 1).await?;
    let read = |entry: crate::nats::RulesEntry| {
        let record = serde_json::from_slice(&entry.value);
        let mut record: LiveRecord = record.map_err(|error| damaged(&entry.key, error))?;
        record.at = entry.at;
        Ok(record)
    };
    entries.into_iter().map(read).collect()
}
