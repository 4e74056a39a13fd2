//! The log: structured lines on standard error, filtered by `RUST_LOG`.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` filters as in `onscene=debug,info`; the default is `info`. Levels above
/// `info` exist in debug builds only. A second call changes nothing.
pub fn init() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn"));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    // Somebody else, such as a test, has set up logging before: theirs stays.
    drop(started);
}
