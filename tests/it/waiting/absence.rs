//! X and not Y within ten minutes, against a slow, obvious model.

use crate::kit::desk::{Desk, NOON, event, time, verdict};
use onscene::action::Verdict;
use onscene::clock::{DAY, MINUTE, Millis, SECOND};
use onscene::partition::{Input, LogEntry};
use proptest::prelude::*;
use serde_json::{Value, json};

const DELAY: Millis = 10 * MINUTE;

/// A second chance for a basket that was started and not paid within ten minutes.
const RULE: &str = r#"
const RULE = #{ on: "merchant.checkout", channels: ["push"], delay: "10m", fresh: "1d" };
fn when(event, customer) { event.stage == "started" }
fn still(event, customer) { customer.count("merchant.checkout", "10m", #{ stage: "paid" }) == 0 }
fn action(event, customer) { #{ kind: "offer", code: event.id, value: event.amount / 10 } }
"#;

fn desk() -> Desk {
    Desk::new(&[("r.rhai", RULE)])
}

fn checkout(id: &str, customer: &str, at: Millis, stage: &str) -> Value {
    let data = json!({
        "stage": stage, "amount": "128.50", "currency": "CNY",
        "merchant": {"id": "M7", "category": "dining"},
    });
    event("merchant.checkout", id, customer, at, data)
}

#[test]
fn not_paid_is_one_action_when_it_is_due() {
    let (mut desk, start) = (desk(), time(NOON));
    let armed = desk.step(&checkout("s", "C1", start, "started"));
    assert_eq!(verdict(&armed, "r"), Verdict::Deferred);
    assert_eq!(desk.next_due(), Some(start + DELAY));
    assert!(desk.advance(start + DELAY - 1).entries.is_empty());
    let due = desk.advance(start + DELAY);
    let decisions: Vec<_> = due.decisions().collect();
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0].policy_time, start + DELAY);
    assert_eq!(
        decisions[0].body.code.as_deref(),
        Some("s"),
        "the event as it was"
    );
    assert_eq!(
        decisions[0].body.fields.get("value").unwrap().as_decimal(),
        Some("12.85".parse().unwrap()),
        "exact to the last digit"
    );
    assert_eq!(decisions[0].trigger.time, start);
    assert!(desk.advance(start + DAY).entries.is_empty(), "once");
    let paid = desk.step(&checkout("p", "C1", start + DAY, "paid"));
    assert_eq!(
        verdict(&paid, "r"),
        Verdict::Condition,
        "paid after: nothing further"
    );
}

#[test]
fn paid_a_millisecond_before_it_is_due_is_silence() {
    let (mut desk, start) = (desk(), time(NOON));
    desk.step(&checkout("s", "C1", start, "started"));
    desk.step(&checkout("p", "C1", start + DELAY - 1, "paid"));
    let due = desk.advance(start + DELAY);
    assert_eq!(verdict(&due, "r"), Verdict::Still);
    assert_eq!(due.decisions().count(), 0);
    assert!(desk.advance(start + DAY).verdicts.is_empty());
}

#[test]
fn what_is_stored_when_it_is_due_comes_too_late() {
    let (mut desk, start) = (desk(), time(NOON));
    desk.step(&checkout("s", "C1", start, "started"));
    // The payment happened in time and was stored at the very millisecond.
    let mut late = desk.input(&checkout("p", "C1", start + MINUTE, "paid"));
    late.stored_at = start + DELAY;
    let output = desk.partition.step(&[late], start + DELAY, &desk.rules);
    assert_eq!(output.decisions().count(), 1);
    assert!(
        desk.advance(start + DAY).entries.is_empty(),
        "nothing is taken back"
    );
}

#[test]
fn a_timer_that_comes_long_after_its_time_is_stale() {
    let fresh = RULE.replace("fresh: \"1d\"", "fresh: \"60s\"");
    let (mut desk, start) = (Desk::new(&[("r.rhai", &fresh)]), time(NOON));
    desk.step(&checkout("s", "C1", start, "started"));
    let now = start + DELAY + 60 * SECOND;
    let output = desk.partition.advance(now, now + 1, &desk.rules);
    assert_eq!(verdict(&output, "r"), Verdict::Stale);
    desk.step(&checkout("s2", "C1", now, "started"));
    let output = desk
        .partition
        .advance(now + DELAY, now + DELAY + 60 * SECOND, &desk.rules);
    assert_eq!(verdict(&output, "r"), Verdict::Sent);
}

#[test]
fn what_waits_counts_towards_the_cooldown_and_what_ended_in_silence_does_not() {
    let cooldown = RULE.replace("delay:", "cooldown: \"1d\", delay:");
    let (mut desk, start) = (Desk::new(&[("r.rhai", &cooldown)]), time(NOON));
    desk.step(&checkout("1", "C1", start, "started"));
    let second = desk.step(&checkout("2", "C1", start + MINUTE, "started"));
    assert_eq!(verdict(&second, "r"), Verdict::Cooldown);
    desk.step(&checkout("p", "C1", start + 2 * MINUTE, "paid"));
    assert_eq!(verdict(&desk.advance(start + DELAY), "r"), Verdict::Still);
    let third = desk.step(&checkout("3", "C1", start + 30 * MINUTE, "started"));
    assert_eq!(verdict(&third, "r"), Verdict::Deferred);
    assert_eq!(
        verdict(&desk.advance(start + 40 * MINUTE), "r"),
        Verdict::Sent
    );
    let fourth = desk.step(&checkout("4", "C1", start + 41 * MINUTE, "started"));
    assert_eq!(verdict(&fourth, "r"), Verdict::Cooldown);
}

/// An event of the model: who, what, when, and how much later it was stored.
#[derive(Clone, Debug)]
struct Happening {
    id: String,
    customer: u8,
    paid: bool,
    at: Millis,
    stored_at: Millis,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    // Minutes and seconds around the delay, so that edges are met often.
    let moment = prop_oneof![
        (0..40_i64).prop_map(|m| m * MINUTE),
        (0..40_i64, -1..=1_i64).prop_map(|(m, ms)| (m * MINUTE + ms).max(0)),
    ];
    let late = prop_oneof![
        3 => Just(0),
        1 => (0..15_i64).prop_map(|m| m * MINUTE),
        1 => 0..900_000_i64,
    ];
    let one = (0..2_u8, any::<bool>(), moment, late);
    proptest::collection::vec(one, 1..24).prop_map(|all| {
        let mut happenings: Vec<Happening> = (all.into_iter().enumerate())
            .map(|(number, (customer, paid, at, late))| Happening {
                id: format!("e{number}"),
                customer,
                paid,
                at,
                stored_at: at + late,
            })
            .collect();
        happenings.sort_by_key(|h| h.stored_at);
        happenings
    })
}

/// Who gets a second chance: for each start, in the order of the stream, whether any payment is known at
/// the time it is due that happened within the ten minutes before.
fn model(happenings: &[Happening]) -> Vec<(String, Millis, bool)> {
    let mut expected = Vec::new();
    for (index, start) in happenings.iter().enumerate() {
        if start.paid {
            continue;
        }
        let due = start.at + DELAY;
        let known = happenings.iter().enumerate().filter(|(other, h)| {
            // Stored before it was due; or, for a start that itself came late, before the start.
            h.stored_at < due || *other <= index
        });
        let paid = known
            .filter(|(_, h)| h.paid && h.customer == start.customer)
            .any(|(_, h)| h.at > due - DELAY && h.at <= due);
        expected.push((start.id.clone(), due, !paid));
    }
    expected.sort();
    expected
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// The engine says what the model says, in whatever order events arrive and however late.
    #[test]
    fn absence_equals_the_model_when_events_come_late_and_out_of_order(all in happenings()) {
        let (mut desk, start) = (desk(), time(NOON));
        let mut entries = Vec::new();
        let mut stills = 0;
        let mut last = start;
        let mut take = |output: onscene::partition::Output| {
            stills += output.verdicts.get(&("r".into(), Verdict::Still)).copied().unwrap_or(0);
            entries.extend(output.entries);
        };
        for happening in &all {
            let stage = if happening.paid { "paid" } else { "started" };
            let customer = format!("C{}", happening.customer);
            let event = checkout(&happening.id, &customer, start + happening.at, stage);
            let input = Input { stored_at: start + happening.stored_at, ..desk.input(&event) };
            last = input.stored_at;
            take(desk.partition.step(&[input], last, &desk.rules));
        }
        take(desk.advance(last + DAY));
        let mut said: Vec<(String, Millis, bool)> = (entries.iter())
            .filter_map(LogEntry::decision)
            .map(|d| (d.trigger.id.to_string(), d.policy_time - start, true))
            .collect();
        said.sort();
        let expected = model(&all);
        let spoken: Vec<_> = expected.iter().filter(|(_, _, spoken)| *spoken).cloned().collect();
        prop_assert_eq!(said, spoken);
        let silent = expected.iter().filter(|(_, _, spoken)| !spoken).count();
        prop_assert_eq!(usize::try_from(stills).unwrap(), silent);
    }
}
