//! The engine is down for long: longer than the broker remembers ids, and longer than triggers stay fresh.

use std::time::Duration;

use bytes::Bytes;
use onscene::clock::{format_rfc3339, now_ms};
use onscene::nats::EventPublisher;
use serde_json::{Value, json};

use super::load::{Draft, draft};
use super::world::World;
use super::{checker, setting, state, tell};
use crate::kit::{Engine, Nats};

/// What the engine asks of the broker.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Publishes with the id by which the broker knows repetitions; returns how many it knew.
async fn publish(publisher: &EventPublisher, drafts: &[(String, Draft)]) -> usize {
    let mut known = 0;
    for part in drafts.chunks(64) {
        let mut waiting = Vec::new();
        for (id, draft) in part {
            let headers = [("Nats-Msg-Id", id.as_str())];
            let sent = publisher.publish(&draft.subject, &headers, draft.payload.clone());
            waiting.push(sent.await.unwrap());
        }
        for sent in waiting {
            known += usize::from(sent.stored().await.unwrap().duplicate);
        }
    }
    known
}

/// The broker forgets what ids it has seen: by waiting as long as it takes, or by a window that is short for a while.
async fn outlive_duplicate_window(nats: &Nats) {
    if setting("ONSCENE_DEDUPE_WAIT", 0) > 0 {
        tokio::time::sleep(DUPLICATE_WINDOW + Duration::from_secs(5)).await;
        return;
    }
    for window in [Duration::from_millis(500), DUPLICATE_WINDOW] {
        for stream in ["SCENE_EVENTS", "SCENE_DLQ"] {
            super::limits::change(&nats.url(), stream, |config| {
                config.duplicate_window = window;
            })
            .await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_producers_send_again_after_an_outage_that_the_broker_forgot_about_changes_nothing() {
    let count = 3_000;
    let nats = Nats::start().await;
    let mut world = World::new(&nats.url());
    let mut engine = world.start(0);
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let drafts: Vec<(String, Draft)> = (0..count)
        .map(|number| (format!("e{number}"), draft(5, number)))
        .collect();
    let (before, during) = drafts.split_at(count * 2 / 3);
    assert_eq!(publish(&publisher, before).await, 0);
    assert_eq!(
        publish(&publisher, before).await,
        before.len(),
        "within its window the broker knows them"
    );
    engine.kill();
    assert_eq!(publish(&publisher, during).await, 0);
    outlive_duplicate_window(&nats).await;
    assert_eq!(
        publish(&publisher, &drafts).await,
        0,
        "the broker has forgotten all of them, and stores them again"
    );
    let engine = world.start(0);
    let found = checker::check(&nats.url()).await;
    assert!(found.copies > count * 9 / 10, "{}", found.copies);
    state::equals_uninterrupted(&mut world, 0, engine, &found.decisions).await;
    tell(format_args!(
        "outage: {} of {count} events stored again after the broker had forgotten them, {} decisions, {} dead letters: \
         0 doubled",
        found.copies,
        found.decisions.len(),
        found.dead
    ));
}

/// Offers that are worth nothing after a minute, and a count of what happened.
const GREET: &str = r#"
const RULE = #{ on: "merchant.checkout", channels: ["push"], fresh: "60s" };
fn when(event, customer) { event.stage == "paid" }
fn action(event, customer) {
    #{ kind: "offer", code: "GREET", value: customer.count("merchant.checkout", "5m") }
}
"#;

fn paid(id: &str, customer: &str, age_ms: i64) -> (String, Bytes) {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "till", "type": "merchant.checkout",
        "subject": customer, "time": format_rfc3339(now_ms() - age_ms),
        "data": {"stage": "paid", "amount": "10", "currency": "CNY", "merchant": {"id": "M7"}}
    });
    let subject = format!("scene.events.merchant.checkout.{customer}");
    (subject, event.to_string().into())
}

async fn send(publisher: &EventPublisher, id: &str, customer: &str, age_ms: i64) {
    let (subject, payload) = paid(id, customer, age_ms);
    let sent = publisher.publish(&subject, &[], payload).await.unwrap();
    sent.stored().await.unwrap();
}

/// What `/api/rules` says of a rule's verdicts.
fn stale_in_api(engine: &Engine) -> u64 {
    let answer = engine.get("/api/rules");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let rules: Value = serde_json::from_str(body).unwrap();
    rules["rules"][0]["verdicts"]["stale"].as_u64().unwrap_or(0)
}

/// The numbers of the lines that say what a partition caught up with, added up: decided, and too old.
fn caught_up(engine: &Engine) -> (u64, u64) {
    let log = engine.log();
    let number = |text: &str| text.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    let lines = log.lines().filter(|line| line.contains("caught up: "));
    lines.fold((0, 0), |(decided, stale), line| {
        let of = |what: &str| number(line.split_once(what).unwrap().0);
        (
            decided + of(" decided, "),
            stale + of(" triggers too old to act on"),
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_too_old_while_the_engine_was_down_is_counted_and_remembered_but_not_acted_on()
{
    let (old, customers) = (300, 10);
    let nats = Nats::start().await;
    let mut world = World::with_rules(&nats.url(), &[("greet.rhai", GREET)]);
    let mut engine = world.start(0);
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    send(&publisher, "first", "C0", 0).await;
    checker::settled(&nats.url(), 1).await;
    engine.kill();
    for number in 0..old {
        let customer = format!("C{}", number % customers);
        send(&publisher, &format!("old{number}"), &customer, 70_000).await;
    }
    let engine = world.start(0);
    let stale = "onscene_verdicts_total{rule=\"greet\",verdict=\"stale\"}";
    assert_eq!(engine.metric(stale), f64::from(old));
    assert_eq!(stale_in_api(&engine), u64::try_from(old).unwrap());
    assert_eq!(caught_up(&engine), (300, 300), "{}", engine.log());
    for number in 0..customers {
        send(
            &publisher,
            &format!("new{number}"),
            &format!("C{number}"),
            0,
        )
        .await;
    }
    checker::settled(&nats.url(), 11).await;
    let said = checker::decisions(&nats.url()).await;
    assert_eq!(said.len(), 1 + 10, "nothing for what was too old");
    for decision in &said[1..] {
        assert!(decision.trigger.starts_with("new"), "{decision:?}");
        // Thirty old ones and the new one; one customer has the first one as well.
        let all = if decision.trigger == "new0" { 32 } else { 31 };
        let value = format!("\"value\":\"{all}\"");
        let plain = format!("\"value\":{all}");
        let essence = &decision.essence;
        assert!(
            essence.contains(&value) || essence.contains(&plain),
            "{essence}"
        );
    }
    tell(format_args!(
        "backlog: {old} triggers too old to act on: 0 actions, all counted in metrics, /api/rules and the log, and all \
         in the windows"
    ));
}
