//! HTTP: metrics, health, and what the engine knows, for operators.

mod api;
mod report;
mod server;
mod switches;

pub use server::{HttpError, Server, Sources};
