//! The nats-server, its streams, and the load generator's connection to it.

use crate::events;
use anyhow::Context as _;
use async_nats::jetstream::stream::{Config, Republish, StorageType, Stream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use onscene::clock::now_ms;
use onscene::nats::{
    Connection, LocalServer, LocalServerOptions, StreamSettings, SyncInterval, ensure_streams,
};
use std::path::PathBuf;
use std::time::Duration;

/// Where the bare echo's answers are stored; they are republished as the engine's are.
pub(crate) const ECHO_STREAM: &str = "BENCH_ECHO";
/// The subject of the bare echo's answers.
pub(crate) const ECHO_SUBJECT: &str = "bench.echo";
/// Where the bare echo's answers are republished.
pub(crate) const ECHO_LIVE: &str = "bench.live";
/// Where the engine's and the fair echo's answers are stored.
pub(crate) const ACTIONS_FILTER: &str = "scene.actions.push.*";

/// Events published and not yet acknowledged.
const IN_FLIGHT_MAX: usize = 2_000;

/// A server of the benchmark's own, with its store in the target folder.
pub(crate) struct Broker {
    server: LocalServer,
    folder: PathBuf,
    pub(crate) client: async_nats::Client,
    pub(crate) jetstream: async_nats::jetstream::Context,
}

impl Broker {
    /// Starts the server and creates the streams.
    pub(crate) async fn start(sync_always: bool) -> anyhow::Result<Self> {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("bench-{}", std::process::id()));
        let mut options = LocalServerOptions::in_folder(&folder);
        if sync_always {
            options.sync_interval = SyncInterval::Always;
        }
        let server = LocalServer::start(options).await?;
        let connection = Connection::open(&server.url(), "bench set-up").await?;
        ensure_streams(&connection, &StreamSettings::default()).await?;
        connection.close().await;
        let client = async_nats::connect(server.url()).await?;
        let jetstream = async_nats::jetstream::new(client.clone());
        let echo = Config {
            name: ECHO_STREAM.to_owned(),
            subjects: vec![ECHO_SUBJECT.to_owned()],
            storage: StorageType::File,
            republish: Some(Republish {
                source: ECHO_SUBJECT.to_owned(),
                destination: ECHO_LIVE.to_owned(),
                headers_only: false,
            }),
            ..Config::default()
        };
        jetstream.create_stream(echo).await?;
        Ok(Self {
            server,
            folder,
            client,
            jetstream,
        })
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.server.pid().unwrap_or_default()
    }

    /// Its version.
    pub(crate) fn version(&self) -> String {
        self.client.server_info().version
    }

    /// Empties all streams and returns the sequence that the next event will get.
    pub(crate) async fn empty(&self) -> anyhow::Result<u64> {
        for name in ["SCENE_ACTIONS", "SCENE_DLQ", ECHO_STREAM] {
            self.jetstream.get_stream(name).await?.purge().await?;
        }
        let mut events = self.jetstream.get_stream("SCENE_EVENTS").await?;
        events.purge().await?;
        Ok(events.info().await?.state.last_sequence + 1)
    }

    /// Stores a backlog of events. `run` makes their ids different from any other run's.
    pub(crate) async fn publish(&self, run: &str, count: u64, every: u64) -> anyhow::Result<()> {
        let time = now_ms();
        futures_util::stream::iter(0..count)
            .map(|index| async move {
                let (subject, payload) = events::event(run, index, every, time);
                self.jetstream.publish(subject, payload).await
            })
            // Sent in order, one after another; only the acknowledgements are waited for together.
            .buffered(1)
            .map_err(anyhow::Error::from)
            .map_ok(|ack| async move { ack.await.map_err(anyhow::Error::from) })
            .try_buffered(IN_FLIGHT_MAX)
            .try_for_each(|_| async { Ok(()) })
            .await
    }

    /// Waits until so many answers are stored.
    pub(crate) async fn answered(
        &self,
        stream: &str,
        filter: &str,
        count: u64,
        timeout: Duration,
    ) -> anyhow::Result<Stream> {
        let stream = self.jetstream.get_stream(stream).await?;
        let mut last = 0;
        let wait = async {
            loop {
                let subjects = stream.info_with_subjects(filter).await?;
                let counts: Vec<usize> = subjects.map_ok(|(_, count)| count).try_collect().await?;
                last = counts.iter().sum::<usize>() as u64;
                if last >= count {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(timeout, wait).await;
        waited.with_context(|| format!("only {last} of {count} answers came in {timeout:?}"))??;
        anyhow::ensure!(last == count, "{last} answers instead of {count}");
        Ok(stream)
    }

    /// Stops the server and removes its folder.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.server.stop().await?;
        std::fs::remove_dir_all(&self.folder).context("could not remove the store")
    }
}
