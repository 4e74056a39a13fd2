//! When each event was published, and what was in it.

use crate::cli::simulate::action::EventName;
use crate::clock::monotonic_now;
use crate::simulate::SimulatedEvent;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

/// How many of the last events are remembered.
const EVENTS_MAX: usize = 200_000;

/// An event of ours.
#[derive(Clone, Debug)]
pub(super) struct Published {
    /// Just before it was sent, on the monotonic clock.
    pub(super) at: Instant,
    /// What happened, for a human.
    pub(super) story: String,
}

/// The events published lately, by what identifies them.
#[derive(Default)]
pub(super) struct Triggers {
    events: HashMap<EventName, Published>,
    order: VecDeque<EventName>,
    outcomes: BTreeMap<String, u64>,
}

impl Triggers {
    /// Notes an event that is about to be sent.
    pub(super) fn note(&mut self, event: &SimulatedEvent) {
        // scene.events.offer.accepted.C7-00001
        let mut tokens = event.subject.split('.').skip(2);
        if let (Some("offer"), Some(outcome)) = (tokens.next(), tokens.next()) {
            *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
        }
        let name: EventName = serde_json::from_slice(&event.payload)
            .expect("invariant: simulated events are CloudEvents with source and id");
        if self.order.len() >= EVENTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.events.remove(&oldest);
        }
        self.order.push_back(name.clone());
        let published = Published {
            story: event.story.clone(),
            at: monotonic_now(),
        };
        self.events.insert(name, published);
    }

    pub(super) fn find(&self, name: &EventName) -> Option<&Published> {
        self.events.get(name)
    }

    /// How many outcomes of each kind the customers have told.
    pub(super) fn into_outcomes(self) -> BTreeMap<String, u64> {
        self.outcomes
    }
}
