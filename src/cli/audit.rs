//! `onscene audit export`, `audit verify` and `audit anchors`

mod compare;
mod export;
mod findings;
mod texts;
mod verify;

use super::check::Format;
use super::runtime::block_on;
use super::settings::{NatsSettings, Settings};
use crate::audit::Anchor;
use crate::clock::{Millis, parse_rfc3339};
use crate::nats::{Connection, log_period};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Everything that was decided, exported so that it shows whether anybody has touched it.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene audit export --out 2026-11.ndjson --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z\n  onscene audit export --out 2026-12.ndjson --after 2026-11.ndjson --texts texts\n  onscene audit verify 2026-11.ndjson 2026-12.ndjson --anchor export:8412:3fe8…\n  onscene audit verify --nats nats://127.0.0.1:4222       the log itself\n  onscene audit anchors                                   to be kept elsewhere\n\nExit code: 0; 1 if something is not as it was written. docs/audit.md says what that shows."
)]
pub(super) struct Audit {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the log to a file: NDJSON, each line chained to the one before by its hash.
    Export(Export),
    /// Find the first line, or message, that is not as it was written, and say why.
    Verify(Verify),
    /// Print the newest link of each partition's log, a line each.
    Anchors,
}

#[derive(Args, Debug)]
struct Export {
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only what was stored then or later, RFC 3339 [default: everything that is kept]
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Millis>,
    /// Only what was stored before then, RFC 3339 [default: up to now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Millis>,
    /// Go on from this export: the two verify together, and nothing is left out between them.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    after: Option<PathBuf>,
    /// A folder to write the rule files of each generation into that decided something, in folders named by it.
    #[arg(long, value_name = "DIR")]
    texts: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Verify {
    /// Exports, in the order in which they were made. With --nats they are also compared with the log; without any, the log
    /// itself is verified.
    files: Vec<PathBuf>,
    /// What `audit export` or `audit anchors` printed once, and was kept elsewhere.
    #[arg(long = "anchor", value_name = "ANCHOR")]
    anchors: Vec<Anchor>,
    /// A folder with the rule files of each generation, in folders named by it: do they make that generation?
    #[arg(long, value_name = "DIR")]
    texts: Option<PathBuf>,
    /// How the findings are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn time(text: &str) -> Result<Millis, String> {
    parse_rfc3339(text).ok_or_else(|| "give a time such as 2026-11-22T10:00:00+08:00".to_owned())
}

impl Audit {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self
            .settings
            .load(&[("--nats", "nats.url", self.nats.nats.as_deref())])?;
        let url = &config.nats_url;
        match &self.command {
            Command::Export(export) => block_on(async {
                let connection = Connection::open(url, "onscene audit").await?;
                export::run(export, &connection).await
            }),
            Command::Verify(verify) => {
                let asks_the_log = verify.files.is_empty() || self.nats.nats.is_some();
                verify::run(verify, asks_the_log.then_some(url.as_str()))
            }
            Command::Anchors => block_on(anchors(url)),
        }
    }
}

async fn anchors(url: &str) -> anyhow::Result<ExitCode> {
    let connection = Connection::open(url, "onscene audit").await?;
    for head in log_period::heads(&connection).await? {
        match head.link {
            Some(link) => {
                let anchor = Anchor::Log {
                    partition: head.partition,
                    sequence: head.sequence,
                    link,
                };
                println!("{anchor}");
            }
            None => eprintln!(
                "partition {}: its last message, {}, carries no link: an older engine wrote it",
                head.partition, head.sequence
            ),
        }
    }
    Ok(ExitCode::SUCCESS)
}
