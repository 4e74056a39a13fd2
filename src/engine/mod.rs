//! Wires the stages: registry, streams, one worker a partition, HTTP; and stops them in order.

mod allotments;
mod assembly;
mod broker;
mod checkpoint_writer;
mod checkpoints;
mod experiments;
mod governing;
mod grants;
mod listeners;
#[cfg(test)]
mod simulation;
mod watermark;
mod worker;

use crate::clock::{Clock, now_ms};
use crate::config::Config;
use crate::decode::Decoder;
use crate::durable::{CheckpointFolder, LogError};
use crate::explain::Explainer;
use crate::governance::{Desk, GovernanceError};
use crate::health::Health;
use crate::http::{self, HttpError};
use crate::measurement::Reports;
use crate::nats::{
    ChainError, ConnectError, Connection, DeadLetterError, ReadError, StreamSettings, StreamsError,
    ensure_streams,
};
use crate::registry::{Demands, RegistryError, RuleRegistry, Watcher};
use crate::rule_tests::Environment;
use crate::state::{Customers, Ledger};
use crate::telemetry::Metrics;
use assembly::{Parts, Tasks, assemble};
use broker::NatsBroker;
use checkpoints::Checkpoints;
use governing::Governing;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long finishing and committing may take when the engine stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the last checkpoints may take when the engine stops.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the last requests to the HTTP server may take when the engine stops.
const HTTP_STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the engine cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The rules.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The streams.
    #[error(transparent)]
    Streams(#[from] StreamsError),
    /// Somebody else owns a partition, or its log cannot be extended.
    #[error("the engine stops: it failed to extend a partition's log")]
    Chain(#[from] ChainError),
    /// Events cannot be read.
    #[error("the engine stops: it failed to read events")]
    Read(#[from] ReadError),
    /// Refused events cannot be kept.
    #[error("the engine stops: it failed to keep refused events")]
    DeadLetter(#[from] DeadLetterError),
    /// The log holds something that cannot be read.
    #[error("failed to read the log of partition {partition}")]
    Log {
        /// Which.
        partition: u16,
        /// What.
        source: LogError,
    },
    /// Nothing can be kept in the data folder.
    #[error(
        "could not write to {}: let the engine write there, or name another folder with --data",
        folder.display()
    )]
    Data {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A partition's checkpoints.
    #[error(
        "failed to use the checkpoints of partition {partition}: see that the engine may read and write the data folder"
    )]
    Checkpoints {
        /// Which.
        partition: u16,
        /// Why.
        source: std::io::Error,
    },
    /// What governs the rules.
    #[error("failed to read what governs the rules")]
    Governance(#[from] GovernanceError),
    /// The HTTP server.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// NATS did not take the last decisions in time.
    #[error(
        "not everything that was read could be committed within {} s, as NATS did not answer; nothing is lost: the next start reads it again",
        STOP_TIMEOUT.as_secs()
    )]
    StopTimeout,
    /// A worker panicked.
    #[error("a worker ended unexpectedly")]
    Worker(#[from] tokio::task::JoinError),
}

/// The engine.
#[derive(Debug)]
pub struct Engine;

/// An engine that runs until it is stopped.
#[derive(Debug)]
pub struct Running {
    workers: Tasks,
    stop: CancellationToken,
    watcher: Option<Watcher>,
    http: http::Server,
    connections: [Connection; 2],
    registry: Arc<RuleRegistry>,
    metrics: Arc<Metrics>,
    customers: Arc<Customers>,
    health: Arc<Health>,
    /// How many partitions it owns.
    owned: u32,
    /// Has a permit from each that has committed everything.
    drained: Arc<Semaphore>,
}

impl Engine {
    /// Loads the rules, takes every partition over, and starts.
    ///
    /// # Errors
    /// When anything it needs is not as it must be; nothing runs then.
    pub async fn start(config: Config) -> Result<Running, EngineError> {
        let metrics = Arc::new(Metrics::new());
        let checkpoints = checkpoints(&config)?;
        let opened = RuleRegistry::open(&config.rules, metrics.clone(), demands(&config));
        let (reading, committing) = match connect(&config).await {
            Ok(connections) => connections,
            // Of two causes, the one that a marketer can mend is told.
            Err(error) => return Err(opened.err().map_or(error, Into::into)),
        };
        let registry = governing::registry(opened, &committing, &config, &metrics).await?;
        let customers = Arc::new(Customers::default());
        let ledger = Arc::new(Ledger::by_grant());
        let health = Arc::new(Health::new(&config.owns, link(&committing)));
        let owner = owner_id();
        let stop = CancellationToken::new();
        let governing = Governing::begin(&committing, &owner, &registry, &metrics, &stop).await?;
        let desk = Desk::new(&committing, governing.switches().listen());
        let sources = http::Sources {
            metrics: metrics.clone(),
            registry: registry.clone(),
            customers: customers.clone(),
            health: health.clone(),
            ledger: ledger.clone(),
            reports: Reports::new(&config.nats_url, config.rates.base()),
            desk,
            explaining: explaining(&config),
        };
        let http = http::Server::start(config.http, sources).await?;
        warn_without_policy(&registry);
        let drained = Arc::new(Semaphore::new(0));
        let parts = Parts {
            owner: owner.clone(),
            owns: config.owns.clone(),
            decoder: decoder(&config, &committing),
            registry: registry.clone(),
            metrics: metrics.clone(),
            customers: customers.clone(),
            health: health.clone(),
            ledger,
            clock: Clock::system(),
            batch_events_max: config.batch_events_max,
            turns: turns(),
            through_interval: config.through_interval,
            journal: config.journal,
            zone: config.zone.clone(),
            checkpoints,
            drained: drained.clone(),
            switches: governing.switches().clone(),
        };
        let broker = NatsBroker::new(&reading, &committing, &health);
        let mut workers = assemble(&broker, parts, &stop).await?;
        workers.spawn(governing.run(stop.clone()));
        let watcher = watch(&registry)?;
        let (partitions, nats, http_address) =
            (config.owns.len(), committing.url(), http.address());
        tracing::info!(owner, partitions, nats, http = %http_address, "engine started");
        Ok(Running {
            workers,
            stop,
            watcher: Some(watcher),
            http,
            connections: [reading, committing],
            registry,
            metrics,
            customers,
            health,
            owned: u32::try_from(config.owns.len()).unwrap_or(u32::MAX),
            drained,
        })
    }
}

/// Where checkpoints are kept, if any are taken.
fn checkpoints(config: &Config) -> Result<Option<Checkpoints>, EngineError> {
    let Some(interval) = config.checkpoint_interval else {
        return Ok(None);
    };
    let folder = CheckpointFolder::new(&config.data);
    folder.prepare().map_err(|source| EngineError::Data {
        folder: folder.path().to_owned(),
        source,
    })?;
    let store = Arc::new(folder);
    Ok(Some(Checkpoints::new(
        store,
        interval,
        config.checkpoints_kept,
    )))
}

async fn connect(config: &Config) -> Result<(Connection, Connection), EngineError> {
    let reading = Connection::open(&config.nats_url, "onscene read").await?;
    let committing = Connection::open(&config.nats_url, "onscene commit").await?;
    ensure_streams(&committing, &stream_settings(config)).await?;
    Ok((reading, committing))
}

fn watch(registry: &Arc<RuleRegistry>) -> Result<Watcher, RegistryError> {
    let watched = registry.clone();
    Watcher::start(registry.folder(), move || {
        watched.reload();
    })
}

fn demands(config: &Config) -> Demands {
    let asked = config.require_tests_pass;
    Demands {
        tests: asked.then(|| Environment::of(config)),
    }
}

impl Running {
    /// Where the HTTP server listens.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.http.address()
    }

    /// The live rules.
    #[must_use]
    pub fn registry(&self) -> &Arc<RuleRegistry> {
        &self.registry
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The customers in memory.
    #[must_use]
    pub fn customers(&self) -> &Arc<Customers> {
        &self.customers
    }

    /// Whether it is ready, and if not, why.
    #[must_use]
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Waits until the engine cannot go on, and says why. Cancel safe.
    pub async fn failed(&mut self) -> EngineError {
        while let Some(ended) = self.workers.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    if matches!(error, EngineError::Chain(ChainError::Fenced { .. })) {
                        self.metrics.fences.inc();
                    }
                    return error;
                }
                Err(panicked) => return panicked.into(),
            }
        }
        // Without workers there is nothing that could still fail.
        std::future::pending().await
    }

    /// Drains: stops reading, finishes what was read, commits it, writes down how far events are
    /// done, and closes.
    ///
    /// # Errors
    /// The first failure of a worker, or that NATS did not answer in time; all workers have ended.
    pub async fn stop(mut self) -> Result<(), EngineError> {
        self.stop.cancel();
        drop(self.watcher.take());
        let committed = async {
            tokio::select! {
                // All have, and take their last checkpoints.
                _ = self.drained.acquire_many(self.owned) => None,
                ended = drain(&mut self.workers) => Some(ended),
            }
        };
        let result = match tokio::time::timeout(STOP_TIMEOUT, committed).await {
            Err(_) => Err(EngineError::StopTimeout),
            Ok(Some(ended)) => ended,
            Ok(None) => {
                let last = tokio::time::timeout(CHECKPOINT_TIMEOUT, drain(&mut self.workers)).await;
                last.unwrap_or_else(|_| {
                    tracing::warn!("the last checkpoints were cut off; the ones before them stay");
                    Ok(())
                })
            }
        };
        self.workers.shutdown().await;
        if tokio::time::timeout(HTTP_STOP_TIMEOUT, self.http.stop())
            .await
            .is_err()
        {
            tracing::warn!("an HTTP request was cut off");
        }
        for connection in self
            .connections
            .into_iter()
            .filter(Connection::is_connected)
        {
            connection.close().await;
        }
        tracing::info!("engine stopped");
        result
    }
}

/// Waits until every worker has ended, and returns the first failure.
async fn drain(workers: &mut Tasks) -> Result<(), EngineError> {
    let mut result = Ok(());
    while let Some(ended) = workers.join_next().await {
        let ended = ended.map_err(EngineError::from).and_then(|ended| ended);
        if result.is_ok() {
            result = ended;
        }
    }
    result
}

/// Explains events to whoever asks, by a connection of its own: what the engine itself reads and writes does not wait
/// for it.
fn explaining(config: &Config) -> http::Explaining {
    let config = config.clone();
    http::Explaining::new(move || {
        let config = config.clone();
        async move {
            let opened = Connection::open(&config.nats_url, "onscene explain").await;
            let connection = opened.map_err(|error| error.to_string())?;
            Ok(Explainer::new(
                connection.clone(),
                CheckpointFolder::new(&config.data),
                decoder(&config, &connection),
                config.journal,
                config.zone,
            ))
        }
    })
}

/// What keeps a connection from working, if anything.
fn link(connection: &Connection) -> impl Fn() -> Option<String> + Send + Sync + 'static {
    let connection = connection.clone();
    move || {
        let is_down = !connection.is_connected();
        is_down.then(|| format!("not connected to NATS at {}", connection.url()))
    }
}

fn warn_without_policy(registry: &RuleRegistry) {
    if registry.live().policy().is_empty() {
        tracing::warn!(
            "no contact policy is applied but the rules' own cooldowns and caps: write a policy.toml beside the rules (docs/policy.md)"
        );
    }
}

/// A permit to step for each processor.
fn turns() -> Arc<Semaphore> {
    let processors = std::thread::available_parallelism();
    Arc::new(Semaphore::new(processors.map_or(1, usize::from)))
}

fn decoder(config: &Config, connection: &Connection) -> Decoder {
    Decoder {
        rates: config.rates.clone(),
        payload_bytes_max: connection.event_bytes_max(),
        future_tolerance: config.future_tolerance,
        horizon: config.journal.horizon,
        partitions: config.partitions,
    }
}

fn stream_settings(config: &Config) -> StreamSettings {
    let age = |millis: i64| Duration::from_millis(millis.unsigned_abs());
    StreamSettings {
        partitions: config.partitions,
        replicas: config.replicas,
        events_max_age: age(config.events_max_age),
        actions_max_age: age(config.actions_max_age),
        dlq_max_age: age(config.dead_letters_max_age),
        events_max_bytes: config.events_max_bytes.map(i64::unsigned_abs),
        actions_max_bytes: config.actions_max_bytes.map(i64::unsigned_abs),
        dlq_max_bytes: config.dead_letters_max_bytes.map(i64::unsigned_abs),
    }
}

/// An id that no other engine and no other start has: the time, the process, and 64 random bits.
fn owner_id() -> String {
    let random = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    format!("{:x}-{:x}-{random:016x}", now_ms(), std::process::id())
}
