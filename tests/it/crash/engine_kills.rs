//! kill -9 of the engine at random moments: while it decides, and while it recovers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::world::World;
use super::{checker, setting, state, tell, world};
use crate::kit::{Nats, Random};

/// Kills in one run; more of them are several runs, each with its own streams and its own seed.
const ROUND_KILLS_MAX: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_killed_at_random_moments_loses_and_doubles_nothing() {
    let (kills, seed) = (setting("ONSCENE_KILLS", 8), setting("ONSCENE_SEED", 1));
    let rounds = kills.div_ceil(ROUND_KILLS_MAX);
    let (mut events, mut decisions) = (0, 0);
    for round in 0..rounds {
        let kills = ROUND_KILLS_MAX.min(kills - round * ROUND_KILLS_MAX);
        let found = run(kills, u64::try_from(seed + round).unwrap()).await;
        events += found.events;
        decisions += found.decisions.len();
    }
    tell(format_args!(
        "engine: {kills} kills -9 in {rounds} runs, {events} events, {decisions} decisions: 0 lost, 0 doubled; \
         decisions and state as without kills"
    ));
}

async fn run(kills: usize, seed: u64) -> checker::Verdict {
    let started = Instant::now();
    let rate = setting("ONSCENE_RATE", 1_000);
    let mut random = Random::new(seed);
    let nats = Nats::start().await;
    let mut world = World::new(&nats.url());
    let mut engine = world.start(0);
    let load = world.load(seed, rate).await;
    let mut unready = 0;
    for _ in 0..kills {
        if random.chance(70) {
            world::ready_or(&engine, Duration::from_secs(4)).await;
        }
        world::pause(&mut random, 1_500).await;
        unready += usize::from(!engine.is_ready());
        engine.kill();
        engine = world.spawn(0);
    }
    let lasted = started.elapsed();
    load.stop().await;
    let found = checker::check(&nats.url()).await;
    let checked = started.elapsed();
    state::equals_uninterrupted(&mut world, 0, engine, &found.decisions).await;
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for decision in &found.decisions {
        *rules.entry(&decision.rule).or_default() += 1;
    }
    // Each rule has something to remember, or nothing is shown.
    for rule in ["answer", "capped", "window", "absence", "journey"] {
        assert!(rules.contains_key(rule), "{rule} never spoke: {rules:?}");
    }
    println!(
        "seed {seed}: {kills} kills ({unready} while it was catching up) in {lasted:.1?}; {} events of which {} stored \
         again, {} decisions {rules:?}, {} dead letters; checked after {checked:.1?}, compared after {:.1?}",
        found.events,
        found.copies,
        found.decisions.len(),
        found.dead,
        started.elapsed()
    );
    found
}
