//! Where a chain writes to and reads its tail from: NATS, or a model of it.

use std::borrow::Cow;
use std::fmt;

use async_nats::HeaderMap;

use super::chain_wire::{self, Outcome};
use super::connect::Connection;
use super::log_reader::subject_filter;
use super::log_tail;
use super::log_write::{HEADER_ID, HEADER_KIND, HEADER_OWNER, LogWrite};
use super::message::{LogMessage, put, put_known};
use super::stream_state::{InfoError, stream_info};
use super::streams::ACTIONS;

/// Which part of the log is extended, by whom, behind what.
#[derive(Clone, Copy, Debug)]
pub struct Behind<'a> {
    /// The partition.
    pub partition: u16,
    /// Who writes.
    pub owner: &'a str,
    /// The sequence that must be the partition's last; 0 for none.
    pub tail: u64,
}

/// The sequences that the stream of actions has, of whatever partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first that is kept.
    pub first: u64,
    /// The last that was stored.
    pub last: u64,
}

/// The logs of all partitions, as far as a chain needs them. Each call is one attempt.
pub trait LogStore: Clone + fmt::Debug + Send + Sync + 'static {
    /// Stores writes behind the partition's last message, if that is the expected one: all or none, in
    /// their order. Several are an atomic batch (ADR-50).
    fn append(
        &self,
        behind: Behind<'_>,
        writes: &[LogWrite],
    ) -> impl Future<Output = Outcome> + Send;

    /// The partition's last message, or the first from a sequence on; none if there is none. It must be
    /// answered by whoever stores, not by a copy that may be behind.
    fn read(
        &self,
        partition: u16,
        from: Option<u64>,
    ) -> impl Future<Output = Result<Option<LogMessage>, InfoError>> + Send;

    /// What the stream holds.
    fn extent(&self) -> impl Future<Output = Result<Extent, InfoError>> + Send;

    /// Waits until another attempt is worth it.
    fn connected(&self) -> impl Future<Output = ()> + Send;
}

impl LogStore for Connection {
    async fn append(&self, behind: Behind<'_>, writes: &[LogWrite]) -> Outcome {
        match writes {
            [] => Outcome::Refused("nothing to write".to_owned()),
            [write] => append_one(self, behind, write).await,
            [others @ .., last] => append_batch(self, behind, others, last).await,
        }
    }

    async fn read(
        &self,
        partition: u16,
        from: Option<u64>,
    ) -> Result<Option<LogMessage>, InfoError> {
        log_tail::read(self, partition, from).await
    }

    async fn extent(&self) -> Result<Extent, InfoError> {
        let state = stream_info(self, ACTIONS).await?.state;
        Ok(Extent {
            first: state.first_sequence,
            last: state.last_sequence,
        })
    }

    async fn connected(&self) {
        Connection::connected(self).await;
    }
}

async fn append_one(connection: &Connection, behind: Behind<'_>, write: &LogWrite) -> Outcome {
    let mut headers = headers(behind.owner, write);
    expect(&mut headers, behind);
    chain_wire::send(
        connection,
        subject(behind.partition, write),
        headers,
        write.payload.clone(),
    )
    .await
}

/// Sends an atomic batch (ADR-50): only the last message is answered, for all of them.
async fn append_batch(
    connection: &Connection,
    behind: Behind<'_>,
    others: &[LogWrite],
    last: &LogWrite,
) -> Outcome {
    if !connection.is_connected() {
        return Outcome::Doubt("not connected".to_owned());
    }
    // Each attempt is a batch of its own, so that a part of a former one cannot mix with it.
    let inbox = connection.client().new_inbox();
    let batch = inbox.rsplit('.').next().unwrap_or(&inbox).to_owned();
    for (index, write) in others.iter().enumerate() {
        let mut headers = headers(behind.owner, write);
        headers.insert("Nats-Batch-Id", batch.as_str());
        headers.insert("Nats-Batch-Sequence", (index + 1).to_string());
        if index == 0 {
            expect(&mut headers, behind);
        }
        let client = connection.client();
        let subject = subject(behind.partition, write);
        let sent = client.publish_with_headers(subject, headers, write.payload.clone());
        if let Err(error) = sent.await {
            use async_nats::client::PublishErrorKind::MaxPayloadExceeded;
            // Singly, the one that is too large is named, and those before it are stored.
            return match error.kind() {
                MaxPayloadExceeded => Outcome::NoBatch(error.to_string()),
                _ => Outcome::Doubt(error.to_string()),
            };
        }
    }
    let mut headers = headers(behind.owner, last);
    headers.insert("Nats-Batch-Id", batch.as_str());
    headers.insert("Nats-Batch-Sequence", (others.len() + 1).to_string());
    headers.insert("Nats-Batch-Commit", "1");
    match chain_wire::send(
        connection,
        subject(behind.partition, last),
        headers,
        last.payload.clone(),
    )
    .await
    {
        Outcome::TooLarge(reason) => Outcome::NoBatch(reason),
        outcome => outcome,
    }
}

fn subject(partition: u16, write: &LogWrite) -> String {
    format!("scene.commit.{}.{partition}", write.channel)
}

fn headers(owner: &str, write: &LogWrite) -> HeaderMap {
    let mut headers = HeaderMap::new();
    put_known(&mut headers, HEADER_OWNER, owner);
    put_known(&mut headers, HEADER_ID, &write.id);
    put_known(&mut headers, HEADER_KIND, write.kind);
    for (name, value) in &write.headers {
        match name {
            Cow::Borrowed(name) => put_known(&mut headers, name, value),
            Cow::Owned(name) => put(&mut headers, name, value),
        }
    }
    headers
}

fn expect(headers: &mut HeaderMap, behind: Behind<'_>) {
    headers.insert(
        "Nats-Expected-Last-Subject-Sequence",
        behind.tail.to_string(),
    );
    headers.insert(
        "Nats-Expected-Last-Subject-Sequence-Subject",
        subject_filter(behind.partition),
    );
}
