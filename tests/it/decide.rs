//! From proposals to decisions: the order of verdicts, exact edges, arbitration, experiments, and
//! what a restart must not change.

use crate::kit::Desk;
use crate::kit::desk::{NOON, checkout, event, profile, rule, rule_when, time, verdict, winners};
use onscene::action::{Verdict, decision_id};
use onscene::clock::{DAY, HOUR, MINUTE, Millis, SECOND};
use onscene::partition::{Logged, LoggedDecision, Output};
use onscene::partitioning::CustomerId;
use onscene::policy;
use onscene::state::Delivery;
use onscene::terms::{Percent, Terms};
use serde_json::json;

/// Steps a checkout stored at `at`, with the wall clock at `now`.
fn step_at(desk: &mut Desk, id: &str, at: Millis, now: Millis) -> Output {
    let input = desk.input(&checkout(id, "C1", at));
    desk.partition.step(&[input], now, &desk.rules)
}

fn contact(desk: &mut Desk, rule: &str, id: &str, at: Millis) {
    let customer = CustomerId::new("C1").unwrap();
    let id = decision_id(&customer, "test", id, rule, 0);
    let decision = LoggedDecision {
        id,
        entry: id,
        next: None,
        customer,
        rule: rule.into(),
        variant: "default".into(),
        channel: "push".into(),
        step: 0,
        code: Some("CODE".into()),
        value: None,
        cost: None,
        account: None,
        delivery: Delivery::Sent,
        scene: None,
        household: None,
        fallback_of: None,
        channels_left: Vec::new(),
        kept: None,
        at,
        time: at,
    };
    desk.partition
        .fold_logged(&Logged::Decision(Box::new(decision)));
}

#[test]
fn verdicts_are_tried_in_the_order_of_the_design() {
    // Each rule passes what comes before its fault and has every fault that comes after it.
    let now = time(NOON);
    let faults = [
        ("ends: \"2026-11-01\",", Verdict::Schedule),
        ("audience: [\"nobody\"],", Verdict::Audience),
        ("rollout: 0,", Verdict::Rollout),
        ("fresh: \"1s\",", Verdict::Stale),
    ];
    let later = "cooldown: \"1d\", cap: \"1 per 1d\", channels: [\"sms\"], holdout: 100,";
    for (at, (_, expected)) in faults.iter().enumerate() {
        let terms: String = faults[at..].iter().map(|(terms, _)| *terms).collect();
        let mut desk = Desk::new(&[("r.rhai", rule_when(&format!("{terms}{later}"), "throw 1"))]);
        contact(&mut desk, "r", "before", now - MINUTE);
        let output = step_at(&mut desk, "1", now, now + 2 * SECOND);
        assert_eq!(verdict(&output, "r"), *expected);
        assert!(
            output.silenced.is_empty(),
            "what never was a proposal is not listed as one"
        );
    }
    for (terms, condition, contacted, expected) in [
        (later, "throw 1", true, Verdict::Error),
        (later, "event.amount < 0.01", true, Verdict::Condition),
        (later, "true", true, Verdict::Cooldown),
        (
            "cap: \"1 per 1d\", channels: [\"sms\"], holdout: 100,",
            "true",
            true,
            Verdict::Cap,
        ),
        (later, "true", false, Verdict::Consent),
        (
            "channels: [\"im\"], holdout: 100,",
            "true",
            false,
            Verdict::Unreachable,
        ),
        ("holdout: 100,", "true", false, Verdict::Holdout),
        ("", "true", false, Verdict::Sent),
    ] {
        let mut desk = Desk::new(&[("r.rhai", rule_when(terms, condition))]);
        let refusing = json!({"consents": {"sms": false}, "reachable": {"im": false}});
        desk.step(&profile("p", "C1", now - HOUR, refusing));
        if contacted {
            contact(&mut desk, "r", "before", now - MINUTE);
        }
        let output = desk.step(&checkout("1", "C1", now));
        assert_eq!(verdict(&output, "r"), expected, "{terms} {condition}");
        let silent = !matches!(expected, Verdict::Sent | Verdict::Holdout);
        assert_eq!(output.entries.is_empty(), silent);
    }
}

#[test]
fn an_action_without_words_is_none_and_counts_for_nothing() {
    let silent = "const RULE = #{ on: \"merchant.checkout\", channels: [\"push\"], cooldown: \"1d\", group: \"g\", priority: 90 };\n\
        fn when(event, customer) { true }\nfn action(event, customer) { }\n";
    let mut desk = Desk::new(&[
        ("next.rhai", rule("group: \"g\"")),
        ("silent.rhai", silent.to_owned()),
    ]);
    for (id, later) in [("1", 0), ("2", MINUTE)] {
        let output = desk.step(&checkout(id, "C1", time(NOON) + later));
        assert_eq!(verdict(&output, "silent"), Verdict::None);
        assert_eq!(winners(&output), ["next"]);
    }
}

#[test]
fn a_cooldown_ends_exactly_when_it_has_passed() {
    let at = time(NOON);
    let mut desk = Desk::new(&[("r.rhai", rule("cooldown: \"1h\""))]);
    let verdicts = [
        (0, Verdict::Sent),
        (1, Verdict::Cooldown),
        (HOUR - 1, Verdict::Cooldown),
        (HOUR, Verdict::Sent),
        (2 * HOUR - 1, Verdict::Cooldown),
    ];
    for (later, expected) in verdicts {
        let id = later.to_string();
        assert_eq!(
            desk.verdict("r", &checkout(&id, "C1", at + later)),
            expected,
            "{later}"
        );
    }
    assert_eq!(
        desk.verdict("r", &checkout("other", "C2", at)),
        Verdict::Sent,
        "per customer"
    );
}

#[test]
fn a_cap_rolls_and_lets_go_exactly_at_its_edge() {
    let at = time(NOON);
    let mut desk = Desk::new(&[("r.rhai", rule("cap: \"2 per 1d\""))]);
    let verdicts = [
        (0, Verdict::Sent),
        (HOUR, Verdict::Sent),
        (2 * HOUR, Verdict::Cap),
        (DAY - 1, Verdict::Cap),
        (DAY, Verdict::Sent),
        (DAY + 1, Verdict::Cap),
        (DAY + HOUR - 1, Verdict::Cap),
        (DAY + HOUR, Verdict::Sent),
    ];
    for (later, expected) in verdicts {
        let id = later.to_string();
        assert_eq!(
            desk.verdict("r", &checkout(&id, "C1", at + later)),
            expected,
            "{later}"
        );
    }
}

#[test]
fn a_held_out_customer_counts_towards_cooldown_cap_and_offers_as_if_sent() {
    let at = time(NOON);
    let held = rule("holdout: 100, cooldown: \"1h\", cap: \"2 per 1d\"");
    let asks = rule_when(
        "",
        "customer.offers(\"held\", \"1d\") == 1 && !customer.accepted(\"CODE\")",
    );
    let mut desk = Desk::new(&[("held.rhai", held), ("later-asks.rhai", asks)]);
    let first = desk.step(&checkout("1", "C1", at));
    assert_eq!(
        first.decisions().next().unwrap().subject_channel(),
        "_holdout"
    );
    assert_eq!(verdict(&first, "later-asks"), Verdict::Condition);
    let second = desk.step(&checkout("2", "C1", at + MINUTE));
    assert_eq!(verdict(&second, "held"), Verdict::Cooldown);
    assert_eq!(verdict(&second, "later-asks"), Verdict::Sent);
    assert_eq!(
        desk.verdict("held", &checkout("3", "C1", at + HOUR)),
        Verdict::Holdout
    );
    assert_eq!(
        desk.verdict("held", &checkout("4", "C1", at + 3 * HOUR)),
        Verdict::Cap
    );
}

#[test]
fn events_of_one_batch_see_the_decisions_before_them() {
    let at = time(NOON);
    let mut desk = Desk::new(&[("r.rhai", rule("cooldown: \"1h\""))]);
    let batch: Vec<_> = ["1", "2", "3"]
        .iter()
        .map(|id| desk.input(&checkout(id, "C1", at)))
        .collect();
    let output = desk.partition.step(&batch, at, &desk.rules);
    assert_eq!(output.decisions().count(), 1);
    assert_eq!(output.verdicts[&("r".into(), Verdict::Cooldown)], 2);
}

#[test]
fn a_group_is_won_by_priority_then_by_name_and_only_by_one_that_passes() {
    let group =
        |priority: i64, more: &str| rule(&format!("group: \"g\", priority: {priority}, {more}"));
    let files = [
        ("a-low.rhai", group(10, "")),
        ("b-high.rhai", group(90, "channels: [\"sms\"]")),
        ("c-middle.rhai", group(50, "")),
        ("d-middle.rhai", group(50, "")),
        ("e-alone.rhai", rule("priority: 1")),
        ("f-alone.rhai", rule("priority: 99")),
        ("g-other.rhai", rule("group: \"other\", priority: 1")),
    ];
    let mut desk = Desk::new(&files);
    let output = desk.step(&checkout("1", "C1", time(NOON)));
    assert_eq!(
        winners(&output),
        ["f-alone", "b-high", "e-alone", "g-other"]
    );
    for loser in ["a-low", "c-middle", "d-middle"] {
        assert_eq!(verdict(&output, loser), Verdict::Arbitration);
    }
    // Who refuses the winner's channel gets the next: by name among equals.
    desk.step(&profile(
        "p",
        "C2",
        time(NOON),
        json!({"consents": {"sms": false}}),
    ));
    let output = desk.step(&checkout("1", "C2", time(NOON)));
    assert_eq!(verdict(&output, "b-high"), Verdict::Consent);
    assert_eq!(verdict(&output, "c-middle"), Verdict::Sent);
    assert_eq!(verdict(&output, "d-middle"), Verdict::Arbitration);
}

#[test]
fn the_parts_of_an_events_decisions_are_numbered_in_their_order() {
    let files = [
        ("a.rhai", rule("")),
        ("b.rhai", rule("priority: 60")),
        ("c.rhai", rule("holdout: 100")),
    ];
    let mut desk = Desk::new(&files);
    let inputs = [
        checkout("1", "C1", time(NOON)),
        checkout("2", "C2", time(NOON)),
    ];
    let batch: Vec<_> = inputs.iter().map(|event| desk.input(event)).collect();
    let output = desk.partition.step(&batch, time(NOON), &desk.rules);
    let parts: Vec<_> = output
        .decisions()
        .map(|d| (&*d.rule, d.part, d.trigger.sequence))
        .collect();
    let of = |sequence| {
        [
            ("b", Some((0, 3)), sequence),
            ("a", Some((1, 3)), sequence),
            ("c", Some((2, 3)), sequence),
        ]
    };
    assert_eq!(parts, [of(1), of(2)].concat());
}

#[test]
fn an_audience_is_any_of_its_segments_as_they_are_now() {
    let at = time(NOON);
    let mut desk = Desk::new(&[("r.rhai", rule("audience: [\"vip\", \"dining-lover\"]"))]);
    let segments =
        |add: &[&str], remove: &[&str]| json!({"segments": {"add": add, "remove": remove}});
    let steps = [
        (segments(&[], &[]), Verdict::Audience),
        (segments(&["student"], &[]), Verdict::Audience),
        (segments(&["dining-lover"], &[]), Verdict::Sent),
        (segments(&["vip"], &["dining-lover"]), Verdict::Sent),
        (segments(&[], &["vip"]), Verdict::Audience),
    ];
    for (minute, (change, expected)) in (0..).zip(steps) {
        let at = at + minute * MINUTE;
        desk.step(&profile(&format!("p{minute}"), "C1", at, change));
        assert_eq!(
            desk.verdict("r", &checkout(&format!("c{minute}"), "C1", at)),
            expected,
            "{minute}"
        );
    }
}

/// Customer, rule, time, and what becomes of the rule.
const SCHEDULED: &[(&str, &str, &str, Verdict)] = &[
    // Nobody says where C1 lives: the default, Shanghai.
    ("C1", "hours", "2026-11-22T10:00:00+08:00", Verdict::Sent),
    (
        "C1",
        "hours",
        "2026-11-22T09:59:59.999+08:00",
        Verdict::Schedule,
    ),
    (
        "C1",
        "hours",
        "2026-11-22T21:59:59.999+08:00",
        Verdict::Sent,
    ),
    (
        "C1",
        "hours",
        "2026-11-22T22:00:00+08:00",
        Verdict::Schedule,
    ),
    ("C1", "night", "2026-11-22T22:00:00+08:00", Verdict::Sent),
    (
        "C1",
        "night",
        "2026-11-23T05:59:59.999+08:00",
        Verdict::Sent,
    ),
    (
        "C1",
        "night",
        "2026-11-23T06:00:00+08:00",
        Verdict::Schedule,
    ),
    (
        "C1",
        "days",
        "2026-11-22T23:59:59.999+08:00",
        Verdict::Schedule,
    ),
    ("C1", "days", "2026-11-23T00:00:00+08:00", Verdict::Sent),
    (
        "C1",
        "dates",
        "2026-10-31T23:59:59.999+08:00",
        Verdict::Schedule,
    ),
    ("C1", "dates", "2026-11-01T00:00:00+08:00", Verdict::Sent),
    (
        "C1",
        "dates",
        "2026-12-31T23:59:59.999+08:00",
        Verdict::Sent,
    ),
    (
        "C1",
        "dates",
        "2027-01-01T00:00:00+08:00",
        Verdict::Schedule,
    ),
    ("NY", "hours", "2026-11-22T10:00:00+08:00", Verdict::Sent),
    (
        "NY",
        "hours",
        "2026-11-22T12:00:00+08:00",
        Verdict::Schedule,
    ),
    ("NY", "hours", "2026-11-22T10:00:00-05:00", Verdict::Sent),
    // Summer time: four hours behind UTC, not five.
    ("NY", "hours", "2026-07-01T14:00:00Z", Verdict::Sent),
    ("NY", "hours", "2026-07-01T13:59:59Z", Verdict::Schedule),
    ("NY", "days", "2026-11-23T04:59:59Z", Verdict::Schedule),
    ("NY", "days", "2026-11-23T05:00:00Z", Verdict::Sent),
];

#[test]
fn schedules_are_kept_in_the_customers_own_time_zone() {
    let mut desk = Desk::new(&[
        ("days.rhai", rule("days: \"mon-fri\"")),
        (
            "dates.rhai",
            rule("starts: \"2026-11-01\", ends: \"2027-01-01\""),
        ),
        ("hours.rhai", rule("hours: \"10:00-22:00\"")),
        ("night.rhai", rule("hours: \"22:00-06:00\"")),
    ]);
    let zone = json!({"time_zone": "America/New_York"});
    desk.step(&profile("p", "NY", time("2026-01-01T00:00:00Z"), zone));
    for (number, (customer, rule, at, expected)) in SCHEDULED.iter().enumerate() {
        let id = format!("c{number}");
        assert_eq!(
            desk.verdict(rule, &checkout(&id, customer, time(at))),
            *expected,
            "{customer} {rule} {at}"
        );
    }
}

#[test]
fn the_schedule_follows_policy_time_and_freshness_the_wall_clock() {
    let mut desk = Desk::new(&[("r.rhai", rule("hours: \"10:00-22:00\", fresh: \"90s\""))]);
    let happened = time(NOON) - SECOND;
    let mut input = desk.input(&checkout("1", "C1", happened));
    // Stored a second later, when the hours had begun.
    input.stored_at = time(NOON);
    let output = desk
        .partition
        .step(&[input], happened + 90 * SECOND, &desk.rules);
    assert_eq!(verdict(&output, "r"), Verdict::Sent);
    assert_eq!(output.decisions().next().unwrap().policy_time, time(NOON));
    assert_eq!(
        output.decisions().next().unwrap().decided_at,
        happened + 90 * SECOND
    );
    let at = time(NOON) + MINUTE;
    let output = step_at(&mut desk, "2", at, at + 90 * SECOND + 1);
    assert_eq!(verdict(&output, "r"), Verdict::Stale);
    let output = step_at(&mut desk, "3", at, at - 5 * SECOND);
    assert_eq!(
        verdict(&output, "r"),
        Verdict::Sent,
        "a producer's clock that goes fast is fresh"
    );
}

#[test]
fn the_first_channel_that_the_customer_allows_is_taken_and_else_the_first_reason_told() {
    let mut desk = Desk::new(&[("r.rhai", rule("channels: [\"push\", \"im\", \"sms\"]"))]);
    let cases = [
        (json!({}), Ok("push")),
        (json!({"consents": {"push": false}}), Ok("im")),
        (json!({"reachable": {"push": false, "im": true}}), Ok("im")),
        (
            json!({"consents": {"push": false}, "reachable": {"im": false}}),
            Ok("sms"),
        ),
        (
            json!({"consents": {"push": false, "im": false, "sms": false}}),
            Err(Verdict::Consent),
        ),
        (
            json!({"reachable": {"push": false}, "consents": {"im": false, "sms": false}}),
            Err(Verdict::Unreachable),
        ),
        (
            json!({"consents": {"push": false}, "reachable": {"im": false, "sms": false}}),
            Err(Verdict::Consent),
        ),
        (
            json!({"consents": {"push": true}, "reachable": {"push": false}}),
            Ok("im"),
        ),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let customer = format!("C{number}");
        desk.step(&profile("p", &customer, time(NOON), change.clone()));
        let output = desk.step(&checkout("1", &customer, time(NOON)));
        let decided = output
            .decisions()
            .next()
            .map(|d| &*d.channel)
            .ok_or_else(|| verdict(&output, "r"));
        assert_eq!(decided, expected, "{change}");
    }
}

fn terms(name: &str, holdout: u8, rollout: u8, variants: &[(&str, u32)]) -> Terms {
    Terms {
        holdout: Percent::whole(holdout),
        rollout: Percent::whole(rollout),
        variants: variants
            .iter()
            .map(|(name, weight)| ((*name).into(), *weight))
            .collect(),
        ..Terms::new(name)
    }
}

const CUSTOMERS: u32 = 50_000;

/// The part of 50,000 customers for whom something holds.
fn share(holds: impl Fn(&CustomerId) -> bool) -> f64 {
    let customers = (0..CUSTOMERS).map(|n| CustomerId::new(&format!("C{n}")).unwrap());
    let count = customers.filter(|customer| holds(customer)).count();
    f64::from(u32::try_from(count).unwrap()) / f64::from(CUSTOMERS)
}

#[track_caller]
fn near(share: f64, expected: f64) {
    assert!(
        (share - expected).abs() < 0.01,
        "{share} instead of {expected}"
    );
}

#[test]
fn holdout_rollout_and_variants_have_their_shares() {
    for percent in [0, 1, 10, 50, 99, 100] {
        let terms = terms("r", percent, percent, &[("default", 1)]);
        near(
            share(|c| policy::is_held_out(&terms, c)),
            f64::from(percent) / 100.0,
        );
        near(
            share(|c| policy::is_rolled_out(&terms, c)),
            f64::from(percent) / 100.0,
        );
    }
    let none = terms("r", 0, 0, &[("default", 1)]);
    assert_eq!(
        share(|c| policy::is_held_out(&none, c) || policy::is_rolled_out(&none, c)).to_bits(),
        0
    );
    let uneven = terms("r", 0, 100, &[("a", 1), ("b", 0), ("c", 3), ("d", 6)]);
    for (variant, expected) in [("a", 0.1), ("b", 0.0), ("c", 0.3), ("d", 0.6)] {
        near(share(|c| policy::variant(&uneven, c) == variant), expected);
    }
}

#[test]
fn draws_of_one_rule_and_of_different_rules_are_independent() {
    let variants = [("a", 50), ("b", 50)];
    let one = terms("one", 20, 50, &variants);
    let two = terms("two", 20, 50, &variants);
    near(
        share(|c| policy::is_held_out(&one, c) && policy::is_held_out(&two, c)),
        0.04,
    );
    near(
        share(|c| policy::is_rolled_out(&one, c) && policy::is_rolled_out(&two, c)),
        0.25,
    );
    near(
        share(|c| policy::variant(&one, c) == "a" && policy::variant(&two, c) == "a"),
        0.25,
    );
    near(
        share(|c| policy::is_held_out(&one, c) && policy::variant(&one, c) == "a"),
        0.1,
    );
    near(
        share(|c| policy::is_held_out(&one, c) && policy::is_rolled_out(&one, c)),
        0.1,
    );
    near(
        share(|c| policy::is_rolled_out(&one, c) && policy::variant(&one, c) == "a"),
        0.25,
    );
}

#[test]
fn a_wider_rollout_keeps_everybody_of_the_narrower_one() {
    let (narrow, wide) = (
        terms("r", 0, 10, &[("default", 1)]),
        terms("r", 0, 30, &[("default", 1)]),
    );
    near(
        share(|c| policy::is_rolled_out(&narrow, c) && policy::is_rolled_out(&wide, c)),
        0.1,
    );
    let lost = share(|c| policy::is_rolled_out(&narrow, c) && !policy::is_rolled_out(&wide, c));
    assert_eq!(lost.to_bits(), 0);
}

#[test]
fn a_decisions_id_depends_on_customer_trigger_rule_and_step_alone() {
    let id = |customer: &str, source: &str, event: &str, rule: &str, step| {
        decision_id(
            &CustomerId::new(customer).unwrap(),
            source,
            event,
            rule,
            step,
        )
        .to_string()
    };
    // Ids are on disk and with adapters: this value may never change.
    let known = id("C1001", "till-9", "co-17", "win-the-payment/dining", 0);
    assert_eq!(known, "c8d16282e88fc93754e88faf5d418b74");
    let others = [
        id("C1002", "till-9", "co-17", "win-the-payment/dining", 0),
        id("C1001", "till-8", "co-17", "win-the-payment/dining", 0),
        id("C1001", "till-9", "co-18", "win-the-payment/dining", 0),
        id("C1001", "till-9", "co-17", "win-the-payment/other", 0),
        id("C1001", "till-9", "co-17", "win-the-payment/dining", 1),
        // Bytes moved from one part to its neighbour.
        id("C1001", "till-9c", "o-17", "win-the-payment/dining", 0),
        id("C1001t", "ill-9", "co-17", "win-the-payment/dining", 0),
    ];
    assert!(others.iter().all(|other| *other != known));

    let first = Desk::new(&[("r.rhai", rule(""))]).step(&checkout("1", "C1", time(NOON)));
    let changed = Desk::new(&[("r.rhai", rule("priority: 7")), ("s.rhai", rule(""))]);
    let again = { changed }.step(&checkout("1", "C1", time(NOON)));
    let of_r = again.decisions().find(|d| &*d.rule == "r").unwrap();
    assert_eq!(first.decisions().next().unwrap().id, of_r.id);
    assert_ne!(
        first.decisions().next().unwrap().generation,
        of_r.generation
    );
}

#[test]
fn an_event_seen_before_yields_nothing_whatever_else_it_says_now() {
    let at = time(NOON);
    let mut desk = Desk::new(&[("r.rhai", rule(""))]);
    let first = desk.input(&checkout("1", "C1", at));
    let mut changed = checkout("1", "C1", at + MINUTE);
    changed["data"]["amount"] = json!("999.00");
    let again = desk.input(&changed);
    let output = desk
        .partition
        .step(&[first.clone(), first.clone(), again], at, &desk.rules);
    assert_eq!((output.decisions().count(), output.duplicates), (1, 2));
    let output = desk.partition.step(&[first], at, &desk.rules);
    assert_eq!((output.decisions().count(), output.duplicates), (0, 1));
    assert!(output.verdicts.is_empty());
    let mut elsewhere = checkout("1", "C1", at);
    elsewhere["source"] = json!("another till");
    assert_eq!(
        desk.step(&elsewhere).decisions().count(),
        1,
        "ids are unique within a source only"
    );
}

#[test]
fn an_event_beyond_the_journals_horizon_changes_nothing_at_all() {
    let at = time(NOON);
    let mut desk = Desk::new(&[("r.rhai", rule("fresh: \"1000d\""))]);
    desk.step(&profile(
        "new",
        "C1",
        at,
        json!({"attributes": {"tier": "gold"}}),
    ));
    let before = desk.customers.get("C1").unwrap();
    let old = at - 500 * DAY;
    let movement = json!({"account": "A-1", "direction": "in", "amount": "1", "currency": "CNY", "balance": "77"});
    for event in [
        profile(
            "old",
            "C1",
            old,
            json!({"attributes": {"city": "Xi'an"}, "consents": {"push": false}}),
        ),
        event("account.movement", "old-2", "C1", old, movement),
        checkout("old-3", "C1", old),
    ] {
        let output = desk.step(&event);
        assert_eq!(output.rejected.len(), 1);
        assert!(output.entries.is_empty());
    }
    let after = desk.customers.get("C1").unwrap();
    assert_eq!(after.profile, before.profile);
    assert_eq!(after.balance(), before.balance());
    assert_eq!(after.journal.entries(), before.journal.entries());
}

#[test]
fn a_restart_folds_the_log_and_honours_what_was_decided() {
    let at = time(NOON);
    let files = [
        ("cool.rhai", rule("cooldown: \"1d\"")),
        ("capped.rhai", rule("cap: \"2 per 1d\"")),
    ];
    let asks = rule_when(
        "",
        "customer.offers(\"cool\", \"1h\") == 1 && customer.offers(\"capped\", \"1h\") == 2",
    );
    let mut desk = Desk::new(&[files[0].clone(), files[1].clone(), ("z-asks.rhai", asks)]);
    let events = [checkout("1", "C1", at), checkout("2", "C1", at + MINUTE)];
    let decisions: Vec<_> = events
        .iter()
        .flat_map(|event| desk.step(event).entries)
        .collect();
    assert_eq!(decisions.len(), 3);

    let mut desk = desk.restarted();
    for event in &events {
        let input = desk.input(event);
        let folded = desk.partition.fold(&input);
        assert!(folded.entries.is_empty() && folded.verdicts.is_empty());
    }
    for entry in decisions.iter().chain(&decisions) {
        desk.partition.fold_logged(&entry.logged());
    }
    let output = desk.step(&checkout("3", "C1", at + 2 * MINUTE));
    assert_eq!(verdict(&output, "cool"), Verdict::Cooldown);
    assert_eq!(verdict(&output, "capped"), Verdict::Cap);
    assert_eq!(
        verdict(&output, "z-asks"),
        Verdict::Sent,
        "folding a decision twice counts once"
    );
    assert_eq!(
        desk.step(&events[0]).duplicates,
        1,
        "folded events are known"
    );
}

#[test]
fn a_run_that_stopped_midway_of_an_event_goes_on_with_what_is_missing() {
    let at = time(NOON);
    let files = [
        (
            "a-group.rhai",
            rule("group: \"g\", priority: 90, cooldown: \"1d\""),
        ),
        ("b-group.rhai", rule("group: \"g\"")),
        ("c-alone.rhai", rule("cooldown: \"1d\"")),
    ];
    let mut desk = Desk::new(&files);
    let first = desk.step(&checkout("1", "C1", at));
    assert_eq!(winners(&first), ["a-group", "c-alone"]);
    for written in 0..=2 {
        desk = desk.restarted();
        for entry in &first.entries[..written] {
            desk.partition.fold_logged(&entry.logged());
        }
        let mut input = desk.input(&checkout("1", "C1", at));
        input.already = u32::try_from(written).unwrap();
        let again = desk.partition.step(&[input], at, &desk.rules);
        assert_eq!(
            winners(&again),
            winners(&first)[written..],
            "{written} written"
        );
        for (again, first) in again.decisions().zip(first.decisions().skip(written)) {
            assert_eq!(again.id, first.id);
            assert_eq!(again.part, first.part, "{written} written");
        }
    }
}
