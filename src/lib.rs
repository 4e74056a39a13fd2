//! Onscene.
pub mod action;
pub mod cli;
pub mod clock;
pub mod config;
pub mod decode;
pub mod event;
pub mod money;
pub mod nats;
pub mod partition;
pub mod partitioning;
pub mod policy;
pub mod replay;
pub mod rules;
pub mod schema;
pub mod simulate;
pub mod state;
pub mod terms;
