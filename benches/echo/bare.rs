//! The bare echo: read, answer with a constant, count the acknowledgements. Nothing else.

use crate::broker::ECHO_SUBJECT;
use crate::roles;
use anyhow::Context as _;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::{Client, Subscriber};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Messages that one request asks for; the next one is sent when half of them have come.
const PULL_MESSAGES: usize = 1_000;
/// Answers sent and not yet acknowledged.
const IN_FLIGHT_MAX: usize = 4_096;
/// Length of an answer, in bytes.
const ANSWER_BYTES: usize = 64;

/// Echoes until it is dropped.
pub(crate) async fn run(url: &str, first: u64, every: u64) -> anyhow::Result<()> {
    let reading = async_nats::connect(url).await?;
    let writing = async_nats::connect(url).await?;
    let free = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let acknowledgements = writing.new_inbox();
    let acks = writing.subscribe(acknowledgements.clone()).await?;
    let counting = count(acks, free.clone());
    let echoing = async {
        let (mut messages, ask) = open(&reading, first).await?;
        roles::ready();
        let mut coming = PULL_MESSAGES;
        while let Some(message) = messages.next().await {
            // Statuses (a request that has expired) have no place in the stream.
            let Some(sequence) = message.reply.as_deref().and_then(sequence_in) else {
                continue;
            };
            coming -= 1;
            if coming <= PULL_MESSAGES / 2 {
                ask.more(&reading).await?;
                coming += PULL_MESSAGES;
            }
            if !(sequence - first).is_multiple_of(every) {
                continue;
            }
            free.acquire().await?.forget();
            writing
                .publish_with_reply(ECHO_SUBJECT, acknowledgements.clone(), answer(sequence))
                .await?;
        }
        anyhow::bail!("the subscription ended")
    };
    tokio::select! { ended = counting => ended, ended = echoing => ended }
}

/// A constant, but for the sequence that tells the benchmark what it answers.
pub(crate) fn answer(sequence: u64) -> Bytes {
    let mut answer = BytesMut::with_capacity(ANSWER_BYTES);
    answer.put_slice(sequence.to_string().as_bytes());
    answer.put_bytes(b' ', ANSWER_BYTES - answer.len());
    answer.freeze()
}

async fn count(mut acks: Subscriber, free: Arc<Semaphore>) -> anyhow::Result<()> {
    while let Some(ack) = acks.next().await {
        anyhow::ensure!(
            !ack.payload.starts_with(b"{\"error\""),
            "an answer was refused: {}",
            String::from_utf8_lossy(&ack.payload)
        );
        free.add_permits(1);
    }
    anyhow::bail!("the subscription ended")
}

/// How to ask for more messages.
struct Ask {
    subject: String,
    inbox: String,
    request: Bytes,
}

impl Ask {
    async fn more(&self, client: &Client) -> anyhow::Result<()> {
        let (subject, inbox) = (self.subject.clone(), self.inbox.clone());
        client
            .publish_with_reply(subject, inbox, self.request.clone())
            .await
            .context("could not ask for more")
    }
}

async fn open(client: &Client, first: u64) -> anyhow::Result<(Subscriber, Ask)> {
    let inbox = client.new_inbox();
    let messages = client.subscribe(inbox.clone()).await?;
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: first,
        },
        ack_policy: AckPolicy::None,
        memory_storage: true,
        ..pull::Config::default()
    };
    let consumer = async_nats::jetstream::new(client.clone())
        .create_consumer_on_stream(config, "SCENE_EVENTS")
        .await?;
    let name = &consumer.cached_info().name;
    let request = format!(r#"{{"batch":{PULL_MESSAGES},"expires":600000000000}}"#);
    let ask = Ask {
        subject: format!("$JS.API.CONSUMER.MSG.NEXT.SCENE_EVENTS.{name}"),
        inbox,
        request: request.into(),
    };
    ask.more(client).await?;
    Ok((messages, ask))
}

/// The stream sequence in `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.…`.
fn sequence_in(reply: &str) -> Option<u64> {
    reply
        .strip_prefix("$JS.ACK.")?
        .split('.')
        .nth(3)?
        .parse()
        .ok()
}
