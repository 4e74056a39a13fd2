//! One command back to a past generation.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Duration;

use onscene::rules::Sources;

use super::load::{Load, Logged, rate, wait_answers};
use crate::kit::{self, Engine, Folder, Nats};

fn rollback(nats: &Nats, arguments: &[&str]) -> Output {
    let signed = ["--by", "Li Na", "--reason", "wrong offers"];
    kit::onscene()
        .args(["rollback", "--nats", &nats.url()])
        .args(arguments)
        .args(signed)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(error)
    )
}

fn generation(rules: &Folder) -> String {
    Sources::read(rules.path())
        .unwrap()
        .generation()
        .to_string()
}

fn code(action: &Logged) -> &str {
    action.payload["data"]["body"]["code"].as_str().unwrap()
}

fn state(engine: &Engine) -> serde_json::Value {
    let page = engine.get("/api/rules");
    serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Must-show of governance: nothing is lost when rules are rolled back under load.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_under_load_answers_every_event_once_and_only_a_release_ends_it() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    let first = generation(&rules);
    let engine = Engine::start(&nats.url(), rules.path());
    let load = Load::start(&nats, rate()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("TWO"));
    kit::eventually("the second is live", || {
        state(&engine)["generation"] != *first
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let back = rollback(&nats, &[]);
    assert!(back.status.success(), "{}", text(&back));
    assert!(text(&back).contains(&first), "{}", text(&back));
    println!("result: {}", text(&back).trim());
    assert_eq!(state(&engine)["generation"], *first);
    assert_eq!(state(&engine)["state"], "pinned");
    assert_eq!(state(&engine)["pinned"]["by"], "Li Na");
    assert!(engine.metric("onscene_rules_pinned") > 0.5);
    // The folder's changes are looked at, and do not go live.
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("THREE"));
    engine.wait_log("another generation is pinned and stays live");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(state(&engine)["generation"], *first);
    assert_eq!(state(&engine)["pinned"]["folder"], *generation(&rules));
    let released = rollback(&nats, &["--release"]);
    assert!(released.status.success(), "{}", text(&released));
    assert_eq!(state(&engine)["generation"], *generation(&rules));
    assert_eq!(state(&engine)["state"], "live");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let count = load.stop().await;
    let log = wait_answers(&nats, "answer", count).await;
    let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut codes: Vec<&str> = Vec::new();
    for action in log.iter().filter(|logged| logged.is_action()) {
        *answers.entry(action.trigger()).or_default() += 1;
        if action.partition == 0 && codes.last() != Some(&code(action)) {
            codes.push(code(action));
        }
    }
    assert_eq!(answers.len(), count, "every event is answered");
    assert!(answers.values().all(|times| *times == 1), "and once");
    assert_eq!(codes, ["ONE", "TWO", "ONE", "THREE"]);
    println!(
        "result: {count} events at {}/s through a change, a rollback and a release: each answered once",
        rate()
    );
    let again = rollback(&nats, &["--release"]);
    assert!(!again.status.success(), "{}", text(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_starts_while_a_generation_is_pinned_obeys_even_if_its_folder_is_faulty() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    let first = generation(&rules);
    let mut engine = Engine::start(&nats.url(), rules.path());
    let back = rollback(&nats, &[&first]);
    assert!(back.status.success(), "{}", text(&back));
    assert_eq!(engine.terminate().code(), Some(0));
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("TWO"));
    let mut engine = Engine::start(&nats.url(), rules.path());
    assert_eq!(state(&engine)["generation"], *first);
    assert_eq!(engine.terminate().code(), Some(0));
    kit::save(rules.path(), "answer.rhai", "const RULE = 1;");
    let engine = Engine::start(&nats.url(), rules.path());
    assert_eq!(state(&engine)["generation"], *first);
    assert_eq!(state(&engine)["state"], "faulty");
    let unknown = rollback(&nats, &["0123456789abcdef"]);
    assert!(
        text(&unknown).contains("onscene history"),
        "{}",
        text(&unknown)
    );
}
