//! A nats-server of the test's own, in a folder of its own, on a free port.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Command;

use onscene::nats::{Connection, LocalServer, LocalServerOptions, StreamSettings, ensure_streams};

use super::Folder;

/// A running server; `kill`, `stop` and `restart` are [`LocalServer`]'s. Gone on drop.
#[derive(Debug)]
pub(crate) struct Nats {
    // Dropped in this order: first the server, then its folder.
    server: LocalServer,
    _folder: Folder,
}

impl Nats {
    /// Starts a server without streams.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a server whose options the test changes.
    pub(crate) async fn start_with(change: impl FnOnce(&mut LocalServerOptions)) -> Self {
        let folder = Folder::new();
        let mut options = LocalServerOptions::in_folder(folder.path());
        change(&mut options);
        let server = LocalServer::start(options).await.unwrap();
        Self {
            server,
            _folder: folder,
        }
    }

    /// Starts a server with the three streams, with `partitions` and else default settings.
    pub(crate) async fn with_streams(partitions: u16) -> Self {
        let nats = Self::start().await;
        let settings = StreamSettings {
            partitions,
            ..StreamSettings::default()
        };
        ensure_streams(&nats.connect().await, &settings)
            .await
            .unwrap();
        nats
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(&self.server.url(), "test").await.unwrap()
    }
}

impl Deref for Nats {
    type Target = LocalServer;

    fn deref(&self) -> &LocalServer {
        &self.server
    }
}

impl DerefMut for Nats {
    fn deref_mut(&mut self) -> &mut LocalServer {
        &mut self.server
    }
}

/// The binary that servers of the test's own are started from.
pub(crate) fn nats_binary() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/nats-server.py");
    let output = Command::new("python3").arg(script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().into()
}
