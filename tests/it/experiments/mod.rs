//! Experiments: who is in which group, what comes back, and what is made of it.

mod assignment;
mod chi_square;
mod fallbacks;
mod outcomes;

use crate::kit::desk::event;
use onscene::clock::Millis;
use serde_json::{Value, json};

/// What an adapter tells of an action.
fn told(outcome: &str, id: &str, customer: &str, action: &str, at: Millis) -> Value {
    let mut event = event(
        &format!("offer.{outcome}"),
        id,
        customer,
        at,
        json!({"action": action}),
    );
    event["source"] = "gateway".into();
    event
}
