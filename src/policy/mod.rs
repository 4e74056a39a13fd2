//! What stands between a proposal and a customer. Pure: terms, state and time in, a verdict out.

mod contact;
mod experiment;
mod schedule;

pub use contact::{channel, frequency};
pub use experiment::{is_held_out, is_rolled_out, variant};
pub use schedule::is_scheduled;
