//! Simulated customers: personas who make believable, seeded, deterministic traffic.
//!
//! Pure generation: no task, no socket, no wall clock. The caller says for which moment it wants
//! the next event, and publishes what it gets, in the order in which it got it.
//!
//! In the order in which an event meets them: [`random`] and [`amount`] are the dice, [`people`],
//! [`merchants`] and [`personas`] the tables that say who lives here, [`customer`] one of them,
//! [`history`] what they did before the start, [`stories`] and [`occasions`] what they do next,
//! [`simulation`] the clockwork that keeps follow-ups in order, [`response`] how they take what the
//! engine sends them, [`trial`] what rules truly do where that shall be known, [`telling`] what happened as events, and [`wire`] the CloudEvents that producers
//! would have published.
//!
//! Traffic is condensed: a basket is paid or abandoned seconds after it was started, and large
//! outflows are some hundred times as frequent as in life, so that a demo of twenty seconds shows
//! many moments of each scene. Causes still come before effects, and an account's balance is
//! what its movements make it.

mod amount;
mod customer;
mod history;
mod merchants;
mod occasions;
mod people;
mod personas;
mod random;
mod response;
mod simulation;
mod stories;
mod telling;
mod trial;
mod wire;

#[cfg(test)]
mod tests;

pub use response::{ReceivedAction, Response};
pub use simulation::{Moment, SimulatedEvent, Simulation, SimulationSettings};
pub use trial::{CONVERTED, Decided, TrueEffect};
