//! Caps that a household shares: whom they were spent on is known again.

use super::command::explain_with;
use crate::kit::{self, Engine, Folder, Nats};
use bytes::Bytes;
use onscene::clock::{format_rfc3339, now_ms};
use onscene::nats::EventPublisher;
use serde_json::json;
use std::path::Path;

const POLICY: &str =
    "[household]\nattribute = \"household\"\n[[cap]]\ncount = 1\nper = \"24h\"\nhousehold = true\n";
const SCHEMA: &str = "[attributes]\nhousehold = \"text\"\n";
/// Who shares caps knows one another within a partition.
const SETTINGS: [(&str, &str); 2] = [
    ("ONSCENE_ENGINE_PARTITIONS", "1"),
    ("ONSCENE_ENGINE_THROUGH_INTERVAL_S", "1"),
];

async fn move_in(publisher: &EventPublisher, customer: &str) {
    let profile = json!({
        "specversion": "1.0", "id": format!("pf-{customer}"), "source": "crm", "type": "customer.profile",
        "subject": customer, "time": format_rfc3339(now_ms()), "data": {"attributes": {"household": "H1"}}
    });
    let subject = format!("scene.events.customer.profile.{customer}");
    let sent = publisher.publish(&subject, &[], Bytes::from(profile.to_string()));
    sent.await.unwrap().stored().await.unwrap();
}

fn start(nats: &Nats, folder: &Path) -> Engine {
    let engine = Engine::spawn_on(
        &nats.url(),
        &folder.join("rules"),
        &folder.join("data"),
        &SETTINGS,
    );
    engine.wait_ready();
    engine
}

/// One of two is told something; the other is not, for that. So it is explained from a checkpoint that has the one, and from
/// the streams alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_cap_that_was_spent_on_another_of_the_household_is_explained() {
    let nats = Nats::start().await;
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    for (name, text) in [
        ("policy.toml", POLICY),
        ("schema.toml", SCHEMA),
        ("a.rhai", &kit::answering_rule("A")),
    ] {
        kit::save(&folder.path().join("rules"), name, text);
    }
    let mut engine = start(&nats, folder.path());
    let publisher = EventPublisher::new(&nats.connect().await, 8);
    for customer in ["C1", "C2"] {
        move_in(&publisher, customer).await;
    }
    kit::publish(&publisher, "first", "C1").await;
    kit::wait_actions(&nats.url(), 1).await;
    assert!(engine.terminate().success(), "{}", engine.log());
    let mut engine = start(&nats, folder.path());
    kit::publish(&publisher, "second", "C2").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(engine.terminate().success(), "{}", engine.log());
    let asked = ["--customer", "C2", "--event", "second"];
    let (code, text, error) = explain_with(&nats, folder.path(), "1", &asked);
    assert_eq!(code, Some(0), "{text}{error}");
    assert!(
        text.contains("a: policy_cap") && text.contains("from checkpoint"),
        "{text}"
    );
    std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    let (code, text, error) = explain_with(&nats, folder.path(), "1", &asked);
    assert_eq!(code, Some(0), "{text}{error}");
    assert!(
        text.contains("a: policy_cap") && text.contains("from the beginning"),
        "{text}"
    );
}
