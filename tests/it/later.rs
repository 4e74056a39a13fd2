//! Absence, journeys and broadcasts through the whole engine: real processes, real streams.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use onscene::clock::{format_rfc3339, now_ms};
use onscene::nats::EventPublisher;
use serde_json::json;

use crate::kit::{self, Engine, Folder, Nats, StoredAction};

const ABSENCE: &str = r#"
const RULE = #{ on: "merchant.checkout", channels: ["push"], delay: "2s", fresh: "10s" };
fn when(event, customer) { event.stage == "started" }
fn still(event, customer) { customer.count("merchant.checkout", "2s", #{ stage: "paid" }) == 0 }
fn action(event, customer) { #{ kind: "offer", code: "SECOND" } }
"#;

async fn publish(publisher: &EventPublisher, subject: &str, event: serde_json::Value) {
    let payload = Bytes::from(event.to_string());
    let waiting = publisher.publish(subject, &[], payload).await.unwrap();
    waiting.stored().await.unwrap();
}

async fn checkout(publisher: &EventPublisher, id: &str, customer: &str, stage: &str) {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "till", "type": "merchant.checkout",
        "subject": customer, "time": format_rfc3339(now_ms()),
        "data": {"stage": stage, "amount": "100", "currency": "CNY", "merchant": {"id": "M7"}},
    });
    let subject = format!("scene.events.merchant.checkout.{customer}");
    publish(publisher, &subject, event).await;
}

/// Milliseconds from when an action was due to when it was decided.
fn lateness(action: &StoredAction, delay: i64) -> i64 {
    let at = |value: &serde_json::Value| onscene::clock::parse_rfc3339(value.as_str().unwrap());
    let data = &action.event["data"];
    at(&data["decided_at"]).unwrap() - at(&data["trigger"]["time"]).unwrap() - delay
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_paid_gets_one_action_when_it_is_due_although_nothing_else_happens() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "absence.rhai", ABSENCE);
    let engine = Engine::start(&nats.url(), rules.path());
    engine.wait_ready();
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    for number in 0..20 {
        let customer = format!("C{number}");
        checkout(&publisher, &format!("s{number}"), &customer, "started").await;
        if number % 2 == 0 {
            // A window leaves out what happened exactly its length ago.
            tokio::time::sleep(Duration::from_millis(2)).await;
            checkout(&publisher, &format!("p{number}"), &customer, "paid").await;
        }
    }
    let actions = kit::wait_actions(&nats.url(), 10).await;
    let late: Vec<i64> = actions
        .iter()
        .map(|action| lateness(action, 2_000))
        .collect();
    println!("late by {late:?} ms");
    assert!(late.iter().all(|late| *late >= 0), "{late:?}");
    // Nothing comes afterwards: not for what was paid, and not again for what was not.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let actions = kit::actions(&nats.url()).await;
    let triggers: BTreeSet<&str> = actions.iter().map(StoredAction::trigger).collect();
    let expected: Vec<String> = (0..20)
        .filter(|n| n % 2 == 1)
        .map(|n| format!("s{n}"))
        .collect();
    assert_eq!(actions.len(), 10);
    assert_eq!(triggers, expected.iter().map(String::as_str).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_survives_the_engine_and_the_rules_that_changed_meanwhile() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    let patient = ABSENCE
        .replace(
            "delay: \"2s\", fresh: \"10s\"",
            "delay: \"4s\", fresh: \"1m\"",
        )
        .replace("\"2s\"", "\"4s\"");
    kit::save(rules.path(), "absence.rhai", &patient);
    let mut engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    for number in 0..10 {
        checkout(
            &publisher,
            &format!("s{number}"),
            &format!("C{number}"),
            "started",
        )
        .await;
    }
    kit::eventually("all of them wait", || {
        engine.metric("onscene_verdicts_total{rule=\"absence\",verdict=\"deferred\"}") > 9.5
    });
    engine.kill();
    // From now on nobody would begin to wait; those who do still get what they were promised.
    let changed = patient
        .replace("event.stage == \"started\"", "event.amount < 1")
        .replace("SECOND", "CHANGED");
    kit::save(rules.path(), "absence.rhai", &changed);
    let _engine = Engine::start(&nats.url(), rules.path());
    let actions = kit::wait_actions(&nats.url(), 10).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(kit::actions(&nats.url()).await.len(), 10);
    let changed = |action: &StoredAction| action.event["data"]["body"]["code"] == "CHANGED";
    assert!(actions.iter().all(changed), "the live rule speaks");
}

const SCHEMA: &str = "[events.\"broadcast.goal\"]\nteam = \"text\"\n";
const GOAL: &str = r#"
const RULE = #{
    on: "broadcast.goal", channels: ["push"], audience: ["fan"], fresh: "10m",
    budget: #{ total: BUDGET },
};
fn when(event, customer) { event.team == "home" }
fn action(event, customer) { #{ kind: "offer", code: "GOAL", cost: 1, expires: "10m" } }
"#;

/// Makes so many customers, of whom those with an even number are fans.
async fn make_customers(publisher: EventPublisher, count: usize) {
    let publisher = Arc::new(publisher);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..count {
        let publisher = publisher.clone();
        running.spawn(async move {
            let segments = if number % 2 == 0 { vec!["fan"] } else { vec![] };
            let event = json!({
                "specversion": "1.0", "id": format!("p{number}"), "source": "crm",
                "type": "customer.profile", "subject": format!("C{number}"),
                "time": format_rfc3339(now_ms()), "data": {"segments": {"add": segments}},
            });
            let subject = format!("scene.events.customer.profile.C{number}");
            publish(&publisher, &subject, event).await;
        });
        if running.len() >= 512 {
            running.join_next().await.unwrap().unwrap();
        }
    }
    running.join_all().await;
}

async fn goal(publisher: &EventPublisher) {
    let event = json!({
        "specversion": "1.0", "id": "goal-1", "source": "stadium", "type": "broadcast.goal",
        "time": format_rfc3339(now_ms()), "data": {"team": "home"},
    });
    publish(publisher, "scene.broadcast.goal", event).await;
}

/// Waits until so many pushes are stored, looking often enough to see a broadcast half sent.
async fn wait_stored(url: &str, pushes: usize) {
    let client = async_nats::connect(url).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let stream = jetstream.get_stream("SCENE_ACTIONS").await.unwrap();
    let started = Instant::now();
    loop {
        let subjects = stream.info_with_subjects("scene.actions.push.>");
        let counts: Vec<(String, usize)> = subjects.await.unwrap().try_collect().await.unwrap();
        if counts.iter().map(|(_, count)| count).sum::<usize>() >= pushes {
            return;
        }
        assert!(started.elapsed().as_secs() < 60, "{pushes} never came");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// An engine that knows so many customers, half of them fans, and has so much for each goal.
async fn stadium(count: usize, budget: usize) -> (Nats, Folder, Engine) {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "schema.toml", SCHEMA);
    kit::save(
        rules.path(),
        "goal.rhai",
        &GOAL.replace("BUDGET", &budget.to_string()),
    );
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("A"));
    let engine = Engine::start(&nats.url(), rules.path());
    make_customers(EventPublisher::new(&nats.connect().await, 1_024), count).await;
    engine.wait_ready();
    (nats, rules, engine)
}

fn told(actions: &[StoredAction]) -> BTreeSet<String> {
    let customer = |action: &StoredAction| action.event["subject"].as_str().unwrap().to_owned();
    let of_goal = |action: &&StoredAction| action.event["data"]["rule"] == "goal";
    actions.iter().filter(of_goal).map(customer).collect()
}

/// The customers who come first, as anybody can compute it.
fn first_in_order(count: usize, budget: usize) -> BTreeSet<String> {
    let mut fans: Vec<(u64, String)> = (0..count)
        .filter(|number| number % 2 == 0)
        .map(|number| {
            let id = format!("C{number}");
            let customer = onscene::partitioning::CustomerId::new(&id).unwrap();
            (onscene::policy::rank("stadium", "goal-1", &customer), id)
        })
        .collect();
    fans.sort();
    fans.into_iter().take(budget).map(|(_, id)| id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_spends_its_budget_to_the_last_on_the_same_customers_through_kills() {
    let (count, budget) = (200_000, 5_000);
    let (nats, rules, mut engine) = stadium(count, budget).await;
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    goal(&publisher).await;
    // Events of single customers go on meanwhile, and the engine is killed while it looks at its customers
    // and while it sends. How far it got is shown: only a very busy machine sees the second kill too late.
    let thresholds = [0, budget / 10];
    for (round, threshold) in thresholds.into_iter().enumerate() {
        kit::publish(&publisher, &format!("e{round}"), "C1").await;
        wait_stored(&nats.url(), threshold).await;
        engine.kill();
        let sent = told(&kit::actions(&nats.url()).await).len();
        println!("killed when {sent} of {budget} had been sent");
        engine = Engine::start(&nats.url(), rules.path());
    }
    let singles = thresholds.len();
    let actions = kit::wait_actions(&nats.url(), budget + singles).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        kit::actions(&nats.url()).await.len(),
        actions.len(),
        "and not one more"
    );
    assert_eq!(actions.len(), budget + singles);
    assert!(
        told(&actions) == first_in_order(count, budget),
        "the same as ever"
    );
}

/// The full size; the time is shown and not asserted.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_customers_and_a_budget_for_five_thousand() {
    let (count, budget) = (200_000, 5_000);
    let (nats, _rules, engine) = stadium(count, budget).await;
    kit::eventually("all customers are known", || {
        engine.metric("onscene_customers") > 199_999.0
    });
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let started = Instant::now();
    goal(&publisher).await;
    // Single customers go on paying meanwhile, and are answered.
    let singles = 100;
    let url = nats.url();
    let paying = tokio::spawn(async move {
        for number in 0..singles {
            kit::publish(&publisher, &format!("e{number}"), &format!("C{number}")).await;
        }
        kit::wait_actions(&url, singles).await;
    });
    let told_goal = "onscene_verdicts_total{rule=\"goal\",verdict=\"sent\"}";
    kit::eventually("all is sent", || engine.metric(told_goal) > 4_999.0);
    println!("100,000 fans, 5,000 sent in {:?}", started.elapsed());
    paying.await.unwrap();
    let actions = kit::wait_actions(&nats.url(), budget + singles).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(kit::actions(&nats.url()).await.len(), budget + singles);
    assert!(told(&actions) == first_in_order(count, budget));
    let single = |action: &&StoredAction| action.event["data"]["rule"] == "answer";
    let mut waited: Vec<i64> = (actions.iter().filter(single))
        .map(|action| lateness(action, 0))
        .collect();
    waited.sort_unstable();
    assert_eq!(waited.len(), singles);
    println!(
        "single customers meanwhile: median {} ms, longest {} ms from event to decision",
        waited[singles / 2],
        waited[singles - 1]
    );
}
