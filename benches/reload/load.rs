//! Events at a steady rate, each of which is answered, and how long each answer took.

use anyhow::Context as _;
use futures_util::StreamExt as _;
use onscene::clock::{format_rfc3339, monotonic_now, now_ms};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// What is due goes out so often.
const TICK: Duration = Duration::from_millis(1);
const CUSTOMERS: usize = 10_000;

/// When an event was published, and how long its answer took to come.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) sent: Instant,
    pub(crate) waited: Duration,
}

/// Publishes and listens until it is stopped.
pub(crate) struct Load {
    publishing: JoinHandle<anyhow::Result<()>>,
    listening: JoinHandle<anyhow::Result<()>>,
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Load {
    /// So many events a second.
    pub(crate) async fn start(url: &str, rate: u64) -> anyhow::Result<Self> {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(Vec::new()));
        let client = async_nats::connect(url).await?;
        let mut live = client.subscribe("scene.live.push.>").await?;
        client.flush().await?;
        let (times, found) = (sent.clone(), answers.clone());
        let listening = tokio::spawn(async move {
            while let Some(message) = live.next().await {
                let now = monotonic_now();
                let action: serde_json::Value = serde_json::from_slice(&message.payload)?;
                if action["data"]["rule"] != "coupon" {
                    continue;
                }
                let id = action["data"]["trigger"]["id"].as_str();
                let index: usize = id.context("it answers nothing")?.parse()?;
                let sent: Option<Instant> = locked(&times).get(index).copied();
                let sent = sent.context("it answers what was not published")?;
                locked(&found).push(Answer {
                    sent,
                    waited: now - sent,
                });
            }
            Ok(())
        });
        let publishing = tokio::spawn(publish(client, rate, sent));
        Ok(Self {
            publishing,
            listening,
            answers,
        })
    }

    /// Ends it, and tells what was answered.
    pub(crate) async fn stop(self) -> anyhow::Result<Vec<Answer>> {
        for task in [self.publishing, self.listening] {
            task.abort();
            if let Ok(ended) = task.await {
                ended?;
            }
        }
        let answers = std::mem::take(&mut *locked(&self.answers));
        anyhow::ensure!(!answers.is_empty(), "nothing was answered");
        Ok(answers)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn publish(
    client: async_nats::Client,
    rate: u64,
    sent: Arc<Mutex<Vec<Instant>>>,
) -> anyhow::Result<()> {
    let started = monotonic_now();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tick.tick().await;
        let due = started.elapsed().as_secs_f64() * rate as f64;
        loop {
            let index = locked(&sent).len();
            if index as f64 >= due {
                break;
            }
            let customer = format!("C{:06}", index * 7_919 % CUSTOMERS);
            let payload = serde_json::json!({
                "specversion": "1.0", "id": index.to_string(), "source": "bench", "type": "merchant.checkout",
                "subject": customer, "time": format_rfc3339(now_ms()),
                "data": {"stage": "started", "amount": "128.50", "currency": "CNY", "tender": "other_bank",
                         "merchant": {"id": "M7", "name": "Noodle House", "category": "dining", "partner": true}},
            });
            let payload = payload.to_string().into();
            let subject = format!("scene.events.merchant.checkout.{customer}");
            locked(&sent).push(monotonic_now());
            client.publish(subject, payload).await?;
        }
    }
}
