//! Rules that misbehave, in a running engine: the others decide as ever, and each offender is counted
//! and shown.

use onscene::nats::EventPublisher;

use crate::kit::{self, Engine, Folder, Nats};

/// What each offender does in its condition, and what must be said of it.
const OFFENDERS: [(&str, &str, &str); 4] = [
    ("endless", "let i = 0; loop { i += 1; }", "operations"),
    (
        "growing",
        "let s = \"aaaaaaaa\"; loop { s += s; }",
        "string",
    ),
    ("recursing", "when(event, customer)", "recursion"),
    ("throwing", "throw \"no good\"", "no good"),
];

#[tokio::test(flavor = "multi_thread")]
async fn offenders_are_counted_and_shown_and_the_others_decide_as_ever() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("A"));
    for (name, body, _) in OFFENDERS {
        let text = format!(
            "const RULE = #{{ on: \"merchant.checkout\", channels: [\"push\"] }};\nfn when(event, customer) {{\n    {body}\n}}\nfn action(event, customer) {{ #{{ kind: \"offer\" }} }}\n"
        );
        kit::save(rules.path(), &format!("{name}.rhai"), &text);
    }
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    for number in 0..200 {
        kit::publish(&publisher, &format!("e{number}"), &format!("C{number}")).await;
    }
    let actions = kit::wait_actions(&nats.url(), 200).await;
    assert_eq!(actions.len(), 200);
    assert!(actions.iter().all(|a| a.event["data"]["rule"] == "answer"));
    let page = engine.get("/api/rules");
    let json: serde_json::Value =
        serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap();
    for (name, _, said) in OFFENDERS {
        let shown = json["rules"].as_array().unwrap();
        let rule = shown.iter().find(|rule| rule["name"] == name).unwrap();
        let error = &rule["last_error"];
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
        assert_eq!(error["file"], format!("{name}.rhai"));
        let line = error["line"].as_u64().unwrap();
        assert!(line >= 2, "{error}");
        // Twenty failures put it into quarantine; each partition may have been asking it just then.
        let series = format!(
            "onscene_rule_errors_total{{function=\"when\",line=\"{line}\",rule=\"{name}\"}}"
        );
        let failures = engine.metric(&series);
        assert!((20.0..60.0).contains(&failures), "{series} {failures}");
        let held = format!("onscene_verdicts_total{{rule=\"{name}\",verdict=\"quarantine\"}}");
        assert!((engine.metric(&held) + failures - 200.0).abs() < 0.5);
        assert!(rule["quarantined_until"].is_string(), "{rule}");
        assert!(engine.log().contains(&format!("rule={name}")));
    }
    // Mending the file is the way back; the others stay where they are.
    kit::save(rules.path(), "throwing.rhai", &kit::answering_rule("T"));
    engine.wait_log("rules swapped");
    kit::publish(&publisher, "again", "C1").await;
    let actions = kit::wait_actions(&nats.url(), 202).await;
    assert!(
        actions
            .iter()
            .any(|a| a.event["data"]["rule"] == "throwing")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_quarantine_stays_there_when_the_engine_is_started_again() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("A"));
    let throwing = "const RULE = #{ on: \"merchant.checkout\", channels: [\"push\"] };\nfn when(event, customer) { throw \"no good\" }\nfn action(event, customer) { #{ kind: \"offer\" } }\n";
    kit::save(rules.path(), "throwing.rhai", throwing);
    let mut engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    for number in 0..60 {
        kit::publish(&publisher, &format!("e{number}"), &format!("C{number}")).await;
    }
    kit::wait_actions(&nats.url(), 60).await;
    let quarantined = "onscene_rule_quarantines_total{rule=\"throwing\"}";
    assert!(engine.metric(quarantined) > 0.5);
    engine.kill();
    let engine = Engine::start(&nats.url(), rules.path());
    assert!(engine.get("/api/rules").contains("quarantined_until\":\"2"));
    for number in 60..90 {
        kit::publish(&publisher, &format!("e{number}"), &format!("C{number}")).await;
    }
    kit::wait_actions(&nats.url(), 90).await;
    let asked = "onscene_rule_errors_total{function=\"when\",line=\"2\",rule=\"throwing\"}";
    assert!(engine.metric(asked) < 0.5, "it is not asked again");
    let held = "onscene_verdicts_total{rule=\"throwing\",verdict=\"quarantine\"}";
    assert!(engine.metric(held) > 29.5);
    // Mending the file is the way back.
    kit::save(rules.path(), "throwing.rhai", &kit::answering_rule("T"));
    engine.wait_log("rules swapped");
    kit::publish(&publisher, "again", "C1").await;
    kit::wait_actions(&nats.url(), 92).await;
}
