//! `/metrics` keeps to the Prometheus conventions, as Prometheus' own tool sees it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use onscene::nats::EventPublisher;

use crate::kit::{self, Engine, Folder, Nats};

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_no_fault_with_the_metrics() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("A"));
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 16);
    kit::publish(&publisher, "one", "C1").await;
    kit::wait_actions(&nats.url(), 1).await;
    let page = engine.get("/metrics");
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("text/plain"), "{head}");
    assert!(body.contains("onscene_event_to_action_seconds_count 1"));
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        println!("SKIPPED: promtool is not on the PATH; it comes with Debian's package prometheus");
        return;
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(body.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
