//! Quiet hours and a rule's own hours, in the customer's time zone, across clock changes.

use crate::kit::desk::{Desk, checkout, profile, rule, time, verdict};
use onscene::action::Verdict;
use onscene::clock::{HOUR, MINUTE, Millis, format_rfc3339};
use serde_json::json;

const POLICY: &str = "[quiet_hours]\nhours = \"22:00-08:00\"\n";

fn desk(terms: &str, policy: &str, zone: &str, at: Millis) -> Desk {
    let mut desk = Desk::new(&[("r.rhai", &*rule(terms)), ("policy.toml", policy)]);
    desk.step(&profile("p", "C1", at - HOUR, json!({"time_zone": zone})));
    desk
}

/// The verdict for an event at a time.
fn verdict_at(terms: &str, policy: &str, zone: &str, at: &str) -> Verdict {
    let mut desk = desk(terms, policy, zone, time(at));
    desk.verdict("r", &checkout("1", "C1", time(at)))
}

/// Local times with the offset that holds then: the last quiet minute and the first loud one.
const MORNINGS: [(&str, &str, &str); 8] = [
    (
        "America/New_York",
        "2026-03-07T07:59:00-05:00",
        "2026-03-07T08:00:00-05:00",
    ),
    (
        "America/New_York",
        "2026-03-08T07:59:00-04:00",
        "2026-03-08T08:00:00-04:00",
    ),
    (
        "America/New_York",
        "2026-11-01T07:59:00-05:00",
        "2026-11-01T08:00:00-05:00",
    ),
    (
        "Europe/Berlin",
        "2026-03-28T07:59:00+01:00",
        "2026-03-28T08:00:00+01:00",
    ),
    (
        "Europe/Berlin",
        "2026-03-29T07:59:00+02:00",
        "2026-03-29T08:00:00+02:00",
    ),
    (
        "Europe/Berlin",
        "2026-10-25T07:59:00+01:00",
        "2026-10-25T08:00:00+01:00",
    ),
    (
        "Australia/Lord_Howe",
        "2026-04-05T07:59:00+10:30",
        "2026-04-05T08:00:00+10:30",
    ),
    (
        "Australia/Lord_Howe",
        "2026-10-04T07:59:00+11:00",
        "2026-10-04T08:00:00+11:00",
    ),
];

/// The last loud minute and the first quiet one.
const EVENINGS: [(&str, &str, &str); 3] = [
    (
        "America/New_York",
        "2026-03-08T21:59:00-04:00",
        "2026-03-08T22:00:00-04:00",
    ),
    (
        "Europe/Berlin",
        "2026-10-24T21:59:00+02:00",
        "2026-10-24T22:00:00+02:00",
    ),
    (
        "Australia/Lord_Howe",
        "2026-04-04T21:59:00+11:00",
        "2026-04-04T22:00:00+11:00",
    ),
];

#[test]
fn both_edges_of_the_night_are_right_before_and_after_each_clock_change_in_three_zones() {
    for (zone, quiet, loud) in MORNINGS {
        assert_eq!(
            verdict_at("", POLICY, zone, quiet),
            Verdict::QuietHours,
            "{zone} {quiet}"
        );
        assert_eq!(
            verdict_at("", POLICY, zone, loud),
            Verdict::Sent,
            "{zone} {loud}"
        );
        // The same hours as the rule's own, from the other side.
        let hours = "hours: \"08:00-22:00\"";
        assert_eq!(
            verdict_at(hours, "", zone, quiet),
            Verdict::Schedule,
            "{zone} {quiet}"
        );
        assert_eq!(
            verdict_at(hours, "", zone, loud),
            Verdict::Sent,
            "{zone} {loud}"
        );
    }
    for (zone, loud, quiet) in EVENINGS {
        assert_eq!(
            verdict_at("", POLICY, zone, loud),
            Verdict::Sent,
            "{zone} {loud}"
        );
        assert_eq!(
            verdict_at("", POLICY, zone, quiet),
            Verdict::QuietHours,
            "{zone} {quiet}"
        );
    }
}

#[test]
fn a_deferred_action_goes_out_when_the_night_ends_however_long_the_night_is() {
    // The night of the change, when it began, and the eight o'clock that ends it.
    let cases = [
        (
            "America/New_York",
            "2026-03-08T00:30:00-05:00",
            "2026-03-08T12:00:00.000Z",
        ),
        (
            "America/New_York",
            "2026-10-31T23:30:00-04:00",
            "2026-11-01T13:00:00.000Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-28T23:00:00+01:00",
            "2026-03-29T06:00:00.000Z",
        ),
        (
            "Europe/Berlin",
            "2026-10-25T01:00:00+02:00",
            "2026-10-25T07:00:00.000Z",
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-03T23:00:00+10:30",
            "2026-10-03T21:00:00.000Z",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-05T00:00:00+11:00",
            "2026-04-04T21:30:00.000Z",
        ),
    ];
    for (zone, at, end) in cases {
        let mut desk = desk("quiet: \"defer\", cooldown: \"1d\"", POLICY, zone, time(at));
        let first = desk.verdict("r", &checkout("1", "C1", time(at)));
        assert_eq!(first, Verdict::Deferred, "{zone} {at}");
        let again = desk.verdict("r", &checkout("2", "C1", time(at) + MINUTE));
        assert_eq!(again, Verdict::Cooldown, "what is deferred counts");
        assert!(
            desk.advance(time(end) - 1).entries.is_empty(),
            "{zone} {at}"
        );
        let output = desk.advance(time(end));
        let said: Vec<_> = output
            .decisions()
            .map(|d| format_rfc3339(d.policy_time))
            .collect();
        assert_eq!(said, [end], "{zone} {at}");
    }
}

#[test]
fn what_is_deferred_is_looked_at_again() {
    let still = "fn still(event, customer) { customer.count(\"merchant.checkout\", \"12h\", #{ stage: \"paid\" }) == 0 }";
    let at = time("2026-11-22T23:00:00+08:00");
    let text = rule("quiet: \"defer\"") + still;
    let mut desk = Desk::new(&[("r.rhai", &*text), ("policy.toml", POLICY)]);
    desk.step(&checkout("1", "C1", at));
    desk.step(&checkout("1", "C2", at));
    let mut paid = checkout("2", "C2", at + HOUR);
    paid["data"]["stage"] = "paid".into();
    desk.step(&paid);
    desk.step(&profile(
        "p",
        "C3",
        at,
        json!({"consents": {"push": false}}),
    ));
    let output = desk.advance(time("2026-11-23T08:00:00+08:00"));
    let said: Vec<_> = output.decisions().map(|d| d.customer.as_str()).collect();
    assert_eq!(said, ["C1"]);
}

#[test]
fn quiet_hours_may_hold_for_some_channels_and_days_only() {
    let policy =
        "[quiet_hours]\nhours = \"22:00-08:00\"\nchannels = [\"push\"]\ndays = \"mon-fri\"\n";
    let (sunday, monday) = ("2026-11-22T23:00:00+08:00", "2026-11-23T23:00:00+08:00");
    let zone = "Asia/Shanghai";
    assert_eq!(verdict_at("", policy, zone, sunday), Verdict::Sent);
    assert_eq!(verdict_at("", policy, zone, monday), Verdict::QuietHours);
    let mut desk = desk("channels: [\"push\", \"im\"]", policy, zone, time(monday));
    let output = desk.step(&checkout("1", "C1", time(monday)));
    assert_eq!(verdict(&output, "r"), Verdict::Sent);
    assert_eq!(&*output.decisions().next().unwrap().channel, "im");
}
