//! Onscene: NATS events in, decisions out.

pub mod clock;
pub mod nats;
pub mod partitioning;
