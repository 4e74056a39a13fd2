//! `onscene backtest`

mod print;
mod progress;

use super::check::Format;
use super::runtime::block_on;
use super::settings::{NatsSettings, Settings};
use crate::backtest::{self, Report, Setup};
use crate::clock::{Millis, monotonic_now, parse_rfc3339};
use crate::config::Config;
use crate::decode::Decoder;
use crate::nats::Connection;
use crate::rules::{RuleSet, Sources, render};
use anyhow::{Context as _, bail};
use clap::Args;
use progress::Line;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Try rules on history: who would newly get, lose or change an offer, at what cost?
///
/// Takes history through the same engine as live events, with the whole contact policy, caps, budgets, timers and
/// experiments, and compares with what was decided, or with a second set of rules. History comes from NATS, or from files of
/// structured CloudEvents as NDJSON. It changes nothing: it reads. Progress goes to standard error.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene backtest --rules new/                            against what was decided, as far back as events are kept\n  onscene backtest --rules new/ --against rules/ --from 2026-11-01T00:00:00+08:00\n  onscene backtest --rules new/ --against rules/ history.ndjson --format json\n\nExit code: 0; with --fail-on-difference 1 if anything differs."
)]
pub(super) struct Backtest {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    /// Folder with the rules to compare with [default: what was decided]
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// When the period begins (RFC 3339) [default: with the first event there is]
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Millis>,
    /// The first moment that does not belong to it [default: it ends with the last event]
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Millis>,
    /// The engine's data folder: a checkpoint from before --from shortens the way [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// How the findings are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Also write the findings to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Examples of each rule and kind of difference.
    #[arg(long, value_name = "N", default_value_t = 3)]
    examples: usize,
    /// Threads that work; the findings do not depend on it [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Exit with 1 if anything differs.
    #[arg(long)]
    fail_on_difference: bool,
    /// Files with history; `-` for standard input [default: what NATS has]
    #[arg(value_name = "FILE", conflicts_with = "nats")]
    files: Vec<String>,
}

fn time(text: &str) -> Result<Millis, String> {
    parse_rfc3339(text).ok_or_else(|| "write a time such as 2026-11-22T10:00:00+08:00".to_owned())
}

impl Backtest {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load(&[
            ("--nats", "nats.url", self.nats.nats.as_deref()),
            ("--data", "data.folder", self.data.as_deref()),
        ])?;
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            bail!("--from is not before --to: nothing lies between them");
        }
        let setup = self.setup(&config)?;
        let started = monotonic_now();
        let mut line = Line::new();
        let report = if self.files.is_empty() {
            stream(&setup, &config, &mut line)
        } else {
            let mut tell = |progress| line.tell(&progress);
            Ok(backtest::files(&setup, &self.files, &mut tell)?)
        };
        line.done();
        let report = report?;
        eprintln!(
            "{}",
            progress::rate(
                report.events.decided + report.events.before,
                started.elapsed()
            )
        );
        self.write(&report)?;
        let differs = self.fail_on_difference && report.differences.all() > 0;
        Ok(ExitCode::from(u8::from(differs)))
    }

    fn setup(&self, config: &Config) -> anyhow::Result<Setup> {
        let threads = match self.threads {
            Some(threads) => threads.into(),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        Ok(Setup {
            rules: rules(&config.rules)?,
            against: self.against.as_deref().map(rules).transpose()?,
            decoder: Decoder {
                rates: config.rates.clone(),
                future_tolerance: config.future_tolerance,
                ..Decoder::default()
            },
            journal: config.journal,
            zone: config.zone.clone(),
            partitions: config.partitions,
            threads,
            from: self.from,
            to: self.to,
            examples: self.examples,
        })
    }

    fn write(&self, report: &Report) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(report)?;
        if let Some(file) = &self.report {
            std::fs::write(file, format!("{json}\n"))
                .with_context(|| format!("could not write {}", file.display()))?;
        }
        match self.format {
            Format::Text => print!("{}", print::text(report)),
            Format::Json => println!("{json}"),
        }
        Ok(())
    }
}

fn stream(setup: &Setup, config: &Config, line: &mut Line) -> anyhow::Result<Report> {
    block_on(async {
        let connection = Connection::open(&config.nats_url, "onscene backtest").await?;
        let mut setup = setup.clone();
        if let Some(partitions) = crate::nats::deployed_partitions(&connection).await? {
            setup.partitions = partitions;
        }
        setup.decoder.payload_bytes_max = connection.event_bytes_max();
        let runtime = tokio::runtime::Handle::current();
        let mut tell = |progress| line.tell(&progress);
        let data = Some(config.data.as_path());
        let report = tokio::task::block_in_place(|| {
            backtest::stream(&setup, &connection, &runtime, data, &mut tell)
        })?;
        connection.close().await;
        Ok(report)
    })
}

fn rules(folder: &Path) -> anyhow::Result<Arc<RuleSet>> {
    let sources = Sources::read(folder)
        .with_context(|| format!("could not load the rules in {}", folder.display()))?;
    match RuleSet::compile(&sources) {
        Ok(rules) => Ok(Arc::new(rules)),
        Err(faults) => {
            eprint!("{}", render(&faults));
            bail!(
                "the rules in {} have faults: {}",
                folder.display(),
                faults.len()
            );
        }
    }
}
