//! Checkpoints: an engine goes on from the newest sound one, and from the streams where there is none.

use std::path::{Path, PathBuf};

use onscene::nats::EventPublisher;

use crate::kit::{self, Engine, Folder, Nats};

const CUSTOMERS: usize = 40;
/// As often as can be, and two of each partition.
const OFTEN: [(&str, &str); 2] = [
    ("ONSCENE_CHECKPOINTS_INTERVAL_S", "1"),
    ("ONSCENE_CHECKPOINTS_KEEP", "2"),
];

/// Says something at each third paid checkout of a customer: what was before must be known.
fn rules() -> Folder {
    let folder = Folder::new();
    let rule = r#"const RULE = #{ on: "merchant.checkout", channels: ["push"], fresh: "1d" };
fn when(event, customer) { event.stage == "paid" && customer.count("merchant.checkout", "30d") % 3 == 0 }
fn action(event, customer) { #{ kind: "offer", code: "THIRD" } }
"#;
    kit::save(folder.path(), "third.rhai", rule);
    folder
}

async fn publish(nats: &Nats, from: usize, to: usize) {
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    for number in from..to {
        let customer = format!("C{}", number % CUSTOMERS);
        kit::publish(&publisher, &format!("e{number}"), &customer).await;
    }
}

/// Takes the older events out of the stream, as its retention does.
async fn forget_events(nats: &Nats) {
    let client = async_nats::connect(nats.url()).await.unwrap();
    let events = async_nats::jetstream::new(client)
        .get_stream("SCENE_EVENTS")
        .await
        .unwrap();
    events.purge().await.unwrap();
}

fn state(data: &Path, arguments: &[&str]) -> (bool, String) {
    let output = kit::onscene()
        .args(["state", "--data"])
        .arg(data)
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
}

/// The checkpoint files of each partition, the oldest first.
fn files(data: &Path) -> Vec<Vec<PathBuf>> {
    let folders = std::fs::read_dir(data.join("checkpoints")).unwrap();
    let of = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = paths
            .filter(|path| path.extension().is_some_and(|e| e == "checkpoint"))
            .collect();
        files.sort();
        files
    };
    folders.map(|folder| of(folder.unwrap().path())).collect()
}

/// The newest checkpoint file of each partition.
fn newest(data: &Path) -> Vec<PathBuf> {
    let files = files(data).into_iter();
    files.filter_map(|mut files| files.pop()).collect()
}

/// Every checkpoint file.
fn all(data: &Path) -> Vec<PathBuf> {
    files(data).into_iter().flatten().collect()
}

/// The whole state of an engine that has stopped in good order.
fn export(data: &Path) -> String {
    let (is_done, text) = state(data, &["export"]);
    assert!(is_done, "{text}");
    assert!(state(data, &["verify"]).0);
    text
}

/// What an engine knows that puts everything together from the streams.
fn state_from_streams(nats: &Nats, rules: &Path) -> String {
    let data = Folder::new();
    let mut engine = Engine::spawn_on(&nats.url(), rules, data.path(), &[]);
    engine.wait_ready();
    assert!(engine.terminate().success(), "{}", engine.log());
    export(data.path())
}

fn wait_checkpoints(engine: &Engine, count: f64) {
    let series = "onscene_checkpoints_total{result=\"written\"}";
    kit::eventually("checkpoints", || engine.metric(series) >= count);
}

fn flip_a_byte(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes.len() * 2 / 3;
    bytes[at] ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_goes_on_from_its_checkpoints_when_the_events_are_no_longer_kept() {
    let (nats, rules, data) = (Nats::start().await, rules(), Folder::new());
    let mut engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &[]);
    engine.wait_ready();
    publish(&nats, 0, 2 * CUSTOMERS).await;
    assert!(engine.terminate().success(), "{}", engine.log());
    forget_events(&nats).await;
    let mut engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &[]);
    engine.wait_ready();
    assert!(
        engine.log().contains("checkpoint loaded"),
        "{}",
        engine.log()
    );
    // Nothing is missing that it did not know.
    assert!(!engine.log().contains("no longer kept"), "{}", engine.log());
    publish(&nats, 2 * CUSTOMERS, 3 * CUSTOMERS).await;
    let actions = kit::wait_actions(&nats.url(), CUSTOMERS).await;
    assert_eq!(actions.len(), CUSTOMERS, "the third of each customer");
    assert!(engine.terminate().success());
    let exported = export(data.path());
    assert_eq!(exported.lines().count(), CUSTOMERS);
    let (is_there, shown) = state(data.path(), &["show", "C7"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(is_there);
    assert_eq!(shown["journal"]["entries"].as_array().unwrap().len(), 3);
    assert!(!state(data.path(), &["show", "nobody"]).0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_killed_knows_the_same_as_one_that_reads_the_streams() {
    let (nats, rules, data) = (Nats::start().await, rules(), Folder::new());
    let mut engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &OFTEN);
    engine.wait_ready();
    for round in 0..3 {
        publish(&nats, round * 700, (round + 1) * 700).await;
        // A checkpoint of each partition at least, at whatever event it was.
        wait_checkpoints(&engine, 17.0);
        engine.kill();
        engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &OFTEN);
        engine.wait_ready();
        assert!(
            engine.log().contains("checkpoint loaded"),
            "{}",
            engine.log()
        );
    }
    // The same events again: seen before, also by a state that came from a checkpoint.
    publish(&nats, 1_000, 1_200).await;
    let series = "onscene_duplicate_events_total";
    kit::eventually("duplicates", || engine.metric(series) >= 200.0);
    assert!(engine.terminate().success(), "{}", engine.log());
    assert_eq!(export(data.path()), state_from_streams(&nats, rules.path()));
    let actions = kit::actions(&nats.url()).await;
    let answers = kit::answers(&actions);
    assert!(answers.values().all(|count| *count == 1), "{answers:?}");
    assert_eq!(
        actions.len(),
        (0..CUSTOMERS)
            .map(|c| (2_100 - c).div_ceil(CUSTOMERS) / 3)
            .sum::<usize>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_is_set_aside_and_the_one_before_or_the_streams_are_used() {
    let (nats, rules, data) = (Nats::start().await, rules(), Folder::new());
    let mut engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &OFTEN);
    engine.wait_ready();
    publish(&nats, 0, 500).await;
    wait_checkpoints(&engine, 33.0);
    publish(&nats, 500, 1_000).await;
    wait_checkpoints(&engine, 49.0);
    engine.kill();
    for file in newest(data.path()) {
        flip_a_byte(&file);
    }
    assert!(!state(data.path(), &["verify"]).0);
    let mut engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &[]);
    engine.wait_ready();
    for text in ["its checksum is wrong", "set aside", "checkpoint loaded"] {
        assert!(engine.log().contains(text), "{text}:\n{}", engine.log());
    }
    assert!(engine.terminate().success());
    let expected = state_from_streams(&nats, rules.path());
    assert_eq!(export(data.path()), expected);
    // Now there is none left that is sound: each is set aside by the engine itself.
    for file in all(data.path()) {
        flip_a_byte(&file);
    }
    let mut engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &[]);
    engine.wait_ready();
    assert!(
        engine.log().contains("from the streams alone"),
        "{}",
        engine.log()
    );
    assert!(engine.terminate().success());
    assert_eq!(export(data.path()), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_of_other_streams_are_set_aside_saying_so() {
    let (rules, data) = (rules(), Folder::new());
    {
        let nats = Nats::start().await;
        let mut engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &[]);
        engine.wait_ready();
        publish(&nats, 0, 200).await;
        assert!(engine.terminate().success());
    }
    let nats = Nats::start().await;
    let engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &[]);
    engine.wait_ready();
    for text in ["the stream was made anew", "from the streams alone"] {
        assert!(engine.log().contains(text), "{text}:\n{}", engine.log());
    }
    publish(&nats, 0, 3 * CUSTOMERS).await;
    let actions = kit::wait_actions(&nats.url(), CUSTOMERS).await;
    assert_eq!(actions.len(), CUSTOMERS, "nothing is known of before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_cannot_be_written_to_is_an_error_at_the_start() {
    let (nats, rules, data) = (Nats::start().await, rules(), Folder::new());
    // A file where the folder should be.
    std::fs::write(data.path().join("checkpoints"), b"").unwrap();
    let mut engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &[]);
    assert_eq!(engine.wait().code(), Some(1));
    assert!(
        engine.log().contains("name another folder with --data"),
        "{}",
        engine.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_forgotten_while_the_engine_was_away_are_missed_aloud() {
    let (nats, rules, data) = (Nats::start().await, rules(), Folder::new());
    let mut engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &[]);
    engine.wait_ready();
    publish(&nats, 0, 10).await;
    assert!(engine.terminate().success(), "{}", engine.log());
    publish(&nats, 10, 20).await;
    forget_events(&nats).await;
    let engine = Engine::spawn_on(&nats.url(), rules.path(), data.path(), &[]);
    engine.wait_ready();
    assert!(engine.log().contains("no longer kept"), "{}", engine.log());
}
