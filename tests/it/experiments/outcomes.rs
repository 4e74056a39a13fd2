//! What comes back of actions, and what is made of it: recorded once, whoever tells it how often; consents that
//! are withdrawn; conversions of all groups alike.

use super::told;
use crate::kit::Desk;
use crate::kit::desk::{NOON, checkout, event, profile, rule, time};
use onscene::action::Decision;
use onscene::clock::{DAY, HOUR, MINUTE, Millis};
use onscene::money::Money;
use onscene::partition::{ConversionRecord, LogEntry, OutcomeRecord, Output};
use onscene::partitioning::CustomerId;
use onscene::policy::{self, Assignment};
use onscene::state::Delivery;
use serde_json::json;
use std::collections::BTreeMap;

fn recorded(output: &Output) -> Vec<&OutcomeRecord> {
    let entries = output.entries.iter();
    let outcome = |entry: &'_ LogEntry| matches!(entry, LogEntry::Outcome(_));
    assert!(output.entries.iter().filter(|e| outcome(e)).count() <= 1);
    entries
        .filter_map(|entry| match entry {
            LogEntry::Outcome(record) => Some(record),
            _ => None,
        })
        .collect()
}

fn converted(output: &Output) -> Vec<&ConversionRecord> {
    let entries = output.entries.iter();
    entries
        .filter_map(|entry| match entry {
            LogEntry::Conversion(record) => Some(record),
            _ => None,
        })
        .collect()
}

/// What an answered checkout led to.
fn decided(desk: &mut Desk, id: &str, customer: &str, at: Millis) -> Decision {
    let output = desk.step(&checkout(id, customer, at));
    let decision = output.decisions().next().cloned();
    decision.unwrap_or_else(|| panic!("{:?}", output.verdicts))
}

#[test]
fn each_kind_of_outcome_of_each_action_is_recorded_once_whoever_tells_it_how_often() {
    let now = time(NOON);
    let mut desk = Desk::new(&[("r.rhai", rule(""))]);
    let said = decided(&mut desk, "1", "C1", now);
    let mut results = BTreeMap::new();
    let mut tell = |kind: &str, id: &str, customer: &str, action: &str| {
        let output = desk.step(&told(kind, id, customer, action, now + MINUTE));
        for ((outcome, result), times) in &output.outcomes {
            *results.entry((*outcome, *result)).or_insert(0) += times;
        }
        let records = recorded(&output);
        records.first().map(|record| (*record).clone())
    };
    let id = said.id.to_string();
    let first = tell("delivered", "o1", "C1", &id).unwrap();
    assert_eq!((first.decision, &*first.outcome), (said.id, "delivered"));
    assert_eq!((&*first.rule, &*first.variant), ("r", "default"));
    assert_eq!((&*first.event, &*first.source), ("o1", "gateway"));
    assert_eq!((first.time, first.at), (now + MINUTE, now + MINUTE));
    assert_eq!(tell("delivered", "o2", "C1", &id), None, "told twice");
    assert_eq!(
        tell("delivered", "o2", "C1", &id),
        None,
        "the same event again"
    );
    assert!(tell("accepted", "o3", "C1", &id).is_some(), "another kind");
    assert_eq!(tell("accepted", "o4", "C2", &id), None, "another customer");
    assert_eq!(tell("accepted", "o5", "C1", &"0".repeat(32)), None);
    assert_eq!(tell("accepted", "o6", "C1", "no id at all"), None);
    let expected = [
        (("accepted", "recorded"), 1),
        (("accepted", "unknown"), 3),
        (("delivered", "recorded"), 1),
        (("delivered", "repeated"), 1),
    ];
    assert_eq!(results, BTreeMap::from(expected));
}

#[test]
fn an_outcome_of_what_was_held_out_is_no_outcome_and_a_late_one_is() {
    let now = time(NOON);
    let mut desk = Desk::new(&[("r.rhai", rule("holdout: 100"))]);
    let held_out = decided(&mut desk, "1", "C1", now);
    let output = desk.step(&told("accepted", "o1", "C1", &held_out.id.to_string(), now));
    assert!(recorded(&output).is_empty());
    assert_eq!(output.outcomes[&("accepted", "not_sent")], 1);

    let mut desk = Desk::new(&[("r.rhai", rule("within: \"1h\""))]);
    let said = decided(&mut desk, "1", "C1", now).id.to_string();
    let late = now + 300 * DAY;
    let output = desk.step(&told("accepted", "o1", "C1", &said, late));
    assert_eq!(recorded(&output)[0].time, late, "long after `within`");
    // 400 days later the contact is forgotten at the next decision, and its action unknown.
    decided(&mut desk, "2", "C1", now + 401 * DAY);
    let output = desk.step(&told("redeemed", "o2", "C1", &said, now + 401 * DAY));
    assert_eq!(output.outcomes[&("redeemed", "unknown")], 1);
}

/// Whether the rule still speaks by push.
fn is_spoken_to(desk: &mut Desk, id: &str, at: Millis) -> bool {
    desk.step(&checkout(id, "C1", at))
        .decisions()
        .next()
        .is_some()
}

#[test]
fn whoever_unsubscribes_hears_no_more_by_that_channel_until_they_consent_again() {
    let now = time(NOON);
    let mut desk = Desk::new(&[("r.rhai", rule(""))]);
    let said = decided(&mut desk, "1", "C1", now).id.to_string();
    desk.step(&told("unsubscribed", "o1", "C1", &said, now + HOUR));
    assert!(!is_spoken_to(&mut desk, "2", now + 2 * HOUR));
    // An older consent that comes late changes nothing: the last writer by event time wins.
    let consent = |id, at| profile(id, "C1", at, json!({"consents": {"push": true}}));
    desk.step(&consent("p1", now + MINUTE));
    assert!(!is_spoken_to(&mut desk, "3", now + 3 * HOUR));
    desk.step(&consent("p2", now + 4 * HOUR));
    assert!(is_spoken_to(&mut desk, "4", now + 5 * HOUR));
    // And a refusal that happened before that consent, but is told after it, has been overtaken.
    let again = decided(&mut desk, "5", "C1", now + 6 * HOUR).id.to_string();
    desk.step(&told("unsubscribed", "o2", "C1", &again, now + 3 * HOUR));
    assert!(is_spoken_to(&mut desk, "6", now + 7 * HOUR));
}

const CONVERTS: &str = "fn converted(event, customer, decision) { event.stage == \"paid\" }\n";

fn paid(id: &str, customer: &str, at: Millis) -> serde_json::Value {
    let data = json!({
        "stage": "paid", "amount": "77.70", "currency": "CNY", "merchant": {"id": "M7", "category": "dining"},
    });
    event("merchant.checkout", id, customer, at, data)
}

#[test]
fn conversions_are_those_of_all_groups_alike_within_the_window_and_once() {
    let now = time(NOON);
    let text = rule("holdout: 30, variants: #{ a: 1, b: 1 }, within: \"2h\", cap: \"1 per 30d\"")
        + CONVERTS;
    let policy = "[control_group]\npercent = 30\n";
    let mut desk = Desk::new(&[("r.rhai", &*text), ("policy.toml", policy)]);
    let terms = desk.rules.rule("r").unwrap().terms.clone();
    let mut seen = BTreeMap::new();
    for number in 0..200 {
        let customer = format!("C{number}");
        let id = CustomerId::new(&customer).unwrap();
        let expected = match policy::assignment(&terms, desk.rules.policy(), &id) {
            Assignment::Treated => Delivery::Sent,
            Assignment::Holdout => Delivery::Holdout,
            Assignment::Control => Delivery::Control,
        };
        let said = decided(&mut desk, "1", &customer, now);
        assert_eq!(said.delivery(), expected);
        let at = now + 2 * HOUR;
        let output = desk.step(&paid("2", &customer, at));
        let record = converted(&output)[0];
        assert_eq!((record.decision, record.delivery), (said.id, expected));
        assert_eq!(record.variant, said.variant);
        assert_eq!(record.value, Some(Money::from_ten_thousandths(777_000)));
        let again = desk.step(&paid("3", &customer, at));
        assert!(converted(&again).is_empty(), "once");
        *seen.entry(expected).or_insert(0) += 1;
    }
    assert!(
        seen.len() == 3 && seen.values().all(|count| *count > 20),
        "{seen:?}"
    );
    // A millisecond after the window is too late for either group.
    for number in 200..220 {
        let customer = format!("C{number}");
        decided(&mut desk, "1", &customer, now);
        let late = desk.step(&paid("2", &customer, now + 2 * HOUR + 1));
        assert!(converted(&late).is_empty());
    }
}

#[test]
fn the_control_group_draws_no_budget_and_counts_in_caps_as_if_it_had_been_sent() {
    let now = time(NOON);
    let text = rule("budget: #{ total: 10 }, cap: \"1 per 30d\"")
        .replace("code: \"CODE\"", "code: \"CODE\", cost: 1");
    let everybody_else = "[control_group]\npercent = 99.9999\n";
    let mut desk = Desk::new(&[("r.rhai", &*text), ("policy.toml", everybody_else)]);
    let held: Vec<String> = (0..50).map(|n| format!("C{n}")).collect();
    for customer in &held {
        let said = decided(&mut desk, "1", customer, now);
        assert!(said.control && said.subject_channel() == "_holdout");
        let headers = said.headers();
        assert!(
            headers.contains(&("Onscene-Control", "1".to_owned())),
            "{headers:?}"
        );
        let again = desk.step(&checkout("2", customer, now + HOUR));
        assert_eq!(again.decisions().count(), 0, "the cap holds for them too");
    }
    assert_eq!(desk.partition.spending().accounts().len(), 0);
}

#[test]
fn each_customer_counts_once_in_their_group() {
    let now = time(NOON);
    let text = rule("holdout: 50");
    let policy = "[control_group]\npercent = 20\n";
    let mut desk = Desk::new(&[("r.rhai", &*text), ("policy.toml", policy)]);
    let mut sizes = BTreeMap::new();
    for number in 0..100 {
        for repeat in 0..3 {
            let id = repeat.to_string();
            let output = desk.step(&checkout(&id, &format!("C{number}"), now + repeat * MINUTE));
            for ((_, arm), customers) in output.assigned {
                *sizes.entry(arm).or_insert(0) += customers;
            }
        }
    }
    assert_eq!(sizes.len(), 3, "{sizes:?}");
    assert_eq!(sizes.values().sum::<u64>(), 100, "{sizes:?}");
}
