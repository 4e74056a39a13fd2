//! Rules whose tests fail do not go live: a running engine keeps the last good generation, and says
//! why.

use crate::kit::{self, Engine, Folder, Nats};
use onscene::nats::EventPublisher;
use onscene::registry::{Demands, RuleRegistry};
use onscene::rule_tests::Environment;
use onscene::rules::Sources;
use onscene::telemetry::Metrics;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

fn test_file(verdict: &str, code: &str) -> String {
    format!(
        "[[test]]\nname = \"whoever paid is answered\"\n\
         event = {{ type = \"merchant.checkout\", data = {{ stage = \"paid\", amount = \"100\", currency = \"CNY\", merchant = {{ id = \"M1\" }} }} }}\n\
         expect = {{ verdict = \"{verdict}\", body = {{ code = \"{code}\" }} }}\n"
    )
}

fn rules_page(engine: &Engine) -> Value {
    let page = engine.get("/api/rules");
    serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// The code that a checkout is answered with now.
async fn answer(publisher: &EventPublisher, url: &str, id: &str) -> String {
    let before = kit::actions(url).await.len();
    kit::publish(publisher, id, "C1").await;
    let actions = kit::wait_actions(url, before + 1).await;
    actions.last().unwrap().event["data"]["body"]["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_whose_tests_fail_are_not_swapped_in_and_it_is_shown_why() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    kit::save(rules.path(), "answer.test.toml", &test_file("sent", "ONE"));
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    assert_eq!(answer(&publisher, &nats.url(), "e1").await, "ONE");

    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("TWO"));
    kit::eventually("refused", || rules_page(&engine)["state"] == "faulty");
    assert_eq!(answer(&publisher, &nats.url(), "e2").await, "ONE");
    let fault = &rules_page(&engine)["error"]["faults"][0];
    assert_eq!(
        (&fault["file"], &fault["line"]),
        (&"answer.test.toml".into(), &4.into())
    );
    let message = fault["message"].as_str().unwrap();
    assert!(
        message.contains("`body.code` should be \"ONE\" and is \"TWO\""),
        "{message}"
    );
    assert!((engine.metric("onscene_rules_faulty") - 1.0).abs() < 0.5);
    let refused = "onscene_rule_reloads_total{result=\"refused\"}";
    assert!((engine.metric(refused) - 1.0).abs() < 0.5);
    assert!(engine.log().contains("rules refused"), "{}", engine.log());

    // The tests follow: what they were saved for goes live by their save.
    kit::save(rules.path(), "answer.test.toml", &test_file("sent", "TWO"));
    kit::eventually("live", || rules_page(&engine)["state"] == "live");
    assert_eq!(answer(&publisher, &nats.url(), "e3").await, "TWO");

    // Tests that fail for what is live are shown as well, and stay so until they are mended.
    kit::save(
        rules.path(),
        "answer.test.toml",
        &test_file("sent", "THREE"),
    );
    kit::eventually("shown", || rules_page(&engine)["state"] == "faulty");
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!(rules_page(&engine)["state"], "faulty");
    kit::save(rules.path(), "answer.test.toml", &test_file("sent", "TWO"));
    kit::eventually("mended", || rules_page(&engine)["state"] == "live");
    let swapped = "onscene_rule_reloads_total{result=\"swapped\"}";
    assert!((engine.metric(swapped) - 1.0).abs() < 0.5);

    // A rule that is taken out goes at once, whether or not its tests were thought of.
    kit::save(rules.path(), "other.rhai", &kit::answering_rule("OTHER"));
    kit::eventually("there", || {
        rules_page(&engine)["rules"].as_array().unwrap().len() == 2
    });
    std::fs::remove_file(rules.path().join("answer.rhai")).unwrap();
    kit::eventually("gone", || {
        rules_page(&engine)["rules"].as_array().unwrap().len() == 1
    });
    assert_eq!(answer(&publisher, &nats.url(), "e4").await, "OTHER");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_does_not_start_with_rules_whose_tests_fail_unless_it_is_told_to() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    kit::save(rules.path(), "answer.test.toml", &test_file("sent", "TWO"));
    let mut engine = Engine::spawn(&nats.url(), rules.path(), &[]);
    assert_eq!(engine.wait().code(), Some(1));
    let log = engine.log();
    assert!(
        log.contains("the test \"whoever paid is answered\" fails"),
        "{log}"
    );

    let setting = [("ONSCENE_RULES_REQUIRE_TESTS_PASS", "false")];
    let engine = Engine::spawn(&nats.url(), rules.path(), &setting);
    engine.wait_ready();
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    assert_eq!(answer(&publisher, &nats.url(), "e1").await, "ONE");
}

#[test]
fn the_rules_we_ship_go_live_by_a_save_and_only_what_it_concerns_is_tested_again() {
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules");
    let sources = Sources::read(&shipped).unwrap();
    let folder = Folder::new();
    let files = (sources.rules.iter())
        .chain(&sources.library)
        .chain(&sources.tests)
        .chain(&sources.schema)
        .chain(&sources.policy);
    for file in files {
        let path = folder.path().join(&*file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &*file.text).unwrap();
    }
    let demands = Demands {
        tests: Some(Environment::default()),
        plain: false,
    };
    let registry = RuleRegistry::open(folder.path(), Arc::new(Metrics::new()), demands).unwrap();
    for (what, file) in [
        ("one rule", &sources.rules[0]),
        ("a shared file", &sources.library[0]),
    ] {
        kit::save(
            folder.path(),
            &file.path,
            &format!("{}\n// Saved again.\n", file.text),
        );
        let started = Instant::now();
        assert!(registry.reload(), "{:?}", registry.fault());
        println!(
            "{what} saved: read, checked, tested and swapped in {:?}",
            started.elapsed()
        );
    }
    // A test that is saved is run, though no rule changed.
    let test = &sources.tests[0];
    kit::save(
        folder.path(),
        &test.path,
        &test.text.replace("\"condition\"", "\"cap\""),
    );
    assert!(!registry.reload());
    assert!(registry.fault().is_some());
}
