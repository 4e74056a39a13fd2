//! HTTP: metrics, health, and what the engine knows, for operators.

mod api;
mod explain;
mod report;
mod server;
mod switches;

pub use explain::Explaining;
pub use server::{HttpError, Server, Sources};
