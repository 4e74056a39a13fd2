//! No room: a stream, a server or a disk is full. The engine waits, says why, loses nothing, and goes on.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use serde_json::Value;

use super::load::draft;
use super::world::World;
use super::{checker, tell};
use crate::kit::{Engine, Nats, SmallDisk, nats_binary};

const NO_ROOM_COMMIT: &str = "onscene_waiting{cause=\"no_room\",what=\"commit\"}";
const NO_ROOM_DEAD: &str = "onscene_waiting{cause=\"no_room\",what=\"dead_letters\"}";
const ROOM: i64 = 1 << 30;

/// Changes a stream as an operator does with `nats stream edit`.
pub(super) async fn change(url: &str, stream: &str, change: impl FnOnce(&mut Config)) {
    let client = async_nats::connect(url).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let stream = jetstream.get_stream(stream).await.unwrap();
    let mut config = stream.cached_info().config.clone();
    change(&mut config);
    jetstream.update_stream(config).await.unwrap();
}

/// What keeps the engine from deciding, as `/readyz` says.
fn obstacles(engine: &Engine) -> String {
    let answer = engine.get("/readyz");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let ready: Value = serde_json::from_str(body).unwrap();
    let obstacles = ready["obstacles"].as_array().unwrap().iter();
    let obstacles: Vec<&str> = obstacles.map(|o| o.as_str().unwrap()).collect();
    obstacles.join("\n")
}

/// Waits until `/readyz` says all of these.
async fn wait_obstacle(engine: &Engine, parts: &[&str]) -> String {
    let mut said = String::new();
    for _ in 0..600 {
        said = obstacles(engine);
        if parts.iter().all(|part| said.contains(part)) {
            return said;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{parts:?} never came, but:\n{said}\n{}", engine.log());
}

/// Publishes events until the broker refuses one, or so many; returns how many it took.
async fn publish(nats: &Nats, from: usize, to: usize) -> usize {
    let publisher = onscene::nats::EventPublisher::new(&nats.connect().await, 64);
    for number in from..to {
        let draft = draft(3, number);
        let sent = publisher.publish(&draft.subject, &[], draft.payload).await;
        let Ok(sent) = sent else { return number - from };
        if sent.stored().await.is_err() {
            return number - from;
        }
    }
    to - from
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_makes_the_engine_wait_and_say_so_and_nothing_is_lost() {
    let nats = Nats::start().await;
    let mut world = World::new(&nats.url());
    world.set("ONSCENE_ACTIONS_MAX_BYTES", 300_000);
    let mut engine = world.start(0);
    assert_eq!(publish(&nats, 0, 2_000).await, 2_000);
    let parts = [
        "for NATS to store the",
        "maximum bytes exceeded",
        "(since 1 s",
    ];
    let said = wait_obstacle(&engine, &parts).await;
    assert!(engine.metric(NO_ROOM_COMMIT) > 0.0);
    // Whoever restarts it has no more room for that, and loses nothing either.
    engine.kill();
    let mut engine = world.spawn(0);
    engine.wait_log("maximum bytes exceeded");
    engine.kill();
    change(&nats.url(), "SCENE_ACTIONS", |config| {
        config.max_bytes = ROOM
    })
    .await;
    world.set("ONSCENE_ACTIONS_MAX_BYTES", ROOM);
    let engine = world.start(0);
    let found = checker::check(&nats.url()).await;
    assert!(engine.metric(NO_ROOM_COMMIT) < 1.0);
    tell(format_args!(
        "full SCENE_ACTIONS: \"{said}\"; with room again {} decisions: 0 lost, 0 doubled",
        found.decisions.len()
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_waits_for_room_goes_on_by_itself_when_there_is_some() {
    let nats = Nats::start().await;
    let mut world = World::new(&nats.url());
    world.set("ONSCENE_ACTIONS_MAX_BYTES", 300_000);
    world.set("ONSCENE_DEAD_LETTERS_MAX_BYTES", 600);
    let engine = world.start(0);
    assert_eq!(publish(&nats, 0, 3_000).await, 3_000);
    wait_obstacle(&engine, &["store the", "maximum bytes exceeded"]).await;
    change(&nats.url(), "SCENE_ACTIONS", |config| {
        config.max_bytes = ROOM
    })
    .await;
    let parts = ["keep rejected events in SCENE_DLQ: maximum bytes exceeded"];
    let said = wait_obstacle(&engine, &parts).await;
    assert!(engine.metric(NO_ROOM_DEAD) > 0.0);
    change(&nats.url(), "SCENE_DLQ", |config| config.max_bytes = ROOM).await;
    let found = checker::check(&nats.url()).await;
    engine.wait_ready();
    assert!(engine.metric(NO_ROOM_DEAD) < 1.0);
    assert!(found.dead > 3, "{}", found.dead);
    tell(format_args!(
        "full SCENE_DLQ: \"{said}\"; went on by itself, {} dead letters, {} decisions: 0 lost, 0 doubled",
        found.dead,
        found.decisions.len()
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_of_events_refuses_producers_and_the_engine_lives() {
    let nats = Nats::start().await;
    let mut world = World::new(&nats.url());
    world.set("ONSCENE_EVENTS_MAX_BYTES", 200_000);
    let engine = world.start(0);
    let taken = publish(&nats, 0, 5_000).await;
    assert!((200..4_000).contains(&taken), "{taken}");
    assert_eq!(publish(&nats, taken, taken + 1).await, 0, "it is told so");
    checker::check(&nats.url()).await;
    assert!(engine.is_ready(), "{}", obstacles(&engine));
    // Old events age out.
    change(&nats.url(), "SCENE_EVENTS", |config| {
        config.max_age = Duration::from_secs(1);
        config.duplicate_window = Duration::from_secs(1);
    })
    .await;
    let answered = checker::decisions(&nats.url()).await.len();
    let mut again = 0;
    for _ in 0..100 {
        again = publish(&nats, 10_000, 10_050).await;
        if again == 50 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(again, 50, "there is room again");
    checker::settled(&nats.url(), answered + 10).await;
    assert!(engine.is_ready(), "{}", obstacles(&engine));
    tell(format_args!(
        "full SCENE_EVENTS: producers were refused after {taken} events, the engine stayed ready, and took what came \
         when old events had aged out"
    ));
}

/// The server's own limit, `max_file_store`.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_room_is_waited_for() {
    let mut nats = Nats::start_with(|options| options.store_bytes_max = Some(2_000_000)).await;
    let mut world = World::new(&nats.url());
    let engine = world.start(0);
    let taken = publish(&nats, 0, 20_000).await;
    assert!(taken < 20_000);
    let said = wait_obstacle(&engine, &["for NATS to store the", "(since 1 s"]).await;
    assert!(engine.metric(NO_ROOM_COMMIT) > 0.0, "{said}");
    nats.change(|options| options.store_bytes_max = Some(1 << 30));
    nats.restart().await.unwrap();
    let found = checker::check(&nats.url()).await;
    engine.wait_ready();
    tell(format_args!(
        "full server: \"{said}\"; after a restart with a higher limit {} decisions: 0 lost, 0 doubled",
        found.decisions.len()
    ));
}

/// A disk without room: the server's streams take no more writes, and have to be restarted.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_for_until_there_is_room_and_the_server_was_restarted() {
    let mut disk = None;
    let server = Nats::start_with(|options| {
        disk = SmallDisk::mount(&options.folder.join("store"), 10 << 20);
        if let Some(disk) = &disk {
            options.binary = Some(disk.launcher(&options.folder, &nats_binary()));
            // More than there is, so that the disk is full before the server counts it as such.
            options.store_bytes_max = Some(1 << 30);
        }
    });
    let mut nats = server.await;
    let Some(disk) = disk else {
        println!(
            "SKIPPED: a tmpfs cannot be mounted here (unshare --map-root-user --mount), so a full disk was NOT tested"
        );
        return;
    };
    let mut world = World::new(&nats.url());
    let engine = world.start(0);
    let taken = publish(&nats, 0, 60_000).await;
    assert!(disk.free() < 100_000, "{} bytes are free", disk.free());
    // On this server it is silence that says so; the reason stands in its log.
    let said = wait_obstacle(&engine, &["for NATS to", "(since 1 s"]).await;
    let log = std::fs::read_to_string(nats.log()).unwrap();
    assert!(log.contains("no space left on device"), "{log}");
    disk.resize(200 << 20);
    nats.restart().await.unwrap();
    let found = checker::check(&nats.url()).await;
    engine.wait_ready();
    tell(format_args!(
        "full disk: after {taken} events \"{said}\"; with room and a restarted server {} decisions: 0 lost, 0 doubled",
        found.decisions.len()
    ));
}
