//! Switches over HTTP: nobody changes them unsigned, by accident, or from a page of another site.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use onscene::nats::EventPublisher;
use serde_json::json;

use crate::kit::{self, Engine, Folder, Nats};

/// The status and the body of an answer.
fn post(engine: &Engine, host: &str, headers: &str, body: &str) -> (u16, serde_json::Value) {
    let mut stream = TcpStream::connect(engine.http()).unwrap();
    write!(
        stream,
        "POST /api/switches HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let body = text.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_changed_over_http_by_who_signs_and_by_nobody_else() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "one.rhai", &kit::answering_rule("ONE"));
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let asked = |rule: &str, to: &str| {
        json!({"target": {"rule": rule}, "to": to, "reason": "wrong amount"}).to_string()
    };
    let (by, kind) = (
        "Onscene-By: Li Na\r\n",
        "Content-Type: application/json\r\n",
    );
    let signed = format!("{by}{kind}");
    let here = "127.0.0.1";
    for (host, headers, rule, wanted) in [
        (here, kind, "one", 400),
        (here, by, "one", 415),
        ("evil.example", &*signed, "one", 403),
        (here, &*signed, "oen", 404),
    ] {
        let (status, body) = post(&engine, host, headers, &asked(rule, "paused"));
        assert_eq!(status, wanted, "{host} {headers} {rule}: {body}");
    }
    kit::publish(&publisher, "e1", "C1").await;
    kit::wait_actions(&nats.url(), 1).await;
    let (status, body) = post(&engine, here, &signed, &asked("one", "paused"));
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["obeyed_from"].as_object().unwrap().len(), 16);
    kit::publish(&publisher, "e2", "C1").await;
    let paused = || engine.metric("onscene_verdicts_total{rule=\"one\",verdict=\"paused\"}");
    kit::eventually("the event is decided", || paused() > 0.5);
    assert_eq!(kit::actions(&nats.url()).await.len(), 1);
    let page = engine.get("/api/switches");
    let shown: serde_json::Value =
        serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(shown["switches"]["rules"]["one"]["signed"]["by"], "Li Na");
    assert_eq!(
        shown["log"][0]["change"]["signed"]["reason"],
        "wrong amount"
    );
    let (status, _) = post(&engine, here, &signed, &asked("one", "resumed"));
    assert_eq!(status, 200);
    kit::publish(&publisher, "e3", "C1").await;
    kit::wait_actions(&nats.url(), 2).await;
}
