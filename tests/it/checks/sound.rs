//! Rules that are made at random and are right: nothing is called an error. And files that are made at
//! random and are not: whatever is said lies inside of them.

use super::{lies_in_its_file, options};
use crate::kit::desk::sources;
use onscene::rules::{check, render};
use proptest::prelude::*;

const SCHEMA: &str = r#"
[attributes]
tier = "text"
points = "number"
vip = "boolean"
[words]
category = ["dining", "travel", "groceries"]
segment = ["family", "pensioner"]
[locales]
required = ["en"]
[channels.sms]
needs = ["text"]
[events."bill.due"]
amount = { type = "money", keep = true }
kind = { type = "text", keep = true, words = ["utility", "telecom"] }
"#;

fn window() -> impl Strategy<Value = String> {
    (1u32..400, prop::sample::select(vec!["s", "m", "h", "d"]))
        .prop_map(|(n, unit)| format!("\"{n}{unit}\""))
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(|word| format!("\"{word}\""))
}

fn category() -> impl Strategy<Value = String> {
    word(&["dining", "travel", "groceries"])
}

/// Something that is a number, and can be any of those it is compared with.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("event.amount".to_owned()),
        Just("customer.balance".to_owned()),
        Just("customer.points".to_owned()),
        window().prop_map(|w| format!("customer.spend({w})")),
        (category(), window()).prop_map(|(c, w)| format!("customer.average({c}, {w})")),
        (category(), window()).prop_map(|(c, w)| format!("customer.outflow({c}, {w})")),
        window().prop_map(|w| format!("customer.balance_change({w})")),
        window().prop_map(|w| format!("customer.count(\"merchant.checkout\", {w})")),
        (category(), window()).prop_map(|(c, w)| format!(
            "customer.count(\"merchant.checkout\", {w}, #{{ stage: \"paid\", category: {c} }})"
        )),
        window()
            .prop_map(|w| format!("customer.count(\"bill.due\", {w}, #{{ kind: \"telecom\" }})")),
        window().prop_map(|w| format!("customer.distinct(\"merchant\", {w})")),
        Just("customer.since(\"bill.due\")".to_owned()),
        (1u32..90).prop_map(|n| format!("round(event.amount * 0.{n}, 2)")),
        (1u32..90).prop_map(|n| format!("min(event.amount / {n}, customer.balance)")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec![">=", ">", "<", "<=", "==", "!="]);
    let leaf = prop_oneof![
        (number(), operator, 1u32..1000).prop_map(|(a, op, n)| format!("{a} {op} {n}")),
        (number(), number()).prop_map(|(a, b)| format!("{a} >= {b}")),
        word(&["started", "paid", "abandoned"]).prop_map(|w| format!("event.stage == {w}")),
        category().prop_map(|c| format!("event.merchant.category != {c}")),
        (category(), category())
            .prop_map(|(a, b)| format!("event.merchant.category in [{a}, {b}]")),
        Just("event.merchant.partner == true".to_owned()),
        Just("customer.tier != ()".to_owned()),
        Just("customer.vip == true".to_owned()),
        word(&["gold", "silver"]).prop_map(|w| format!("customer.tier == {w}")),
        word(&["family", "pensioner"]).prop_map(|s| format!("customer.in_segment({s})")),
        window().prop_map(|w| format!("customer.preference({w}) == \"dining\"")),
        Just("!customer.accepted(\"TEN\")".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" || "))),
            inner.clone().prop_map(|part| format!("!({part})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} && {b}")),
        ]
    })
}

fn rule() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("min(round(event.amount * 0.1, 2), 30)".to_owned()),
        Just("if event.amount >= 200 { 12 } else { 5 }".to_owned()),
        Just("event.amount * 15 / 100".to_owned()),
    ];
    (condition(), value, any::<bool>()).prop_map(|(when, value, early)| {
        let guard = if early {
            "    if event.amount < 3 {\n        return false;\n    }\n"
        } else {
            ""
        };
        format!(
            "const RULE = #{{ on: \"merchant.checkout\", channels: [\"push\", \"sms\"], cooldown: \"1d\" }};\n\
             fn when(event, customer) {{\n{guard}    let large = event.amount >= 100;\n    ({when}) || large\n}}\n\
             fn action(event, customer) {{\n    let value = {value};\n    \
             #{{ kind: \"offer\", code: \"TEN\", value: value, expires: \"10m\", \
             text: #{{ en: `¥${{money(value)}} off at ${{event.merchant.name}}` }} }}\n}}\n"
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_sound_rule_has_no_error(text in rule()) {
        let found = check(&sources(&[("schema.toml", SCHEMA), ("rule.rhai", &text)]), options());
        let errors: Vec<_> = found.iter().filter(|found| found.is_error()).cloned().collect();
        prop_assert!(errors.is_empty(), "{}\n{}", text, render(&errors));
        for found in &found {
            lies_in_its_file("rule", found);
        }
    }

    /// A sound rule with a piece cut out or put twice is mostly wrong.
    #[test]
    fn what_is_said_of_a_mangled_rule_lies_in_its_file(
        text in rule(), from in 0usize..600, length in 1usize..40, put in "[\\PC\n\"`{}()&=]{0,6}",
    ) {
        let mut mangled: Vec<char> = text.chars().collect();
        let from = from.min(mangled.len());
        let to = (from + length).min(mangled.len());
        mangled.splice(from..to, put.chars());
        let text: String = mangled.into_iter().collect();
        for found in check(&sources(&[("schema.toml", SCHEMA), ("rule.rhai", &text)]), options()) {
            lies_in_its_file("mangled", &found);
        }
    }
}
