//! Onscene.
pub mod clock;
pub mod decode;
pub mod event;
pub mod money;
pub mod partitioning;
pub mod state;
