//! The asynchronous runtime of the commands that talk to NATS.

use anyhow::Context as _;

/// Runs a command's future to its end.
pub(super) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("could not start the runtime")?
        .block_on(future)
}

/// Waits for SIGINT, SIGTERM, or SIGHUP of a terminal that was closed.
pub(super) async fn interrupted() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("could not listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("could not listen to SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("could not listen to SIGHUP")?;
    tokio::select! {
        _ = hangup.recv() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
