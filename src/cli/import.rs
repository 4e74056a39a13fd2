//! `onscene import`
//!
//! In the order in which a record meets them: [`plan`] looks at the inputs and at their [`columns`];
//! [`records`] reads them, [`rows`] makes events of rows, [`check`] holds each against what the engine
//! takes; [`pump`] publishes, [`job`] keeps the account, in [`bookmark`] and [`rejects`], and
//! [`telling`] says so.

mod bookmark;
mod check;
mod columns;
mod job;
mod plan;
mod pump;
mod records;
mod rejects;
mod rows;
mod telling;

use super::check::Format;
use super::runtime::{block_on, interrupted};
use super::schema::declarations;
use super::settings::{NatsSettings, Settings};
use crate::clock::{Millis, parse_rfc3339};
use crate::config::Config;
use crate::decode::Decoder;
use crate::event::{HEADER_IMPORT, IMPORTED, Schema};
use crate::nats::{Connection, EventsIdentity, PatientPublisher, events_identity};
use anyhow::bail;
use check::Checker;
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use job::{Job, Speed};
use plan::Plan;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use telling::Report;

const EXAMPLES: &str = "\
Examples:
  onscene import history.ndjson
  onscene import --type customer.profile --time 2026-11-01T00:00:00Z customers.csv
  onscene import --type merchant.checkout --map shop=merchant.id --map branch=- \\
                 --set stage=paid --set currency=CNY --zone Asia/Shanghai payments-*.csv
  onscene import --dry-run --rules rules history.ndjson      only check it
  zcat 2026-*.gz | onscene import --rejects refused.ndjson -

NDJSON: one structured CloudEvent a line, as for `replay`. CSV: a header, then a row for each
event. Columns are called as fields are: customer, time, id, amount, merchant.category,
attributes.tier, segments.add (with `;` in between), consents.push; --map names others. Without a
column `id`, an event's id is a hash of its row.

Nothing that is imported is answered, now or later: events are published to SCENE_EVENTS with the
header Onscene-Import, and the engine takes them into its state and asks no rule. It may run
meanwhile; then --rate leaves it room for live events. Importing twice changes nothing, as long as
the journals reach back so far.

How far a file has come is written beside it, to FILE.onscene-import; the same command goes on
from there. Refused lines are kept in FILE.rejects: mend them there and import that file.

Exit codes: 0 done; 1 lines were refused, or it did not come to its end; 2 the arguments are
wrong.";

/// Arguments that do not fit the input.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// How an input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Input {
    /// By its name, else by its first character.
    Auto,
    /// One structured CloudEvent a line.
    Ndjson,
    /// A header, and a row for each event.
    Csv,
}

/// Load profiles and history into the state, without any rule answering them.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Import {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    /// Files to import, one after another; `-` for standard input, which cannot be resumed.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// How the files are read.
    #[arg(long, value_enum, default_value_t = Input::Auto)]
    input: Input,
    /// CSV: the type of event that each row is, such as customer.profile.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// CSV: a column's field; `-` leaves the column out. May be repeated.
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = pair)]
    map: Vec<(String, String)>,
    /// CSV: a field that is the same in all rows. May be repeated.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// CSV: the events' source [default: import/ and the file's name]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// CSV: when all profiles were so, if no column says it (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<Millis>,
    /// CSV: the time zone of times without an offset [default: they are refused]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    zone: Option<TimeZone>,
    /// CSV: what stands between cells.
    #[arg(long, value_name = "CHAR", default_value_t = ',')]
    delimiter: char,
    /// Only check: nothing is published and nothing is written, and NATS is not needed.
    #[arg(long)]
    dry_run: bool,
    /// Begin anew, whatever was imported before.
    #[arg(long)]
    restart: bool,
    /// The most events that are sent and not yet acknowledged.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    in_flight: u16,
    /// The most events a second [default: as many as NATS takes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Where refused lines are kept, for one FILE [default: FILE.rejects]
    #[arg(long, value_name = "PATH")]
    rejects: Option<PathBuf>,
    /// Folder for progress and refused lines [default: beside each FILE]
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// How the summary is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write a name, `=`, and what it is".to_owned()),
    }
}

fn time(text: &str) -> Result<Millis, String> {
    parse_rfc3339(text).ok_or_else(|| "write a time such as 2026-11-22T10:00:00+08:00".to_owned())
}

fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| "write an IANA time zone such as Asia/Shanghai".to_owned())
}

/// Where events go.
struct Way {
    connection: Connection,
    publisher: PatientPublisher,
    stream: String,
}

impl Import {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self
            .settings
            .load(&[("--nats", "nats.url", self.nats.nats.as_deref())])?;
        self.check_files()?;
        let schema = Arc::new(declarations(&config)?);
        let plans = self
            .files
            .iter()
            .map(|name| Plan::new(self, name, &schema))
            .collect::<Result<Vec<_>, _>>()?;
        let reports = block_on(self.import(&config, &schema, plans))?;
        self.summarise(&reports, config.journal.entries_max)?;
        let is_clean = reports.len() == self.files.len()
            && reports.iter().all(|r| r.complete && r.refused == 0);
        Ok(ExitCode::from(u8::from(!is_clean)))
    }

    async fn import(
        &self,
        config: &Config,
        schema: &Arc<Schema>,
        plans: Vec<Plan>,
    ) -> anyhow::Result<Vec<Report>> {
        let way = if self.dry_run {
            None
        } else {
            Some(Way::open(&config.nats_url).await?)
        };
        let mut end = Box::pin(interrupted());
        let speed = Speed {
            in_flight_max: self.in_flight.into(),
            rate: self.rate,
        };
        let mut decoder = Decoder {
            rates: config.rates.clone(),
            future_tolerance: config.future_tolerance,
            horizon: config.journal.horizon,
            ..Decoder::default()
        };
        if let Some(way) = &way {
            decoder.payload_bytes_max = way.connection.event_bytes_max();
        }
        let mut reports = Vec::new();
        for mut plan in plans {
            let rows = plan.rows.take();
            let job = Job::open(self, plan, way.as_ref().map(|way| &*way.stream))?;
            if job.is_done() {
                reports.push(job.already());
                continue;
            }
            let entries_max = config.journal.entries_max;
            let checker = Checker::new(decoder.clone(), schema.clone(), rows, entries_max);
            let publisher = way.as_ref().map(|way| &way.publisher);
            let mut report = job.run(checker, publisher, speed, &mut end).await?;
            report.dry_run = self.dry_run;
            let is_interrupted = !report.complete;
            reports.push(report);
            if is_interrupted {
                break;
            }
        }
        Ok(reports)
    }

    fn summarise(&self, reports: &[Report], entries_max: usize) -> anyhow::Result<()> {
        match self.format {
            Format::Text => {
                for report in reports {
                    println!("{}", report.text(entries_max));
                }
            }
            Format::Json => {
                let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
                let summary = serde_json::json!({
                    "dry_run": self.dry_run,
                    "complete": reports.len() == self.files.len() && reports.iter().all(|r| r.complete),
                    "imported": sum(|report| report.imported),
                    "refused": sum(|report| report.refused),
                    "files": reports,
                });
                println!("{}", serde_json::to_string_pretty(&summary)?);
            }
        }
        Ok(())
    }

    fn check_files(&self) -> Result<(), Usage> {
        let inputs = self.files.iter().filter(|name| *name == "-").count();
        if inputs > 1 {
            return Err(Usage(
                "`-` is named twice: there is one standard input".to_owned(),
            ));
        }
        if self.rejects.is_some() && self.files.len() > 1 {
            return Err(Usage(
                "--rejects is for one FILE; say with --work-dir in which folder those of several are kept".to_owned(),
            ));
        }
        Ok(())
    }

    fn check_only_csv(&self, name: &str) -> Result<(), Usage> {
        let given = [
            ("--type", self.kind.is_some()),
            ("--map", !self.map.is_empty()),
            ("--set", !self.set.is_empty()),
            ("--source", self.source.is_some()),
            ("--time", self.time.is_some()),
            ("--zone", self.zone.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Usage(format!(
                "{name} is read as NDJSON, and {flag} is for CSV: a CloudEvent says it itself; if it is CSV, say so \
                 with --input csv"
            ))),
            None => Ok(()),
        }
    }

    fn delimiter(&self) -> Result<u8, Usage> {
        let byte = u8::try_from(self.delimiter).ok().filter(u8::is_ascii);
        byte.filter(|byte| !b"\"\r\n".contains(byte))
            .ok_or_else(|| {
                Usage("--delimiter must be one ASCII character, and no quote".to_owned())
            })
    }

    /// The file beside which its own files are.
    fn beside(&self, input: &Path) -> PathBuf {
        match (&self.work_dir, input.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => input.to_owned(),
        }
    }
}

impl Way {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let connection = Connection::open(url, "onscene import").await?;
        let stream = match events_identity(&connection).await {
            EventsIdentity::Created(stream) => stream,
            EventsIdentity::Missing => bail!(
                "there is no stream SCENE_EVENTS at {}: start the engine there once, it makes its streams",
                connection.url()
            ),
            EventsIdentity::Unknown(reason) => bail!(
                "could not look at SCENE_EVENTS at {}: {reason}",
                connection.url()
            ),
        };
        Ok(Self {
            publisher: PatientPublisher::new(&connection, &[(HEADER_IMPORT, IMPORTED)]),
            connection,
            stream,
        })
    }
}
