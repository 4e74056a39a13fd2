//! `/api`: rules and customers as JSON.

use super::server::Sources;
use crate::action::Verdict;
use crate::clock::format_rfc3339;
use crate::rules::Rule;
use crate::state::export::entry_json;
use crate::state::{Attribute, Customer, Name, Names};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Newest journal entries shown of a customer.
const ENTRIES_SHOWN_MAX: usize = 100;

pub(super) async fn rules(State(sources): State<Sources>) -> Json<Value> {
    let set = sources.registry.live();
    let fault = sources.registry.fault();
    let pinned = sources.registry.pinned();
    let verdicts = sources.metrics.verdicts();
    let rules: Vec<Value> = (set.rules().iter())
        .map(|r| rule(r, &sources, &verdicts))
        .collect();
    Json(json!({
        "generation": set.generation(),
        "live_since": format_rfc3339(sources.registry.live_since()),
        "state": state_of(fault.is_some(), pinned.is_some()),
        "pinned": pinned.map(|pinned| json!({
            "generation": pinned.generation,
            "by": pinned.by,
            "reason": pinned.reason,
            "at": format_rfc3339(pinned.at),
            "folder": sources.registry.folder_generation(),
        })),
        "error": fault.map(|fault| json!({
            "at": format_rfc3339(fault.at),
            "faults": fault.faults,
            "text": fault.text,
        })),
        "unapproved": sources.registry.unapproved(),
        "rules": rules,
    }))
}

/// A fault of the folder is told first: somebody must mend it.
fn state_of(is_faulty: bool, is_pinned: bool) -> &'static str {
    match (is_faulty, is_pinned) {
        (true, _) => "faulty",
        (false, true) => "pinned",
        (false, false) => "live",
    }
}

fn rule(rule: &Rule, sources: &Sources, counted: &HashMap<(String, String), u64>) -> Value {
    let terms = &rule.terms;
    let verdicts: Map<String, Value> = Verdict::ALL
        .iter()
        .filter_map(|verdict| {
            let word = verdict.word().to_owned();
            let times = *counted.get(&(terms.name.to_string(), word.clone()))?;
            Some((word, times.into()))
        })
        .collect();
    json!({
        "name": terms.name,
        "file": rule.file,
        "scene": terms.scene,
        "on": terms.on,
        "channels": terms.channels,
        "priority": terms.priority,
        "group": terms.group,
        "verdicts": verdicts,
        "budget": terms.budget.as_ref().map(|budget| json!({
            "total": budget.total.map(|amount| amount.to_string()),
            "daily": budget.daily.map(|amount| amount.to_string()),
            "per": budget.per,
            "spent": sources.ledger.spent(&terms.name).to_string(),
            "granted": sources.ledger.granted(&terms.name).to_string(),
        })),
        "quarantined_until": sources.health.quarantined_until(rule).map(format_rfc3339),
        "last_error": sources.health.rule_error(&terms.name).map(|last| json!({
            "at": format_rfc3339(last.at),
            "file": last.error.file,
            "line": last.error.line,
            "column": last.error.column,
            "function": last.error.function,
            "message": last.error.message,
        })),
    })
}

pub(super) async fn customer(State(sources): State<Sources>, Path(id): Path<String>) -> Response {
    match sources.customers.get(&id) {
        Some(customer) => Json(state(&id, &customer, sources.customers.names())).into_response(),
        None => {
            let error = format!("no customer `{id}` is known");
            (StatusCode::NOT_FOUND, Json(json!({ "error": error }))).into_response()
        }
    }
}

fn state(id: &str, customer: &Customer, names: &Names) -> Value {
    let profile = &customer.profile;
    let word = |name| names.word(name).to_string();
    let flags = |items: &mut dyn Iterator<Item = (Name, bool)>| -> Map<_, _> {
        items
            .map(|(name, flag)| (word(name), flag.into()))
            .collect()
    };
    let attributes: Map<String, Value> = profile
        .attributes()
        .map(|(name, value)| (word(name), attribute(value)))
        .collect();
    let accounts: Map<String, Value> = customer
        .accounts()
        .map(|(name, balance)| (word(name), balance.to_string().into()))
        .collect();
    let entries = customer.journal.entries();
    let shown = entries.iter().rev().take(ENTRIES_SHOWN_MAX);
    json!({
        "id": id,
        "first_seen": format_rfc3339(customer.first_seen),
        "profile": {
            "attributes": attributes,
            "segments": profile.segments().map(word).collect::<Vec<_>>(),
            "consents": flags(&mut profile.all_consents()),
            "reachable": flags(&mut profile.all_reachable()),
            "time_zone": profile.time_zone().map(word),
            "locale": profile.locale().map(word),
        },
        "balance": customer.balance().to_string(),
        "accounts": accounts,
        "journal": {
            "entries": entries.len(),
            "trimmed_until": customer.journal.trimmed_until().map(format_rfc3339),
            "newest": shown.map(|e| entry_json(e, names)).collect::<Vec<_>>(),
        },
        "pending": customer.pending.iter().map(|p| json!({
            "rule": word(p.rule),
            "step": p.step,
            "due": format_rfc3339(p.due),
            "wait": p.wait.word(),
            "trigger": p.trigger.id,
        })).collect::<Vec<_>>(),
        "contacts": customer.contacts.all().iter().rev().map(|c| json!({
            "id": c.id.to_string(),
            "rule": word(c.rule),
            "variant": word(c.variant),
            "step": c.step,
            "channel": word(c.channel),
            "converted": c.converted,
            "at": format_rfc3339(c.at),
            "code": c.code.map(word),
            "delivery": c.delivery.word(),
            "scene": c.scene.map(word),
            "outcomes": c.outcomes.words().collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn attribute(value: &Attribute) -> Value {
    match value {
        Attribute::Bool(b) => (*b).into(),
        Attribute::Int(n) => (*n).into(),
        Attribute::Decimal(d) => d.normalize().to_string().into(),
        Attribute::Text(text) => text.to_string().into(),
    }
}
