//! kill -9 of the broker under load.

use std::time::Duration;

use onscene::nats::SyncInterval;

use super::world::{self, World};
use super::{checker, setting, state, tell};
use crate::kit::{Nats, Random};

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_at_random_moments_loses_and_doubles_nothing() {
    let kills = setting("ONSCENE_BROKER_KILLS", 3);
    let seed = u64::try_from(setting("ONSCENE_SEED", 1)).unwrap();
    let mut random = Random::new(seed);
    let mut nats = Nats::start_with(|options| options.sync_interval = SyncInterval::Always).await;
    let mut world = World::new(&nats.url());
    let engine = world.start(0);
    let load = world.load(seed, setting("ONSCENE_RATE", 1_000)).await;
    for _ in 0..kills {
        // Something is stored and answered between two kills.
        let before = load.stored();
        while load.stored() < before + 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world::pause(&mut random, 1_000).await;
        nats.kill().await.unwrap();
        world::pause(&mut random, 500).await;
        nats.restart().await.unwrap();
    }
    load.stop().await;
    let found = checker::check(&nats.url()).await;
    assert!(!engine.log().contains("engine stopped"), "{}", engine.log());
    state::equals_uninterrupted(&mut world, 0, engine, &found.decisions).await;
    tell(format_args!(
        "broker: {kills} kills -9 with sync_interval always, {} events, {} of them stored again, {} decisions: 0 lost, \
         0 doubled; state as without kills",
        found.events,
        found.copies,
        found.decisions.len()
    ));
}
