//! A steady load: paced, each event sent again until it is acknowledged, and the same for the same seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use onscene::clock::{format_rfc3339, now_ms};
use onscene::nats::{EventPublisher, PublishError};
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};

use crate::kit::Random;

/// Customers that the load is spread over.
pub(super) const CUSTOMERS: usize = 400;
/// Events sent at a time; so many ticks a second.
const TICKS: usize = 100;
/// Events not yet acknowledged.
const IN_FLIGHT_MAX: usize = 512;
/// Every so many events one is not an event at all.
const BROKEN_EVERY: u64 = 400;
/// Every so many events one is published once more, as a producer does that lost the answer.
const TWICE_EVERY: u64 = 50;

/// What is published under a number.
pub(super) struct Draft {
    pub(super) subject: String,
    pub(super) payload: Bytes,
    twice: bool,
}

/// The event of a number; its time is now.
pub(super) fn draft(seed: u64, number: usize) -> Draft {
    let mut random = Random::new(seed.wrapping_mul(0x1_0000_0001) ^ number as u64);
    let customer = format!("C{}", random.below(CUSTOMERS));
    let subject = format!("scene.events.merchant.checkout.{customer}");
    let stage = match random.below(100) {
        0..40 => "paid",
        40..80 => "started",
        80..90 => "abandoned",
        _ => "refunded",
    };
    let amount = 1 + random.below(100);
    let category = random.pick(&["dining", "fuel", "travel"]);
    let twice = random.next().is_multiple_of(TWICE_EVERY);
    let payload = if random.next().is_multiple_of(BROKEN_EVERY) {
        format!("{{\"not\": an event, {number}")
    } else {
        json!({
            "specversion": "1.0", "id": format!("e{number}"), "source": "till", "type": "merchant.checkout",
            "subject": customer, "time": format_rfc3339(now_ms()),
            "data": {"stage": stage, "amount": amount.to_string(), "currency": "CNY",
                     "merchant": {"id": format!("M{}", random.below(20)), "category": category}}
        })
        .to_string()
    };
    Draft {
        subject,
        payload: payload.into(),
        twice,
    }
}

/// A load under way.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    stored: Arc<AtomicUsize>,
    task: JoinHandle<usize>,
}

impl Load {
    /// Starts publishing `rate` events a second, from number `from` on.
    pub(super) fn start(publisher: EventPublisher, seed: u64, rate: usize, from: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stored = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(run(
            publisher,
            seed,
            rate,
            from,
            stop.clone(),
            stored.clone(),
        ));
        Self { stop, stored, task }
    }

    /// How many events are stored.
    pub(super) fn stored(&self) -> usize {
        self.stored.load(Ordering::Relaxed)
    }

    /// Ends it, and returns the number of the first event that was not published, once all before are stored.
    pub(super) async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

async fn run(
    publisher: EventPublisher,
    seed: u64,
    rate: usize,
    from: usize,
    stop: Arc<AtomicBool>,
    stored: Arc<AtomicUsize>,
) -> usize {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(TICKS).unwrap());
    // What a pause of the machine left out is not made up for: the load is steady.
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut running = JoinSet::new();
    let mut number = from;
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        for _ in 0..rate.div_ceil(TICKS) {
            while running.len() >= IN_FLIGHT_MAX {
                running.join_next().await.unwrap().unwrap();
            }
            let (publisher, stored) = (publisher.clone(), stored.clone());
            running.spawn(async move {
                let draft = draft(seed, number);
                publish(&publisher, &draft).await;
                if draft.twice {
                    publish(&publisher, &draft).await;
                }
                stored.fetch_add(1, Ordering::Relaxed);
            });
            number += 1;
        }
        while let Some(done) = running.try_join_next() {
            done.unwrap();
        }
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    number
}

/// Sends until it is acknowledged, the same bytes each time.
async fn publish(publisher: &EventPublisher, draft: &Draft) {
    loop {
        let sent = async {
            let payload = draft.payload.clone();
            let waiting = publisher.publish(&draft.subject, &[], payload).await?;
            waiting.stored().await?;
            Ok::<_, PublishError>(())
        };
        match sent.await {
            Ok(()) => return,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
