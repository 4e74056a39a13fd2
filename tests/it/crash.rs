//! Nothing lost, nothing doubled: the engine and the broker are killed under load, and a second
//! engine takes over. Real processes, real streams.

use std::sync::Arc;
use std::time::Duration;

use onscene::nats::{EventPublisher, LocalServerOptions, SyncInterval};

use crate::kit::{self, Engine, Folder, Nats};

/// Customers the load is spread over.
const CUSTOMERS: usize = 50;

fn rules() -> Folder {
    let folder = Folder::new();
    kit::save(folder.path(), "answer.rhai", &kit::answering_rule("A"));
    folder
}

/// Publishes events `from..to` one after another, each until it is stored.
fn load(publisher: EventPublisher, from: usize, to: usize) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let publisher = Arc::new(publisher);
        let mut running = tokio::task::JoinSet::new();
        for number in from..to {
            let publisher = publisher.clone();
            running.spawn(async move {
                let customer = format!("C{}", number % CUSTOMERS);
                kit::publish(&publisher, &format!("e{number}"), &customer).await;
            });
            if running.len() >= 64 {
                running.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(done) = running.join_next().await {
            done.unwrap();
        }
    })
}

fn assert_each_once(actions: &[kit::StoredAction], count: usize) {
    let answers = kit::answers(actions);
    for number in 0..count {
        let id = format!("e{number}");
        assert_eq!(answers.get(&id), Some(&1), "answers to {id}");
    }
    assert_eq!(actions.len(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_killed_and_started_again_loses_and_doubles_nothing() {
    let (nats, rules) = (Nats::start().await, rules());
    let mut engine = Engine::start(&nats.url(), rules.path());
    let count = 6_000;
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let load = load(publisher, 0, count);
    for round in 1..=4 {
        kit::wait_actions(&nats.url(), round * count / 8).await;
        engine.kill();
        engine = Engine::start(&nats.url(), rules.path());
    }
    load.await.unwrap();
    assert_each_once(&kit::wait_actions(&nats.url(), count).await, count);
    // Stopped in good order, and started once more: still nothing twice.
    assert!(engine.terminate().success(), "{}", engine.log());
    let mut engine = Engine::start(&nats.url(), rules.path());
    assert!(engine.terminate().success());
    assert_each_once(&kit::actions(&nats.url()).await, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_started_again_loses_and_doubles_nothing() {
    let mut nats = Nats::start_with(|options: &mut LocalServerOptions| {
        options.sync_interval = SyncInterval::Always;
    })
    .await;
    let rules = rules();
    let engine = Engine::start(&nats.url(), rules.path());
    let count = 4_000;
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let load = load(publisher, 0, count);
    for round in 1..=3 {
        kit::wait_actions(&nats.url(), round * count / 8).await;
        nats.kill().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        nats.restart().await.unwrap();
    }
    load.await.unwrap();
    assert_each_once(&kit::wait_actions(&nats.url(), count).await, count);
    engine.wait_ready();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_engine_takes_over_and_the_first_one_stops_saying_so() {
    let (nats, rules) = (Nats::start().await, rules());
    let mut first = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    load(publisher.clone(), 0, 200).await.unwrap();
    kit::wait_actions(&nats.url(), 200).await;
    let _second = Engine::start(&nats.url(), rules.path());
    load(publisher, 200, 400).await.unwrap();
    let status = first.wait();
    assert_eq!(status.code(), Some(1), "{}", first.log());
    assert!(first.log().contains("it now belongs to"), "{}", first.log());
    assert_each_once(&kit::wait_actions(&nats.url(), 400).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_terminated_drains_and_exits_with_0() {
    let (nats, rules) = (Nats::start().await, rules());
    let mut engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    load(publisher, 0, 1_000).await.unwrap();
    let status = engine.terminate();
    assert!(status.success(), "{}", engine.log());
    assert!(engine.log().contains("engine stopped"));
    // Whatever it had not read when it stopped, the next one answers.
    let _next = Engine::start(&nats.url(), rules.path());
    assert_each_once(&kit::wait_actions(&nats.url(), 1_000).await, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_terminated_while_the_broker_is_away_ends_all_the_same() {
    let (mut nats, rules) = (Nats::start().await, rules());
    let mut engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    load(publisher, 0, 100).await.unwrap();
    kit::wait_actions(&nats.url(), 100).await;
    nats.kill().await.unwrap();
    // With nothing left to write it is done; with progress to write down it says that it could not.
    let status = engine.terminate();
    assert!(
        status.success() || engine.log().contains("nothing is lost"),
        "{}",
        engine.log()
    );
    nats.restart().await.unwrap();
    let _next = Engine::start(&nats.url(), rules.path());
    assert_each_once(&kit::actions(&nats.url()).await, 100);
}
