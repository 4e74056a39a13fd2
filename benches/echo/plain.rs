//! The plain echo: the bare echo as one writes it with the client library's own JetStream interface.

use crate::bare::answer;
use crate::broker::ECHO_SUBJECT;
use crate::roles;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::PublishAckFuture;
use futures_util::TryStreamExt as _;
use tokio::sync::mpsc;

/// Messages that one request asks for.
const PULL_MESSAGES: usize = 1_000;
/// Answers sent and not yet acknowledged.
const IN_FLIGHT_MAX: usize = 4_096;

/// Echoes until it is dropped.
pub(crate) async fn run(url: &str, first: u64, every: u64) -> anyhow::Result<()> {
    let reading = async_nats::jetstream::new(async_nats::connect(url).await?);
    let writing = async_nats::jetstream::new(async_nats::connect(url).await?);
    let (sent, mut waiting) = mpsc::channel::<PublishAckFuture>(IN_FLIGHT_MAX);
    let counting = async {
        while let Some(ack) = waiting.recv().await {
            ack.await?;
        }
        anyhow::Ok(())
    };
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: first,
        },
        ack_policy: AckPolicy::None,
        memory_storage: true,
        ..pull::Config::default()
    };
    let consumer = reading
        .create_consumer_on_stream(config, "SCENE_EVENTS")
        .await?;
    let echoing = async {
        let requests = consumer.stream().max_messages_per_batch(PULL_MESSAGES);
        let mut messages = requests.messages().await?;
        roles::ready();
        while let Some(message) = messages.try_next().await? {
            let info = message.info().map_err(|error| anyhow::anyhow!(error))?;
            if (info.stream_sequence - first).is_multiple_of(every) {
                let answer = answer(info.stream_sequence);
                sent.send(writing.publish(ECHO_SUBJECT, answer).await?)
                    .await?;
            }
        }
        anyhow::bail!("the subscription ended")
    };
    tokio::select! { ended = counting => ended, ended = echoing => ended }
}
