//! Caps and cooldowns: what counts, how long, and for whom.

use super::{at, desk};
use crate::kit::desk::{NOON, checkout, event, profile, rule, time, winners};
use onscene::action::Verdict;
use onscene::clock::{DAY, HOUR, MINUTE};
use serde_json::json;

#[test]
fn a_rolling_cap_counts_every_rule_and_lets_go_exactly_when_its_length_has_passed() {
    let policy = "[[cap]]\ncount = 2\nper = \"24h\"\n";
    let rules = [
        ("a.rhai", rule("hours: \"00:00-12:00\"")),
        ("b.rhai", rule("hours: \"12:00-24:00\"")),
    ];
    let mut desk = desk(policy, &rules);
    assert_eq!(at(&mut desk, "a", "C1", 0), Verdict::Sent);
    assert_eq!(at(&mut desk, "b", "C1", 3 * HOUR), Verdict::Sent);
    assert_eq!(at(&mut desk, "b", "C1", 4 * HOUR), Verdict::PolicyCap);
    assert_eq!(at(&mut desk, "b", "C2", 4 * HOUR), Verdict::Sent);
    assert_eq!(at(&mut desk, "a", "C1", DAY - 1), Verdict::PolicyCap);
    assert_eq!(at(&mut desk, "a", "C1", DAY), Verdict::Sent);
}

#[test]
fn a_calendar_cap_begins_anew_at_the_customers_own_midnight_and_both_kinds_hold_at_once() {
    let policy = "[[cap]]\ncount = 1\nper = \"day\"\n[[cap]]\ncount = 2\nper = \"7d\"\n";
    let mut desk = desk(policy, &[("r.rhai", rule(""))]);
    let lima = json!({"time_zone": "America/Lima"});
    desk.step(&profile("p", "lima", time(NOON) - HOUR, lima));
    // Noon of the tests is 10:00 in Shanghai and 21:00 of the day before in Lima.
    for customer in ["shanghai", "lima"] {
        assert_eq!(at(&mut desk, "r", customer, 0), Verdict::Sent);
    }
    assert_eq!(at(&mut desk, "r", "lima", 3 * HOUR - 1), Verdict::PolicyCap);
    assert_eq!(at(&mut desk, "r", "lima", 3 * HOUR), Verdict::Sent);
    assert_eq!(
        at(&mut desk, "r", "shanghai", 14 * HOUR - 1),
        Verdict::PolicyCap
    );
    assert_eq!(at(&mut desk, "r", "shanghai", 14 * HOUR), Verdict::Sent);
    // Two in seven days: another day does not help.
    assert_eq!(at(&mut desk, "r", "shanghai", 3 * DAY), Verdict::PolicyCap);
    assert_eq!(at(&mut desk, "r", "shanghai", 7 * DAY), Verdict::Sent);
}

#[test]
fn weeks_begin_on_monday_and_months_on_their_first() {
    // Noon is a Sunday, the 22nd.
    let mut desk = desk(
        "[[cap]]\ncount = 1\nper = \"week\"\n",
        &[("r.rhai", rule(""))],
    );
    assert_eq!(at(&mut desk, "r", "C1", 0), Verdict::Sent);
    assert_eq!(at(&mut desk, "r", "C1", 14 * HOUR - 1), Verdict::PolicyCap);
    assert_eq!(at(&mut desk, "r", "C1", 14 * HOUR), Verdict::Sent);
    assert_eq!(at(&mut desk, "r", "C1", 7 * DAY), Verdict::PolicyCap);
    let month = "[[cap]]\ncount = 1\nper = \"month\"\n";
    let mut desk = super::desk(month, &[("r.rhai", rule(""))]);
    assert_eq!(at(&mut desk, "r", "C1", 0), Verdict::Sent);
    assert_eq!(
        at(&mut desk, "r", "C1", 8 * DAY + 14 * HOUR - 1),
        Verdict::PolicyCap
    );
    assert_eq!(at(&mut desk, "r", "C1", 8 * DAY + 14 * HOUR), Verdict::Sent);
}

#[test]
fn a_cap_concerns_and_counts_its_channel_its_scene_and_its_rule_alone() {
    let rules = [
        ("a.rhai", rule("channels: [\"sms\"], scene: \"one\"")),
        ("b.rhai", rule("channels: [\"push\"], scene: \"one\"")),
        (
            "c.rhai",
            rule("channels: [\"push\", \"sms\"], scene: \"two\""),
        ),
    ];
    let spoken = |scope: &str| {
        let policy = format!("[[cap]]\ncount = 1\nper = \"30d\"\n{scope}\n");
        let mut desk = desk(&policy, &rules);
        desk.step(&checkout("1", "C1", time(NOON)));
        let output = desk.step(&checkout("2", "C1", time(NOON) + MINUTE));
        let channels = output
            .decisions()
            .map(|said| format!("{}/{}", said.rule, said.channel));
        channels.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(spoken(""), "");
    assert_eq!(spoken("channel = \"sms\""), "b/push c/push");
    // What one channel is closed to goes by the next.
    assert_eq!(spoken("channel = \"push\""), "a/sms c/sms");
    assert_eq!(spoken("scene = \"one\""), "c/push");
    assert_eq!(spoken("rule = \"c\""), "a/sms b/push");
    assert_eq!(
        spoken("scene = \"one\"\nchannel = \"push\""),
        "a/sms c/push"
    );
}

#[test]
fn a_channel_that_is_full_gives_way_to_the_next() {
    let policy = "[[cap]]\ncount = 1\nper = \"day\"\nchannel = \"push\"\n";
    let mut desk = desk(policy, &[("r.rhai", rule("channels: [\"push\", \"sms\"]"))]);
    let mut channels = Vec::new();
    for number in 0..3 {
        let output = desk.step(&checkout(
            &number.to_string(),
            "C1",
            time(NOON) + number * MINUTE,
        ));
        channels.extend(output.decisions().map(|said| said.channel.to_string()));
    }
    assert_eq!(channels, ["push", "sms", "sms"]);
}

#[test]
fn rules_that_speak_at_one_event_count_one_another() {
    let policy = "[[cap]]\ncount = 2\nper = \"day\"\n";
    let rules = ["a.rhai", "b.rhai", "c.rhai"].map(|name| (name, rule("")));
    let mut desk = desk(policy, &rules);
    let output = desk.step(&checkout("1", "C1", time(NOON)));
    assert_eq!(winners(&output), ["a", "b"]);
    assert_eq!(output.verdicts[&("c".into(), Verdict::PolicyCap)], 1);
}

#[test]
fn what_is_held_out_counts_as_if_it_had_been_sent() {
    let policy = "[[cooldown]]\nlength = \"1h\"\n";
    let mut desk = desk(policy, &[("r.rhai", rule("holdout: 100"))]);
    assert_eq!(at(&mut desk, "r", "C1", 0), Verdict::Holdout);
    assert_eq!(at(&mut desk, "r", "C1", HOUR - 1), Verdict::PolicyCap);
    assert_eq!(at(&mut desk, "r", "C1", HOUR), Verdict::Holdout);
}

#[test]
fn each_step_of_a_journey_is_a_contact_and_asks_again() {
    let journey = "const RULE = #{ on: \"merchant.checkout\", channels: [\"push\"], steps: [#{ after: \"0s\" }, #{ after: \"1h\" }, #{ after: \"2d\" }] };\n\
        fn when(event, customer) { true }\n\
        fn action(event, customer, variant, step) { #{ kind: \"message\", code: step.to_string() } }\n";
    let policy = "[[cap]]\ncount = 1\nper = \"24h\"\n";
    let mut desk = desk(policy, &[("r.rhai", journey.to_owned())]);
    let first = desk.step(&checkout("1", "C1", time(NOON)));
    assert_eq!(winners(&first), ["r"]);
    let later = desk.advance(time(NOON) + 3 * DAY);
    let steps: Vec<u32> = later.decisions().map(|said| said.step).collect();
    assert_eq!(steps, [2]);
    assert_eq!(later.verdicts[&("r".into(), Verdict::PolicyCap)], 1);
}

#[test]
fn a_check_says_its_numbers_and_when_it_would_pass() {
    let policy = "[[cap]]\ncount = 1\nper = \"24h\"\nchannel = \"push\"\n";
    let mut desk = desk(policy, &[("r.rhai", rule(""))]);
    let partition = std::mem::replace(
        &mut desk.partition,
        onscene::partition::Partition::new(
            desk.customers.clone(),
            Default::default(),
            jiff::tz::TimeZone::UTC,
        ),
    );
    desk.partition = partition.listing_checks();
    desk.step(&checkout("1", "C1", time(NOON)));
    let login = event("customer.profile", "p", "C1", time(NOON) + 1, json!({}));
    desk.step(&login);
    let output = desk.step(&checkout("2", "C1", time(NOON) + HOUR));
    let [told] = &output.checks[..] else {
        panic!("{:?}", output.checks);
    };
    assert_eq!(told.verdict, Verdict::PolicyCap);
    let check = told
        .checks
        .iter()
        .find(|check| check.name == "policy_cap")
        .unwrap();
    let detail: Vec<String> = (check.detail.iter())
        .map(|(name, value)| format!("{name}={}", serde_json::to_string(value).unwrap()))
        .collect();
    assert_eq!(
        detail.join(" "),
        "kind=\"cap\" channel=\"push\" count=1 limit=1 per=\"1d\" of_channel=\"push\" until=\"2026-11-23T02:00:00.000Z\""
    );
}
