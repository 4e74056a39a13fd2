//! What is kept of each journey: one decision, or all steps and repetitions that share an entry.

use super::fact::Side;
use crate::clock::Millis;
use crate::event::OutcomeKind;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::state::DecisionId;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A journey of one customer with one rule; without steps, a single decision. A message that failed and went
/// out again on another channel is the same one.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) customer: CustomerId,
    pub(super) variant: Arc<str>,
    pub(super) side: Side,
    /// Policy time of its first decision.
    pub(super) at: Millis,
    /// How many actions were sent.
    pub(super) messages: u32,
    /// What those that were sent cost.
    pub(super) cost: Money,
    outcomes: u8,
    /// Policy time of the first conversion.
    pub(super) converted_at: Option<Millis>,
    /// What its conversions brought.
    pub(super) value: Money,
    /// The events of its conversions; of them, those that say no amount.
    pub(super) events: Vec<u64>,
    pub(super) events_without_value: u32,
}

impl Unit {
    pub(super) fn new(customer: CustomerId, variant: Arc<str>, side: Side, at: Millis) -> Self {
        Self {
            customer,
            variant,
            side,
            at,
            messages: 0,
            cost: Money::ZERO,
            outcomes: 0,
            converted_at: None,
            value: Money::ZERO,
            events: Vec::new(),
            events_without_value: 0,
        }
    }

    pub(super) fn has(&self, outcome: OutcomeKind) -> bool {
        self.outcomes & (1 << outcome as u8) != 0
    }

    pub(super) fn add_outcome(&mut self, outcome: OutcomeKind) {
        self.outcomes |= 1 << outcome as u8;
    }

    /// Notes a conversion; several decisions of a journey may be converted by one event, which counts once.
    pub(super) fn convert(&mut self, event: u64, value: Option<Money>, at: Millis) {
        if self.events.contains(&event) {
            return;
        }
        self.events.push(event);
        match value {
            Some(value) => self.value = self.value.saturating_add(value),
            None => self.events_without_value += 1,
        }
        self.converted_at = Some(self.converted_at.map_or(at, |known| known.min(at)));
    }
}

/// What is known of one rule.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) rule: Arc<str>,
    pub(super) scene: Option<Arc<str>>,
    pub(super) units: Vec<Unit>,
    /// How many decisions they are made of, and policy time of the first and the last.
    pub(super) decisions: u64,
    pub(super) first: Option<Millis>,
    pub(super) last: Option<Millis>,
    /// Journeys that began to wait in the period, and may yet say something.
    pub(super) waits: HashSet<DecisionId>,
    /// How often the log has each word about proposals that did not go out.
    pub(super) silenced: BTreeMap<Box<str>, u64>,
    /// Of them, those that did not wait.
    pub(super) silenced_at_once: u64,
    variants: HashMap<Box<str>, Arc<str>>,
}

impl Book {
    pub(super) fn new(rule: Arc<str>) -> Self {
        Self {
            rule,
            scene: None,
            units: Vec::new(),
            decisions: 0,
            first: None,
            last: None,
            waits: HashSet::new(),
            silenced: BTreeMap::new(),
            silenced_at_once: 0,
            variants: HashMap::new(),
        }
    }

    pub(super) fn variant(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.variants.get(name) {
            return known.clone();
        }
        let shared: Arc<str> = name.into();
        self.variants.insert(name.into(), shared.clone());
        shared
    }
}
