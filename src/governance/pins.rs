//! The generation that is pinned: it stays live in every engine, whatever the rules folders say.

use super::history::history_since;
use super::{GovernanceError, damaged, keys, texts};
use crate::nats::{
    Connection, RulesEntry, owners, read_rules, recorded_partitions, rules_history, write_rules,
};
use crate::policy::Signed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often it is looked whether engines obey.
const LOOK_INTERVAL: Duration = Duration::from_millis(30);

/// The version of the format.
const VERSION: u32 = 1;

/// A pin, or its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    version: u32,
    /// Which generation stays; none if the folders say again what is live.
    pub generation: Option<Box<str>>,
    /// Who said so.
    pub signed: Signed,
}

impl Pin {
    /// A pin of a generation, or the end of one.
    #[must_use]
    pub fn new(generation: Option<&str>, signed: Signed) -> Self {
        Self {
            version: VERSION,
            generation: generation.map(Into::into),
            signed,
        }
    }
}

/// Which engines obey a pin, or its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obeyed {
    /// Engines that do.
    pub engines: BTreeSet<String>,
    /// Owners of partitions that have not said so in time.
    pub missing: BTreeSet<String>,
}

/// Pins a generation, or ends that, and waits until every engine that owns a partition obeys, or until that takes
/// too long.
///
/// # Errors
/// When the generation is not there, or NATS does not answer.
pub async fn pin(
    connection: &Connection,
    generation: Option<&str>,
    signed: Signed,
    at_most: Duration,
) -> Result<Obeyed, GovernanceError> {
    if let Some(generation) = generation {
        texts::load(connection, generation).await?;
    }
    let partitions = recorded_partitions(connection).await?;
    let owners = owners(connection, partitions).await?;
    let revision = set(connection, &Pin::new(generation, signed)).await?;
    let mut engines = BTreeSet::new();
    let all = async {
        loop {
            for record in history_since(connection, revision).await? {
                let cause = generation.map_or("release", |_| "rollback");
                if *record.cause == *cause {
                    engines.insert(record.engine.to_string());
                }
            }
            if engines.is_superset(&owners) {
                return Ok::<_, GovernanceError>(());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    if let Ok(ended) = tokio::time::timeout(at_most, all).await {
        ended?;
    }
    let missing = owners.difference(&engines).cloned().collect();
    Ok(Obeyed { engines, missing })
}

/// What is pinned now, if anything.
///
/// # Errors
/// When NATS does not answer, or it cannot be read.
pub async fn current(connection: &Connection) -> Result<Option<Pin>, GovernanceError> {
    let Some(entry) = read_rules(connection, keys::PIN).await? else {
        return Ok(None);
    };
    let pin = decode(&entry)?;
    Ok(pin.generation.is_some().then_some(pin))
}

async fn set(connection: &Connection, pin: &Pin) -> Result<u64, GovernanceError> {
    let value = serde_json::to_vec(pin).expect("invariant: text and numbers serialise");
    let written = write_rules(connection, keys::PIN, value.into(), None).await?;
    written.ok_or_else(|| GovernanceError::Contended(keys::PIN.to_owned()))
}

/// The latest 64 pins and their ends, the earliest first.
///
/// # Errors
/// When NATS does not answer, or one cannot be read.
pub async fn log(connection: &Connection) -> Result<Vec<Pin>, GovernanceError> {
    let entries = rules_history(connection, keys::PIN, 1).await?;
    entries.iter().map(decode).collect()
}

/// What a value of the key says.
pub(super) fn decode(entry: &RulesEntry) -> Result<Pin, GovernanceError> {
    let pin: Pin =
        serde_json::from_slice(&entry.value).map_err(|error| damaged(&entry.key, error))?;
    if pin.version != VERSION {
        let what = format!(
            "it has version {}, and this one knows version {VERSION}",
            pin.version
        );
        return Err(damaged(&entry.key, what));
    }
    Ok(pin)
}
