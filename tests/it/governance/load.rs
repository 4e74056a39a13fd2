//! A steady load of payments, and what was said about each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use onscene::nats::EventPublisher;
use tokio::task::{JoinHandle, JoinSet};

use crate::kit::{self, Nats};

/// Customers that pay.
const CUSTOMERS: usize = 500;
/// Events sent at a time; so many ticks a second.
const TICKS: usize = 100;
/// Payments not yet acknowledged.
const IN_FLIGHT_MAX: usize = 1_024;

/// Payments under way, so many a second.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<usize>,
}

/// The rate of the load: small unless a long run asks for more. Engines take variables that begin with `ONSCENE_`
/// for their own.
pub(super) fn rate() -> usize {
    let rate = std::env::var("TEST_GOVERNANCE_RATE");
    rate.map_or(300, |rate| rate.parse().unwrap())
}

impl Load {
    pub(super) async fn start(nats: &Nats, rate: usize) -> Self {
        let publisher = EventPublisher::new(&nats.connect().await, IN_FLIGHT_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(run(publisher, rate, stop.clone()));
        Self { stop, task }
    }

    /// Ends it, and returns how many payments are stored.
    pub(super) async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

async fn run(publisher: EventPublisher, rate: usize, stop: Arc<AtomicBool>) -> usize {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(TICKS).unwrap());
    // What a pause of the machine left out is not made up for: the load is steady.
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut running = JoinSet::new();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        for _ in 0..rate.div_ceil(TICKS) {
            while running.len() >= IN_FLIGHT_MAX {
                running.join_next().await.unwrap().unwrap();
            }
            let (publisher, number) = (publisher.clone(), count);
            running.spawn(async move {
                let customer = format!("C{}", number % CUSTOMERS);
                kit::publish(&publisher, &format!("e{number}"), &customer).await;
            });
            count += 1;
        }
        while let Some(done) = running.try_join_next() {
            done.unwrap();
        }
    }
    running.join_all().await;
    count
}

/// One action, and where it stands in `SCENE_ACTIONS`.
#[derive(Debug)]
pub(super) struct Logged {
    pub(super) sequence: u64,
    /// Its channel, or `_record`.
    pub(super) channel: String,
    pub(super) partition: u16,
    pub(super) headers: async_nats::HeaderMap,
    pub(super) payload: serde_json::Value,
}

impl Logged {
    pub(super) fn rule(&self) -> Option<&str> {
        self.payload["data"]["rule"].as_str()
    }

    pub(super) fn trigger(&self) -> &str {
        self.payload["data"]["trigger"]["id"].as_str().unwrap()
    }

    pub(super) fn is_action(&self) -> bool {
        self.channel != "_record"
    }
}

/// Everything in `SCENE_ACTIONS`, in its order.
pub(super) async fn log(nats: &Nats) -> Vec<Logged> {
    let client = async_nats::connect(nats.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let mut stream = jetstream.get_stream("SCENE_ACTIONS").await.unwrap();
    let count = usize::try_from(stream.info().await.unwrap().state.messages).unwrap();
    let config = async_nats::jetstream::consumer::pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await.unwrap();
    let messages = consumer.messages().await.unwrap().take(count);
    let messages: Vec<_> = messages.collect().await;
    messages
        .into_iter()
        .map(|message| logged(&message.unwrap()))
        .collect()
}

fn logged(message: &async_nats::jetstream::Message) -> Logged {
    let mut parts = message.subject.split('.').skip(2);
    Logged {
        sequence: message.info().unwrap().stream_sequence,
        channel: parts.next().unwrap().to_owned(),
        partition: parts.next().unwrap().parse().unwrap(),
        headers: message.headers.clone().unwrap_or_default(),
        payload: serde_json::from_slice(&message.payload).unwrap(),
    }
}

/// Waits until so many actions of a rule are in the log, and returns all of it.
pub(super) async fn wait_answers(nats: &Nats, rule: &str, at_least: usize) -> Vec<Logged> {
    let started = std::time::Instant::now();
    loop {
        let log = log(nats).await;
        let found = log.iter().filter(|l| l.rule() == Some(rule)).count();
        if found >= at_least {
            return log;
        }
        let waited = started.elapsed().as_secs();
        assert!(waited < 120, "{found} of {at_least} events were answered");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
