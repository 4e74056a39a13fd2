//! What survives: the log's records, checkpoints, and putting state together again from events and log.

pub mod checkpoint;
pub mod grants;
pub mod log;
mod recovery;
mod store;

pub use checkpoint::{Checkpoint, CheckpointError, Cut};
pub use log::{LogError, LogItem, OwnerRecord, ThroughRecord};
pub use recovery::{Extent, Recovery};
pub use store::{CheckpointFile, CheckpointFolder, CheckpointStore, UnusableError, load};
