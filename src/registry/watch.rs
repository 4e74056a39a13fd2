//! Watching a rules folder: inotify or its like, and a slow poll for what that misses.

use super::RegistryError;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Silence after a change before the folder is read, so that an editor or a copy can finish.
const SETTLE: Duration = Duration::from_millis(15);
/// The longest that changes in quick succession can put a reload off.
const SETTLE_MAX: Duration = Duration::from_millis(100);
/// How often the folder is looked at without having been told, for network file systems and lost
/// notifications.
const POLL: Duration = Duration::from_secs(2);

enum Signal {
    Changed,
    Stop,
}

/// A thread that calls back when a folder changes; it ends when this is dropped.
#[derive(Debug)]
pub struct Watcher {
    signals: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts watching a folder. `changed` is called soon after it changed, and now and then besides.
    ///
    /// # Errors
    /// When the folder cannot be watched.
    pub fn start(
        folder: &Path,
        changed: impl Fn() + Send + 'static,
    ) -> Result<Self, RegistryError> {
        let (signals, received) = channel();
        let failed = |source| RegistryError::Watch {
            folder: folder.to_owned(),
            source,
        };
        let told = signals.clone();
        let mut watches = Watches {
            watcher: notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if event.as_ref().map_or(true, |event| matters(event.kind)) {
                    // The receiver is gone only when we are stopping.
                    let _ = told.send(Signal::Changed);
                }
            })
            .map_err(failed)?,
            folder: PathBuf::new(),
        };
        watches.follow(folder).map_err(failed)?;
        let folder = folder.to_owned();
        let thread = std::thread::Builder::new()
            .name("rules-watch".to_owned())
            .spawn(move || run(&folder, &changed, watches, &received))
            .map_err(|error| RegistryError::Watch {
                folder: PathBuf::new(),
                source: notify::Error::io(error),
            })?;
        Ok(Self {
            signals,
            thread: Some(thread),
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.signals.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }
}

/// Reading files is reported too; our own reads must not make us read again.
fn matters(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

struct Watches {
    watcher: RecommendedWatcher,
    /// Where the folder is, links resolved: a link that is pointed elsewhere needs a new watch.
    folder: PathBuf,
}

impl Watches {
    fn follow(&mut self, folder: &Path) -> notify::Result<()> {
        let resolved = folder.canonicalize().map_err(notify::Error::io)?;
        if resolved == self.folder {
            return Ok(());
        }
        self.watcher.watch(&resolved, RecursiveMode::Recursive)?;
        if self.folder == Path::new("") {
            // The folder itself may be a link that is swapped, which its parent reports.
            let absolute = std::path::absolute(folder).map_err(notify::Error::io)?;
            if let Some(parent) = absolute.parent() {
                self.watcher.watch(parent, RecursiveMode::NonRecursive)?;
            }
        } else {
            // The former folder may be gone, and its watch with it.
            let _ = self.watcher.unwatch(&self.folder);
        }
        self.folder = resolved;
        Ok(())
    }
}

fn run(folder: &Path, changed: &impl Fn(), mut watches: Watches, received: &Receiver<Signal>) {
    loop {
        match received.recv_timeout(POLL) {
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Signal::Changed) => {
                if settle(received) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        // While the folder is away there is nothing to follow; the poll comes back to it.
        if let Err(error) = watches.follow(folder) {
            tracing::debug!(%error, "the rules folder cannot be watched now");
        }
        changed();
    }
}

/// Waits until nothing has changed for a moment. Returns whether it was told to stop.
fn settle(received: &Receiver<Signal>) -> bool {
    let started = crate::clock::monotonic_now();
    while started.elapsed() < SETTLE_MAX {
        match received.recv_timeout(SETTLE) {
            Ok(Signal::Changed) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
    false
}
