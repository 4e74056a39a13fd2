//! State after a run against the state of an uninterrupted one.
//!
//! The uninterrupted run is a new engine with an empty data folder on the same events, with their store timestamps,
//! and without any log: it decides everything once more. What it decides and what it then knows must be the same.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::checker::{Decision, decisions, settled};
use super::load::CUSTOMERS;
use super::world::World;
use crate::kit::{self, Engine};

/// Where the uninterrupted run has its data.
const REFERENCE_SEAT: usize = 9;

/// All that an engine knew when it ended in good order: a line for each customer.
///
/// The one place to change when there is another way to export state.
fn export(data: &Path) -> Vec<String> {
    let run = |command: &str| {
        let output = kit::onscene()
            .args(["state", command, "--data"])
            .arg(data)
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run("verify");
    run("export").lines().map(str::to_owned).collect()
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

/// Checks that the engine on `seat`, which went through crashes, decided and knows what one without them does.
/// Ends the engine, and what is in the log.
pub(super) async fn equals_uninterrupted(
    world: &mut World,
    seat: usize,
    mut engine: Engine,
    decided: &[Decision],
) {
    engine.wait_ready();
    let money = spent(&engine);
    assert!(engine.terminate().success(), "{}", engine.log());
    let state = export(world.data(seat));
    assert!(state.len() <= CUSTOMERS && state.len() > CUSTOMERS / 2);
    delete_log(&world.url).await;
    // A seat that nobody had: its data folder is empty.
    let mut reference = world.spawn(REFERENCE_SEAT);
    let at_least = decided.iter().filter(|d| d.rule != "journey").count();
    settled(&world.url, at_least).await;
    // Only now: to decide millions of events once more takes longer than a start is given.
    reference.wait_ready();
    let money_there = spent(&reference);
    let there = decisions(&world.url).await;
    assert!(reference.terminate().success(), "{}", reference.log());
    let sorted = |decisions: &[Decision]| {
        let mut sorted = decisions.to_vec();
        sorted.sort();
        sorted
    };
    for (here, there) in sorted(decided).iter().zip(&sorted(&there)) {
        assert_eq!(here, there, "what an uninterrupted run decides");
    }
    assert_eq!(decided.len(), there.len());
    let state_there = export(world.data(REFERENCE_SEAT));
    for (here, there) in state.iter().zip(&state_there) {
        assert_eq!(here, there, "the state of a customer");
    }
    assert_eq!(state.len(), state_there.len());
    assert_eq!(money, money_there, "what was spent");
}

async fn delete_log(url: &str) {
    let client = async_nats::connect(url).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    for stream in ["SCENE_ACTIONS", "SCENE_DLQ"] {
        jetstream.delete_stream(stream).await.unwrap();
    }
}
