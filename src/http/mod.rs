//! HTTP: metrics, health, and what the engine knows, for operators.

mod api;
mod server;

pub use server::{HttpError, Server, Sources};
