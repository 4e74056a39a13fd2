//! What was decided, counted.

use crate::cli::simulate::action::Action;
use crate::cli::simulate::latencies::Latencies;
use std::collections::BTreeMap;
use std::time::Duration;

/// Actions by scene and channel.
#[derive(Default)]
pub(super) struct Tally {
    /// Latencies by scene; scenes without any action, too.
    pub(super) scenes: BTreeMap<String, Latencies>,
    pub(super) all: Latencies,
    pub(super) channels: BTreeMap<String, u64>,
    pub(super) holdouts: u64,
}

impl Tally {
    /// Nothing yet, of these scenes.
    pub(super) fn of(scenes: impl IntoIterator<Item = String>) -> Self {
        Self {
            scenes: scenes
                .into_iter()
                .map(|scene| (scene, Latencies::default()))
                .collect(),
            ..Self::default()
        }
    }

    /// Counts an action that took so long.
    pub(super) fn count(&mut self, scene: &str, action: &Action, took: Duration) {
        if !action.is_sent() {
            self.holdouts += 1;
            return;
        }
        self.all.record(took);
        self.scenes
            .entry(scene.to_owned())
            .or_default()
            .record(took);
        let channel = action.event.data.channel.clone();
        *self.channels.entry(channel).or_default() += 1;
    }

    /// How many went to customers.
    pub(super) fn sent(&self) -> u64 {
        self.all.count()
    }
}
