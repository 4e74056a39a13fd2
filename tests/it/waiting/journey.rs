//! Journeys: their steps, and what ends them early.

use crate::kit::desk::{Desk, NOON, checkout, event, profile, time, verdict};
use onscene::action::Verdict;
use onscene::clock::{DAY, HOUR, Millis, format_rfc3339};
use onscene::partition::Output;
use serde_json::json;

const SCHEMA: &str =
    "[events.\"race.registered\"]\nrace_date = { type = \"time\", required = true }\n";

const RACE: &str = r#"
const RULE = #{
    on: "race.registered", channels: ["push"], cap: "1 per 30d",
    steps: [#{ after: "0s" }, #{ before: "1d", of: "race_date" }, #{ before: "0s", of: "race_date" }],
};
fn when(event, customer) { true }
fn action(event, customer, variant, step) { #{ kind: "message", code: `STEP${step}` } }
fn converted(event, customer, decision) {
    event.type == "merchant.checkout" && decision.code == "STEP0" && decision.variant == "default"
}
"#;

fn desk() -> Desk {
    desk_with(RACE)
}

fn desk_with(rule: &str) -> Desk {
    Desk::new(&[("schema.toml", SCHEMA), ("race.rhai", rule)])
}

fn registered(id: &str, at: Millis, race: Millis) -> serde_json::Value {
    let data = json!({"race_date": format_rfc3339(race)});
    event("race.registered", id, "C1", at, data)
}

fn said(output: &Output) -> Vec<(&str, Millis, u32)> {
    output
        .decisions()
        .map(|d| (d.body.code.as_deref().unwrap(), d.policy_time, d.step))
        .collect()
}

#[test]
fn each_step_comes_at_its_time_counted_from_the_trigger_or_back_from_a_date() {
    let (mut desk, at) = (desk(), time(NOON));
    let race = at + 10 * DAY;
    assert_eq!(
        said(&desk.step(&registered("1", at, race))),
        [("STEP0", at, 0)]
    );
    assert_eq!(desk.next_due(), Some(race - DAY));
    let rest = desk.advance(race + DAY);
    assert_eq!(said(&rest), [("STEP1", race - DAY, 1), ("STEP2", race, 2)]);
    assert!(desk.customers.get("C1").unwrap().pending.is_empty());
    let again = desk.step(&registered("2", race + 2 * DAY, race + 9 * DAY));
    assert_eq!(
        verdict(&again, "race"),
        Verdict::Cap,
        "three steps are one journey"
    );
    let later = at + 31 * DAY;
    let next = desk.step(&registered("3", later, later + 9 * DAY));
    assert_eq!(
        verdict(&next, "race"),
        Verdict::Sent,
        "the cap counts from the entry"
    );
}

#[test]
fn each_step_has_an_id_of_its_own_and_they_share_the_entry() {
    let (mut desk, at) = (desk(), time(NOON));
    let mut all = desk.step(&registered("1", at, at + 10 * DAY));
    all.append(desk.advance(at + 11 * DAY));
    let ids: Vec<_> = all.decisions().map(|d| d.id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    assert!(all.decisions().all(|d| d.entry == ids[0]));
}

#[test]
fn a_step_whose_time_has_passed_is_left_out() {
    let (mut desk, at) = (desk(), time(NOON));
    let race = at + HOUR;
    let mut all = desk.step(&registered("1", at, race));
    all.append(desk.advance(at + DAY));
    assert_eq!(said(&all), [("STEP0", at, 0), ("STEP2", race, 2)]);
}

#[test]
fn a_refusal_of_any_step_ends_it() {
    for outcome in ["offer.declined", "offer.unsubscribed"] {
        let (mut desk, at) = (desk(), time(NOON));
        let race = at + 10 * DAY;
        let mut all = desk.step(&registered("1", at, race));
        all.append(desk.advance(race - DAY));
        let second = all.decisions().nth(1).unwrap().id.to_string();
        let refused = event(outcome, "o", "C1", race - HOUR, json!({"action": second}));
        desk.step(&refused);
        assert!(desk.advance(race + DAY).entries.is_empty(), "{outcome}");
    }
}

#[test]
fn an_acceptance_does_not_end_it() {
    let (mut desk, at) = (desk(), time(NOON));
    let first = desk.step(&registered("1", at, at + 10 * DAY));
    let id = first.decisions().next().unwrap().id.to_string();
    desk.step(&event(
        "offer.accepted",
        "o",
        "C1",
        at + HOUR,
        json!({"action": id}),
    ));
    assert_eq!(desk.advance(at + 11 * DAY).decisions().count(), 2);
}

#[test]
fn a_conversion_within_its_window_ends_it_and_is_written_down_once() {
    let (mut desk, at) = (desk(), time(NOON));
    desk.step(&registered("1", at, at + 10 * DAY));
    let converted = desk.step(&checkout("c", "C1", at + DAY));
    assert_eq!(converted.entries.len(), 1, "{:?}", converted.entries);
    assert!(desk.customers.get("C1").unwrap().contacts.all()[0].converted);
    assert!(desk.step(&checkout("d", "C1", at + DAY)).entries.is_empty());
    assert!(desk.advance(at + 11 * DAY).entries.is_empty());

    let (mut desk, at) = (self::desk(), time(NOON));
    desk.step(&registered("1", at, at + 10 * DAY));
    let too_late = desk.step(&checkout("c", "C1", at + DAY + 1));
    assert!(too_late.entries.is_empty(), "`within` is a day by default");
    assert_eq!(desk.advance(at + 11 * DAY).decisions().count(), 2);
}

#[test]
fn a_step_that_the_contact_policy_stops_does_not_stop_the_next() {
    let (mut desk, at) = (desk(), time(NOON));
    let race = at + 10 * DAY;
    desk.step(&registered("1", at, race));
    desk.step(&profile(
        "p",
        "C1",
        at + DAY,
        json!({"consents": {"push": false}}),
    ));
    assert_eq!(verdict(&desk.advance(race - DAY), "race"), Verdict::Consent);
    desk.step(&profile(
        "q",
        "C1",
        race - HOUR,
        json!({"consents": {"push": true}}),
    ));
    assert_eq!(said(&desk.advance(race)), [("STEP2", race, 2)]);
}

#[test]
fn still_is_asked_before_every_step_but_the_first() {
    let rule = RACE.replace(
        "fn converted(event, customer, decision) {\n    event.type == \"merchant.checkout\" && decision.code == \"STEP0\" && decision.variant == \"default\"\n}",
        "fn still(event, customer) { customer.count(\"merchant.checkout\", \"1d\") == 0 }",
    );
    let (mut desk, at) = (desk_with(&rule), time(NOON));
    let race = at + 10 * DAY;
    desk.step(&checkout("0", "C1", at));
    assert_eq!(said(&desk.step(&registered("1", at, race))).len(), 1);
    desk.step(&checkout("c", "C1", race - DAY - HOUR));
    assert_eq!(verdict(&desk.advance(race - DAY), "race"), Verdict::Still);
    assert_eq!(said(&desk.advance(race)), [("STEP2", race, 2)]);
}

#[test]
fn a_rule_that_is_gone_says_nothing_more() {
    let (mut desk, at) = (desk(), time(NOON));
    desk.step(&registered("1", at, at + 10 * DAY));
    desk.rules = crate::kit::desk::compile(&[("schema.toml", SCHEMA)]).unwrap();
    let output = desk.advance(at + 11 * DAY);
    assert_eq!((output.decisions().count(), output.entries.len()), (0, 1));
    assert!(desk.customers.get("C1").unwrap().pending.is_empty());
}
