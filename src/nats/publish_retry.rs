//! Publishing until it is acknowledged, for writes whose repetition does no harm.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use tokio::sync::watch;

use super::chain_wire::{self, Outcome};
use super::connect::Connection;
use super::waiting::{self, Waiting};

const RETRY_DELAY_MAX: Duration = Duration::from_secs(1);

/// Why the server will never take a message.
#[derive(Debug)]
pub(super) struct NeverTaken(pub(super) String);

/// Publishes until the server has stored it, and returns its sequence. The caller makes sure, by a
/// `Nats-Msg-Id`, that one whose acknowledgement was lost is not stored twice. While it waits, `board` says why; of
/// several that share one, whichever gets through says that the server stores again.
pub(super) async fn until_stored(
    connection: &Connection,
    subject: &str,
    headers: &HeaderMap,
    payload: &Bytes,
    board: &watch::Sender<Option<Waiting>>,
) -> Result<u64, NeverTaken> {
    let warn = |_, reason: &str| {
        if waiting::wait(board, reason) {
            tracing::warn!(
                subject,
                reason,
                "cannot publish now, trying on until it works"
            );
        }
    };
    let stored = telling(connection, subject, headers, payload, warn).await;
    if stored.is_ok() && waiting::go_on(board) {
        tracing::info!(subject, "publishing again");
    }
    stored
}

/// The same, telling after each failed attempt how many came before it, and why it failed.
pub(super) async fn telling(
    connection: &Connection,
    subject: &str,
    headers: &HeaderMap,
    payload: &Bytes,
    tell: impl Fn(u32, &str),
) -> Result<u64, NeverTaken> {
    let mut retries: u32 = 0;
    loop {
        connection.connected().await;
        let sent = chain_wire::send(
            connection,
            subject.to_owned(),
            headers.clone(),
            payload.clone(),
        )
        .await;
        let reason = match sent {
            Outcome::Stored(sequence) => return Ok(sequence),
            Outcome::Doubt(reason) => reason,
            Outcome::TooLarge(reason)
            | Outcome::Refused(reason)
            | Outcome::NoBatch(reason)
            | Outcome::NotTheTail(reason) => return Err(NeverTaken(reason)),
        };
        tell(retries, &reason);
        let delay = Duration::from_millis(5) * 2_u32.pow(retries.min(8));
        tokio::time::sleep(delay.min(RETRY_DELAY_MAX)).await;
        retries = retries.saturating_add(1);
    }
}
