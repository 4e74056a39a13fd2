//! What a customer's rules wait for: delays, steps of journeys, the end of quiet hours.

use super::contacts::DecisionId;
use super::names::Name;
use crate::clock::Millis;
use crate::event::{Occasion, Value, parse_json};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Between `when` and `still`.
    Delay,
    /// For the time of a step.
    Step,
    /// For the end of quiet hours.
    QuietHours,
    /// For the end of quiet hours, to say again on another channel what could not be delivered.
    Fallback,
}

impl Wait {
    /// All of them. A checkpoint refers to them by their places.
    pub(super) const ALL: [Self; 4] = [Self::Delay, Self::Step, Self::QuietHours, Self::Fallback];

    /// The word in the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Step => "step",
            Self::QuietHours => "quiet_hours",
            Self::Fallback => "fallback",
        }
    }

    /// The value of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wait| wait.word() == word)
    }
}

/// The event that something waits for the sake of, small enough to be kept by the million.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Its id.
    pub id: Box<str>,
    /// Its source.
    pub source: Box<str>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// When it happened.
    pub time: Millis,
    /// Its sequence in `SCENE_EVENTS`; 0 for a timer's.
    pub sequence: u64,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Box<str>>,
    /// Its data as JSON in which decimals keep their point.
    pub(super) data: Box<str>,
}

impl Remembered {
    /// Keeps an occasion.
    #[must_use]
    pub fn new(occasion: &Occasion, sequence: u64) -> Self {
        Self {
            id: occasion.id.clone(),
            source: occasion.source.clone(),
            kind: occasion.kind.clone(),
            time: occasion.time,
            sequence,
            traceparent: occasion.traceparent.clone(),
            data: occasion.data.to_exact_json().into(),
        }
    }

    /// The occasion as it was.
    #[must_use]
    pub fn occasion(&self) -> Occasion {
        Occasion {
            id: self.id.clone(),
            source: self.source.clone(),
            kind: self.kind.clone(),
            time: self.time,
            traceparent: self.traceparent.clone(),
            // What cannot be read was not written by us; rules then see a field as absent.
            data: parse_json(self.data.as_bytes()).unwrap_or(Value::Null),
        }
    }
}

/// One thing that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// The id that the decision of step 0 has, or would have: the same for a whole journey.
    pub entry: DecisionId,
    /// The rule.
    pub rule: Name,
    /// When it is due.
    pub due: Millis,
    /// The step that is due.
    pub step: u32,
    /// Why it waits.
    pub wait: Wait,
    /// Policy time of the entry.
    pub entered: Millis,
    /// For the sake of what.
    pub trigger: Arc<Remembered>,
}
