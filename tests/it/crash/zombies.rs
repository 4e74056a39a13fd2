//! An engine that sleeps through a take-over, and then wakes up.

use std::time::Duration;

use super::world::{self, World};
use super::{checker, setting, state, tell};
use crate::kit::{Nats, Random};

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_wakes_up_after_a_take_over_is_refused_says_so_and_ends() {
    let zombies = setting("ONSCENE_ZOMBIES", 2);
    let seed = u64::try_from(setting("ONSCENE_SEED", 1)).unwrap();
    let mut random = Random::new(seed);
    let nats = Nats::start().await;
    let mut world = World::new(&nats.url());
    let mut owner = world.start(0);
    let load = world.load(seed, setting("ONSCENE_RATE", 1_000)).await;
    for round in 0..zombies {
        world::pause(&mut random, 1_500).await;
        owner.signal("STOP");
        world::pause(&mut random, 300).await;
        // The two take turns, each with its own data folder.
        let second = world.spawn((round + 1) % 2);
        world::ready_or(&second, Duration::from_secs(8)).await;
        world::pause(&mut random, 500).await;
        let mut zombie = std::mem::replace(&mut owner, second);
        zombie.signal("CONT");
        let status = zombie.wait();
        let log = zombie.log();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("it now belongs to"), "{log}");
    }
    load.stop().await;
    let found = checker::check(&nats.url()).await;
    state::equals_uninterrupted(&mut world, zombies % 2, owner, &found.decisions).await;
    tell(format_args!(
        "zombies: {zombies} engines slept through a take-over, each was refused, said so and ended with 1; {} events, \
         {} decisions: 0 lost, 0 doubled",
        found.events,
        found.decisions.len()
    ));
}
