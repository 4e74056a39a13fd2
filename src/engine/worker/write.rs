//! Entries of a partition's log as messages.

use crate::action::Decision;
use crate::durable::log;
use crate::nats::LogWrite;
use crate::partition::{LogEntry, Place, SweepKey, TimerChange};
use bytes::Bytes;
use serde::Serialize;
use std::borrow::Cow;

/// The channel of records: state that is not an action.
pub(super) const RECORD_CHANNEL: &str = "_record";

pub(super) fn write_of(entry: &LogEntry) -> LogWrite {
    match entry {
        LogEntry::Decision(decision) => action(decision),
        LogEntry::Timer(timer) => {
            let (what, at) = match &timer.change {
                TimerChange::Armed { next, .. } => ("armed", next.to_string()),
                TimerChange::Moved { next, .. } => ("moved", next.to_string()),
                TimerChange::Ended { .. } => ("ended", timer.at.to_string()),
            };
            let id = format!("timer/{}/{what}/{at}", timer.entry);
            record(id, log::KIND_TIMER, timer.place, timer)
        }
        LogEntry::Conversion(conversion) => {
            let id = format!("conversion/{}", conversion.decision);
            record(id, log::KIND_CONVERSION, conversion.place, conversion)
        }
        LogEntry::Sweep(sweep) => {
            let what = match &sweep.key {
                SweepKey::Broadcast(sequence) => sequence.to_string(),
                SweepKey::Daily { zone, due, .. } => {
                    format!("{due}/{}", zone.as_deref().unwrap_or("-"))
                }
            };
            let id = format!("sweep/{what}/{}", sweep.done);
            record(id, log::KIND_SWEEP, sweep.place, sweep)
        }
    }
}

fn action(decision: &Decision) -> LogWrite {
    LogWrite {
        channel: decision.subject_channel().to_owned(),
        id: decision.id.to_string(),
        kind: log::KIND_ACTION,
        headers: decision
            .headers()
            .into_iter()
            .map(|(name, value)| (Cow::Borrowed(name), value))
            .collect(),
        payload: Bytes::from(decision.to_cloudevent()),
    }
}

fn record(id: String, kind: &'static str, place: Place, payload: &impl Serialize) -> LogWrite {
    let mut headers = vec![(Cow::Borrowed("Onscene-After"), place.after.to_string())];
    if let Some((at, of)) = place.part {
        headers.push((Cow::Borrowed("Onscene-Part"), format!("{at}/{of}")));
    }
    LogWrite {
        channel: RECORD_CHANNEL.to_owned(),
        id,
        kind,
        headers,
        payload: serde_json::to_vec(payload)
            .expect("invariant: text and numbers serialise")
            .into(),
    }
}
