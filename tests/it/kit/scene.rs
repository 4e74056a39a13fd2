//! Events, rules and what came out, for tests that run the whole engine.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use futures_util::StreamExt as _;
use onscene::clock::{format_rfc3339, now_ms};
use onscene::nats::{EventPublisher, PublishError};

/// A rule that answers each paid checkout, with the text it says as a parameter.
pub(crate) fn answering_rule(code: &str) -> String {
    format!(
        r#"const RULE = #{{ on: "merchant.checkout", channels: ["push"], fresh: "1d" }};
fn when(event, customer) {{ event.stage == "paid" }}
fn action(event, customer) {{ #{{ kind: "offer", code: "{code}", value: event.amount / 10 }} }}
"#
    )
}

/// Writes a rule file as editors do that replace files whole.
pub(crate) fn save(folder: &Path, name: &str, text: &str) {
    let temporary = folder.join(format!("{name}~"));
    std::fs::write(&temporary, text).unwrap();
    std::fs::rename(temporary, folder.join(name)).unwrap();
}

/// A paid checkout of 100 at this moment.
pub(crate) fn checkout(id: &str, customer: &str) -> Bytes {
    serde_json::json!({
        "specversion": "1.0", "id": id, "source": "till", "type": "merchant.checkout",
        "subject": customer, "time": format_rfc3339(now_ms()),
        "data": {"stage": "paid", "amount": "100.00", "currency": "CNY",
                 "merchant": {"id": "M7", "category": "dining", "partner": true}}
    })
    .to_string()
    .into()
}

/// Publishes a checkout and waits until it is stored; an event is sent again, with the same id, for
/// as long as nobody acknowledges it, as a careful producer does.
pub(crate) async fn publish(publisher: &EventPublisher, id: &str, customer: &str) {
    let subject = format!("scene.events.merchant.checkout.{customer}");
    loop {
        let sent = async {
            let waiting = publisher
                .publish(&subject, &[], checkout(id, customer))
                .await?;
            waiting.stored().await?;
            Ok::<_, PublishError>(())
        };
        match sent.await {
            Ok(()) => return,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

/// What is in `SCENE_ACTIONS`.
#[derive(Clone, Debug)]
pub(crate) struct StoredAction {
    pub(crate) event: serde_json::Value,
}

impl StoredAction {
    pub(crate) fn trigger(&self) -> &str {
        self.event["data"]["trigger"]["id"].as_str().unwrap()
    }
}

/// Everything in a stream: subject, headers, payload.
pub(crate) async fn stream_messages(
    url: &str,
    stream: &str,
) -> Vec<(String, BTreeMap<String, String>, Bytes)> {
    let client = async_nats::connect(url).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let mut stream = jetstream.get_stream(stream).await.unwrap();
    let count = usize::try_from(stream.info().await.unwrap().state.messages).unwrap();
    let config = async_nats::jetstream::consumer::pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await.unwrap();
    let messages: Vec<_> = consumer
        .messages()
        .await
        .unwrap()
        .take(count)
        .collect()
        .await;
    messages
        .into_iter()
        .map(|message| {
            let message = message.unwrap();
            let headers = message
                .headers
                .iter()
                .flat_map(async_nats::HeaderMap::iter)
                .map(|(name, values)| (name.to_string(), values[0].to_string()))
                .collect();
            (
                message.subject.to_string(),
                headers,
                message.payload.clone(),
            )
        })
        .collect()
}

/// All actions in the log, records left out.
pub(crate) async fn actions(url: &str) -> Vec<StoredAction> {
    stream_messages(url, "SCENE_ACTIONS")
        .await
        .into_iter()
        .filter(|(subject, _, _)| !subject.starts_with("scene.actions._record."))
        .map(|(_, _, payload)| StoredAction {
            event: serde_json::from_slice(&payload).unwrap(),
        })
        .collect()
}

/// How often each trigger was answered.
pub(crate) fn answers(actions: &[StoredAction]) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for action in actions {
        *answers.entry(action.trigger().to_owned()).or_default() += 1;
    }
    answers
}

/// Waits until there are at least so many actions in the log.
pub(crate) async fn wait_actions(url: &str, at_least: usize) -> Vec<StoredAction> {
    let started = std::time::Instant::now();
    loop {
        let found = actions(url).await;
        if found.len() >= at_least {
            return found;
        }
        assert!(
            started.elapsed().as_secs() < 120,
            "{} of {at_least} actions came",
            found.len()
        );
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
