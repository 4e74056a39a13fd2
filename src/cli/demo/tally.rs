//! What was decided, counted.

use crate::cli::simulate::action::Action;
use crate::cli::simulate::latencies::Latencies;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was said of one scene.
#[derive(Default)]
pub(super) struct SceneTally {
    pub(super) actions: u64,
    /// Of those that were due at once; the others were waited for on purpose.
    pub(super) latencies: Latencies,
    /// Why there may be none within minutes: `each morning at 10:00`. Empty if there should be some.
    pub(super) later: String,
}

/// Actions by scene and channel.
#[derive(Default)]
pub(super) struct Tally {
    /// By scene; scenes without any action, too.
    pub(super) scenes: BTreeMap<String, SceneTally>,
    /// Latencies of all actions that were due at once.
    pub(super) all: Latencies,
    pub(super) channels: BTreeMap<String, u64>,
    pub(super) holdouts: u64,
    sent: u64,
}

impl Tally {
    /// Nothing yet, of these scenes, with why there may be nothing for long.
    pub(super) fn of(scenes: impl IntoIterator<Item = (String, String)>) -> Self {
        let empty = |later| SceneTally {
            later,
            ..SceneTally::default()
        };
        Self {
            scenes: scenes
                .into_iter()
                .map(|(scene, later)| (scene, empty(later)))
                .collect(),
            ..Self::default()
        }
    }

    /// Counts an action that took so long; `None` for one that was waited for on purpose.
    pub(super) fn count(&mut self, scene: &str, action: &Action, took: Option<Duration>) {
        if !action.is_sent() {
            self.holdouts += 1;
            return;
        }
        self.sent += 1;
        let tally = self.scenes.entry(scene.to_owned()).or_default();
        tally.actions += 1;
        if let Some(took) = took {
            self.all.record(took);
            tally.latencies.record(took);
        }
        let channel = action.event.data.channel.clone();
        *self.channels.entry(channel).or_default() += 1;
    }

    /// How many went to customers.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }
}
