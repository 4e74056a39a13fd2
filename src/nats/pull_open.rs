//! Opens a consumer for the reader, or finds out why that cannot be.

use std::time::{Duration, Instant};

use async_nats::Subscriber;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use bytes::Bytes;

use super::connect::Connection;
use super::message::StoredMessage;
use super::pull::{PULL_MESSAGES, PullSpec};
use super::pull_careful;
use super::stream_state::{InfoError, stream_info};

/// Bytes that one request asks for, unless a single message may be larger.
const PULL_BYTES: usize = 4 * 1024 * 1024;
/// How long a request waits at the server; then the reader asks again.
const PULL_EXPIRES: Duration = Duration::from_secs(60);
/// How often the server says that a request still waits.
const PULL_HEARTBEAT: Duration = Duration::from_secs(3);
/// How long the server keeps a consumer that nobody asks.
const CONSUMER_INACTIVE: Duration = Duration::from_secs(30);

/// An open consumer.
pub(super) struct Open {
    pub(super) subscriber: Subscriber,
    pub(super) inbox: String,
    /// The consumer's name.
    pub(super) consumer: String,
    /// Where to ask for messages.
    pub(super) ask: String,
    pub(super) ask_payload: Bytes,
    /// Sequence of the last message that the consumer sent; a gap means that one was lost on the way.
    pub(super) consumer_sequence: u64,
    /// Messages asked for that have not come yet.
    pub(super) wanted: usize,
    /// Since when nothing has come, while something should.
    pub(super) silent_since: Option<Instant>,
    /// How many messages the filter matched beyond `next` when it was opened.
    pub(super) pending: u64,
}

/// What came of an attempt to open a consumer.
pub(super) enum Opened {
    Consumer(Box<Open>),
    /// Messages read one by one, since the client library cannot parse one of them.
    Careful(Vec<StoredMessage>),
    Failed(String),
    StreamMissing,
    /// The stream ends at this sequence, before what was read.
    Behind(u64),
}

/// Opens a consumer, or reads the next messages one by one.
pub(super) async fn open(
    connection: Connection,
    spec: PullSpec,
    next: u64,
    delay: Duration,
    careful: bool,
) -> Opened {
    tokio::time::sleep(delay).await;
    connection.connected().await;
    let broken = connection.broken();
    tokio::select! {
        opened = try_open(connection, spec, next, careful) => opened,
        // The answer that is waited for is lost: rather ask again than wait for the time-out.
        () = broken => Opened::Failed("connection broke".to_owned()),
    }
}

async fn try_open(connection: Connection, spec: PullSpec, next: u64, careful: bool) -> Opened {
    if careful {
        match pull_careful::read(&connection, &spec, next).await {
            Ok(messages) if !messages.is_empty() => return Opened::Careful(messages),
            Ok(_) => {}
            Err(reason) => return Opened::Failed(reason),
        }
    }
    match stream_info(&connection, spec.stream).await {
        Ok(info) if info.state.last_sequence.saturating_add(1) < next => {
            return Opened::Behind(info.state.last_sequence);
        }
        Ok(_) => {}
        Err(InfoError::Missing) => return Opened::StreamMissing,
        Err(InfoError::Other(reason)) => return Opened::Failed(reason),
    }
    match open_consumer(&connection, &spec, next).await {
        Ok(open) => Opened::Consumer(Box::new(open)),
        Err(reason) => Opened::Failed(reason),
    }
}

async fn open_consumer(
    connection: &Connection,
    spec: &PullSpec,
    next: u64,
) -> Result<Open, String> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: next,
        },
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        filter_subjects: spec.filters.clone(),
        headers_only: spec.headers_only,
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: CONSUMER_INACTIVE,
        ..pull::Config::default()
    };
    let client = connection.client();
    let inbox = client.new_inbox();
    let subscriber = client
        .subscribe(inbox.clone())
        .await
        .map_err(|error| error.to_string())?;
    let consumer = connection
        .jetstream()
        .create_consumer_on_stream(config, spec.stream)
        .await
        .map_err(|error| error.to_string())?;
    let info = consumer.cached_info();
    let ask = pull::BatchConfig {
        batch: PULL_MESSAGES,
        expires: Some(PULL_EXPIRES),
        // A request for fewer bytes than the next message has would never be answered.
        max_bytes: PULL_BYTES.max(connection.max_payload().saturating_mul(2)),
        idle_heartbeat: PULL_HEARTBEAT,
        ..pull::BatchConfig::default()
    };
    let ask_payload = serde_json::to_vec(&ask).map_err(|error| error.to_string())?;
    Ok(Open {
        subscriber,
        inbox,
        consumer: info.name.clone(),
        ask: format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", spec.stream, info.name),
        ask_payload: ask_payload.into(),
        consumer_sequence: 0,
        wanted: 0,
        silent_since: None,
        pending: info.num_pending,
    })
}
