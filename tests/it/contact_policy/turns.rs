//! How many may speak at one event, and who of them.

use super::desk;
use crate::kit::desk::{NOON, checkout, rule, time, winners};
use onscene::action::Verdict;

/// Four rules, of which two share a group.
fn rules() -> [(&'static str, String); 4] {
    [
        ("a.rhai", rule("priority: 10")),
        ("b.rhai", rule("priority: 90, group: \"g\"")),
        ("c.rhai", rule("priority: 80, group: \"g\"")),
        ("d.rhai", rule("priority: 10")),
    ]
}

#[test]
fn at_most_so_many_speak_at_one_event_the_best_first_and_each_loser_knows_who_won() {
    let policy = "[arbitration]\nper_event = 2\n";
    let mut desk = desk(policy, &rules());
    let output = desk.step(&checkout("1", "C1", time(NOON)));
    assert_eq!(winners(&output), ["b", "a"]);
    let lost: Vec<(&str, &str)> = (output.silenced.iter())
        .filter(|silenced| silenced.verdict == Verdict::Arbitration)
        .map(|silenced| (&*silenced.rule, silenced.winner.as_deref().unwrap()))
        .collect();
    assert_eq!(lost, [("c", "b"), ("d", "b")]);
}

#[test]
fn without_the_limit_only_groups_hold() {
    let mut desk = desk("", &rules());
    let output = desk.step(&checkout("1", "C1", time(NOON)));
    assert_eq!(winners(&output), ["b", "a", "d"]);
}

#[test]
fn one_that_policy_stops_leaves_its_turn_to_the_next() {
    let policy = "[arbitration]\nper_event = 1\n[[cap]]\ncount = 1\nper = \"day\"\nrule = \"b\"\n";
    let mut desk = desk(policy, &rules());
    assert_eq!(winners(&desk.step(&checkout("1", "C1", time(NOON)))), ["b"]);
    assert_eq!(
        winners(&desk.step(&checkout("2", "C1", time(NOON) + 1))),
        ["c"]
    );
}

#[test]
fn a_scarce_budget_goes_to_the_best_proposal_of_a_broadcast_and_is_not_held_for_those_that_lose() {
    let schema = "[events.\"broadcast.goal\"]\nteam = \"text\"\n";
    let goal = |priority: u32| {
        format!(
            "const RULE = #{{ on: \"broadcast.goal\", channels: [\"push\"], priority: {priority}, budget: #{{ total: 5 }} }};\n\
             fn when(event, customer) {{ true }}\n\
             fn action(event, customer) {{ #{{ kind: \"offer\", code: \"GOAL\", cost: 5 }} }}\n"
        )
    };
    let mut desk = crate::kit::Desk::new(&[
        ("policy.toml", "[arbitration]\nper_event = 1\n".to_owned()),
        ("schema.toml", schema.to_owned()),
        ("a.rhai", goal(10)),
        ("b.rhai", goal(90)),
    ]);
    for customer in ["C1", "C2"] {
        desk.step(&checkout(customer, customer, time(NOON)));
    }
    let mut event = crate::kit::desk::event(
        "broadcast.goal",
        "g",
        "C1",
        time(NOON) + 1,
        serde_json::json!({"team": "x"}),
    );
    event.as_object_mut().unwrap().remove("subject");
    desk.step(&event);
    let output = desk.sweep(time(NOON) + 1);
    let mut said: Vec<(String, String)> = (output.decisions())
        .map(|said| (said.rule.to_string(), said.customer.as_str().to_owned()))
        .collect();
    said.sort();
    // One customer gets the better one; the other's turn is free for what is left.
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!((&*said[0].0, &*said[1].0), ("a", "b"));
    assert_ne!(said[0].1, said[1].1);
}
