//! What stands between a proposal and a customer. Pure: terms, state and time in, a verdict out.

mod allotment;
mod approach;
mod contact;
mod experiment;
mod journey;
mod limits;
mod quarantine;
mod quiet;
mod schedule;
mod switches;
pub(crate) mod trace;

pub use allotment::{Demand, allot, rank};
pub use approach::{Approach, PURPOSE_PREFIX, Refusal};
pub use contact::frequency;
pub use experiment::{
    Arm, Assignment, arms, assignment, is_held_out, is_in_control_group, is_rolled_out, variant,
};
pub use journey::{next_step, step_due};
pub use limits::{Shared, Spoken};
pub use quarantine::{Held, Quarantine};
pub use schedule::{daily_due, is_scheduled, is_scheduled_at, local_day, local_time};
pub use switches::{Change, Pause, Position, Shadow, Signed, Switches, Target};
pub use trace::{Check, Trace};
