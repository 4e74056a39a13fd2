//! Reports of an engine that ran against a real server.

use super::trial::{EFFECTS, rules_folder};
use crate::kit::{Engine, Folder, Nats, onscene};
use serde_json::Value;

/// Runs `onscene report` and returns what it wrote.
fn report(nats: &str, more: &[&str]) -> String {
    let mut command = onscene();
    command.args(["report", "--nats", nats, "--rules"]);
    let output = command.arg(rules_folder()).args(more).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_made_from_the_log_and_is_the_same_after_a_restart() {
    let nats = Nats::start().await;
    let url = nats.url();
    let mut engine = Engine::start(&url, &rules_folder());
    let mut simulate = onscene();
    simulate.args([
        "simulate",
        "--nats",
        &url,
        "--seconds",
        "6",
        "--rate",
        "500",
    ]);
    simulate.args(["--customers", "2000", "--seed", "3", "--warmup-days", "0"]);
    for effect in EFFECTS {
        simulate.args(["--trial", effect]);
    }
    assert!(simulate.output().unwrap().status.success());

    let live = engine.get("/api/report?rule=trial/lift");
    assert!(live.starts_with("HTTP/1.1 200"), "{live}");
    let (_, body) = live.split_once("\r\n\r\n").unwrap();
    let body = json(body);
    let told = &body["verdicts_since_start"]["trial/lift"]["sent"];
    let rule = &body["report"]["rules"][0];
    assert_eq!(told, &rule["figures"]["journeys"]["sent"]);
    assert_eq!(rule["scene"], "trial");
    assert!(rule["figures"]["journeys"]["held_out"].as_u64().unwrap() > 20);
    assert!(rule["figures"]["converted"]["sent"].as_u64().unwrap() > 10);
    assert!(rule["figures"]["delivered"].as_u64().unwrap() > 10);
    assert!(rule["figures"]["accepted"].as_u64().unwrap() > 5);
    assert_eq!(rule["sizes"]["mismatch"], false);
    assert!(!rule["attributes"].as_array().unwrap().is_empty());
    assert!(engine.get("/api/report?rul=x").starts_with("HTTP/1.1 400"));
    assert!(
        engine
            .get("/api/report?format=svg")
            .contains("image/svg+xml")
    );

    let first = report(&url, &["--rule", "trial/lift", "--format", "json"]);
    assert_eq!(json(&first), body["report"]);
    assert!(engine.terminate().success());
    assert_eq!(
        report(&url, &["--rule", "trial/lift", "--format", "json"]),
        first
    );

    let folder = Folder::new();
    let picture = folder.path().join("all.svg");
    let table = report(&url, &["--svg", picture.to_str().unwrap()]);
    for rule in ["trial/lift", "trial/none", "trial/harm"] {
        assert!(table.contains(rule), "{table}");
    }
    assert!(
        std::fs::read_to_string(&picture)
            .unwrap()
            .contains("trial/none")
    );
    let before = report(&url, &["--to", "2020-01-01", "--format", "csv"]);
    assert_eq!(before.lines().count(), 1, "nothing was decided then");
}
