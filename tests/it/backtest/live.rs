//! What a real engine decided on a real server, tried again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{findings, rule, write};
use crate::kit::{Engine, Folder, Nats, eventually, onscene, publish, wait_actions};
use onscene::nats::EventPublisher;

/// Events of the simulated traffic; `ONSCENE_BACKTEST_EVENTS` names another number.
const EVENTS: u64 = 20_000;
/// Simulated events a second; `ONSCENE_BACKTEST_RATE` names another number.
const RATE: u64 = 2_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Copies the rules that are shipped.
fn shipped(folder: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(from)
        .arg(folder.join("rules"))
        .status();
    assert!(copied.unwrap().success());
}

fn simulate(url: &str, events: u64, rate: u64) {
    let simulated = onscene()
        .args([
            "simulate",
            "--nats",
            url,
            "--seed",
            "11",
            "--warmup-days",
            "30",
        ])
        .args(["--customers", &(events / 20).clamp(100, 20_000).to_string()])
        .args([
            "--rate",
            &rate.to_string(),
            "--seconds",
            &(events / rate).to_string(),
        ])
        .stderr(Stdio::null())
        .status();
    assert!(simulated.unwrap().success());
}

/// Waits until everything that was stored has been decided about.
pub(super) fn wait_decided(engine: &Engine) {
    let mut still = (0.0, Instant::now());
    eventually("everything decided", || {
        let decided = engine.metric("onscene_step_seconds_count");
        if decided != still.0 {
            still = (decided, Instant::now());
        }
        engine.metric("onscene_pending_events") < 0.5 && still.1.elapsed() > Duration::from_secs(2)
    });
}

fn assert_none_unexplained(found: &Value) {
    let shown = serde_json::to_string_pretty(&found["examples"]).unwrap();
    assert!(
        found["causes"].get("unexplained").is_none() && found["causes"].get("rules").is_none(),
        "{}\n{shown}",
        found["causes"]
    );
}

pub(super) fn assert_nothing_differs(found: &Value) {
    let shown = serde_json::to_string_pretty(&found["examples"]).unwrap();
    let nothing = serde_json::json!({"gained": 0, "lost": 0, "changed": 0});
    assert_eq!(found["differences"], nothing, "{shown}");
}

/// Must-show 4 of the contact policy's issue: equal rules and policy, so nothing differs.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_real_engine_decided_is_decided_again() {
    let nats = Nats::with_streams(16).await;
    let folder = Folder::new();
    shipped(folder.path());
    let (events, rate) = (
        number("ONSCENE_BACKTEST_EVENTS", EVENTS),
        number("ONSCENE_BACKTEST_RATE", RATE),
    );
    let data = folder.path().join("data");
    let rules = folder.path().join("rules");
    // So that some are left from the first half.
    let every = (events / rate / 50).max(1).to_string();
    let often = [
        ("ONSCENE_CHECKPOINTS_INTERVAL_S", every.as_str()),
        ("ONSCENE_CHECKPOINTS_KEEP", "100"),
    ];
    let mut engine = Engine::spawn_on(&nats.url(), &rules, &data, &often);
    engine.wait_ready();
    let began = Instant::now();
    simulate(&nats.url(), events, rate);
    wait_decided(&engine);
    let live = began.elapsed();
    engine.terminate();
    let began = Instant::now();
    let url = nats.url();
    let found = findings(folder.path(), &["--nats", &url]);
    let again = began.elapsed();
    let (same, decided) = (
        found["same"].as_u64().unwrap(),
        found["events"]["decided"].as_u64().unwrap(),
    );
    println!(
        "result: {decided} events decided live in {:.1} s and again in {:.1} s, {:.1} times as fast; {same} decisions the same, differing: {} {}",
        live.as_secs_f64(),
        again.as_secs_f64(),
        live.as_secs_f64() / again.as_secs_f64(),
        found["differences"],
        found["causes"]
    );
    assert!(decided >= events && same > decided / 100, "{found:#}");
    assert_nothing_differs(&found);
    // The second half, with what was known at its beginning, from the log alone and from checkpoints.
    let at = halfway(&url).await;
    for data in ["nowhere", "data"] {
        let found = findings(
            folder.path(),
            &["--nats", &url, "--from", &at, "--data", data],
        );
        let start = found["start"].as_str().unwrap();
        if data == "data" {
            // How many were taken by then is the machine's doing.
            assert!(start.starts_with("checkpoints of "), "{start}");
        } else {
            assert!(start.starts_with("no checkpoint"), "{start}");
            assert!(found["events"]["before"].as_u64().unwrap() > 0);
        }
        assert!(found["same"].as_u64().unwrap() > 0);
        assert_none_unexplained(&found);
    }
}

/// When the middle one of all events was stored.
async fn halfway(url: &str) -> String {
    let client = async_nats::connect(url).await.unwrap();
    let stream = async_nats::jetstream::new(client)
        .get_stream("SCENE_EVENTS")
        .await
        .unwrap();
    let middle = stream.cached_info().state.last_sequence / 2;
    let message = stream.get_raw_message(middle).await.unwrap();
    let millis = i64::try_from(message.time.unix_timestamp_nanos() / 1_000_000).unwrap();
    onscene::clock::format_rfc3339(millis)
}

/// An engine that was away comes too late for what was fresh then: a backtest says so, and that other rules would have
/// said more.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_too_late_live_is_named_as_that() {
    let nats = Nats::with_streams(4).await;
    let folder = Folder::new();
    write(
        folder.path(),
        &[
            (
                "rules/quick.rhai",
                rule("fresh: \"2s\"", "event.stage == \"paid\"", "QUICK", "1"),
            ),
            (
                "more/quick.rhai",
                rule("fresh: \"2s\"", "event.stage == \"paid\"", "QUICK", "2"),
            ),
            (
                "more/second.rhai",
                rule("", "event.stage == \"paid\"", "SECOND", "0"),
            ),
        ],
    );
    let (rules, data) = (folder.path().join("rules"), folder.path().join("data"));
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let partitions = [("ONSCENE_ENGINE_PARTITIONS", "4")];
    let start = || {
        let engine = Engine::spawn_on(&nats.url(), &rules, &data, &partitions);
        engine.wait_ready();
        engine
    };
    let mut engine = start();
    for number in 0..20 {
        publish(&publisher, &format!("a{number}"), &format!("C{number}")).await;
    }
    wait_actions(&nats.url(), 20).await;
    engine.terminate();
    for number in 0..20 {
        publish(&publisher, &format!("b{number}"), &format!("C{number}")).await;
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let mut engine = start();
    for number in 0..20 {
        publish(&publisher, &format!("c{number}"), &format!("C{number}")).await;
    }
    wait_actions(&nats.url(), 40).await;
    engine.terminate();
    let url = nats.url();
    let found = findings(folder.path(), &["--nats", &url]);
    assert_eq!(found["same"], 40, "{found:#}");
    assert_eq!(found["differences"]["gained"], 20);
    assert_eq!(
        found["causes"],
        serde_json::json!({"stale": 20}),
        "{found:#}"
    );
    let found = findings(folder.path(), &["--nats", &url, "--rules", "more"]);
    assert_eq!(found["differences"]["changed"], 40, "{found:#}");
    assert_eq!(found["differences"]["gained"], 80);
    assert_eq!(found["differences"]["lost"], 0);
    let both = findings(
        folder.path(),
        &["--nats", &url, "--rules", "more", "--against", "rules"],
    );
    assert_eq!(
        both["differences"],
        serde_json::json!({"gained": 60, "lost": 0, "changed": 60})
    );
    assert_eq!(both["causes"], serde_json::json!({}));
}

/// Nothing is switched off in a backtest: what a pause or the shadow mode kept back is named as that.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_switched_off_live_is_named_as_that() {
    let nats = Nats::with_streams(4).await;
    let folder = Folder::new();
    let answers = rule("", "event.stage == \"paid\"", "QUICK", "1");
    write(
        folder.path(),
        &[
            ("rules/paused.rhai", answers.clone()),
            ("rules/shadowed.rhai", answers),
        ],
    );
    let url = nats.url();
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let partitions = [("ONSCENE_ENGINE_PARTITIONS", "4")];
    let mut engine = Engine::spawn_on(
        &url,
        &folder.path().join("rules"),
        &folder.path().join("data"),
        &partitions,
    );
    engine.wait_ready();
    let switch = |what: &str, rule: &str| {
        let done = onscene()
            .args([
                "switch", what, "--rule", rule, "--by", "Li Na", "--reason", "trial", "--nats",
                &url,
            ])
            .envs(partitions)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    switch("pause", "paused");
    switch("shadow", "shadowed");
    for number in 0..8 {
        publish(&publisher, &format!("a{number}"), &format!("C{number}")).await;
    }
    wait_actions(&url, 8).await;
    switch("resume", "paused");
    switch("unshadow", "shadowed");
    for number in 0..8 {
        publish(&publisher, &format!("b{number}"), &format!("C{number}")).await;
    }
    wait_actions(&url, 24).await;
    engine.terminate();
    let found = findings(folder.path(), &["--nats", &url]);
    assert_eq!(found["same"], 16, "{found:#}");
    assert_eq!(
        found["differences"],
        serde_json::json!({"gained": 8, "lost": 0, "changed": 8})
    );
    assert_eq!(
        found["causes"],
        serde_json::json!({"switch": 16}),
        "{found:#}"
    );
}
