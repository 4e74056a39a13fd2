//! The only place that reads the machine's clocks; everything else is handed a time.

use std::time::Instant;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// The wall clock, in milliseconds since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the wall clock is read"
)]
pub fn now_ms() -> Millis {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A clock that never goes back, for measuring how long something took.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the monotonic clock is read"
)]
pub fn monotonic_now() -> Instant {
    Instant::now()
}
