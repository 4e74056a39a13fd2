//! Events for the customers, as many a second as one says.

use crate::life::Life;
use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use onscene::clock::{format_rfc3339, monotonic_now, now_ms};
use onscene::nats::{Connection, EventPublisher, LiveFeed, publish::Unacknowledged};
use std::time::Duration;

/// Events published and not yet acknowledged.
const IN_FLIGHT_MAX: usize = 2_000;
/// How often the steady load publishes.
const TICK: Duration = Duration::from_millis(5);
/// One in so many is answered.
const ANSWERED: u64 = 10;

/// Publishes events of customers in an order that scatters them.
pub(crate) struct Load {
    publisher: EventPublisher,
    customers: u32,
    published: u64,
    /// How many there were when the engine that runs was started.
    before: u64,
}

impl Load {
    pub(crate) fn new(connection: &Connection, customers: u32) -> Self {
        Self {
            publisher: EventPublisher::new(connection, IN_FLIGHT_MAX),
            customers,
            published: 0,
            before: 0,
        }
    }

    /// How many were published for the engine that runs.
    pub(crate) fn since_start(&self) -> u64 {
        self.published - self.before
    }

    /// So many events a second for so long.
    pub(crate) async fn steady(&mut self, rate: u64, seconds: u64) -> anyhow::Result<()> {
        let (started, first) = (monotonic_now(), self.published);
        let mut tick = tokio::time::interval(TICK);
        while started.elapsed() < Duration::from_secs(seconds) {
            tick.tick().await;
            let due = (started.elapsed().as_secs_f64() * rate as f64) as u64;
            self.publish((first + due).saturating_sub(self.published))
                .await?;
        }
        Ok(())
    }

    /// So many events, as fast as they are stored.
    pub(crate) async fn burst(&mut self, count: u64) -> anyhow::Result<()> {
        self.before = self.published;
        self.publish(count).await
    }

    /// An event that is answered, published again and again until its action comes.
    pub(crate) async fn answered(&mut self, connection: &Connection) -> anyhow::Result<()> {
        let mut feed = LiveFeed::subscribe(connection, Some("push")).await?;
        self.published = self.published.next_multiple_of(ANSWERED);
        self.publish(1).await?;
        let wanted = format!("\"id\":\"e{}\"", self.published - 1);
        loop {
            let message = feed.next().await.context("the live feed has ended")?;
            if String::from_utf8_lossy(&message.payload).contains(&wanted) {
                return Ok(());
            }
        }
    }

    async fn publish(&mut self, count: u64) -> anyhow::Result<()> {
        let numbers = self.published..self.published + count;
        self.published += count;
        let mut waiting = FuturesUnordered::new();
        for number in numbers {
            waiting.push(self.send(number).await?.stored());
            if waiting.len() >= IN_FLIGHT_MAX {
                waiting.next().await.transpose()?;
            }
        }
        while let Some(stored) = waiting.next().await {
            stored?;
        }
        Ok(())
    }

    async fn send(&self, number: u64) -> anyhow::Result<Unacknowledged> {
        // Multiplied by a prime that does not divide it, the order scatters the customers.
        let customer = number.wrapping_mul(2_654_435_761) % u64::from(self.customers);
        let id = Life::id(u32::try_from(customer)?).context("no such customer")?;
        let tender = match number % ANSWERED {
            0 => "other_bank",
            _ => "cash",
        };
        let event = serde_json::json!({
            "specversion": "1.0", "id": format!("e{number}"), "source": "bench", "type": "merchant.checkout",
            "subject": id.as_str(), "time": format_rfc3339(now_ms()),
            "data": {"stage": "started", "amount": "128.50", "currency": "CNY", "tender": tender,
                     "merchant": {"id": "M000007", "category": "dining", "partner": true}},
        });
        let subject = format!("scene.events.merchant.checkout.{}", id.as_str());
        let payload = event.to_string().into();
        Ok(self.publisher.publish(&subject, &[], payload).await?)
    }
}
