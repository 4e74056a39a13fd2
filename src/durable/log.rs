//! The messages of a partition's log, and what the fold needs of each.

use crate::action::HOLDOUT_CHANNEL;
use crate::clock::parse_rfc3339;
use crate::event::{Value, parse_json};
use crate::partition::Logged;
use crate::partitioning::CustomerId;
use crate::state::DecisionId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `Onscene-Kind` of a message that is an action or a held-out decision.
pub const KIND_ACTION: &str = "action";
/// `Onscene-Kind` of the record with which an engine takes a partition over.
pub const KIND_OWNER: &str = "owner";
/// `Onscene-Kind` of the record that says how far events are done.
pub const KIND_THROUGH: &str = "through";

/// The record with which an engine takes a partition over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRecord {
    /// The engine's id, new at each start.
    pub owner: String,
    /// Version of the engine.
    pub version: String,
    /// When, RFC 3339.
    pub at: String,
}

/// How far a partition's events are done: all of them up to `through` have been decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThroughRecord {
    /// A sequence of `SCENE_EVENTS`.
    pub through: u64,
    /// The generation of rules that decided them last.
    pub generation: String,
}

/// One message of a log.
#[derive(Clone, Debug, PartialEq)]
pub enum LogItem {
    /// A decision, the sequence of its trigger, and which of the trigger's decisions it is.
    Decision {
        /// What state needs of it.
        logged: Logged,
        /// The trigger's sequence in `SCENE_EVENTS`.
        trigger: u64,
        /// From 0, of how many.
        part: (u32, u32),
    },
    /// Somebody took the partition over.
    Owner(OwnerRecord),
    /// How far events are done.
    Through(ThroughRecord),
    /// A record of a later version, which this one need not understand.
    Unknown(String),
}

/// Why a message of the log cannot be read. The log is the truth: an engine that cannot read it must
/// not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} in message {sequence} of SCENE_ACTIONS")]
pub struct LogError {
    /// What is missing or wrong.
    pub what: String,
    /// The message.
    pub sequence: u64,
}

/// Reads one message of a log. `header` looks up a header.
///
/// # Errors
/// When something that state needs is missing.
pub fn read<'a>(
    sequence: u64,
    header: impl Fn(&str) -> Option<&'a str>,
    payload: &[u8],
) -> Result<LogItem, LogError> {
    let fail = |what: &str| LogError {
        what: what.to_owned(),
        sequence,
    };
    match header("Onscene-Kind") {
        Some(KIND_ACTION) => decision(&header, payload).map_err(|what| fail(&what)),
        Some(KIND_OWNER) => serde_json::from_slice(payload)
            .map(LogItem::Owner)
            .map_err(|error| fail(&error.to_string())),
        Some(KIND_THROUGH) => serde_json::from_slice(payload)
            .map(LogItem::Through)
            .map_err(|error| fail(&error.to_string())),
        Some(other) => Ok(LogItem::Unknown(other.to_owned())),
        None => Err(fail("no Onscene-Kind")),
    }
}

fn decision<'a>(
    header: &impl Fn(&str) -> Option<&'a str>,
    payload: &[u8],
) -> Result<LogItem, String> {
    let action = parse_json(payload).map_err(|error| error.to_string())?;
    let data = action.get("data").ok_or("no data")?;
    let text = |record: &Value, name: &str| {
        record
            .get(name)
            .and_then(Value::as_text)
            .map(str::to_owned)
            .ok_or_else(|| format!("no {name}"))
    };
    let number = |name: &str| {
        header(name)
            .and_then(|text| text.parse::<i64>().ok())
            .ok_or_else(|| format!("no {name}"))
    };
    let trigger = data.get("trigger").ok_or("no trigger")?;
    let part = header("Onscene-Part")
        .and_then(|text| text.split_once('/'))
        .and_then(|(at, of)| Some((at.parse().ok()?, of.parse().ok()?)))
        .ok_or("no Onscene-Part")?;
    let rule: Arc<str> = text(data, "rule")?.into();
    let code = data
        .get("body")
        .and_then(|body| body.get("code"))
        .and_then(Value::as_text)
        .map(Box::from);
    let logged = Logged {
        id: DecisionId::parse(&text(&action, "id")?).ok_or("no decision id")?,
        customer: CustomerId::new(&text(&action, "subject")?).ok_or("no customer")?,
        rule,
        code,
        holdout: text(data, "verdict")? == HOLDOUT_CHANNEL.trim_start_matches('_'),
        at: number("Onscene-Policy-Time")?,
        time: parse_rfc3339(&text(trigger, "time")?).ok_or("no trigger time")?,
    };
    Ok(LogItem::Decision {
        logged,
        trigger: u64::try_from(number("Onscene-Trigger")?).map_err(|e| e.to_string())?,
        part,
    })
}
