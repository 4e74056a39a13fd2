//! `onscene rollback`: back to a generation that was live before, in every engine, whatever the rules folders say.

use super::runtime::block_on;
use super::settings::{NatsSettings, Settings};
use crate::clock::monotonic_now;
use crate::governance::{self, pins};
use crate::nats::Connection;
use anyhow::{Context as _, bail};
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;

/// Go back to rules that were live before, in every engine, until it is released.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene rollback --by 'Li Na' --reason 'wrong offers since noon'   (the generation before)\n  onscene rollback 0123456789abcdef --by 'Li Na' --reason 'the last that was right'\n  onscene rollback --release --by 'Li Na' --reason 'mended in the folder'"
)]
pub(super) struct Rollback {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    /// The generation, as `onscene history` lists it [default: the one before the one that is live]
    #[arg(value_name = "GENERATION", conflicts_with = "release")]
    generation: Option<String>,
    /// End it: the rules folders say again what is live.
    #[arg(long)]
    release: bool,
    /// Who changes it.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How many seconds to wait until every engine obeys.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
}

impl Rollback {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self
            .settings
            .load(&[("--nats", "nats.url", self.nats.nats.as_deref())])?;
        block_on(async {
            let connection = Connection::open(&config.nats_url, "onscene rollback").await?;
            self.change(&connection).await
        })
    }

    async fn change(&self, connection: &Connection) -> anyhow::Result<ExitCode> {
        let signed = governance::sign(&self.by, &self.reason)?;
        if self.release && pins::current(connection).await?.is_none() {
            bail!("no generation is pinned: the rules folders say what is live");
        }
        let generation = match (&self.generation, self.release) {
            (_, true) => None,
            (Some(generation), _) => Some(generation.clone()),
            (None, _) => Some(before(connection).await?),
        };
        let started = monotonic_now();
        let wait = Duration::from_secs(self.wait);
        let obeyed = pins::pin(connection, generation.as_deref(), signed, wait).await?;
        let took = started.elapsed().as_secs_f64();
        match &generation {
            Some(generation) => println!(
                "pinned {generation}: live in {} engine(s) after {took:.3} s; changes of the rules folder are checked and do not go live until `onscene rollback --release`",
                obeyed.engines.len()
            ),
            None => println!(
                "released: {} engine(s) follow their rules folder again after {took:.3} s",
                obeyed.engines.len()
            ),
        }
        if obeyed.missing.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let missing: Vec<&str> = obeyed.missing.iter().map(String::as_str).collect();
        bail!(
            "{} engine(s) that own partitions have not said that they obey: {}; each obeys before it decides anything when it starts again; see its log",
            missing.len(),
            missing.join(", ")
        )
    }
}

/// The generation before the one that is live.
async fn before(connection: &Connection) -> anyhow::Result<String> {
    let history = governance::history(connection).await?;
    let before = governance::previous(&history);
    let before =
        before.context("nothing else was live before: `onscene history` lists what was")?;
    Ok(before.generation.to_string())
}
