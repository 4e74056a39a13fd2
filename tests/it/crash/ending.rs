//! An engine that is asked to end: it drains, also when the broker is away.

use std::sync::Arc;

use onscene::nats::EventPublisher;

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
