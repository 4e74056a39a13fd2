//! A simulation that happens: first its opening, then live traffic at a steady rate.

use super::action::Action;
use super::sender::{Deliveries, Sender};
use crate::clock::{Millis, monotonic_now, now_ms};
use crate::nats::Connection;
use crate::simulate::{Decided, ReceivedAction, SimulatedEvent, Simulation};
use anyhow::bail;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Who is further behind than this does not catch up, so that an outage ends without a burst.
const CATCH_UP_MAX: Duration = Duration::from_secs(1);

/// Simulated customers, and the way their events take.
pub(in crate::cli) struct Traffic {
    simulation: Simulation,
    sender: Sender,
    /// What the engine sends to the customers; `None` if they shall not react.
    actions: Option<mpsc::Receiver<Action>>,
    last: Millis,
}

impl Traffic {
    pub(in crate::cli) fn new(
        simulation: Simulation,
        connection: &Connection,
        actions: Option<mpsc::Receiver<Action>>,
    ) -> Self {
        Self {
            simulation,
            sender: Sender::new(connection),
            actions,
            last: 0,
        }
    }

    /// What became of the events so far.
    pub(in crate::cli) fn deliveries(&self) -> &Deliveries {
        self.sender.deliveries()
    }

    /// Publishes profiles and history as fast as they are acknowledged. `before` sees each event just
    /// before it is sent.
    ///
    /// # Errors
    /// When the very first event is not stored: nobody has made the stream, most likely.
    pub(in crate::cli) async fn open(
        &mut self,
        mut before: impl FnMut(&SimulatedEvent),
        mut progress: impl FnMut(&Deliveries),
    ) -> anyhow::Result<()> {
        let mut told = monotonic_now();
        for event in self.simulation.opening() {
            self.sender.ready().await;
            before(&event);
            self.sender.send(event.subject, event.payload).await;
            if self.sender.deliveries().published == 1 {
                self.sender.settle().await;
                if let Some(error) = &self.sender.deliveries().last_error
                    && self.sender.deliveries().acked == 0
                {
                    bail!(
                        "failed to {error}; is the engine running there? `onscene run` creates the streams"
                    );
                }
            }
            if told.elapsed() >= PROGRESS_INTERVAL {
                told = monotonic_now();
                progress(self.sender.deliveries());
            }
        }
        self.sender.settle().await;
        Ok(())
    }

    /// Publishes live traffic at `rate` events a second, for ever. `before` sees each event just before it is
    /// sent, and what became of those before. Whoever stops polling calls [`Self::settle`] next; one event may be lost then, no more.
    pub(in crate::cli) async fn live(
        &mut self,
        rate: u32,
        mut before: impl FnMut(&SimulatedEvent, &Deliveries),
    ) {
        let mut schedule = Schedule::new(rate, monotonic_now());
        loop {
            self.react_until(schedule.due(monotonic_now())).await;
            self.sender.ready().await;
            // The simulation's time never goes back, even where the wall clock does.
            self.last = self.last.max(now_ms());
            let event = self.simulation.next(self.last);
            before(&event, self.sender.deliveries());
            self.sender.send(event.subject, event.payload).await;
        }
    }

    /// Waits until every event is acknowledged or given up.
    pub(in crate::cli) async fn settle(&mut self) {
        self.sender.settle().await;
    }

    /// Lets customers react to actions until a moment comes.
    async fn react_until(&mut self, due: Instant) {
        let Some(actions) = &mut self.actions else {
            return tokio::time::sleep_until(due.into()).await;
        };
        while let Ok(action) = actions.try_recv() {
            react(&mut self.simulation, &action);
        }
        while monotonic_now() < due {
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => return,
                Some(action) = actions.recv() => react(&mut self.simulation, &action),
            }
        }
    }
}

fn react(simulation: &mut Simulation, action: &Action) {
    let event = &action.event;
    simulation.decided(&Decided {
        id: &event.id,
        customer: &event.subject,
        rule: &event.data.rule,
        sent: action.is_sent(),
    });
    if !action.is_sent() {
        return;
    }
    let received = ReceivedAction {
        id: &event.id,
        customer: &event.subject,
        kind: &event.data.kind,
        code: event.data.body.code.as_str().unwrap_or_default(),
    };
    simulation.respond(&received, now_ms());
}

/// When events are due.
struct Schedule {
    rate: u32,
    start: Instant,
    events: u64,
}

impl Schedule {
    fn new(rate: u32, start: Instant) -> Self {
        Self {
            rate: rate.max(1),
            start,
            events: 0,
        }
    }

    /// When the next event is due. Each call is for another one.
    fn due(&mut self, now: Instant) -> Instant {
        let due = |events: u64| {
            let rate = u64::from(self.rate);
            let rest = events % rate * 1_000_000_000 / rate;
            self.start + Duration::from_secs(events / rate) + Duration::from_nanos(rest)
        };
        let next = due(self.events);
        if next + CATCH_UP_MAX < now {
            self.start = now;
            self.events = 1;
            return now;
        }
        self.events += 1;
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_due_at_a_steady_rate_to_the_nanosecond() {
        let start = monotonic_now();
        let mut schedule = Schedule::new(300, start);
        let dues: Vec<Instant> = (0..901).map(|_| schedule.due(start)).collect();
        assert_eq!(dues[0], start);
        assert_eq!(dues[1], start + Duration::from_nanos(3_333_333));
        assert_eq!(dues[900], start + Duration::from_secs(3));
    }

    #[test]
    fn after_an_outage_the_schedule_starts_anew_instead_of_bursting() {
        let start = monotonic_now();
        let mut schedule = Schedule::new(10, start);
        let soon = start + Duration::from_millis(900);
        assert_eq!(schedule.due(soon), start, "a hiccup is caught up with");
        let late = start + Duration::from_secs(60);
        assert_eq!(schedule.due(late), late);
        assert_eq!(schedule.due(late), late + Duration::from_millis(100));
    }
}
