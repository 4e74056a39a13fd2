//! The messages of a partition's log, and what the fold needs of each.

use crate::action::{Next, Verdict};
use crate::clock::parse_rfc3339;
use crate::event::{Value, parse_json};
use crate::money::Money;
use crate::partition::{Logged, LoggedDecision, Place};
use crate::partitioning::{CustomerId, untoken};
use crate::state::{DecisionId, Delivery, KeptBody};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `Onscene-Kind` of a message that is an action, or a decision that was not sent.
pub const KIND_ACTION: &str = "action";
/// `Onscene-Kind` of a record about something that waits.
pub const KIND_TIMER: &str = "timer";
/// `Onscene-Kind` of a record about a conversion.
pub const KIND_CONVERSION: &str = "conversion";
/// `Onscene-Kind` of a record about an outcome.
pub const KIND_OUTCOME: &str = "outcome";
/// `Onscene-Kind` of a record about a broadcast or a daily trigger.
pub const KIND_SWEEP: &str = "sweep";
/// `Onscene-Kind` of a record about how far a broadcast or a daily trigger had come when it went on elsewhere.
pub const KIND_PROGRESS: &str = "progress";
/// `Onscene-Kind` of a record about a rule in quarantine.
pub const KIND_QUARANTINE: &str = "quarantine";
/// `Onscene-Kind` of a record of switches that were changed.
pub const KIND_CONTROL: &str = "control";
/// On a record of switches: of which revision of `SCENE_RULES` they are.
pub const SWITCHES_HEADER: &str = "Onscene-Switches";
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
    /// What a partition decided, and where it stands.
    Entry {
        /// What state needs of it.
        logged: Logged,
        /// Its place in the order of events.
        place: Place,
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
    let json = |error: serde_json::Error| fail(&error.to_string());
    let record = |logged: Logged| -> Result<LogItem, LogError> {
        let place = place(&header).ok_or_else(|| fail("no Onscene-After"))?;
        Ok(LogItem::Entry { logged, place })
    };
    match header("Onscene-Kind") {
        Some(KIND_ACTION) => decision(&header, payload).map_err(|what| fail(&what)),
        Some(KIND_TIMER) => record(Logged::Timer(
            serde_json::from_slice(payload).map_err(json)?,
        )),
        Some(KIND_CONVERSION) => record(Logged::Conversion(
            serde_json::from_slice(payload).map_err(json)?,
        )),
        Some(KIND_OUTCOME) => record(Logged::Outcome(
            serde_json::from_slice(payload).map_err(json)?,
        )),
        Some(KIND_SWEEP) => record(Logged::Sweep(
            serde_json::from_slice(payload).map_err(json)?,
        )),
        Some(KIND_PROGRESS) => record(Logged::Progress(
            serde_json::from_slice(payload).map_err(json)?,
        )),
        Some(KIND_QUARANTINE) => record(Logged::Quarantine(
            serde_json::from_slice(payload).map_err(json)?,
        )),
        Some(KIND_CONTROL) => record(Logged::Control(
            serde_json::from_slice(payload).map_err(json)?,
        )),
        Some(KIND_OWNER) => serde_json::from_slice(payload)
            .map(LogItem::Owner)
            .map_err(json),
        Some(KIND_THROUGH) => serde_json::from_slice(payload)
            .map(LogItem::Through)
            .map_err(json),
        Some(other) => Ok(LogItem::Unknown(other.to_owned())),
        None => Err(fail("no Onscene-Kind")),
    }
}

/// Where an entry stands, as its headers have it. Actions of version 0.1.0 say it by their trigger alone.
pub fn place<'a>(header: &impl Fn(&str) -> Option<&'a str>) -> Option<Place> {
    let after = header("Onscene-After").or_else(|| header("Onscene-Trigger"))?;
    let part = match header("Onscene-Part") {
        None => None,
        Some(text) => {
            let (at, of) = text.split_once('/')?;
            Some((at.parse().ok()?, of.parse().ok()?))
        }
    };
    Some(Place {
        after: after.parse().ok()?,
        part,
    })
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
            .map(|text| text.parse::<i64>().map_err(|_| format!("bad {name}")))
            .transpose()
    };
    let body = data.get("body");
    let amount = |name: &str| {
        let value = body.and_then(|body| body.get(name))?;
        // Decimals are written as text, so that no reader makes binary fractions of them.
        let number = match value.as_text() {
            Some(text) => text.parse().ok()?,
            None => value.as_decimal()?,
        };
        Money::rounded(number)
    };
    let id = DecisionId::parse(&text(&action, "id")?).ok_or("no decision id")?;
    let trigger = data.get("trigger").ok_or("no trigger")?;
    let time = match number("Onscene-Time")? {
        Some(time) => time,
        None => parse_rfc3339(&text(trigger, "time")?).ok_or("no trigger time")?,
    };
    let next = header("Onscene-Next").map(|next| Next::parse(next).ok_or("bad Onscene-Next"));
    let step = data.get("step").and_then(Value::as_decimal);
    let mut logged = LoggedDecision {
        id,
        entry: id_in(header, "Onscene-Entry")?.unwrap_or(id),
        next: next.transpose()?,
        customer: CustomerId::new(&text(&action, "subject")?).ok_or("no customer")?,
        rule: text(data, "rule")?.into(),
        variant: text(data, "variant")?.into(),
        channel: text(data, "channel")?.into(),
        step: step.and_then(|step| step.try_into().ok()).unwrap_or(0),
        code: body
            .and_then(|body| body.get("code"))
            .and_then(Value::as_text)
            .map(Box::from),
        value: amount("value"),
        cost: amount("cost"),
        account: header("Onscene-Account").map(|token| untoken(token).into()),
        delivery: delivery(&text(data, "verdict")?, header("Onscene-Control").is_some()),
        scene: header("Onscene-Scene").map(|token| untoken(token).into()),
        household: header("Onscene-Household").map(|token| untoken(token).into()),
        fallback_of: id_in(header, "Onscene-Fallback-Of")?,
        channels_left: (header("Onscene-Channels-Left").into_iter())
            .flat_map(|channels| channels.split(',').map(Box::from))
            .collect(),
        kept: None,
        at: number("Onscene-Policy-Time")?.ok_or("no Onscene-Policy-Time")?,
        time,
    };
    logged.kept = kept(header, data, &logged);
    Ok(LogItem::Entry {
        logged: Logged::Decision(Box::new(logged)),
        place: place(header).ok_or("no Onscene-After")?,
    })
}

/// The id of a decision in a header, if it is there.
fn id_in<'a>(
    header: &impl Fn(&str) -> Option<&'a str>,
    name: &str,
) -> Result<Option<DecisionId>, String> {
    let id = header(name).map(|text| DecisionId::parse(text).ok_or_else(|| format!("bad {name}")));
    id.transpose()
}

/// What was said, if it may have to be said again: the same bytes as when it was decided.
fn kept<'a>(
    header: &impl Fn(&str) -> Option<&'a str>,
    data: &Value,
    logged: &LoggedDecision,
) -> Option<Arc<KeptBody>> {
    let may_fall_back = logged.delivery == Delivery::Sent && !logged.channels_left.is_empty();
    let (kind, body) = (data.get("kind")?.as_text()?, data.get("body")?);
    may_fall_back.then(|| {
        let fields = serde_json::to_string(body);
        let fields = fields.expect("invariant: text, numbers and maps with text keys");
        Arc::new(KeptBody {
            kind: kind.into(),
            fields: fields.into(),
            expires_at: header("Onscene-Expires").and_then(parse_rfc3339),
        })
    })
}

fn delivery(verdict: &str, control: bool) -> Delivery {
    if verdict == Verdict::Shadow.word() {
        Delivery::Shadow
    } else if verdict != Verdict::Holdout.word() {
        Delivery::Sent
    } else if control {
        Delivery::Control
    } else {
        Delivery::Holdout
    }
}
