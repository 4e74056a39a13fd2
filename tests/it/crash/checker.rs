//! Reads the streams, and nothing else, and says what is lost, doubled, or should not be there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::Value;

use super::model::{Expected, StoredEvent, expected};
use super::world::JOURNEY_LASTS;

/// How long nothing new may come before what is missing is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// One decision as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decision {
    pub(super) id: String,
    pub(super) rule: String,
    pub(super) trigger: String,
    pub(super) step: u64,
    /// All that is decided, without when.
    pub(super) essence: String,
}

/// What was found to be right.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) events: usize,
    pub(super) copies: usize,
    pub(super) decisions: Vec<Decision>,
    pub(super) dead: usize,
    /// Timers that fired before an event that was stored earlier, by its timestamp, could be read.
    pub(super) early: usize,
    /// Events with a timestamp before that of the event before.
    pub(super) backwards: usize,
}

/// A message with its place and its time in a stream.
struct Message {
    sequence: u64,
    at: i64,
    subject: String,
    headers: HashMap<String, String>,
    payload: bytes::Bytes,
}

async fn jetstream(url: &str) -> async_nats::jetstream::Context {
    let servers: Vec<String> = url.split(',').map(str::to_owned).collect();
    async_nats::jetstream::new(async_nats::connect(servers).await.unwrap())
}

async fn read(url: &str, stream: &str) -> Vec<Message> {
    let mut stream = jetstream(url).await.get_stream(stream).await.unwrap();
    let count = usize::try_from(stream.info().await.unwrap().state.messages).unwrap();
    let config = async_nats::jetstream::consumer::pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await.unwrap();
    let mut messages = consumer.messages().await.unwrap().take(count);
    let mut read = Vec::with_capacity(count);
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        let info = message.info().unwrap();
        let headers = message.headers.iter().flat_map(async_nats::HeaderMap::iter);
        read.push(Message {
            sequence: info.stream_sequence,
            at: i64::try_from(info.published.unix_timestamp_nanos() / 1_000_000).unwrap(),
            subject: message.subject.to_string(),
            headers: headers
                .map(|(name, values)| (name.to_string(), values[0].to_string()))
                .collect(),
            payload: message.payload.clone(),
        });
    }
    read
}

/// What is stored in `SCENE_EVENTS`.
pub(super) async fn stored_events(url: &str) -> Vec<StoredEvent> {
    let messages = read(url, "SCENE_EVENTS").await.into_iter();
    let stored = messages.map(|message| StoredEvent {
        sequence: message.sequence,
        at: message.at,
        payload: message.payload,
    });
    stored.collect()
}

/// Every decision in `SCENE_ACTIONS`, in the log's order.
pub(super) async fn decisions(url: &str) -> Vec<Decision> {
    let messages = read(url, "SCENE_ACTIONS").await;
    let actions = messages
        .iter()
        .filter(|message| !message.subject.starts_with("scene.actions._record."));
    actions.map(decision).collect()
}

fn decision(message: &Message) -> Decision {
    let mut json: Value = serde_json::from_slice(&message.payload).unwrap();
    let policy_time = message.headers["Onscene-Policy-Time"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let id = text(&json["id"]);
    let data = &json["data"];
    let (rule, trigger) = (text(&data["rule"]), text(&data["trigger"]["id"]));
    let step = data["step"].as_u64().unwrap_or(0);
    // Only these two say when it was decided, by the wall clock.
    json["time"] = Value::Null;
    json["data"]["decided_at"] = Value::Null;
    Decision {
        id,
        rule,
        trigger,
        step,
        essence: format!("{} {policy_time} {json}", message.subject),
    }
}

/// How many actions there are now: those of journeys, which end early or late, and all others.
async fn count(url: &str) -> (usize, usize) {
    let jetstream = jetstream(url).await;
    let stream = jetstream.get_stream_no_info("SCENE_ACTIONS").await.unwrap();
    // An engine that has just been started has yet to make it.
    let Ok(mut subjects) = stream.info_with_subjects("scene.actions.>").await else {
        return (0, 0);
    };
    let (mut journeys, mut others) = (0, 0);
    while let Some(Ok((subject, messages))) = subjects.next().await {
        if subject.starts_with("scene.actions.inapp.") {
            journeys += messages;
        } else if !subject.starts_with("scene.actions._record.") {
            others += messages;
        }
    }
    (journeys, others)
}

/// Waits until no more comes than is there: at least so many beside those of journeys, and nothing new for as long as a
/// journey takes.
pub(super) async fn settled(url: &str, at_least: usize) {
    let (mut last, mut since) = ((0, 0), Instant::now());
    loop {
        let now = count(url).await;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if now.1 >= at_least && since.elapsed() > JOURNEY_LASTS {
            return;
        }
        if since.elapsed() > PATIENCE {
            // The checker says what is missing.
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Waits for what must come, and checks that it came, once, and nothing else.
pub(super) async fn check(url: &str) -> Verdict {
    let found = check_replicated(url).await;
    assert_eq!(found.early, 0, "timers that fired too early");
    found
}

/// The same for streams with replicas, where a timer may fire before an event with an earlier timestamp has come: once,
/// after a kill of a leader, that was seen. Such timers are counted.
pub(super) async fn check_replicated(url: &str) -> Verdict {
    let stored = stored_events(url).await;
    let backwards = stored
        .windows(2)
        .filter(|two| two[1].at < two[0].at)
        .count();
    let expected = expected(&stored);
    settled(url, expected.answers.values().map(BTreeSet::len).sum()).await;
    let decisions = decisions(url).await;
    let (early, mut faults): (Vec<_>, Vec<_>) = compare(&expected, &decisions)
        .into_iter()
        .partition(|fault| fault.starts_with("not due: absence "));
    let dead = check_dead(url, &expected, &mut faults).await;
    check_owners(url, &mut faults).await;
    let shown = faults.len().min(20);
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults[..shown].join("\n")
    );
    Verdict {
        events: expected.events,
        copies: expected.copies,
        decisions,
        dead,
        early: early.len(),
        backwards,
    }
}

fn compare(expected: &Expected, decisions: &[Decision]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut ids = BTreeSet::new();
    let mut steps = BTreeSet::new();
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for decision in decisions {
        let name = format!(
            "{} for {} step {}",
            decision.rule, decision.trigger, decision.step
        );
        if !ids.insert(&decision.id) {
            faults.push(format!("the id {} comes twice: {name}", decision.id));
        }
        if !steps.insert((&decision.rule, &decision.trigger, decision.step)) {
            faults.push(format!("doubled: {name}"));
        }
        found
            .entry(&decision.rule)
            .or_default()
            .insert(&decision.trigger);
    }
    for (rule, wanted) in &expected.answers {
        let found = found.remove(rule).unwrap_or_default();
        let lost = wanted.iter().filter(|id| !found.contains(id.as_str()));
        faults.extend(lost.map(|id| format!("lost: {rule} for {id}")));
        let extra = found.iter().filter(|id| !wanted.contains(**id));
        faults.extend(extra.map(|id| format!("not due: {rule} for {id}")));
    }
    faults.extend(
        found
            .into_keys()
            .filter(|rule| *rule != "journey")
            .map(|rule| format!("no such rule: {rule}")),
    );
    faults
}

/// Whatever is no event is a dead letter, once.
async fn check_dead(url: &str, expected: &Expected, faults: &mut Vec<String>) -> usize {
    let letters = read(url, "SCENE_DLQ").await;
    let mut found: BTreeMap<u64, usize> = BTreeMap::new();
    for letter in &letters {
        let sequence = letter.headers["Onscene-Stored-Sequence"].parse().unwrap();
        *found.entry(sequence).or_default() += 1;
    }
    for sequence in &expected.dead {
        match found.remove(sequence) {
            Some(1) => {}
            Some(times) => faults.push(format!("event {sequence} is a dead letter {times} times")),
            None => faults.push(format!("event {sequence} is no dead letter")),
        }
    }
    let rest = found.into_keys();
    faults.extend(rest.map(|sequence| format!("event {sequence} should be no dead letter")));
    letters.len()
}

/// In each partition's log, nobody writes after another has taken over.
async fn check_owners(url: &str, faults: &mut Vec<String>) {
    let mut owners: HashMap<String, (String, BTreeSet<String>)> = HashMap::new();
    for message in read(url, "SCENE_ACTIONS").await {
        let partition = message.subject.rsplit('.').next().unwrap().to_owned();
        let owner = &message.headers["Onscene-Owner"];
        let (now, former) = owners
            .entry(partition)
            .or_insert_with(|| (owner.clone(), BTreeSet::new()));
        if now != owner {
            former.insert(std::mem::replace(now, owner.clone()));
            if former.contains(owner) {
                faults.push(format!(
                    "{owner} writes message {} of {} after it was taken over",
                    message.sequence, message.subject
                ));
            }
        }
    }
}

#[test]
fn the_checker_sees_what_is_lost_doubled_and_not_due() {
    let event = |sequence: u64, id: &str, stage: &str, at: i64| StoredEvent {
        sequence,
        at,
        payload: serde_json::json!({
            "id": id, "subject": "C", "time": onscene::clock::format_rfc3339(at),
            "data": {"stage": stage},
        })
        .to_string()
        .into(),
    };
    let stored = [
        event(1, "a", "paid", 10_000),
        event(2, "b", "abandoned", 11_000),
        event(3, "a", "paid", 10_000),
        event(4, "c", "paid", 11_500),
        event(5, "d", "abandoned", 12_000),
    ];
    let expected = expected(&stored);
    assert_eq!((expected.events, expected.copies), (4, 1));
    let of = |rule: &str| expected.answers[rule].iter().cloned().collect::<Vec<_>>();
    assert_eq!(of("answer"), ["a", "c"]);
    assert_eq!(of("capped"), ["a"]);
    assert_eq!(of("absence"), ["d"]);
    let decision = |id: &str, rule: &str, trigger: &str| Decision {
        id: id.to_owned(),
        rule: rule.to_owned(),
        trigger: trigger.to_owned(),
        step: 0,
        essence: String::new(),
    };
    let right = [
        decision("1", "answer", "a"),
        decision("2", "capped", "a"),
        decision("3", "answer", "c"),
        decision("4", "absence", "d"),
    ];
    assert_eq!(compare(&expected, &right), Vec::<String>::new());
    assert_eq!(compare(&expected, &right[1..]), ["lost: answer for a"]);
    let mut wrong = right.to_vec();
    wrong.push(decision("5", "answer", "a"));
    wrong.push(decision("6", "absence", "b"));
    assert_eq!(
        compare(&expected, &wrong),
        ["doubled: answer for a step 0", "not due: absence for b"]
    );
}
