//! Events on their way to the server: many at a time, but of one customer one after another, so that
//! whatever has to be sent again, their order is kept.

use super::check::{Checked, Fate, Outgoing, Refused};
use super::records::Place;
use crate::clock::monotonic_now;
use crate::nats::{PatientPublisher, PublishError};
use crate::partitioning::CustomerId;
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Records that may be read ahead of the first one that is not stored yet: enough that many customers are
/// among them.
const WINDOW_RECORDS_MAX: usize = 16_384;
/// Bytes that may be read ahead.
const WINDOW_BYTES_MAX: usize = 64 << 20;
/// How far a pace may be caught up with after a pause.
const CATCH_UP: Duration = Duration::from_millis(20);

/// A record between being read and being done with.
struct Slot {
    behind: Place,
    bytes: usize,
    state: State,
}

enum State {
    UnderWay,
    Stored,
    Refused(Box<Refused>),
    End,
}

/// A record that is done with, as all before it are.
pub(super) enum Done {
    Stored(Place),
    Refused(Place, Box<Refused>),
    End(Place),
}

type Landing = (u64, CustomerId, Result<(), PublishError>);

/// The records that are under way.
pub(super) struct Pump<'a> {
    /// None in a dry run: everything counts as stored.
    publisher: Option<&'a PatientPublisher>,
    /// Told why an event is not stored yet.
    waiting: &'a dyn Fn(&str),
    in_flight_max: usize,
    /// Between two events.
    pace: Option<Duration>,
    next_at: Instant,
    window: VecDeque<Slot>,
    window_bytes: usize,
    /// The number of the window's first record.
    first: u64,
    /// The customers with an event under way, and their events that wait for it.
    busy: HashMap<CustomerId, VecDeque<(u64, Outgoing)>>,
    ready: VecDeque<(u64, Outgoing)>,
    flying: FuturesUnordered<LocalBoxFuture<'a, Landing>>,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        publisher: Option<&'a PatientPublisher>,
        waiting: &'a dyn Fn(&str),
        in_flight_max: usize,
        rate: Option<u32>,
    ) -> Self {
        Self {
            publisher,
            waiting,
            in_flight_max,
            pace: rate.map(|rate| Duration::from_secs(1) / rate),
            next_at: monotonic_now(),
            window: VecDeque::new(),
            window_bytes: 0,
            first: 0,
            busy: HashMap::new(),
            ready: VecDeque::new(),
            flying: FuturesUnordered::new(),
        }
    }

    /// Whether there is room for more.
    pub(super) fn has_room(&self) -> bool {
        self.window.len() < WINDOW_RECORDS_MAX && self.window_bytes < WINDOW_BYTES_MAX
    }

    /// Takes records in the order of the input.
    pub(super) fn take(&mut self, batch: Vec<Checked>) {
        for Checked { behind, fate } in batch {
            let number = self.first + self.window.len() as u64;
            let (state, bytes) = match fate {
                Fate::End => (State::End, 0),
                Fate::Refuse(refused) => {
                    let bytes = refused.raw.len();
                    (State::Refused(refused), bytes)
                }
                Fate::Send(_) if self.publisher.is_none() => (State::Stored, 0),
                Fate::Send(outgoing) => {
                    let bytes = outgoing.payload.len();
                    match self.busy.get_mut(&outgoing.customer) {
                        Some(queue) => queue.push_back((number, outgoing)),
                        None => {
                            let customer = outgoing.customer.clone();
                            self.busy.insert(customer, VecDeque::new());
                            self.ready.push_back((number, outgoing));
                        }
                    }
                    (State::UnderWay, bytes)
                }
            };
            self.window_bytes += bytes;
            self.window.push_back(Slot {
                behind,
                bytes,
                state,
            });
        }
    }

    /// Sends what may be sent now.
    pub(super) fn launch(&mut self) {
        let Some(publisher) = self.publisher else {
            return;
        };
        while self.flying.len() < self.in_flight_max && !self.ready.is_empty() {
            if let Some(pace) = self.pace {
                let now = monotonic_now();
                if self.next_at > now {
                    return;
                }
                self.next_at = self.next_at.max(now - CATCH_UP.max(pace)) + pace;
            }
            let Some((number, outgoing)) = self.ready.pop_front() else {
                return;
            };
            let waiting = self.waiting;
            self.flying.push(Box::pin(async move {
                let Outgoing {
                    customer,
                    subject,
                    payload,
                } = outgoing;
                let stored = publisher.publish(&subject, &payload, waiting).await;
                (number, customer, stored.map(|_| ()))
            }));
        }
    }

    /// Sends nothing more; what is on its way can still be acknowledged.
    pub(super) fn stop(&mut self) {
        self.ready.clear();
        self.busy.clear();
    }

    /// When the pace allows the next event, if it is only that which holds it back.
    pub(super) fn next_launch(&self) -> Option<Instant> {
        let is_held = !self.ready.is_empty() && self.flying.len() < self.in_flight_max;
        (is_held && self.pace.is_some()).then_some(self.next_at)
    }

    /// How many are not acknowledged yet.
    pub(super) fn in_flight(&self) -> usize {
        self.flying.len()
    }

    /// Whether everything that was taken is done with.
    pub(super) fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// Waits for the next acknowledgement; for ever if none is to come. Fails when the server will never
    /// take an event. Cancel safe.
    pub(super) async fn landed(&mut self) -> Result<(), PublishError> {
        let Some((number, customer, stored)) = self.flying.next().await else {
            return std::future::pending().await;
        };
        stored?;
        let at = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        if let Some(slot) = self.window.get_mut(at) {
            slot.state = State::Stored;
        }
        match self.busy.get_mut(&customer).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_back(next),
            None => {
                self.busy.remove(&customer);
            }
        }
        Ok(())
    }

    /// The next record in the order of the input, if it is done with.
    pub(super) fn next_done(&mut self) -> Option<Done> {
        if matches!(self.window.front()?.state, State::UnderWay) {
            return None;
        }
        let slot = self.window.pop_front()?;
        self.first += 1;
        self.window_bytes -= slot.bytes;
        Some(match slot.state {
            State::UnderWay => return None,
            State::Stored => Done::Stored(slot.behind),
            State::Refused(refused) => Done::Refused(slot.behind, refused),
            State::End => Done::End(slot.behind),
        })
    }
}
