//! The tokio runtime of the commands that talk to NATS, and the signals that end them.

use anyhow::Context as _;
use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a future to its end on a runtime with a worker per core.
pub(super) fn block_on<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("could not start the worker threads")?;
    Ok(runtime.block_on(future))
}

/// Returns a future that resolves when the user (Ctrl-C), the service manager (SIGTERM) or the closing
/// terminal (SIGHUP) asks the process to end. Signals are caught from this call on.
///
/// Later ones of the same kind are caught too and change nothing: a graceful end has its own limits.
pub(super) fn asked_to_end() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let listen = |kind| signal(kind).context("could not listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
