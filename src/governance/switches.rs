//! Switches as they are kept: one key each, whose former values say who changed it when and why.

use super::{GovernanceError, Witness, Witnessed, damaged, keys};
use crate::clock::Millis;
use crate::nats::{Connection, RulesEntry, rules_history, write_rules};
use crate::policy::{Change, Switches};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The version of the format.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Wire {
    version: u32,
    change: Change,
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its place among all changes of the bucket.
    pub revision: u64,
    /// When the bucket stored it.
    pub at: Millis,
    /// What was changed.
    pub change: Change,
}

/// A change that was made, and where it is in force.
#[derive(Clone, Debug)]
pub struct Switched {
    /// Its place among all changes of the bucket.
    pub revision: u64,
    /// From where on each partition obeys it.
    pub witnessed: Witnessed,
}

/// Changes a switch, and waits until every partition obeys, or until that takes too long.
///
/// # Errors
/// When NATS does not take it, or the logs cannot be read: then nobody knows whether it is in force.
pub async fn switch(
    connection: &Connection,
    change: &Change,
    at_most: Duration,
) -> Result<Switched, GovernanceError> {
    let witness = Witness::open(connection).await?;
    let revision = self::change(connection, change).await?;
    Ok(Switched {
        revision,
        witnessed: witness.wait(revision, at_most).await?,
    })
}

/// Changes a switch, and returns the revision that partitions tell when it is in force.
///
/// # Errors
/// When NATS does not take it: then nobody knows whether it did.
pub async fn change(connection: &Connection, change: &Change) -> Result<u64, GovernanceError> {
    let key = keys::switch(change);
    let written = write_rules(connection, &key, encode(change).into(), None).await?;
    written.ok_or(GovernanceError::Contended(key))
}

/// Every change that is kept, the earliest first: of each switch the latest 64.
///
/// # Errors
/// When NATS does not answer, or one cannot be read.
pub async fn log(connection: &Connection) -> Result<Vec<Changed>, GovernanceError> {
    let entries = rules_history(connection, keys::SWITCHES, 1).await?;
    entries.iter().map(decode).collect()
}

/// The switches as they are set now.
///
/// # Errors
/// When NATS does not answer, or one cannot be read.
pub async fn read(connection: &Connection) -> Result<Switches, GovernanceError> {
    let changes = log(connection).await?;
    let switches = Switches::default();
    Ok((changes.iter()).fold(switches, |now, changed| {
        now.with(&changed.change, changed.revision)
    }))
}

fn encode(change: &Change) -> Vec<u8> {
    let wire = Wire {
        version: VERSION,
        change: change.clone(),
    };
    serde_json::to_vec(&wire).expect("invariant: text and numbers serialise")
}

/// What a value of a switch's key says.
pub(super) fn decode(entry: &RulesEntry) -> Result<Changed, GovernanceError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let read = |error: serde_json::Error| damaged(&entry.key, error);
    let Version { version } = serde_json::from_slice(&entry.value).map_err(read)?;
    if version != VERSION {
        let what = format!("it has version {version}, and this one knows version {VERSION}");
        return Err(damaged(&entry.key, what));
    }
    let wire: Wire = serde_json::from_slice(&entry.value).map_err(read)?;
    Ok(Changed {
        revision: entry.revision,
        at: entry.at,
        change: wire.change,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Position, Signed, Target};

    fn entry(value: &'static str) -> RulesEntry {
        RulesEntry {
            key: "govern.switch.pause.rule.a/b".to_owned(),
            revision: 9,
            at: 8,
            value: value.as_bytes().into(),
        }
    }

    /// The bytes in the bucket.
    #[test]
    fn a_change_is_written_and_read_as_it_always_was() {
        let bytes = r#"{"version":1,"change":{"target":{"rule":"a/b"},"position":{"paused":{"until":null}},"signed":{"by":"Li","reason":"wrong amount","at":7}}}"#;
        let changed = decode(&entry(bytes)).unwrap();
        assert_eq!((changed.revision, changed.at), (9, 8));
        assert_eq!(changed.change.target, Target::Rule("a/b".into()));
        assert_eq!(encode(&changed.change), bytes.as_bytes());
        assert_eq!(
            keys::switch(&changed.change),
            "govern.switch.pause.rule.a/b"
        );
        let error = decode(&entry(r#"{"version":2}"#)).unwrap_err().to_string();
        assert!(error.contains("version 2"), "{error}");
    }

    #[test]
    fn every_switch_has_a_key_of_its_own() {
        let signed = || Signed {
            by: "Li".into(),
            reason: "x".into(),
            at: 0,
        };
        let change = |target, position| Change {
            target,
            position,
            signed: signed(),
        };
        let paused = || Position::Paused { until: None };
        let customers = Default::default();
        let mut keys: Vec<String> = [
            change(Target::All, paused()),
            change(Target::Scene("all".into()), paused()),
            change(Target::Rule("all".into()), paused()),
            change(Target::Rule("a.b >".into()), paused()),
            change(Target::Channel("all".into()), paused()),
            change(Target::Rule("all".into()), Position::Shadow { customers }),
        ]
        .iter()
        .map(keys::switch)
        .collect();
        assert!(keys.iter().all(|key| !key.contains([' ', '>'])));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 6);
    }
}
