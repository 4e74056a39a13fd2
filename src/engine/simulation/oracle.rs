//! What an uninterrupted run decides: one partition after another, stepped from its first event to its last by
//! the pure core alone.

use super::check::{Evidence, is_for};
use super::driver::{Failure, failure};
use crate::action::{Decision, Verdict};
use crate::decode::Decoder;
use crate::event::{Incoming, Stored};
use crate::nats::StoredEvent;
use crate::partition::{Input, LogEntry, Partition};
use crate::rules::RuleSet;
use crate::state::Customers;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rules whose decisions follow from their customer's events alone: not from what others have spent, and not from
/// when a broadcast came round.
const FREE: [&str; 8] = [
    "retry",
    "always",
    "later",
    "absence",
    "race",
    "win-rich",
    "win-plain",
    "quiet",
];

/// Compares the log with the run that nothing interrupted; returns how many decisions that were.
pub(super) fn oracle(
    evidence: &Evidence<'_>,
    rules: &Arc<RuleSet>,
    zone: &TimeZone,
) -> Result<u64, Failure> {
    let law = "crashes change nothing";
    let mut expected = BTreeMap::new();
    for partition in 0..evidence.plan.partitions {
        for entry in uninterrupted(evidence, partition, rules, zone) {
            if let LogEntry::Decision(decision) = entry
                && FREE.contains(&&*decision.rule)
            {
                expected.insert(decision.id.to_string(), words(&decision));
            }
        }
    }
    let mut found = BTreeMap::new();
    for said in evidence.said().filter(|said| FREE.contains(&&*said.rule)) {
        let (verdict, next) = (said.is_held_out, said.next);
        let words = format!(
            "{} {} {} step {} by {} {} at {} for {} held out {verdict} next {next:?}",
            said.customer,
            said.rule,
            said.code,
            said.step,
            said.channel,
            said.variant,
            said.policy_time,
            said.trigger,
        );
        found.insert(said.id.clone(), words);
    }
    let missing = expected
        .iter()
        .find(|(id, words)| found.get(*id) != Some(words));
    if let Some((id, words)) = missing {
        let what = format!("expected {id} {words}; found {:?}", found.get(id));
        return Err(failure(law, what));
    }
    if let Some((id, words)) = found.iter().find(|(id, _)| !expected.contains_key(*id)) {
        return Err(failure(law, format!("not expected: {id} {words}")));
    }
    Ok(expected.len() as u64)
}

fn words(decision: &Decision) -> String {
    format!(
        "{} {} {} step {} by {} {} at {} for {} held out {} next {:?}",
        decision.customer.as_str(),
        decision.rule,
        decision.body.code.as_deref().unwrap_or_default(),
        decision.step,
        decision.channel,
        decision.variant,
        decision.policy_time,
        decision.trigger.id,
        decision.verdict == Verdict::Holdout,
        decision.next.map(|next| next.due),
    )
}

fn uninterrupted(
    evidence: &Evidence<'_>,
    number: u16,
    rules: &Arc<RuleSet>,
    zone: &TimeZone,
) -> Vec<LogEntry> {
    let decoder = Decoder {
        partitions: evidence.plan.partitions,
        ..Decoder::default()
    };
    let customers = Arc::new(Customers::default());
    let mut partition = Partition::new(customers, evidence.plan.journal, zone.clone());
    let mut entries = Vec::new();
    for event in &evidence.events {
        if !is_for(event, number) || event.subject.starts_with("scene.broadcast.") {
            continue;
        }
        if let Some(input) = input(&decoder, event, rules) {
            let output = partition.step(&[input], event.stored_at, rules);
            entries.extend(output.entries);
        }
    }
    let rest = partition.advance(evidence.now, evidence.now, rules);
    entries.extend(rest.entries);
    entries
}

fn input(decoder: &Decoder, event: &StoredEvent, rules: &RuleSet) -> Option<Input> {
    let stored = Stored {
        sequence: event.sequence,
        stored_at: event.stored_at,
        subject: event.subject.clone(),
        headers: Vec::new(),
        payload: event.payload.clone(),
    };
    let decoded = decoder.decode(&stored, rules.schema()).ok()?;
    Some(Input {
        sequence: event.sequence,
        stored_at: event.stored_at,
        already: 0,
        what: Incoming::Event(decoded),
    })
}
