//! What must come out, computed from the events as they are stored, without the engine: the meaning of the rules in
//! [`super::world`] written once more, by hand.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use serde_json::Value;

use super::world;

/// A message of `SCENE_EVENTS`.
#[derive(Clone, Debug)]
pub(super) struct StoredEvent {
    pub(super) sequence: u64,
    /// When it was stored, in milliseconds since the Unix epoch.
    pub(super) at: i64,
    pub(super) payload: Bytes,
}

/// What must be there: for each rule, the ids of the triggers that it answers once; and what is a dead letter.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) answers: BTreeMap<&'static str, BTreeSet<String>>,
    /// Sequences in `SCENE_EVENTS`.
    pub(super) dead: BTreeSet<u64>,
    /// Different events.
    pub(super) events: usize,
    /// Stored copies of events that had been stored before.
    pub(super) copies: usize,
}

struct Seen {
    sequence: u64,
    at: i64,
    time: i64,
    stage: String,
    id: String,
}

/// The rules' windows, in milliseconds.
const COOLDOWN: i64 = 5_000;
const WINDOW: i64 = 4_000;
const DELAY: i64 = 1_000;

/// The model; [`world::World::new`] has the rules it is of.
pub(super) fn expected(stored: &[StoredEvent]) -> Expected {
    let mut expected = Expected::default();
    let mut customers: HashMap<String, Vec<Seen>> = HashMap::new();
    let mut known = HashSet::new();
    for event in stored {
        let Ok(json) = serde_json::from_slice::<Value>(&event.payload) else {
            expected.dead.insert(event.sequence);
            continue;
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let id = text(&json["id"]);
        if !known.insert(id.clone()) {
            expected.copies += 1;
            continue;
        }
        customers
            .entry(text(&json["subject"]))
            .or_default()
            .push(Seen {
                sequence: event.sequence,
                at: event.at,
                time: onscene::clock::parse_rfc3339(json["time"].as_str().unwrap()).unwrap(),
                stage: text(&json["data"]["stage"]),
                id,
            });
    }
    expected.events = known.len();
    for events in customers.values() {
        for (rule, ids) in of_one_customer(events) {
            expected.answers.entry(rule).or_default().extend(ids);
        }
    }
    expected
}

fn of_one_customer(events: &[Seen]) -> [(&'static str, Vec<String>); 4] {
    let (mut answer, mut capped, mut window, mut absence) =
        <(Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
    let mut sent = i64::MIN / 2;
    for (index, event) in events.iter().enumerate() {
        let until_now = &events[..=index];
        match event.stage.as_str() {
            "paid" => {
                answer.push(event.id.clone());
                if event.at - sent >= COOLDOWN {
                    sent = event.at;
                    capped.push(event.id.clone());
                }
            }
            "refunded" if count(until_now.iter(), "refunded", event.time, WINDOW) >= 3 => {
                window.push(event.id.clone());
            }
            "abandoned" => {
                // Whatever was stored before it was due, or before itself if it came later than that.
                let due = event.time + DELAY;
                let seen = events.iter();
                let seen = seen.filter(|e| e.at < due || e.sequence <= event.sequence);
                if count(seen, "paid", due, DELAY) == 0 {
                    absence.push(event.id.clone());
                }
            }
            _ => {}
        }
    }
    [
        ("answer", answer),
        ("capped", capped),
        ("window", window),
        ("absence", absence),
    ]
}

fn count<'a>(
    events: impl Iterator<Item = &'a Seen>,
    stage: &str,
    until: i64,
    length: i64,
) -> usize {
    let inside = |event: &&Seen| event.time > until - length && event.time <= until;
    events
        .filter(inside)
        .filter(|event| event.stage == stage)
        .count()
}

#[test]
fn the_model_has_the_numbers_of_the_rules() {
    assert!(world::CAPPED.contains("cooldown: \"5s\"") && COOLDOWN == 5_000);
    assert!(world::WINDOW.contains("\"4s\"") && WINDOW == 4_000);
    assert!(world::ABSENCE.contains("delay: \"1s\"") && DELAY == 1_000);
}
