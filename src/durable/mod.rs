//! What survives: the log's records, and putting state together again from events and log.

pub mod grants;
pub mod log;
mod recovery;

pub use log::{LogError, LogItem, OwnerRecord, ThroughRecord};
pub use recovery::Recovery;
