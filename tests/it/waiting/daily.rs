//! Daily triggers, in each customer's own time zone, daylight saving included.

use crate::kit::desk::{Desk, checkout, profile, time, verdict};
use onscene::action::Verdict;
use onscene::clock::{DAY, HOUR, Millis, format_rfc3339};
use serde_json::json;

const DAILY: &str = r#"
const RULE = #{ on: "timer.daily", channels: ["push"], hours: "09:30-12:00" };
fn when(event, customer) { event.type == "timer.daily" && customer.since("merchant.checkout") >= 0 }
fn action(event, customer) { #{ kind: "message", code: event.date, text: event.customer == () } }
"#;

fn live_in(desk: &mut Desk, customer: &str, zone: &str, at: Millis) {
    desk.step(&profile("p", customer, at, json!({"time_zone": zone})));
}

fn said(desk: &mut Desk, to: &str) -> Vec<(String, String, String)> {
    let output = desk.advance(time(to));
    let said = output.decisions().map(|d| {
        let code = d.body.code.as_deref().unwrap().to_owned();
        let customer = d.customer.as_str().to_owned();
        (customer, code, format_rfc3339(d.policy_time))
    });
    said.collect()
}

#[test]
fn it_comes_once_a_local_day_when_the_rules_hours_begin() {
    let mut desk = Desk::new(&[("daily.rhai", DAILY)]);
    let start = time("2026-11-22T00:00:00Z");
    live_in(&mut desk, "NY", "America/New_York", start);
    desk.step(&checkout("1", "SH", start)); // The engine's zone: Asia/Shanghai.
    let said = said(&mut desk, "2026-11-24T00:00:00Z");
    let expected = [
        ("SH", "2026-11-22", "2026-11-22T01:30:00.000Z"),
        ("NY", "2026-11-22", "2026-11-22T14:30:00.000Z"),
        ("SH", "2026-11-23", "2026-11-23T01:30:00.000Z"),
        ("NY", "2026-11-23", "2026-11-23T14:30:00.000Z"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned()))
        .collect();
    assert_eq!(said, expected);
}

#[test]
fn two_zones_with_the_same_time_are_both_served() {
    let mut desk = Desk::new(&[("daily.rhai", DAILY)]);
    let start = time("2026-11-22T00:00:00Z");
    live_in(&mut desk, "A", "Asia/Shanghai", start);
    live_in(&mut desk, "B", "Asia/Taipei", start);
    desk.step(&checkout("1", "C", start));
    let mut who: Vec<_> = said(&mut desk, "2026-11-22T02:00:00Z")
        .into_iter()
        .map(|(who, _, _)| who)
        .collect();
    who.sort();
    assert_eq!(who, ["A", "B", "C"]);
}

#[test]
fn on_the_days_of_a_clock_change_it_comes_once_at_the_right_moment() {
    // The zone, the rule's hour, the local date of the change, and when it must come.
    let cases = [
        // 02:30 does not exist: it comes when the clocks have been put forward, at 03:30.
        (
            "America/New_York",
            "02:30-12:00",
            "2026-03-08",
            "2026-03-08T07:30:00.000Z",
        ),
        // 01:30 comes twice: the first counts.
        (
            "America/New_York",
            "01:30-12:00",
            "2026-11-01",
            "2026-11-01T05:30:00.000Z",
        ),
        (
            "Europe/Berlin",
            "02:30-12:00",
            "2026-03-29",
            "2026-03-29T01:30:00.000Z",
        ),
        (
            "Europe/Berlin",
            "02:30-12:00",
            "2026-10-25",
            "2026-10-25T00:30:00.000Z",
        ),
        // Lord Howe puts its clocks forward by half an hour: 02:15 is 02:45.
        (
            "Australia/Lord_Howe",
            "02:15-12:00",
            "2026-10-04",
            "2026-10-03T15:45:00.000Z",
        ),
        (
            "Australia/Lord_Howe",
            "01:45-12:00",
            "2026-04-05",
            "2026-04-04T14:45:00.000Z",
        ),
    ];
    for (zone, hours, date, expected) in cases {
        let rule = DAILY.replace("09:30-12:00", hours);
        let mut desk = Desk::new(&[("daily.rhai", &rule)]);
        let start = time(expected) - 60 * HOUR;
        live_in(&mut desk, "C1", zone, start);
        let output = desk.advance(time(expected) + 60 * HOUR);
        let said: Vec<_> = output
            .decisions()
            .filter(|d| d.body.code.as_deref() == Some(date))
            .map(|d| format_rfc3339(d.policy_time))
            .collect();
        assert_eq!(said, [expected], "{zone} {hours}");
        assert_eq!(output.decisions().count(), 5, "{zone}: each day once");
    }
}

#[test]
fn days_dates_and_audience_apply_and_what_was_missed_is_not_made_up_for() {
    let rule = DAILY.replace("channels:", "days: \"mon\", audience: [\"vip\"], channels:");
    let mut desk = Desk::new(&[("daily.rhai", &rule)]);
    let sunday = time("2026-11-22T00:00:00Z");
    desk.step(&profile(
        "p",
        "C1",
        sunday,
        json!({"segments": {"add": ["vip"]}}),
    ));
    desk.step(&checkout("1", "C2", sunday));
    let output = desk.advance(sunday + 7 * DAY);
    let said: Vec<_> = output
        .decisions()
        .map(|d| d.body.code.clone().unwrap())
        .collect();
    assert_eq!(said, ["2026-11-23".into()]);

    // An outage of three days: the wall clock is far ahead of what is due.
    let mut desk = Desk::new(&[("daily.rhai", DAILY)]);
    desk.step(&checkout("1", "C1", sunday));
    let now = sunday + 3 * DAY;
    let output = desk.partition.advance(now, now, &desk.rules);
    assert!(output.entries.is_empty(), "{:?}", output.entries);
}

#[test]
fn a_daily_rule_may_wait_and_be_deduplicated_like_any_other() {
    let rule = DAILY.replace("channels:", "delay: \"1h\", cooldown: \"36h\", channels:")
        + "fn still(event, customer) { customer.count(\"merchant.checkout\", \"1h\") == 0 }";
    let mut desk = Desk::new(&[("daily.rhai", &rule)]);
    let start = time("2026-11-22T00:00:00Z");
    desk.step(&checkout("1", "C1", start));
    let due = time("2026-11-22T01:30:00Z");
    assert_eq!(verdict(&desk.advance(due), "daily"), Verdict::Deferred);
    assert_eq!(verdict(&desk.advance(due + HOUR), "daily"), Verdict::Sent);
    assert_eq!(
        verdict(&desk.advance(due + DAY), "daily"),
        Verdict::Cooldown
    );
}
