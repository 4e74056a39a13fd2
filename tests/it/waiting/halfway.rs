//! A crash in the midst of what one event leads to: what was said stands, what is missing is made up for,
//! and nothing is said instead of it, however long the restart took.

use crate::kit::desk::{Desk, NOON, checkout, rule, rule_when, time, verdict, winners};
use onscene::action::Verdict;
use onscene::clock::{DAY, HOUR, MINUTE, Millis};
use onscene::partition::{LogEntry, Output};

/// Steps the first event again after a crash that left so many of its entries in the log; the wall clock is
/// ten minutes further.
fn again(files: &[(&str, String)], written: usize) -> (Output, Output, Desk) {
    let at = time(NOON);
    let first = Desk::new(files).step(&checkout("1", "C1", at));
    let mut desk = Desk::new(files);
    for entry in &first.entries[..written] {
        desk.partition.fold_logged(&entry.logged());
    }
    let mut input = desk.input(&checkout("1", "C1", at));
    input.already = u32::try_from(written).unwrap();
    let now = at + 10 * MINUTE;
    let again = desk.partition.step(&[input], now, &desk.rules);
    (first, again, desk)
}

fn journey() -> String {
    rule("steps: [#{ after: \"0s\" }, #{ after: \"1d\" }], group: \"g\"")
}

#[test]
fn a_journey_whose_first_step_was_said_goes_on_although_its_trigger_is_stale_by_now() {
    let files = [("journey.rhai", journey())];
    let (first, again, mut desk) = again(&files, 1);
    assert_eq!(first.entries.len(), 2, "said, and armed");
    assert_eq!(again.decisions().count(), 0);
    assert_eq!(again.entries.len(), 1, "armed now");
    assert_eq!(again.entries[0].place().part, Some((1, 2)));
    assert_eq!(desk.advance(time(NOON) + DAY).decisions().count(), 1);
}

#[test]
fn a_group_that_was_won_stays_won_when_the_winner_would_be_stale_by_now() {
    let files = [
        ("a.rhai", journey()),
        ("b.rhai", rule("fresh: \"1d\", priority: 10, group: \"g\"")),
    ];
    let (_, again, _) = again(&files, 1);
    assert_eq!(verdict(&again, "b"), Verdict::Arbitration);
    assert_eq!(again.decisions().count(), 0);
}

#[test]
fn rules_do_not_see_what_the_same_event_led_to_before_the_crash() {
    let files = [
        ("a.rhai", rule("fresh: \"1d\"")),
        (
            "b.rhai",
            rule_when("fresh: \"1d\"", "customer.offers(\"a\", \"1d\") == 0"),
        ),
    ];
    let (first, again, _) = again(&files, 1);
    assert_eq!(winners(&first), ["a", "b"]);
    assert_eq!(winners(&again), ["b"]);
}

#[test]
fn an_event_does_not_convert_what_it_led_to_itself() {
    let text =
        rule("fresh: \"1d\"") + "fn converted(event, customer, decision) { event.amount > 0 }";
    let files = [("a.rhai", text), ("b.rhai", rule("fresh: \"1d\""))];
    let (_, again, mut desk) = again(&files, 1);
    assert!(
        again
            .entries
            .iter()
            .all(|e| matches!(e, LogEntry::Decision(_)))
    );
    let later = desk.step(&checkout("2", "C1", time(NOON) + HOUR));
    let conversions = later.entries.iter();
    let conversions = conversions.filter(|e| matches!(e, LogEntry::Conversion(_)));
    assert_eq!(conversions.count(), 1, "a later one does");
}

/// An event that came so late that what it made wait was due at once: with a crash in between, that was taken to be
/// due before the event, and ended before the event could begin it.
#[test]
fn what_an_answered_part_made_wait_is_not_due_before_the_event_itself() {
    let at = time(NOON);
    let silent = rule("fresh: \"1d\", delay: \"1m\"")
        + "fn still(event, customer) { customer.count(\"merchant.checkout\", \"1m\") > 0 }";
    let files = [("a.rhai", silent), ("b.rhai", rule("fresh: \"1d\""))];
    let late = |desk: &mut Desk| {
        let mut input = desk.input(&checkout("1", "C1", at));
        input.stored_at = at + HOUR;
        input
    };
    let mut desk = Desk::new(&files);
    let input = late(&mut desk);
    let first = desk.partition.step(&[input], at + HOUR, &desk.rules);
    assert_eq!(first.entries.len(), 2, "one waits, one is said");
    let mut desk = Desk::new(&files);
    desk.partition.fold_logged(&first.entries[0].logged());
    let mut input = late(&mut desk);
    input.already = 1;
    let again = desk.partition.step(&[input], at + HOUR, &desk.rules);
    assert_eq!(winners(&again), ["b"]);
    assert_eq!(
        again.entries.len(),
        1,
        "nothing has ended, nothing begins again"
    );
    let rest = desk.partition.advance(at + HOUR, at + HOUR, &desk.rules);
    assert_eq!(rest.entries.len(), 1, "now it ends");
}

fn goal(id: &str, at: Millis) -> serde_json::Value {
    serde_json::json!({
        "specversion": "1.0", "id": id, "source": "stadium", "type": "broadcast.goal",
        "time": onscene::clock::format_rfc3339(at), "data": {},
    })
}

/// A rule on a broadcast.
fn on_goal(terms: &str) -> String {
    rule(&format!("fresh: \"1d\", {terms}"))
        .replace("merchant.checkout", "broadcast.goal")
        .replace("code: \"CODE\"", "code: \"CODE\", cost: 1")
}

fn stadium(files: &[(&str, String)]) -> Desk {
    let schema = ("schema.toml", "[events.\"broadcast.goal\"]\n".to_owned());
    let mut desk = Desk::new(&[&[schema], files].concat());
    for number in 0..10 {
        desk.step(&checkout("0", &format!("C{number}"), time(NOON) - DAY));
    }
    desk
}

#[test]
fn a_broadcast_that_is_published_again_changes_nothing() {
    let at = time(NOON);
    let mut desk = stadium(&[(
        "a.rhai",
        on_goal("steps: [#{ after: \"0s\" }, #{ after: \"1d\" }]"),
    )]);
    desk.step(&goal("g", at));
    assert_eq!(desk.sweep(at).decisions().count(), 10);
    desk.step(&goal("g", at + MINUTE));
    assert!(desk.sweep(at + MINUTE).entries.is_empty());
    assert_eq!(desk.advance(at + DAY).decisions().count(), 10, "once each");
}

#[test]
fn what_the_winner_of_a_group_cannot_pay_the_next_one_does() {
    let at = time(NOON);
    let terms =
        |priority: u32| format!("group: \"g\", priority: {priority}, budget: #{{ total: 3 }}");
    let mut desk = stadium(&[
        ("z.rhai", on_goal(&terms(90))),
        ("a.rhai", on_goal(&terms(10))),
    ]);
    desk.step(&goal("g", at));
    let output = desk.sweep(at);
    let said = |rule: &str| output.decisions().filter(|d| &*d.rule == rule).count();
    assert_eq!((said("z"), said("a")), (3, 3));
    let customers: std::collections::BTreeSet<_> =
        output.decisions().map(|d| d.customer.clone()).collect();
    assert_eq!(customers.len(), 6, "nobody gets both");
}

#[test]
fn a_rule_whose_action_always_fails_is_put_into_quarantine() {
    let fails = rule("").replace("#{ kind: \"offer\", code: \"CODE\" }", "throw \"no\"");
    let mut desk = Desk::new(&[("r.rhai", fails)]);
    let verdicts: Vec<Verdict> = (0..30)
        .map(|number| desk.verdict("r", &checkout(&number.to_string(), "C1", time(NOON))))
        .collect();
    assert_eq!(verdicts[..20], [Verdict::Error; 20]);
    assert_eq!(verdicts[20..], [Verdict::Quarantine; 10]);
}

#[test]
fn a_delay_is_as_fresh_as_when_it_is_due() {
    let text = rule("delay: \"10m\"")
        + "fn still(event, customer) { customer.count(\"merchant.checkout\", \"10m\") >= 0 }";
    let mut desk = Desk::new(&[("r.rhai", text)]);
    let at = time(NOON);
    let late = |desk: &mut Desk, id: &str, age: Millis| {
        let input = desk.input(&checkout(id, "C1", at));
        verdict(&desk.partition.step(&[input], at + age, &desk.rules), "r")
    };
    assert_eq!(late(&mut desk, "1", 11 * MINUTE), Verdict::Deferred);
    assert_eq!(late(&mut desk, "2", 11 * MINUTE + 1), Verdict::Stale);
}
