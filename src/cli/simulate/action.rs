//! An action as a display or a channel adapter sees it.

use crate::nats::{Connection, LiveFeed, LiveMessage, PublishError};
use serde::Deserialize;
use std::time::Instant;
use tokio::sync::mpsc;

/// How many actions may wait for each listener; those beyond are not seen there.
const WAITING_MAX: usize = 16_384;

/// One decision of the engine, received from the live feed.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Action {
    /// The moment of reception on the monotonic clock, before it was read.
    pub(in crate::cli) received: Instant,
    /// Its CloudEvent.
    pub(in crate::cli) event: ActionEvent,
}

/// The parts of an action's CloudEvent that matter here.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::cli) struct ActionEvent {
    pub(in crate::cli) id: String,
    /// The customer.
    pub(in crate::cli) subject: String,
    pub(in crate::cli) data: ActionData,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::cli) struct ActionData {
    pub(in crate::cli) kind: String,
    pub(in crate::cli) channel: String,
    pub(in crate::cli) rule: String,
    /// The step of a journey, from 0.
    pub(in crate::cli) step: u32,
    pub(in crate::cli) verdict: String,
    pub(in crate::cli) trigger: EventName,
    pub(in crate::cli) body: ActionBody,
}

/// What identifies an event: its source, and its id there.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash)]
pub(in crate::cli) struct EventName {
    pub(in crate::cli) source: String,
    pub(in crate::cli) id: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::cli) struct ActionBody {
    #[serde(default)]
    pub(in crate::cli) code: serde_json::Value,
    /// Text per locale.
    #[serde(default)]
    pub(in crate::cli) text: serde_json::Value,
}

impl Action {
    /// `None` for a record, which is no action, and for what is not an action's CloudEvent.
    fn read(message: &LiveMessage, received: Instant) -> Option<Self> {
        if message.headers.get("Onscene-Kind") != Some("action") {
            return None;
        }
        let event = serde_json::from_slice(&message.payload).ok()?;
        Some(Self { received, event })
    }

    /// Whether it goes to the customer; otherwise the customer is in the control group.
    pub(in crate::cli) fn is_sent(&self) -> bool {
        self.event.data.verdict == "sent"
    }

    /// The text in a locale, or else in whichever there is.
    pub(in crate::cli) fn text(&self, locale: &str) -> &str {
        let text = &self.event.data.body.text;
        let other = || text.as_object()?.values().next()?.as_str();
        text.get(locale)
            .and_then(serde_json::Value::as_str)
            .or_else(other)
            .or_else(|| text.as_str())
            .unwrap_or_default()
    }
}

/// Listens to the live feed and hands each action to every listener, in the order of their coming.
pub(in crate::cli) struct ActionFeed {
    feed: LiveFeed,
    listeners: Vec<mpsc::Sender<Action>>,
}

impl ActionFeed {
    /// Listens from the return of this call on.
    pub(in crate::cli) async fn subscribe(connection: &Connection) -> Result<Self, PublishError> {
        Ok(Self {
            feed: LiveFeed::subscribe(connection, None).await?,
            listeners: Vec::new(),
        })
    }

    /// Adds a listener.
    pub(in crate::cli) fn listen(&mut self) -> mpsc::Receiver<Action> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        self.listeners.push(sender);
        receiver
    }

    /// Runs until the connection is closed.
    pub(in crate::cli) async fn run(mut self) {
        while let Some(message) = self.feed.next().await {
            let Some(action) = Action::read(&message, crate::clock::monotonic_now()) else {
                continue;
            };
            for listener in &self.listeners {
                // The feed is for displays: one that cannot keep up misses some.
                let _ = listener.try_send(action.clone());
            }
        }
    }
}
