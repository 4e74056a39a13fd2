//! The rules, the folders and the processes of one run.

use std::path::Path;
use std::time::Duration;

use onscene::nats::EventPublisher;

use super::load::Load;
use crate::kit::{self, Engine, Folder, Random};

/// Every paid checkout is answered, but for the control group; the budget is spent from, and never short.
pub(super) const ANSWER: &str = r#"
const RULE = #{
    on: "merchant.checkout", channels: ["push"], fresh: "1d", holdout: 10, priority: 90,
    variants: #{ plain: 50, rich: 50 }, budget: #{ total: 100000000, daily: 50000000 },
};
fn when(event, customer) { event.stage == "paid" }
fn action(event, customer, variant) { #{ kind: "offer", code: "ANSWER", value: 5, cost: event.amount / 10 } }
"#;

/// Paid checkouts, but not twice within five seconds.
pub(super) const CAPPED: &str = r#"
const RULE = #{ on: "merchant.checkout", channels: ["sms"], fresh: "1d", cooldown: "5s", priority: 80 };
fn when(event, customer) { event.stage == "paid" }
fn action(event, customer) { #{ kind: "offer", code: "CAPPED", value: 1 } }
"#;

/// The third refund within four seconds, and each after it.
pub(super) const WINDOW: &str = r#"
const RULE = #{ on: "merchant.checkout", channels: ["im"], fresh: "1d", priority: 70 };
fn when(event, customer) {
    event.stage == "refunded" && customer.count("merchant.checkout", "4s", #{ stage: "refunded" }) >= 3
}
fn action(event, customer) { #{ kind: "message", code: "WINDOW" } }
"#;

/// What was abandoned and not followed by a payment within a second.
pub(super) const ABSENCE: &str = r#"
const RULE = #{ on: "merchant.checkout", channels: ["call"], fresh: "1d", delay: "1s", priority: 60 };
fn when(event, customer) { event.stage == "abandoned" }
fn still(event, customer) { customer.count("merchant.checkout", "1s", #{ stage: "paid" }) == 0 }
fn action(event, customer) { #{ kind: "message", code: "ABSENCE" } }
"#;

/// Three steps, ended early by a refund.
pub(super) const JOURNEY: &str = r#"
const RULE = #{
    on: "merchant.checkout", channels: ["inapp"], fresh: "1d", cap: "3 per 10s", within: "10s", priority: 50,
    steps: [#{ after: "0s" }, #{ after: "1s" }, #{ after: "3s" }],
};
fn when(event, customer) { event.stage == "started" && event.amount == 77 }
fn action(event, customer, variant, step) { #{ kind: "message", code: `J${step}` } }
fn converted(event, customer, decision) { event.type == "merchant.checkout" && event.stage == "refunded" }
"#;

/// How long a journey goes on after its trigger.
pub(super) const JOURNEY_LASTS: Duration = Duration::from_secs(3);

/// What one run needs besides a broker.
pub(super) struct World {
    pub(super) url: String,
    rules: Folder,
    /// The data folders of engines, which outlive them.
    data: Vec<Folder>,
    environment: Vec<(String, String)>,
}

impl World {
    /// All rules.
    pub(super) fn new(url: &str) -> Self {
        let files = [
            ("answer.rhai", ANSWER),
            ("capped.rhai", CAPPED),
            ("window.rhai", WINDOW),
            ("absence.rhai", ABSENCE),
            ("journey.rhai", JOURNEY),
        ];
        Self::with_rules(url, &files)
    }

    /// Some rules, by file name and text.
    pub(super) fn with_rules(url: &str, files: &[(&str, &str)]) -> Self {
        let rules = Folder::new();
        for (name, text) in files {
            kit::save(rules.path(), name, text);
        }
        Self {
            url: url.to_owned(),
            rules,
            data: Vec::new(),
            // Often, so that crashes also meet checkpoints half written, and starts go on from them.
            environment: vec![("ONSCENE_CHECKPOINTS_INTERVAL_S".to_owned(), "1".to_owned())],
        }
    }

    /// The data folder of a seat that was taken.
    pub(super) fn data(&self, seat: usize) -> &Path {
        self.data[seat].path()
    }

    /// A setting of all engines, as an environment variable.
    pub(super) fn set(&mut self, name: &str, value: impl ToString) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_string()));
    }

    /// Starts an engine on the data folder of this seat, and does not wait.
    pub(super) fn spawn(&mut self, seat: usize) -> Engine {
        while self.data.len() <= seat {
            self.data.push(Folder::new());
        }
        let environment: Vec<(&str, &str)> = (self.environment.iter())
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let data = self.data[seat].path();
        Engine::spawn_on(&self.url, self.rules.path(), data, &environment)
    }

    /// Starts an engine on the data folder of this seat, and waits until it is ready.
    pub(super) fn start(&mut self, seat: usize) -> Engine {
        let engine = self.spawn(seat);
        engine.wait_ready();
        engine
    }

    /// Starts the load.
    pub(super) async fn load(&self, seed: u64, rate: usize) -> Load {
        let connection = onscene::nats::Connection::open(&self.url, "load")
            .await
            .unwrap();
        Load::start(EventPublisher::new(&connection, 1_024), seed, rate, 0)
    }
}

/// Sleeps for a random time up to `most_ms`.
pub(super) async fn pause(random: &mut Random, most_ms: usize) {
    let ms = u64::try_from(random.below(most_ms)).unwrap();
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Waits until the engine is ready, but at most so long: under load it may never be.
pub(super) async fn ready_or(engine: &Engine, most: Duration) {
    let waited = tokio::time::timeout(most, async {
        while !engine.is_ready() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let _ = waited.await;
}
