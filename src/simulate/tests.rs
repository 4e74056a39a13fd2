use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::{Moment, ReceivedAction, Response, SimulatedEvent, Simulation, SimulationSettings};
use crate::clock::Millis;
use crate::decode::Decoder;
use crate::event::{Schema, Stored};
use crate::partitioning::{bucket_of, partition_of};

/// 2026-11-22T10:00:00+08:00.
const START: Millis = 1_795_312_800_000;
/// Distance of events at three hundred a second.
const STEP_MS: f64 = 1000.0 / 300.0;

fn settings(seed: u64) -> SimulationSettings {
    SimulationSettings {
        customers: 300,
        ..SimulationSettings::new(seed, START)
    }
}

fn at(n: usize) -> Millis {
    START + (n as f64 * STEP_MS) as Millis
}

fn traffic(simulation: &mut Simulation, events: usize) -> Vec<SimulatedEvent> {
    (0..events).map(|n| simulation.next(at(n))).collect()
}

/// The opening and `events` of traffic after it.
fn told(seed: u64, events: usize) -> Vec<SimulatedEvent> {
    let mut simulation = Simulation::new(settings(seed));
    let mut all: Vec<_> = simulation.opening().collect();
    all.extend(traffic(&mut simulation, events));
    all
}

fn json(event: &SimulatedEvent) -> Value {
    serde_json::from_slice(&event.payload).expect("payloads are JSON")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn cents(value: &Value, pointer: &str) -> i64 {
    let (whole, fraction) = text(value, pointer)
        .split_once('.')
        .expect("a decimal text");
    assert_eq!(fraction.len(), 2, "cents are written in full");
    whole.parse::<i64>().expect("digits") * 100 + fraction.parse::<i64>().expect("digits")
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_seed_others() {
    assert_eq!(told(7, 500), told(7, 500));
    assert_ne!(told(7, 500), told(8, 500));
}

#[test]
fn a_customer_is_the_same_person_whenever_the_simulation_starts() {
    let people = |start| {
        let mut simulation = Simulation::new(SimulationSettings {
            start,
            ..settings(3)
        });
        simulation
            .opening()
            .filter(|event| event.kind == Moment::Profile)
            .map(|event| json(&event)["data"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(people(START), people(START + 86_400_000));
}

#[test]
fn ids_are_unique_per_source_also_across_seeds_and_starts() {
    let mut seen = HashSet::new();
    for (seed, start) in [(1, START), (2, START), (1, START + 1)] {
        let mut simulation = Simulation::new(SimulationSettings {
            start,
            ..settings(seed)
        });
        let opening: Vec<_> = simulation.opening().collect();
        for event in opening.into_iter().chain(traffic(&mut simulation, 500)) {
            let event = json(&event);
            assert!(seen.insert((event["source"].to_string(), event["id"].to_string())));
        }
    }
}

/// Fields that hold some text, by type of event.
const TEXTS: [(&str, &str); 10] = [
    ("/data/account", "account.movement"),
    ("/data/counterparty/name", "account.movement"),
    ("/data/channel", "account.movement"),
    ("/data/purpose", "account.movement"),
    ("/data/stage", "merchant.checkout"),
    ("/data/tender", "merchant.checkout"),
    ("/data/merchant/id", "merchant.checkout"),
    ("/data/merchant/name", "merchant.checkout"),
    ("/data/merchant/category", "merchant.checkout"),
    ("/data/attributes/tier", "customer.profile"),
];

fn assert_content(event_type: &str, value: &Value, schema: &Schema) {
    match event_type {
        "account.movement" => {
            assert!(cents(value, "/data/amount") > 0 && cents(value, "/data/balance") >= 0);
            assert!(["in", "out"].contains(&text(value, "/data/direction")));
        }
        "merchant.checkout" => {
            assert!(cents(value, "/data/amount") > 0);
            assert!(["own_account", "other_bank", "wallet"].contains(&text(value, "/data/tender")));
        }
        "customer.profile" => assert!(value["data"]["attributes"]["age"].is_i64()),
        offer if offer.starts_with("offer.") => {
            assert!(!text(value, "/data/action").is_empty());
        }
        other => assert!(schema.event_type(other).is_some(), "{other} is declared"),
    }
}

#[test]
fn every_event_has_the_declared_shape() {
    let mut simulation = Simulation::new(settings(1));
    let mut all: Vec<_> = simulation.opening().collect();
    let customer = all[all.len() / 2].customer.clone();
    for n in 0..40 {
        let id = format!("{n:032x}");
        let action = ReceivedAction {
            id: &id,
            customer: &customer,
            kind: "offer",
            code: "DINE",
        };
        simulation.respond(&action, START);
    }
    all.extend(traffic(&mut simulation, 4000));
    let schema = Schema::parse(include_str!("../../rules/schema.toml")).expect("a valid schema");
    let mut types = HashSet::new();
    for event in &all {
        let value = json(event);
        let event_type = text(&value, "/type").to_owned();
        if event.kind == Moment::Goal {
            assert_eq!(event.subject, format!("scene.{event_type}"));
            assert_eq!(value.get("subject"), None);
        } else {
            assert_eq!(
                event.subject,
                format!("scene.events.{event_type}.{}", event.customer)
            );
        }
        assert_eq!(text(&value, "/specversion"), "1.0");
        assert_eq!(text(&value, "/subject"), event.customer);
        let time: jiff::Timestamp = text(&value, "/time").parse().expect("RFC 3339");
        assert_eq!(time.as_millisecond(), event.time);
        assert!(text(&value, "/time").ends_with("+08:00"));
        for (pointer, of) in TEXTS {
            if event_type == of {
                assert!(!text(&value, pointer).is_empty(), "{pointer} of {value}");
            }
        }
        assert_content(&event_type, &value, &schema);
        types.insert(event_type);
    }
    let expected = [
        "app.login",
        "bill.due",
        "bill.paid",
        "broadcast.goal",
        "campus.fee",
        "health.fee",
        "health.registered",
        "race.registered",
        "offer.delivered",
        "offer.opened",
        "offer.accepted",
        "offer.declined",
    ];
    let missing: Vec<_> = expected.iter().filter(|t| !types.contains(**t)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_balance_is_what_the_movements_make_it() {
    let mut balances: HashMap<String, i64> = HashMap::new();
    let mut movements = 0;
    for event in told(2, 20_000) {
        let value = json(&event);
        if text(&value, "/type") != "account.movement" {
            continue;
        }
        let amount = cents(&value, "/data/amount");
        let change = if text(&value, "/data/direction") == "in" {
            amount
        } else {
            -amount
        };
        let after = cents(&value, "/data/balance");
        if let Some(before) = balances.insert(text(&value, "/data/account").to_owned(), after) {
            assert_eq!(before + change, after, "{}", event.story);
            movements += 1;
        }
    }
    assert!(movements > 5_000);
}

#[test]
fn a_basket_ends_after_it_started_with_the_same_content() {
    let mut open: HashMap<String, (String, Millis)> = HashMap::new();
    let (mut paid, mut abandoned) = (0, 0);
    let mut simulation = Simulation::new(settings(4));
    for event in traffic(&mut simulation, 10_000) {
        let value = json(&event);
        let data = &value["data"];
        let basket = format!("{}{}{}", data["amount"], data["merchant"], data["tender"]);
        match text(&value, "/data/stage") {
            // Nobody ever hears of it again.
            "started" if event.kind == Moment::WandersOff => {}
            "started" => assert!(open.insert(event.customer, (basket, event.time)).is_none()),
            stage @ ("paid" | "abandoned") => {
                let (started, time) = open.remove(&event.customer).expect("started before");
                assert_eq!(started, basket);
                assert!(event.time > time);
                if stage == "paid" {
                    paid += 1
                } else {
                    abandoned += 1
                }
            }
            _ => {}
        }
    }
    assert!(
        paid > 1_000 && abandoned > 200,
        "{paid} paid, {abandoned} abandoned"
    );
}

#[test]
fn the_opening_is_over_before_the_start_and_in_order_for_each_customer() {
    let mut simulation = Simulation::new(settings(5));
    let opening: Vec<_> = simulation.opening().collect();
    let oldest = START - 101 * 86_400_000;
    for pair in opening.windows(2) {
        assert!(pair[0].customer != pair[1].customer || pair[0].time <= pair[1].time);
    }
    assert!(
        opening
            .iter()
            .all(|event| (oldest..START - 60_000).contains(&event.time))
    );
    let profiles = opening
        .iter()
        .filter(|event| event.kind == Moment::Profile)
        .count();
    assert_eq!(profiles, 300);
    assert!(
        (10..60).contains(&(opening.len() / 300)),
        "{} events",
        opening.len()
    );
    assert_eq!(simulation.opening().count(), 0);
}

#[test]
fn every_moment_of_every_scene_comes_within_two_thousand_events() {
    for seed in 0..20 {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut simulation = Simulation::new(settings(seed));
        for event in traffic(&mut simulation, 2_000) {
            let name = match event.kind {
                Moment::RivalTender => "rival tender",
                Moment::Yield => "yield",
                Moment::BigPurchase => "big purchase",
                Moment::MovingAway => "moving away",
                Moment::UnknownOutflow => "unknown",
                Moment::TillPurchase => "till purchase",
                Moment::Abandoned => "abandoned",
                Moment::WandersOff => "wanders off",
                Moment::Settlement => "settlement",
                Moment::Bill => "bill",
                Moment::Hospital => "hospital",
                Moment::Campus => "campus",
                Moment::Abroad => "abroad",
                Moment::PropertyFee => "property fee",
                Moment::Race => "race",
                Moment::FreshMoney => "salary",
                _ => continue,
            };
            *seen.entry(name).or_default() += 1;
        }
        assert_eq!(seen.len(), 16, "{seen:?}");
        assert!(seen.values().all(|count| *count >= 2), "{seen:?}");
    }
}

#[test]
fn an_accepted_coupon_is_paid_from_the_own_account_and_not_with_the_rival() {
    let mut simulation = Simulation::new(settings(6));
    let mut waiting: HashMap<String, String> = HashMap::new();
    let mut wins = 0;
    for n in 0..6_000 {
        let event = simulation.next(at(n));
        let value = json(&event);
        match (event.kind, text(&value, "/data/stage")) {
            (Moment::RivalTender, _) => {
                let id = format!("action-{n}");
                let action = ReceivedAction {
                    id: &id,
                    customer: &event.customer,
                    kind: "offer",
                    code: "DINE",
                };
                if simulation.respond(&action, event.time) == Some(Response::Accepted) {
                    waiting.insert(event.customer, text(&value, "/data/amount").to_owned());
                }
            }
            (_, "paid") => {
                if let Some(amount) = waiting.get(&event.customer)
                    && text(&value, "/data/amount") == amount
                {
                    assert_eq!(
                        text(&value, "/data/tender"),
                        "own_account",
                        "{}",
                        event.story
                    );
                    waiting.remove(&event.customer);
                    wins += 1;
                }
            }
            _ => {}
        }
    }
    assert!(wins > 20, "{wins} wins");
}

#[test]
fn a_response_depends_on_nothing_but_seed_persona_and_action() {
    let respond = |warm: usize| {
        let mut simulation = Simulation::new(settings(9));
        traffic(&mut simulation, warm);
        (0..50)
            .map(|n| {
                let (id, customer) = (format!("a{n}"), format!("C9-{:05}", 250 + n));
                let action = ReceivedAction {
                    id: &id,
                    customer: &customer,
                    kind: "message",
                    code: "",
                };
                simulation.respond(&action, START + 60_000)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(respond(0), respond(100));
    assert!(respond(0).contains(&Some(Response::Accepted)));
    let stranger = ReceivedAction {
        id: "a",
        customer: "C1001",
        kind: "offer",
        code: "",
    };
    assert_eq!(Simulation::new(settings(9)).respond(&stranger, START), None);
}

#[test]
fn people_and_shops_have_names_and_every_taste_has_a_shop() {
    for event in told(1, 300) {
        assert!(
            !event.story.is_empty() && event.story.len() < 200,
            "{}",
            event.story
        );
    }
    for persona in &super::personas::PERSONAS {
        for (category, _) in persona.tastes {
            assert!(
                super::merchants::of_category(category).count() > 0,
                "{category}"
            );
        }
    }
}

#[test]
fn every_event_passes_the_engines_decoding() {
    let schema = Schema::parse(include_str!("../../rules/schema.toml")).expect("a valid schema");
    let decoder = Decoder::default();
    for event in &told(11, 3_000) {
        if event.kind == Moment::Goal {
            let stored = Stored {
                sequence: 1,
                stored_at: event.time,
                subject: event.subject.clone(),
                headers: Vec::new(),
                payload: event.payload.clone().into(),
            };
            let decoded = decoder.decode_broadcast(&stored, &schema);
            assert_eq!(decoded.expect("accepted").time, event.time);
            continue;
        }
        let token = event.subject.rsplit('.').next().expect("a token");
        let partition = partition_of(token, decoder.partitions);
        let stored = Stored {
            sequence: 1,
            stored_at: event.time.max(START),
            subject: format!(
                "scene.in.{partition}.{}.{}",
                bucket_of(token),
                text(&json(event), "/type")
            ),
            headers: Vec::new(),
            payload: event.payload.clone().into(),
        };
        let decoded = decoder.decode(&stored, &schema).expect("accepted");
        assert_eq!(
            (decoded.time, decoded.customer.as_str()),
            (event.time, &*event.customer)
        );
    }
}
