//! The Rust producer of the README compiles, and publishes.

mod producer {
    include!("../examples/producer.rs");

    pub(super) async fn publish(url: &str, id: &str) -> Result<u64, async_nats::Error> {
        let data = serde_json::json!({
            "stage": "started", "amount": "128.50", "currency": "CNY", "tender": "other_bank",
            "merchant": { "id": "M7", "category": "dining", "partner": true },
        });
        checkout(url, id, "C1", data).await
    }
}

use crate::kit::Nats;

#[tokio::test]
async fn the_rust_example_publishes_an_event_that_is_stored() {
    let nats = Nats::with_streams(16).await;
    assert_eq!(producer::publish(&nats.url(), "co-17").await.unwrap(), 1);
    assert_eq!(producer::publish(&nats.url(), "co-18").await.unwrap(), 2);
}
