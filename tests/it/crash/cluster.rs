//! Three servers that keep three copies: the leader is killed under load.

use std::time::Duration;

use bytes::Bytes;
use onscene::nats::log_write::{HEADER_ID, HEADER_KIND};
use onscene::nats::{Chain, Connection, LogReader, LogWrite};

use super::world::{self, World};
use super::{checker, setting, tell};
use crate::kit::{Cluster, Random};

/// Kills the leader of a stream, and starts it again a little later.
async fn kill_leader(cluster: &mut Cluster, stream: &str, random: &mut Random) {
    let leader = cluster.leader(stream).await;
    cluster.servers[leader].kill().await.unwrap();
    world::pause(random, 1_000).await;
    cluster.servers[leader].restart().await.unwrap();
    // Another one is killed only when this one follows again: two of three must be there.
    cluster.healthy(stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_of_which_the_leader_is_killed_lose_and_double_nothing() {
    let kills = setting("ONSCENE_LEADER_KILLS", 1);
    let seed = u64::try_from(setting("ONSCENE_SEED", 1)).unwrap();
    let mut random = Random::new(seed);
    let mut cluster = Cluster::start(16).await;
    let mut world = World::new(&cluster.url());
    world.set("ONSCENE_NATS_REPLICAS", 3);
    let engine = world.start(0);
    let load = world.load(seed, setting("ONSCENE_RATE", 1_000)).await;
    for _ in 0..kills {
        let before = load.stored();
        while load.stored() < before + 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world::pause(&mut random, 1_000).await;
        let stream = random.pick(&["SCENE_ACTIONS", "SCENE_EVENTS"]);
        kill_leader(&mut cluster, stream, &mut random).await;
    }
    load.stop().await;
    let found = checker::check_replicated(&cluster.url()).await;
    engine.wait_ready();
    tell(format_args!(
        "three replicas: {kills} kills -9 of a leader, {} events, {} of them stored again, {} decisions: 0 lost, 0 \
         doubled; {} timers fired before an event that was stored earlier could be read; timestamps ran backwards {} times",
        found.events,
        found.copies,
        found.decisions.len(),
        found.early,
        found.backwards
    ));
}

fn writes(ids: std::ops::Range<usize>) -> Vec<LogWrite> {
    let write = |id: usize| LogWrite {
        channel: "push".to_owned(),
        id: id.to_string(),
        kind: "action",
        headers: Vec::new(),
        payload: Bytes::from(vec![b'x'; 400]),
    };
    ids.map(write).collect()
}

/// Single writes and atomic batches (ADR-50), of several chains at once.
#[tokio::test(flavor = "multi_thread")]
async fn chains_on_three_replicas_store_singles_and_batches_once_while_leaders_are_killed() {
    let (chains, per_chain) = (4_u16, 4_000);
    let mut cluster = Cluster::start(16).await;
    let committing = Connection::open(&cluster.url(), "test").await.unwrap();
    let mut running = tokio::task::JoinSet::new();
    for partition in 0..chains {
        let committing = committing.clone();
        running.spawn(async move {
            let owner = format!("owner{partition}");
            let taken = Chain::take_over(&committing, partition, &owner, b"{}".to_vec()).await;
            let (mut chain, _) = taken.unwrap();
            let mut random = Random::new(u64::from(partition));
            let mut from = 0;
            while from < per_chain {
                // By number, the chain's own pace makes some of them single writes and some of them batches.
                let count = if random.chance(80) { 1 } else { 300 };
                let to = (from + count).min(per_chain);
                chain.commit(writes(from..to)).await.unwrap();
                from = to;
            }
            (partition, chain.tail())
        });
    }
    let mut random = Random::new(9);
    for _ in 0..setting("ONSCENE_LEADER_KILLS", 1).min(5) {
        world::pause(&mut random, 800).await;
        kill_leader(&mut cluster, "SCENE_ACTIONS", &mut random).await;
    }
    let mut tails = Vec::new();
    while let Some(tail) = running.join_next().await {
        tails.push(tail.unwrap());
    }
    let expected: Vec<String> = (0..per_chain).map(|id| id.to_string()).collect();
    for (partition, until) in tails {
        let reader = LogReader::open(&committing, partition, 0, until);
        let found = actions(reader.await.unwrap()).await;
        assert_eq!(
            found, expected,
            "the ids of partition {partition}, in order"
        );
    }
    tell(format_args!(
        "three replicas: {chains} chains of {per_chain} writes, singly and in atomic batches, with the leader killed: \
         each stored once, in order"
    ));
}

async fn actions(mut log: LogReader) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(messages) = log.next_batch(1_000).await.unwrap() {
        let actions = messages
            .iter()
            .filter(|message| message.headers.get(HEADER_KIND) == Some("action"));
        found.extend(actions.map(|action| action.headers.get(HEADER_ID).unwrap().to_owned()));
    }
    found
}
