//! State after a run against the state of an uninterrupted one.
//!
//! The uninterrupted run is a new engine with an empty data folder on the same events, with their store timestamps,
//! and without any log: it decides everything once more. What it decides and what it then knows must be the same.

use std::collections::BTreeMap;

use serde_json::Value;

use super::checker::{Decision, decisions, settled};
use super::load::CUSTOMERS;
use super::world::World;
use crate::kit::{Engine, Nats};

/// What an engine knows of all customers.
///
/// The one place to change when there is another way to export state.
fn export(engine: &Engine) -> BTreeMap<String, Value> {
    let customers = (0..CUSTOMERS).map(|number| {
        let id = format!("C{number}");
        let answer = engine.get(&format!("/api/customers/{id}"));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let state = serde_json::from_str(body).unwrap_or_else(|_| panic!("{id}: {answer}"));
        (id, state)
    });
    customers.collect()
}

/// What budgets have spent, by rule.
fn spent(engine: &Engine) -> BTreeMap<String, String> {
    let answer = engine.get("/api/rules");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let rules: Value = serde_json::from_str(body).unwrap();
    let rules = rules["rules"].as_array().unwrap().iter();
    let spent = rules.filter_map(|rule| {
        let spent = rule["budget"]["spent"].as_str()?.to_owned();
        Some((rule["name"].as_str().unwrap().to_owned(), spent))
    });
    spent.collect()
}

/// Checks that an engine that went through crashes decided and knows what one without them does.
/// Ends the engine, and what is in the log.
pub(super) async fn equals_uninterrupted(
    nats: &Nats,
    world: &mut World,
    mut engine: Engine,
    decided: &[Decision],
) {
    engine.wait_ready();
    let (state, money) = (export(&engine), spent(&engine));
    engine.terminate();
    delete_log(&world.url).await;
    // A seat that nobody had: its data folder is empty.
    let reference = world.start(99);
    settled(&nats.url(), decided.len()).await;
    let (state_there, money_there) = (export(&reference), spent(&reference));
    let there = decisions(&nats.url()).await;
    let sorted = |decisions: &[Decision]| {
        let mut sorted = decisions.to_vec();
        sorted.sort();
        sorted
    };
    for (here, there) in sorted(decided).iter().zip(&sorted(&there)) {
        assert_eq!(here, there, "what an uninterrupted run decides");
    }
    assert_eq!(decided.len(), there.len());
    for (id, state) in &state {
        assert_eq!(state, &state_there[id], "the state of {id}");
    }
    assert_eq!(money, money_there, "what was spent");
}

async fn delete_log(url: &str) {
    let client = async_nats::connect(url).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    for stream in ["SCENE_ACTIONS", "SCENE_DLQ"] {
        jetstream.delete_stream(stream).await.unwrap();
    }
}
