//! Events onto NATS in the order in which they come, each until it is acknowledged.

use super::latencies::Latencies;
use crate::clock::monotonic_now;
use crate::nats::{Connection, EventPublisher, PublishError};
use bytes::Bytes;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How many events may be sent and not yet acknowledged.
const IN_FLIGHT_MAX: usize = 512;
/// How often one event is sent before it is given up. While the connection is down nothing is sent.
const ATTEMPTS_MAX: u32 = 5;
const RETRY_DELAY: Duration = Duration::from_millis(200);
const CONNECTED_POLL: Duration = Duration::from_millis(20);

/// What became of the events so far.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Deliveries {
    /// Sent at least once.
    pub(in crate::cli) published: u64,
    /// Stored, as the server said.
    pub(in crate::cli) acked: u64,
    /// Given up.
    pub(in crate::cli) failed: u64,
    /// Sent once more, since no acknowledgement had come.
    pub(in crate::cli) repeated: u64,
    /// From just before sending until the acknowledgement.
    pub(in crate::cli) acks: Latencies,
    /// Why the last one was given up.
    pub(in crate::cli) last_error: Option<String>,
}

impl Deliveries {
    /// For a human: `; 3 sent again; 1 FAILED (why)`, or nothing when all went well.
    pub(in crate::cli) fn troubles(&self) -> String {
        let mut text = String::new();
        if self.repeated > 0 {
            text += &format!("; {} sent again", self.repeated);
        }
        let lost = self.published - self.acked;
        if lost > 0 {
            let why = self.last_error.as_deref().unwrap_or("no answer yet");
            text += &format!("; {lost} NOT ACKNOWLEDGED ({why})");
        }
        text
    }
}

/// One event on its way.
struct Sending {
    number: u64,
    subject: String,
    payload: Bytes,
    attempts: u32,
}

struct Outcome {
    sending: Sending,
    result: Result<(), PublishError>,
    took: Duration,
}

/// Publishes over one connection, so that a customer's events are stored in the order in which they were
/// sent. After a loss of the connection, what was not acknowledged goes first, in its old order; an event
/// that was stored all the same is recognised by its source and id.
pub(in crate::cli) struct Sender {
    connection: Connection,
    publisher: EventPublisher,
    outcomes_to: mpsc::UnboundedSender<Outcome>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    under_way: u64,
    again: Vec<Sending>,
    deliveries: Deliveries,
}

impl Sender {
    pub(in crate::cli) fn new(connection: &Connection) -> Self {
        // Bounded by what may be in flight.
        let (outcomes_to, outcomes) = mpsc::unbounded_channel();
        Self {
            connection: connection.clone(),
            publisher: EventPublisher::new(connection, IN_FLIGHT_MAX),
            outcomes_to,
            outcomes,
            under_way: 0,
            again: Vec::new(),
            deliveries: Deliveries::default(),
        }
    }

    pub(in crate::cli) fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// Waits until the connection is there and nothing older has to be sent again.
    pub(in crate::cli) async fn ready(&mut self) {
        while let Ok(outcome) = self.outcomes.try_recv() {
            self.under_way -= 1;
            self.note(outcome);
        }
        if !self.again.is_empty() || !self.connection.is_connected() {
            self.recover().await;
        }
    }

    /// Sends one event; to be called after [`Self::ready`]. Waits while too many are in flight.
    pub(in crate::cli) async fn send(&mut self, subject: String, payload: Vec<u8>) {
        self.deliveries.published += 1;
        let sending = Sending {
            number: self.deliveries.published,
            subject,
            payload: payload.into(),
            attempts: 0,
        };
        self.dispatch(sending, monotonic_now()).await;
    }

    /// Waits until every event is acknowledged or given up.
    pub(in crate::cli) async fn settle(&mut self) {
        loop {
            while self.under_way > 0 {
                self.next_outcome().await;
            }
            if self.again.is_empty() {
                return;
            }
            self.recover().await;
        }
    }

    async fn recover(&mut self) {
        if !self.connection.is_connected() {
            eprintln!("the connection to NATS is lost, waiting for it");
            while !self.connection.is_connected() {
                tokio::time::sleep(CONNECTED_POLL).await;
            }
            eprintln!("the connection to NATS is back");
        }
        while self.under_way > 0 {
            self.next_outcome().await;
        }
        if self.again.is_empty() {
            return;
        }
        tokio::time::sleep(RETRY_DELAY).await;
        self.again.sort_by_key(|sending| sending.number);
        for sending in std::mem::take(&mut self.again) {
            self.deliveries.repeated += 1;
            self.dispatch(sending, monotonic_now()).await;
        }
    }

    async fn dispatch(&mut self, mut sending: Sending, started: Instant) {
        sending.attempts += 1;
        let sent = self
            .publisher
            .publish(&sending.subject, &[], sending.payload.clone())
            .await;
        match sent {
            Err(error) => self.note(Outcome {
                sending,
                result: Err(error),
                took: started.elapsed(),
            }),
            Ok(unacknowledged) => {
                self.under_way += 1;
                let outcomes = self.outcomes_to.clone();
                tokio::spawn(async move {
                    let result = unacknowledged.stored().await.map(|_| ());
                    let took = started.elapsed();
                    // Nobody listens any more once the command is over.
                    let _ = outcomes.send(Outcome {
                        sending,
                        result,
                        took,
                    });
                });
            }
        }
    }

    async fn next_outcome(&mut self) {
        let outcome = self.outcomes.recv().await;
        self.under_way -= 1;
        self.note(outcome.expect("invariant: this side holds a sender of the channel, too"));
    }

    fn note(&mut self, outcome: Outcome) {
        match outcome.result {
            Ok(()) => {
                self.deliveries.acked += 1;
                self.deliveries.acks.record(outcome.took);
            }
            Err(error) => {
                self.deliveries.last_error = Some(error.to_string());
                if outcome.sending.attempts < ATTEMPTS_MAX {
                    self.again.push(outcome.sending);
                    return;
                }
                self.deliveries.failed += 1;
                // Where nothing was ever stored, the caller tells.
                if self.deliveries.failed == 1 && self.deliveries.acked > 0 {
                    eprintln!(
                        "an event was given up after {ATTEMPTS_MAX} attempts: failed to {error}"
                    );
                }
            }
        }
    }
}
