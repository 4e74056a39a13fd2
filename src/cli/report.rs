//! `onscene report`

use super::runtime::block_on;
use super::settings::{NatsSettings, Settings};
use crate::clock::{Millis, parse_rfc3339};
use crate::config::Config;
use crate::measurement::{Asked, plan, read};
use crate::nats::Connection;
use crate::report::{Fold, Model, Period, Plan, csv, picture, profile, table};
use crate::rules::{RuleSet, Sources};
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// What worked: what was sent, what came of it, and what would be missing without it.
///
/// It is made from the log, so it is the same before and after a restart, and can be made of any period again. A
/// period has what was begun in it, with whatever came of that later. Intervals hold with 95 %, however often they
/// are looked at.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene report --from 2026-11-01 --to 2026-12-01\n  onscene report --rule win-the-payment/checkout --svg november.svg\n  onscene report --scene bills --format csv > bills.csv\n  onscene state export | onscene report --rule bills/reminder --profiles -"
)]
pub(super) struct Report {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    /// One rule, by its name [default: all]
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// The rules of one scene.
    #[arg(long, value_name = "SCENE")]
    scene: Option<String>,
    /// From this day or time on: 2026-11-01 (at midnight in `time.zone`), or 2026-11-01T10:00:00+08:00.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this day or time, which does not belong to it.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    /// Also draw a picture into this file: how far what was sent came, and the uplift over time.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// What `onscene state export` has written, `-` for standard input: customers by whose attributes are compared
    /// beyond what is kept of events.
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,
    /// Who is credited with a conversion that followed several decisions [default: as `[attribution]` of policy.toml
    /// says, else last]
    #[arg(long, value_enum)]
    attribution: Option<Credited>,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people.
    Table,
    /// For machines, everything.
    Json,
    /// For spreadsheets: a line for each rule and variant.
    Csv,
}

/// Who is credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Credited {
    /// Who spoke last.
    Last,
    /// Who spoke first.
    First,
    /// All alike.
    Linear,
}

impl Report {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self
            .settings
            .load(&[("--nats", "nats.url", self.nats.nats.as_deref())])?;
        let asked = Asked {
            period: Period {
                from: moment("--from", self.from.as_deref(), &config)?,
                to: moment("--to", self.to.as_deref(), &config)?,
            },
            rule: self.rule.clone(),
        };
        let mut fold = block_on(log(&config, &asked))?;
        if let Some(file) = &self.profiles {
            profiles(&mut fold, file)?;
        }
        let plan = planned(&config);
        let model = match self.attribution {
            None => plan.attribution,
            Some(Credited::Last) => Model::LastTouch,
            Some(Credited::First) => Model::FirstTouch,
            Some(Credited::Linear) => Model::Linear,
        };
        let currency = config.rates.base();
        let scene = self.scene.as_deref();
        let report = fold.report(&plan, model, currency, scene);
        if let Some(file) = &self.svg {
            std::fs::write(file, picture::svg(&report))
                .with_context(|| format!("could not write {}", file.display()))?;
        }
        let text = match self.format {
            Shape::Table => table::text(&report),
            Shape::Csv => csv::csv(&report),
            Shape::Json => serde_json::to_string_pretty(&report)? + "\n",
        };
        match io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever reads our output has seen enough, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn log(config: &Config, asked: &Asked) -> anyhow::Result<Fold> {
    let connection = Connection::open(&config.nats_url, "onscene report").await?;
    let terminal = io::stderr().is_terminal();
    let told = |what: &str, at: crate::nats::HistoryProgress| {
        if terminal {
            let all = at.last.saturating_sub(at.first) + 1;
            let done = at.next.saturating_sub(at.first);
            eprint!("\r\x1b[K{what}: {} %", done * 100 / all.max(1));
        }
    };
    let fold = read(&connection, asked, told).await;
    if terminal {
        eprint!("\r\x1b[K");
    }
    connection.close().await;
    Ok(fold?)
}

/// What the rules of today ask for; a report can do without it, and says so.
fn planned(config: &Config) -> Plan {
    let rules = Sources::read(&config.rules).map(|sources| RuleSet::compile(&sources));
    if let Ok(Ok(rules)) = rules {
        plan(&rules)
    } else {
        eprintln!(
            "the rules in {} cannot be read: sizes of groups are not checked",
            config.rules.display()
        );
        Plan::default()
    }
}

fn profiles(fold: &mut Fold, file: &PathBuf) -> anyhow::Result<()> {
    let name = file.display();
    let input: Box<dyn BufRead> = if file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(file).with_context(|| format!("could not read {name}"))?;
        Box::new(BufReader::new(file))
    };
    for (at, line) in input.lines().enumerate() {
        let line = line.with_context(|| format!("could not read {name}"))?;
        let Some(facts) = profile::exported(&line) else {
            bail!(
                "line {} of {name} is no customer: write the file with `onscene state export`",
                at + 1
            );
        };
        facts.into_iter().for_each(|fact| fold.take(fact));
    }
    Ok(())
}

/// A time, or a day: its beginning in the configured time zone.
fn moment(flag: &str, text: Option<&str>, config: &Config) -> anyhow::Result<Option<Millis>> {
    let Some(text) = text else { return Ok(None) };
    if let Some(time) = parse_rfc3339(text) {
        return Ok(Some(time));
    }
    let day: Option<jiff::civil::Date> = text.parse().ok();
    let start = day.and_then(|day| day.to_zoned(config.zone.clone()).ok());
    match start {
        Some(start) => Ok(Some(start.timestamp().as_millisecond())),
        None => bail!(
            "{flag} {text} is neither a day nor a time: write 2026-11-01, or 2026-11-01T10:00:00+08:00"
        ),
    }
}
