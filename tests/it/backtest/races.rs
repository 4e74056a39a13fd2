//! What live was a matter of who came first, tried again: it comes to the same, since the log says who did.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::live::{assert_nothing_differs, wait_decided};
use super::{findings, rule, write};
use crate::kit::{Engine, Folder, Nats, stream_messages};
use onscene::clock::{format_rfc3339, now_ms};
use onscene::nats::EventPublisher;

const CUSTOMERS: u64 = 6_000;
const CHECKOUTS: u64 = 18_000;
/// After each so many checkouts, there is a broadcast.
const GOAL_EVERY: u64 = 2_000;
/// What both rules may spend.
const BUDGET: u64 = 4_000;

/// Its condition depends on the moment at which it is asked.
const GOAL: &str = r#"const RULE = #{
    on: "broadcast.goal", channels: ["push"], fresh: "10m", cap: "2 per 1d", budget: #{ total: 4000 },
};
fn when(event, customer) { customer.count("merchant.checkout", "1d") % 2 == 1 }
fn action(event, customer) { #{ kind: "offer", code: "GOAL", cost: 1 + customer.count("merchant.checkout", "1d") } }
"#;

fn checkout(number: u64) -> (String, Bytes) {
    let customer = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % CUSTOMERS;
    let event = json!({
        "specversion": "1.0", "id": format!("e{number}"), "source": "till", "type": "merchant.checkout",
        "subject": format!("C{customer}"), "time": format_rfc3339(now_ms()),
        "data": {"stage": "paid", "amount": (10 + number % 70).to_string(), "currency": "CNY",
                 "merchant": {"id": "M7", "category": "dining", "partner": true}}
    });
    let subject = format!("scene.events.merchant.checkout.C{customer}");
    (subject, event.to_string().into())
}

fn goal(number: u64) -> (String, Bytes) {
    let event = json!({
        "specversion": "1.0", "id": format!("goal-{number}"), "source": "stadium",
        "type": "broadcast.goal", "time": format_rfc3339(now_ms()), "data": {"team": "home"},
    });
    ("scene.broadcast.goal".to_owned(), event.to_string().into())
}

/// Sends as fast as the server takes it.
async fn send(nats: &Nats) {
    let publisher = EventPublisher::new(&nats.connect().await, 256);
    let mut sent = Vec::new();
    for number in 1..=CHECKOUTS {
        let (subject, event) = checkout(number);
        sent.push(publisher.publish(&subject, &[], event).await.unwrap());
        if number % GOAL_EVERY == 0 {
            let (subject, event) = goal(number);
            sent.push(publisher.publish(&subject, &[], event).await.unwrap());
        }
    }
    for waiting in sent {
        waiting.stored().await.unwrap();
    }
}

fn spent(found: &Value, rule: &str) -> f64 {
    let budgets = found["budgets"].as_array().unwrap();
    let own = budgets.iter().filter(|budget| budget["rule"] == rule);
    own.map(|budget| {
        budget["spent"]["after"]
            .as_str()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    })
    .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_for_a_budget_and_broadcasts_amid_events_come_to_the_same() {
    let nats = Nats::with_streams(4).await;
    let folder = Folder::new();
    let scarce = rule(
        &format!("cooldown: \"1h\", budget: #{{ total: {BUDGET} }}"),
        "event.stage == \"paid\"",
        "SCARCE",
        "1 + event.amount / 10",
    );
    let schema = "[events.\"broadcast.goal\"]\nteam = \"text\"\n".to_owned();
    write(
        folder.path(),
        &[
            ("rules/scarce.rhai", scarce),
            ("rules/goal.rhai", GOAL.to_owned()),
            ("rules/schema.toml", schema),
        ],
    );
    let data = folder.path().join("data");
    let partitions = [("ONSCENE_ENGINE_PARTITIONS", "4")];
    let rules = folder.path().join("rules");
    let mut engine = Engine::spawn_on(&nats.url(), &rules, &data, &partitions);
    engine.wait_ready();
    send(&nats).await;
    wait_decided(&engine);
    engine.terminate();
    let url = nats.url();
    let log = stream_messages(&url, "SCENE_ACTIONS").await;
    let kind = |headers: &BTreeMap<String, String>| headers["Onscene-Kind"] == "progress";
    assert!(
        log.iter().any(|(_, headers, _)| kind(headers)),
        "no broadcast went on amid events"
    );
    let found = findings(folder.path(), &["--nats", &url, "--threads", "2"]);
    // Both budgets ran out, so there was something to race for.
    for rule in ["scarce", "goal"] {
        let spent = spent(&found, rule);
        assert!((3_900.0..=4_000.0).contains(&spent), "{rule}: {spent}");
    }
    assert_nothing_differs(&found);
    let one = findings(folder.path(), &["--nats", &url, "--threads", "1"]);
    assert_eq!(found, one);
}
