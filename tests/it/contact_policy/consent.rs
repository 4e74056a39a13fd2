//! Consent and exclusions.

use super::desk;
use crate::kit::Desk;
use crate::kit::desk::{NOON, checkout, profile, rule, time};
use onscene::action::Verdict;
use onscene::clock::{HOUR, MINUTE};
use serde_json::{Value, json};

/// What becomes of a rule for a customer with a profile.
fn verdict(policy: &str, terms: &str, data: Value) -> Verdict {
    let mut desk = desk(policy, &[("r.rhai", rule(terms))]);
    desk.step(&profile("p", "C1", time(NOON) - HOUR, data));
    desk.verdict("r", &checkout("1", "C1", time(NOON)))
}

#[test]
fn a_channel_that_the_profile_does_not_mention_is_as_the_policy_says() {
    let refuse = "[consent]\ndefault = \"refuse\"\n";
    let says = |policy, consents| verdict(policy, "", json!({ "consents": consents }));
    assert_eq!(says(refuse, json!({})), Verdict::Consent);
    assert_eq!(says(refuse, json!({"sms": true})), Verdict::Consent);
    assert_eq!(says(refuse, json!({"push": true})), Verdict::Sent);
    let allow = "[consent]\ndefault = \"allow\"\n";
    assert_eq!(says(allow, json!({})), Verdict::Sent);
    assert_eq!(says(allow, json!({"push": false})), Verdict::Consent);
    // Somebody of whom nothing is known has not consented either.
    let mut desk = desk(refuse, &[("r.rhai", rule(""))]);
    assert_eq!(
        desk.verdict("r", &checkout("1", "C9", time(NOON))),
        Verdict::Consent
    );
}

#[test]
fn a_purpose_needs_a_consent_of_its_own() {
    let policy = "[consent]\ndefault = \"allow\"\n[consent.purposes]\ncredit = \"refuse\"\n";
    let terms = "purpose: \"credit\"";
    let says = |consents| verdict(policy, terms, json!({ "consents": consents }));
    assert_eq!(says(json!({})), Verdict::Consent);
    assert_eq!(says(json!({"purpose:credit": true})), Verdict::Sent);
    assert_eq!(
        says(json!({"purpose:credit": true, "push": false})),
        Verdict::Consent
    );
    // A purpose that is not named is as channels are.
    let other = |policy| {
        verdict(
            policy,
            "purpose: \"service\"",
            json!({"consents": {"push": true}}),
        )
    };
    assert_eq!(other(policy), Verdict::Sent);
    assert_eq!(other("[consent]\ndefault = \"refuse\"\n"), Verdict::Consent);
}

fn excluded(policy: &str) -> Desk {
    let schema = "[attributes]\ndnd = \"boolean\"\n";
    Desk::new(&[
        ("policy.toml", policy.to_owned()),
        ("schema.toml", schema.to_owned()),
        ("lists/mourning.txt", "# by hand\nC7\n\nC8\n".to_owned()),
        ("r.rhai", rule("")),
    ])
}

#[test]
fn nothing_is_said_to_those_who_are_excluded() {
    let policy = "[consent]\ndefault = \"refuse\"\n[exclusions]\nsegments = [\"complaint\"]\nattributes = [\"dnd\"]\nlists = [\"mourning\"]\n";
    let mut desk = excluded(policy);
    let at = time(NOON);
    let excluded = [
        ("C1", json!({"segments": {"add": ["complaint"]}})),
        ("C2", json!({"attributes": {"dnd": true}})),
        ("C7", json!({})),
    ];
    for (customer, data) in excluded {
        desk.step(&profile(
            &format!("p-{customer}"),
            customer,
            at - HOUR,
            data,
        ));
        // It comes before consent, which nobody gave.
        assert_eq!(
            desk.verdict("r", &checkout(customer, customer, at)),
            Verdict::Excluded
        );
    }
    let data = json!({"attributes": {"dnd": false}, "consents": {"push": true}});
    desk.step(&profile("p2", "C2", at + MINUTE, data));
    assert_eq!(
        desk.verdict("r", &checkout("2", "C2", at + MINUTE)),
        Verdict::Sent
    );
}

#[test]
fn channels_are_tried_in_the_order_of_the_policy_those_that_reach_first() {
    let policy = "[channels]\norder = [\"im\", \"push\"]\nprefer_reachable = true\n";
    let first = |reachable: Value| {
        let mut desk = desk(
            policy,
            &[("r.rhai", rule("channels: [\"sms\", \"push\", \"im\"]"))],
        );
        desk.step(&profile(
            "p",
            "C1",
            time(NOON) - HOUR,
            json!({ "reachable": reachable }),
        ));
        let output = desk.step(&checkout("1", "C1", time(NOON)));
        let said = output.decisions().next().unwrap();
        format!("{} {}", said.channel, said.channels_left.join(" "))
    };
    assert_eq!(first(json!({})), "im push sms");
    assert_eq!(first(json!({"sms": true})), "sms im push");
    assert_eq!(first(json!({"im": false, "push": true})), "push sms");
}
