//! The producers' examples do what the README says: each publishes, and a producer that is not ours gets
//! its action.

use crate::kit::{Engine, Nats};
use std::path::{Path, PathBuf};
use std::process::Command;

mod producer {
    include!("../examples/producer.rs");

    pub(super) async fn publish(url: &str, id: &str) -> Result<u64, async_nats::Error> {
        let data = serde_json::json!({
            "stage": "started", "amount": "128.50", "currency": "CNY", "tender": "other_bank",
            "merchant": { "id": "M7", "category": "dining", "partner": true },
        });
        checkout(url, id, "C1", data).await
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples")
}

/// Runs a script of the examples' folder against a fresh broker and a fresh engine, and returns what it says.
async fn run(script: &str, more: &[&str]) -> String {
    let nats = Nats::start().await;
    let _engine = Engine::start(&nats.url(), &folder().join("rules"));
    let output = Command::new("python3")
        .arg(folder().join(script))
        .args(["--nats", &nats.url()])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // What was skipped is to be seen by whoever runs the tests with their output.
    println!("{said}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_publish_events_that_are_stored() {
    let said = run("run.py", &[]).await;
    assert!(said.contains("ok       Python"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_is_not_ours_gets_one_action_and_exactly_the_promised_one() {
    let rules = folder().join("rules");
    let onscene = env!("CARGO_BIN_EXE_onscene");
    let more = ["--onscene", onscene, "--rules", rules.to_str().unwrap()];
    let said = run("must_show_2.py", &more).await;
    assert!(said.starts_with("ok: one action"), "{said}");
}

#[tokio::test]
async fn the_rust_example_publishes_an_event_that_is_stored() {
    let nats = Nats::with_streams(16).await;
    assert_eq!(producer::publish(&nats.url(), "co-17").await.unwrap(), 1);
    assert_eq!(producer::publish(&nats.url(), "co-18").await.unwrap(), 2);
}
