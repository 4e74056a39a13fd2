//! `onscene run`

use super::runtime::{block_on, interrupted};
use super::settings::{NatsSettings, Settings};
use crate::config::Config;
use crate::engine::Engine;
use clap::Args;
use std::process::ExitCode;

/// Run the engine until SIGTERM or SIGINT, then drain: finish what was read, commit it, exit with 0.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene run --nats nats://127.0.0.1:4222 --rules rules\n  RUST_LOG=debug onscene run --config onscene.toml"
)]
pub(super) struct Run {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    /// Folder for checkpoints, from which the next start goes on [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Address of the HTTP server [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Ask Rhai for every condition, without native code and without an index: the same decisions, slower.
    #[arg(long)]
    plain: bool,
}

impl Run {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut config = self.settings.load(&[
            ("--nats", "nats.url", self.nats.nats.as_deref()),
            ("--data", "data.folder", self.data.as_deref()),
            ("--http", "http.address", self.http.as_deref()),
        ])?;
        config.plain = self.plain;
        crate::telemetry::init_log();
        block_on(run(config))
    }
}

async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let mut engine = tokio::select! {
        engine = Engine::start(config) => engine?,
        stop = interrupted() => {
            stop?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let failure = tokio::select! {
        failure = engine.failed() => Some(failure),
        stop = interrupted() => {
            stop?;
            None
        }
    };
    // Others may have failed of the same cause: the first failure is the one to tell.
    let stopped = engine.stop().await;
    match failure {
        Some(failure) => Err(failure.into()),
        None => {
            stopped?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
