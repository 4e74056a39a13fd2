//! Explained is what happened: for random events of simulated customers, over HTTP while the engine runs and put
//! together again when it has stopped, with a restart in between.

use crate::kit::{Engine, Folder, Nats, Random, onscene};
use onscene::decode::Decoder;
use onscene::durable::CheckpointFolder;
use onscene::explain::{Ask, Explainer, Texts};
use onscene::nats::{Connection, History, Period, Whose};
use onscene::partitioning::{CustomerId, token};
use onscene::rules::{RuleSet, Sources};
use onscene::state::JournalLimits;
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Pairs of a customer and an event that are explained, unless `ONSCENE_EXPLAIN_PAIRS` says more.
const PAIRS: usize = 60;
/// Of these, by the command itself: it compiles the rules each time.
const BY_COMMAND: usize = 3;
/// Seconds of traffic before and after the restart.
const SECONDS: u64 = 6;

/// An action: rule, id, channel and verdict.
type Action = (String, String, String, String);
/// A customer, and an event's source and id.
type Pair = (String, String, String);

#[derive(Default)]
struct World {
    /// Events about customers that were not imported, each once.
    pairs: BTreeSet<Pair>,
    /// What came out at once, by what it answers.
    actions: BTreeMap<Pair, BTreeSet<Action>>,
}

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")
}

fn engine(nats: &Nats, data: &Path) -> Engine {
    let settings = [
        ("ONSCENE_CHECKPOINTS_INTERVAL_S", "2"),
        ("ONSCENE_CHECKPOINTS_KEEP", "50"),
        ("ONSCENE_ENGINE_THROUGH_INTERVAL_S", "1"),
        ("ONSCENE_ENGINE_PARTITIONS", "4"),
    ];
    let engine = Engine::spawn_on(&nats.url(), &rules(), data, &settings);
    engine.wait_ready();
    engine
}

/// Customers who do something, with days behind them.
fn simulate(nats: &Nats) -> Child {
    let seconds = (SECONDS * 3).to_string();
    onscene()
        .args([
            "simulate",
            "--rate",
            "120",
            "--customers",
            "60",
            "--seed",
            "11",
        ])
        .args([
            "--warmup-days",
            "20",
            "--seconds",
            &seconds,
            "--nats",
            &nats.url(),
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// What the streams hold, read as any adapter would.
async fn world(connection: &Connection) -> World {
    let mut world = World::default();
    let everything = (&Whose::All, Period::default());
    let mut events = History::events(connection, everything.0, everything.1)
        .await
        .unwrap();
    while let Some(batch) = events.next_batch(1_000).await.unwrap() {
        for message in batch {
            let event: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
            let is_customers = message.subject.starts_with("scene.in.");
            if is_customers && message.headers.get("Onscene-Import").is_none() {
                let pair = (
                    text(&event, "subject"),
                    text(&event, "source"),
                    text(&event, "id"),
                );
                world.pairs.insert(pair);
            }
        }
    }
    let mut log = History::log(connection, everything.0, everything.1)
        .await
        .unwrap();
    while let Some(batch) = log.next_batch(1_000).await.unwrap() {
        for message in batch {
            let answers_at_once = message.headers.get("Onscene-Part").is_some();
            if message.headers.get("Onscene-Kind") != Some("action") || !answers_at_once {
                continue;
            }
            let action: Value = serde_json::from_slice(&message.payload).unwrap();
            let (data, trigger) = (&action["data"], &action["data"]["trigger"]);
            let pair = (
                text(&action, "subject"),
                text(trigger, "source"),
                text(trigger, "id"),
            );
            let said = (
                text(data, "rule"),
                text(&action, "id"),
                text(data, "channel"),
                text(data, "verdict"),
            );
            world.actions.entry(pair).or_default().insert(said);
        }
    }
    world
}

/// Different random pairs, up to half of them of events that were answered.
fn chosen(world: &World) -> Vec<Pair> {
    let asked = std::env::var("ONSCENE_EXPLAIN_PAIRS").ok();
    let count = asked.map_or(PAIRS, |text| text.parse().unwrap());
    let mut random = Random::new(5);
    let mut shuffled = |pairs: Vec<&Pair>| {
        let mut keyed: Vec<(u64, &Pair)> = pairs.into_iter().map(|p| (random.next(), p)).collect();
        keyed.sort_unstable();
        let pairs: Vec<Pair> = keyed.into_iter().map(|(_, pair)| pair.clone()).collect();
        pairs.into_iter()
    };
    let is_answered = |pair: &&Pair| world.actions.contains_key(*pair);
    let answered = shuffled(world.pairs.iter().filter(is_answered).collect());
    let others = shuffled(
        world
            .pairs
            .iter()
            .filter(|pair| !is_answered(pair))
            .collect(),
    );
    let mut pairs: Vec<Pair> = answered.take(count / 2).collect();
    assert!(!pairs.is_empty(), "nothing was said to anybody");
    let missing = count - pairs.len();
    pairs.extend(others.take(missing));
    assert_eq!(pairs.len(), count, "there was less traffic than that");
    pairs
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

/// The items of a window come to its value. Returns how many there were.
fn check_window(window: &Value) -> usize {
    let items = window["items"].as_array().unwrap();
    let parts = || items.iter().map(|item| decimal(&item["part"]));
    let value = &window["value"];
    let sum: Decimal = parts().sum();
    let told = format!("{window}");
    match window["made_as"].as_str().unwrap() {
        "sum" | "different" => assert_eq!(decimal(value), sum, "{told}"),
        "average" if items.is_empty() => assert_eq!(decimal(value), Decimal::ZERO, "{told}"),
        "average" => assert_eq!(decimal(value), sum / Decimal::from(items.len()), "{told}"),
        "largest" => assert_eq!(decimal(value), parts().max().unwrap_or_default(), "{told}"),
        "any" => assert_eq!(
            value,
            &Value::from((!items.is_empty()).to_string()),
            "{told}"
        ),
        // What has no sum: a part, a category, the latest.
        _ => assert!(items.len() <= 1 || window["made_as"] != "latest", "{told}"),
    }
    items.len()
}

/// What was looked at.
#[derive(Default)]
struct Seen {
    windows: usize,
    items: usize,
    verdicts: BTreeMap<String, usize>,
}

/// What is explained is what the streams hold.
fn check(explanation: &Value, happened: &BTreeSet<Action>, seen: &mut Seen) {
    let told = || serde_json::to_string_pretty(explanation).unwrap();
    let mut said = BTreeSet::new();
    for rule in explanation["rules"].as_array().unwrap() {
        assert_eq!(rule["agrees"], true, "{}", told());
        assert_ne!(rule["verdict"], Value::Null, "{}", told());
        let verdict = text(rule, "verdict");
        let is_decision = ["sent", "holdout", "shadow"].contains(&&*verdict);
        *seen.verdicts.entry(verdict.clone()).or_default() += 1;
        let own = |action: &&Action| action.0 == text(rule, "rule");
        let own: Vec<&Action> = happened.iter().filter(own).collect();
        assert_eq!(own.len(), usize::from(is_decision), "{}", told());
        for action in own {
            assert_eq!(action.3, verdict, "{}", told());
            let logged = rule["happened"].as_array().unwrap();
            let is_it = |h: &&Value| h["decision"] == *action.1 && h["channel"] == *action.2;
            assert!(logged.iter().any(|h| is_it(&h)), "{}", told());
            said.insert(action.clone());
        }
        // The condition held exactly if every part did.
        let parts = rule["conjuncts"].as_array().unwrap();
        let held = parts.iter().all(|part| part["held"] == true);
        if verdict == "condition" {
            assert!(!held, "{}", told());
        } else if is_decision {
            assert!(held, "{}", told());
        }
        for window in parts
            .iter()
            .flat_map(|part| part["windows"].as_array().unwrap())
        {
            seen.windows += 1;
            seen.items += check_window(window);
        }
    }
    assert_eq!(&said, happened, "{}", told());
    // Nothing agrees for want of knowledge.
    assert_eq!(
        explanation["rules_used"]["decided_by"],
        explanation["rules_used"]["generation"],
        "{}",
        told()
    );
}

/// What must be the same, whenever and however it is explained: all but what happened later, and what it was put together
/// from.
fn lasting(explanation: &Value) -> Value {
    let mut rules = explanation["rules"].clone();
    for rule in rules.as_array_mut().unwrap() {
        rule["happened"] = Value::Null;
    }
    serde_json::json!({ "event": explanation["event"], "rules": rules })
}

fn live(engine: &Engine, (customer, source, event): &Pair) -> Value {
    let (customer, source, event) = (token(customer), token(source), token(event));
    let page = engine.get(&format!(
        "/api/explain?customer={customer}&source={source}&event={event}"
    ));
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{page}");
    serde_json::from_str(body).unwrap()
}

fn by_command(nats: &Nats, data: &Path, (customer, source, event): &Pair) -> Value {
    let output = onscene()
        .args([
            "explain",
            "--format",
            "json",
            "--nats",
            &nats.url(),
            "--customer",
            customer,
        ])
        .args(["--source", source, "--event", event, "--rules"])
        .arg(rules())
        .arg("--data")
        .arg(data)
        .env("ONSCENE_ENGINE_PARTITIONS", "4")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The same as the command, without compiling the rules each time.
async fn put_together(connection: &Connection, data: &Path, pairs: &[Pair]) -> Vec<Value> {
    let sources = Sources::read(&rules()).unwrap();
    let texts = Texts {
        set: Arc::new(RuleSet::compile(&sources).unwrap()),
        sources: Arc::new(sources),
        from: "the folder".to_owned(),
    };
    let decoder = Decoder {
        partitions: 4,
        ..Decoder::default()
    };
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let explainer = Explainer::new(
        connection.clone(),
        CheckpointFolder::new(data),
        decoder,
        JournalLimits::default(),
        zone,
    );
    let mut explanations = Vec::new();
    for (customer, source, event) in pairs {
        let ask = Ask {
            customer: CustomerId::new(customer).unwrap(),
            event: event.as_str().into(),
            source: Some(source.as_str().into()),
            rule: None,
            as_given: false,
        };
        let explanation = explainer.explain(&ask, texts.clone()).await.unwrap();
        explanations.push(serde_json::to_value(explanation).unwrap());
    }
    explanations
}

/// Explained over HTTP and put together when the engine has stopped, random events of simulated customers have the verdicts
/// that came out, with the same ids and channels; where nothing came out, no verdict says that anything did. The items of
/// every window come to its value. A restart with checkpoints lies between the events.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_explained_is_what_happened_live_and_put_together_again() {
    let nats = Nats::start().await;
    let data = Folder::new();
    let mut first = engine(&nats, data.path());
    let mut traffic = simulate(&nats);
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    assert!(first.terminate().success(), "{}", first.log());
    let mut second = engine(&nats, data.path());
    assert!(traffic.wait().unwrap().success());
    // What was decided last is in the log when that says how far events are done.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let connection = nats.connect().await;
    let world = world(&connection).await;
    let pairs = chosen(&world);
    let nothing = BTreeSet::new();
    let happened = |pair: &Pair| world.actions.get(pair).unwrap_or(&nothing);
    let mut seen = Seen::default();
    let mut before = Vec::new();
    for pair in &pairs {
        let explanation = live(&second, pair);
        check(&explanation, happened(pair), &mut seen);
        before.push(lasting(&explanation));
    }
    assert!(second.terminate().success(), "{}", second.log());
    let mut from_checkpoint = 0;
    let again = put_together(&connection, data.path(), &pairs).await;
    for (at, (pair, again)) in pairs.iter().zip(&again).enumerate() {
        check(again, happened(pair), &mut Seen::default());
        assert_eq!(lasting(again), before[at]);
        from_checkpoint += usize::from(!again["state"]["checkpoint"].is_null());
    }
    for (pair, before) in pairs.iter().zip(&before).take(BY_COMMAND) {
        assert_eq!(&lasting(&by_command(&nats, data.path(), pair)), before);
    }
    let Seen {
        windows,
        items,
        verdicts,
    } = seen;
    println!(
        "result: {} pairs explained as they happened, live and put together again ({from_checkpoint} from a checkpoint); {windows} windows with {items} items came to their values; {verdicts:?}",
        pairs.len()
    );
    assert!(windows > 0 && items > 0 && from_checkpoint > 0);
}
