//! What waits for the end of quiet hours is looked at from the beginning at the moment it goes out.

use super::desk;
use crate::kit::Desk;
use crate::kit::desk::{checkout, profile, rule, time, winners};
use onscene::action::Verdict;
use onscene::clock::{HOUR, MINUTE};
use onscene::partition::Output;
use serde_json::json;

const NIGHT: &str = "2026-11-22T23:00:00+08:00";
const MORNING: &str = "2026-11-23T08:00:00+08:00";
const QUIET: &str = "[[quiet_hours]]\nhours = \"22:00-08:00\"\n";

/// A rule that waits, and one of higher priority that does so too.
fn night(policy: &str, terms: &str) -> Desk {
    let policy = format!("{QUIET}{policy}");
    let still = "fn still(event, customer) { !customer.in_segment(\"gone\") }\n";
    let waiting = rule(&format!("quiet: \"defer\", {terms}")) + still;
    let loud = rule("channels: [\"call\"], audience: [\"rival\"], priority: 90");
    let mut desk = desk(&policy, &[("r.rhai", waiting), ("rival.rhai", loud)]);
    let output = desk.step(&checkout("1", "C1", time(NIGHT)));
    assert_eq!(output.verdicts[&("r".into(), Verdict::Deferred)], 1);
    desk
}

/// What becomes of it in the morning, at the very end of the quiet hours.
fn morning(desk: &mut Desk) -> Output {
    assert_eq!(winners(&desk.advance(time(MORNING) - 1)), [""; 0]);
    desk.advance(time(MORNING))
}

fn verdict(desk: &mut Desk) -> Verdict {
    crate::kit::desk::verdict(&morning(desk), "r")
}

fn tell(desk: &mut Desk, data: serde_json::Value) {
    desk.step(&profile("p", "C1", time(NIGHT) + HOUR, data));
}

#[test]
fn with_nothing_in_its_way_it_goes_out_when_they_end() {
    let mut desk = night("", "");
    let output = morning(&mut desk);
    assert_eq!(winners(&output), ["r"]);
    assert_eq!(
        output.decisions().next().unwrap().policy_time,
        time(MORNING)
    );
}

#[test]
fn consent_withdrawn_in_the_night_holds() {
    let mut desk = night("", "");
    tell(&mut desk, json!({"consents": {"push": false}}));
    assert_eq!(verdict(&mut desk), Verdict::Consent);
}

#[test]
fn an_exclusion_of_the_night_holds() {
    let mut desk = night("[exclusions]\nattributes = [\"dnd\"]\n", "");
    tell(&mut desk, json!({"attributes": {"dnd": true}}));
    assert_eq!(verdict(&mut desk), Verdict::Excluded);
}

#[test]
fn who_is_out_of_reach_by_then_is_not_spoken_to() {
    let mut desk = night("", "");
    tell(&mut desk, json!({"reachable": {"push": false}}));
    assert_eq!(verdict(&mut desk), Verdict::Unreachable);
}

#[test]
fn still_is_asked_again() {
    let mut desk = night("", "");
    tell(&mut desk, json!({"segments": {"add": ["gone"]}}));
    assert_eq!(verdict(&mut desk), Verdict::Still);
}

#[test]
fn the_rules_own_schedule_holds() {
    let mut desk = night("", "ends: \"2026-11-23\"");
    assert_eq!(verdict(&mut desk), Verdict::Schedule);
}

#[test]
fn caps_count_what_was_said_meanwhile() {
    let policy = "channels = [\"push\"]\n[[cap]]\ncount = 1\nper = \"24h\"\n";
    let mut desk = night(policy, "");
    tell(&mut desk, json!({"segments": {"add": ["rival"]}}));
    let output = desk.step(&checkout("2", "C1", time(NIGHT) + 2 * HOUR));
    assert_eq!(winners(&output), ["rival"]);
    // The second event made the rule wait once more.
    let output = morning(&mut desk);
    assert_eq!(output.verdicts[&("r".into(), Verdict::PolicyCap)], 2);
    assert_eq!(winners(&output), [""; 0]);
}

#[test]
fn several_that_wait_for_the_same_morning_share_a_cap() {
    let policy = format!("{QUIET}[[cap]]\ncount = 1\nper = \"day\"\n");
    let rules = ["a.rhai", "b.rhai"].map(|name| (name, rule("quiet: \"defer\"")));
    let mut desk = desk(&policy, &rules);
    desk.step(&checkout("1", "C1", time(NIGHT)));
    let output = morning(&mut desk);
    assert_eq!(output.decisions().count(), 1);
    let capped = |rule: &str| {
        output
            .verdicts
            .get(&(rule.into(), Verdict::PolicyCap))
            .copied()
    };
    assert_eq!(capped("a").or(capped("b")), Some(1));
}

#[test]
fn the_rules_own_cooldown_holds_between_two_that_waited() {
    let policy = QUIET;
    let mut desk = desk(
        policy,
        &[("r.rhai", rule("quiet: \"defer\", cooldown: \"1h\""))],
    );
    desk.step(&checkout("1", "C1", time(NIGHT)));
    let second = desk.step(&checkout("2", "C1", time(NIGHT) + 2 * HOUR));
    assert_eq!(second.verdicts[&("r".into(), Verdict::Deferred)], 1);
    let output = morning(&mut desk);
    assert_eq!(output.decisions().count(), 1);
    assert_eq!(output.verdicts[&("r".into(), Verdict::Cooldown)], 1);
}

#[test]
fn quiet_hours_that_were_made_longer_meanwhile_hold() {
    let mut desk = night("", "");
    let longer = "[[quiet_hours]]\nhours = \"22:00-09:00\"\n";
    let still = "fn still(event, customer) { true }\n";
    let files = [
        ("policy.toml", longer.to_owned()),
        ("r.rhai", rule("quiet: \"defer\"") + still),
    ];
    desk.rules = Desk::new(&files).rules;
    assert_eq!(verdict(&mut desk), Verdict::Deferred);
    assert_eq!(winners(&desk.advance(time(MORNING) + HOUR - 1)), [""; 0]);
    assert_eq!(winners(&desk.advance(time(MORNING) + HOUR)), ["r"]);
}

#[test]
fn a_budget_that_was_spent_meanwhile_is_spent() {
    let body = "fn action(event, customer) { #{ kind: \"offer\", code: \"C\", cost: 6 } }\n";
    let budget = |quiet: &str| {
        format!(
            "const RULE = #{{ on: \"merchant.checkout\", channels: [\"push\"], quiet: \"{quiet}\", budget: #{{ total: 10 }} }};\n\
             fn when(event, customer) {{ true }}\n{body}"
        )
    };
    let mut desk = desk(QUIET, &[("r.rhai", budget("defer"))]);
    for customer in ["C1", "C2"] {
        desk.step(&checkout(customer, customer, time(NIGHT) + MINUTE));
    }
    let output = morning(&mut desk);
    assert_eq!(output.decisions().count(), 1);
    assert_eq!(output.verdicts[&("r".into(), Verdict::Budget)], 1);
}

#[test]
fn where_several_quiet_hours_meet_the_last_of_them_ends_the_wait() {
    let policy = "[[quiet_hours]]\nhours = \"22:00-06:00\"\n[[quiet_hours]]\nhours = \"05:00-09:30\"\nchannels = [\"push\"]\n";
    let mut desk = desk(policy, &[("r.rhai", rule("quiet: \"defer\""))]);
    desk.step(&checkout("1", "C1", time(NIGHT)));
    let end = time("2026-11-23T09:30:00+08:00");
    assert_eq!(desk.next_due(), Some(end));
    assert_eq!(winners(&desk.advance(end)), ["r"]);
}

#[test]
fn what_is_always_quiet_is_never_said() {
    let policy = "[[quiet_hours]]\nhours = \"00:00-24:00\"\n";
    let mut desk = desk(policy, &[("r.rhai", rule("quiet: \"defer\""))]);
    assert_eq!(
        desk.verdict("r", &checkout("1", "C1", time(NIGHT))),
        Verdict::QuietHours
    );
}
