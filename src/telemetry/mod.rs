//! What operators see: the metrics' catalogue and the log.

mod log;
mod metrics;

pub use log::init as init_log;
pub use metrics::{CONTENT_TYPE, Metrics};
