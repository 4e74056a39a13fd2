//! What could not be delivered goes out on the next channel: the same words, once, as a part of the same unit,
//! and only where the contact policy lets it.

use super::told;
use crate::kit::Desk;
use crate::kit::desk::{NOON, checkout, event, profile, time};
use onscene::action::{Decision, Verdict};
use onscene::clock::{DAY, HOUR, MINUTE, Millis};
use onscene::partition::{LogEntry, Logged, Output};
use onscene::partitioning::CustomerId;
use onscene::state::Wait;
use onscene::state::export::customer_json;
use serde_json::json;

const RULE: &str = r#"
const RULE = #{
    on: "merchant.checkout", channels: ["push", "sms", "call"], variants: #{ plain: 1, rich: 1 },
    budget: #{ total: 100 }, cap: "2 per 30d", within: "12h", TERMS
};
fn when(event, customer) { event.stage == "started" && customer.offers("r", "1d") < 2 }
fn action(event, customer, variant) {
    #{ kind: "offer", code: variant, value: event.amount * 0.1, cost: 7, expires: "2h", text: #{ en: `Yours: ${event.amount}` } }
}
fn converted(event, customer, decision) { event.stage == "paid" }
"#;

fn desk(terms: &str) -> Desk {
    let quiet = "[quiet_hours]\nhours = \"12:00-13:30\"\nchannels = [\"sms\", \"call\"]\n";
    let text = RULE.replace("TERMS", terms);
    Desk::new(&[("r.rhai", &*text), ("policy.toml", quiet)])
}

fn decisions(output: &Output) -> Vec<Decision> {
    output.decisions().cloned().collect()
}

/// Says something at a time.
fn say(desk: &mut Desk, at: Millis) -> Decision {
    let output = desk.step(&checkout("1", "C1", at));
    let said = decisions(&output);
    assert_eq!(said.len(), 1, "{:?}", output.verdicts);
    said[0].clone()
}

/// Tells that it failed.
fn fail(desk: &mut Desk, id: &str, said: &Decision, at: Millis) -> Output {
    desk.step(&told("failed", id, "C1", &said.id.to_string(), at))
}

fn became(output: &Output) -> Vec<Verdict> {
    output
        .fallbacks
        .keys()
        .map(|(_, verdict)| *verdict)
        .collect()
}

#[test]
fn the_next_channel_says_the_same_as_a_part_of_the_same_unit() {
    let now = time(NOON);
    let mut desk = desk("");
    let first = say(&mut desk, now);
    assert_eq!(&*first.channel, "push");
    let output = fail(&mut desk, "f1", &first, now + HOUR);
    let second = decisions(&output).remove(0);
    assert_eq!((&*second.channel, second.verdict), ("sms", Verdict::Sent));
    assert_eq!(second.fallback_of, Some(first.id));
    assert_eq!(second.entry, first.entry);
    assert_eq!((&second.variant, second.step), (&first.variant, first.step));
    assert_eq!(second.body.code, first.body.code);
    let sent = |decision: &Decision| -> serde_json::Value {
        serde_json::from_slice(&decision.to_cloudevent()).unwrap()
    };
    let (one, other) = (sent(&first), sent(&second));
    assert_eq!(one["data"]["body"], other["data"]["body"]);
    assert_eq!(
        one["expirytime"], other["expirytime"],
        "not a minute longer"
    );
    assert_eq!(other["data"]["trigger"]["type"], "offer.failed");
    // It was paid for, and counts once.
    let spent = desk.partition.spending().accounts();
    assert_eq!(spent.len(), 1);
    let checkouts = desk.step(&checkout("2", "C1", now + HOUR));
    assert_eq!(
        checkouts.decisions().count(),
        1,
        "the second of two, for `offers` and `cap` alike"
    );
    // What fails there too tries the third.
    let output = fail(&mut desk, "f2", &second, now + 70 * MINUTE);
    let third = decisions(&output).remove(0);
    assert_eq!(
        (&*third.channel, third.fallback_of),
        ("call", Some(second.id))
    );
    let output = fail(&mut desk, "f3", &third, now + 80 * MINUTE);
    assert!(decisions(&output).is_empty() && output.fallbacks.is_empty());
}

#[test]
fn it_goes_out_once_however_often_the_failure_is_told() {
    let now = time(NOON);
    let mut desk = desk("");
    let first = say(&mut desk, now);
    assert_eq!(fail(&mut desk, "f1", &first, now).decisions().count(), 1);
    for id in ["f1", "f2", "f3"] {
        let output = fail(&mut desk, id, &first, now + MINUTE);
        assert!(output.entries.is_empty(), "{:?}", output.entries);
    }
}

#[test]
fn the_contact_policy_is_asked_again() {
    let now = time(NOON);
    let refuses =
        |channel: &str| profile("p", "C1", now + 1, json!({"consents": {channel: false}}));
    // The next one was refused meanwhile: the one after it.
    let mut one = desk("");
    let first = say(&mut one, now);
    one.step(&refuses("sms"));
    let output = fail(&mut one, "f", &first, now + MINUTE);
    assert_eq!(&*decisions(&output)[0].channel, "call");
    // Quiet hours have begun: a rule that does not wait is silent.
    let mut two = desk("");
    let first = say(&mut two, now + 119 * MINUTE);
    let output = fail(&mut two, "f", &first, now + 121 * MINUTE);
    assert_eq!(became(&output), [Verdict::QuietHours]);
    assert_eq!(output.entries.len(), 1, "the outcome alone");
    // One that is over is over.
    let mut three = desk("ends: \"2026-11-23\"");
    let late = now + 13 * HOUR + 59 * MINUTE;
    let first = say(&mut three, late);
    let output = fail(&mut three, "f", &first, late + 2 * MINUTE);
    assert_eq!(became(&output), [Verdict::Schedule]);
}

#[test]
fn a_rule_that_waits_says_it_when_quiet_hours_are_over_if_it_is_still_worth_it() {
    let now = time(NOON);
    let before = now + 119 * MINUTE;
    let end = now + 210 * MINUTE;
    let mut desk_one = desk("quiet: \"defer\"");
    let first = say(&mut desk_one, before);
    let output = fail(&mut desk_one, "f", &first, before + 2 * MINUTE);
    assert_eq!(became(&output), [Verdict::Deferred]);
    let waiting = desk_one.customers.get("C1").unwrap();
    assert_eq!(waiting.pending[0].wait, Wait::Fallback);
    assert_eq!(waiting.pending[0].due, end);
    // It is no new entry of the rule.
    let name = desk_one.customers.names().find("r").unwrap();
    assert_eq!(waiting.entries(name, end, DAY).count(), 1);
    drop(waiting);
    let output = desk_one.advance(end);
    let second = decisions(&output).remove(0);
    assert_eq!((&*second.channel, second.policy_time), ("sms", end));
    assert!(desk_one.customers.get("C1").unwrap().pending.is_empty());

    // The customer has bought meanwhile: nothing more is said.
    let mut desk_two = desk("quiet: \"defer\"");
    let first = say(&mut desk_two, before);
    fail(&mut desk_two, "f", &first, before + 2 * MINUTE);
    let paid = json!({"stage": "paid", "amount": "9", "currency": "CNY", "merchant": {"id": "M7"}});
    desk_two.step(&event(
        "merchant.checkout",
        "2",
        "C1",
        before + 3 * MINUTE,
        paid,
    ));
    let output = desk_two.advance(end);
    assert_eq!(
        (became(&output), output.decisions().count()),
        (vec![Verdict::Still], 0)
    );
    assert!(desk_two.customers.get("C1").unwrap().pending.is_empty());

    // The offer, of two hours, has expired meanwhile.
    let mut desk_three = desk("quiet: \"defer\"");
    let first = say(&mut desk_three, before - HOUR);
    fail(&mut desk_three, "f", &first, before + 2 * MINUTE);
    assert_eq!(became(&desk_three.advance(end)), [Verdict::Stale]);
}

#[test]
fn what_arrived_was_refused_or_is_too_old_is_not_said_again() {
    let now = time(NOON);
    for outcome in ["delivered", "opened"] {
        let mut desk = desk("");
        let first = say(&mut desk, now);
        desk.step(&told(outcome, "o", "C1", &first.id.to_string(), now));
        let output = fail(&mut desk, "f", &first, now + MINUTE);
        assert_eq!(became(&output), [Verdict::Stale], "{outcome}");
    }
    let mut declined = desk("");
    let first = say(&mut declined, now);
    declined.step(&told("declined", "o", "C1", &first.id.to_string(), now));
    assert_eq!(
        became(&fail(&mut declined, "f", &first, now + MINUTE)),
        [Verdict::Still]
    );
    let mut expired = desk("");
    let first = say(&mut expired, now);
    assert_eq!(
        became(&fail(&mut expired, "f", &first, now + 2 * HOUR)),
        [Verdict::Stale]
    );
    // A backlog of failures after an outage makes nobody's telephone ring in the night.
    let mut outage = desk("");
    let first = say(&mut outage, now);
    let input = outage.input(&told("failed", "f", "C1", &first.id.to_string(), now + 1));
    let output = outage.partition.step(&[input], now + HOUR, &outage.rules);
    assert_eq!(became(&output), [Verdict::Stale]);
    // Nobody held out has anything to fail.
    let mut held_out = desk("holdout: 100");
    let first = say(&mut held_out, now);
    let output = fail(&mut held_out, "f", &first, now + MINUTE);
    assert!(output.entries.is_empty() && output.fallbacks.is_empty());
}

#[test]
fn a_conversion_is_that_of_the_first_decision_alone() {
    let now = time(NOON);
    let mut desk = desk("");
    let first = say(&mut desk, now);
    fail(&mut desk, "f", &first, now + HOUR);
    let paid = json!({"stage": "paid", "amount": "9", "currency": "CNY", "merchant": {"id": "M7"}});
    let output = desk.step(&event("merchant.checkout", "2", "C1", now + 2 * HOUR, paid));
    let of = output.entries.iter().filter_map(|entry| match entry {
        LogEntry::Conversion(record) => Some(record.decision),
        _ => None,
    });
    assert_eq!(of.collect::<Vec<_>>(), [first.id]);
}

#[test]
fn a_crash_between_any_two_messages_of_the_log_changes_nothing() {
    let now = time(NOON);
    let id = CustomerId::new("C1").unwrap();
    let build = || {
        let text = RULE.replace("TERMS", "");
        let on_failure = RULE
            .replace("TERMS", "")
            .replace(
                "\"merchant.checkout\", channels",
                "\"offer.failed\", channels",
            )
            .replace("event.stage == \"started\" && ", "")
            .replace("event.amount", "1.5");
        Desk::new(&[("r.rhai", &*text), ("sorry.rhai", &on_failure)])
    };
    let mut whole = build();
    let first = say(&mut whole, now);
    let output = fail(&mut whole, "f", &first, now + MINUTE);
    assert_eq!(
        output.entries.len(),
        3,
        "outcome, fallback, and the other rule's answer"
    );
    let expected = customer_json(
        &id,
        &whole.customers.get("C1").unwrap(),
        whole.customers.names(),
    );
    for cut in 0..=output.entries.len() {
        let mut resumed = build();
        say(&mut resumed, now);
        for entry in &output.entries[..cut] {
            resumed.partition.fold_logged(&entry.logged());
        }
        let mut input = resumed.input(&told(
            "failed",
            "f",
            "C1",
            &first.id.to_string(),
            now + MINUTE,
        ));
        input.already = u32::try_from(cut).unwrap();
        let rest = if cut < output.entries.len() {
            resumed
                .partition
                .step(&[input], now + MINUTE, &resumed.rules)
        } else {
            resumed.partition.fold(&input)
        };
        let parts = |entries: &[LogEntry]| -> Vec<(Option<(u32, u32)>, Logged)> {
            entries
                .iter()
                .map(|e| (e.place().part, e.logged()))
                .collect()
        };
        assert_eq!(
            parts(&rest.entries),
            parts(&output.entries[cut..]),
            "after {cut}"
        );
        let found = customer_json(
            &id,
            &resumed.customers.get("C1").unwrap(),
            resumed.customers.names(),
        );
        assert_eq!(found, expected, "after {cut}");
    }
}
