//! `onscene state show`, `state verify` and `state export`

use super::check::Format;
use super::settings::Settings;
use crate::clock::format_rfc3339;
use crate::config::Config;
use crate::durable::checkpoint::read_cut;
use crate::durable::{
    Checkpoint, CheckpointFolder, CheckpointStore as _, Cut, UnusableError, load,
};
use crate::partition::Partition;
use crate::partitioning::{CUSTOMER_ID_BYTES_MAX, CustomerId, partition_of};
use crate::state::{Customers, export::customer_json};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;

/// What the checkpoints in the data folder hold: customers, and whether the files are sound.
///
/// They are read as they are, also while the engine runs; each shows its partition as of the time it was taken.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene state show C1001 --data data\n  onscene state verify\n  onscene state export > customers.ndjson\n\nExit code: 0; 1 if the customer is not there, or a file is not sound."
)]
pub(super) struct State {
    #[command(flatten)]
    settings: Settings,
    /// The engine's data folder [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything that is known of a customer, as JSON.
    Show {
        /// The customer's id.
        customer: String,
    },
    /// Check every byte of every checkpoint.
    Verify {
        /// How the findings are written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// All customers as NDJSON: a line each, by partition and then by id. The same state gives the same bytes.
    Export,
}

impl State {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self
            .settings
            .load(&[("--data", "data.folder", self.data.as_deref())])?;
        let folder = CheckpointFolder::new(&config.data);
        let partitions = folder
            .partitions()
            .with_context(|| format!("could not read {}", folder.path().display()))?;
        if partitions.is_empty() {
            bail!(
                "there are no checkpoints in {}: say with --data where the engine keeps its data",
                folder.path().display()
            );
        }
        let mut out = BufWriter::new(io::stdout().lock());
        let done = match &self.command {
            Command::Show { customer } => show(&config, &folder, &partitions, customer, &mut out),
            Command::Verify { format } => verify(&config, &folder, &partitions, *format, &mut out),
            Command::Export => export(&config, &folder, &partitions, &mut out),
        };
        match done.and_then(|code| Ok(out.flush().map(|()| code)?)) {
            // Whoever reads our output has seen enough, as `head` does.
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
            done => done,
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A partition as of a checkpoint.
struct Restored {
    cut: Cut,
    customers: Arc<Customers>,
}

fn restore(config: &Config, checkpoint: &Checkpoint) -> Result<Restored, UnusableError> {
    let customers = Arc::new(Customers::default());
    let mut partition = Partition::new(customers.clone(), config.journal, config.zone.clone());
    checkpoint.restore(&mut partition)?;
    Ok(Restored {
        cut: checkpoint.cut().clone(),
        customers,
    })
}

/// The newest sound checkpoint of a partition; those that are not are told on standard error.
fn newest(
    config: &Config,
    folder: &CheckpointFolder,
    partition: u16,
) -> anyhow::Result<Option<Restored>> {
    for number in folder.numbers(partition)? {
        let restored =
            load(folder, partition, number).and_then(|checkpoint| restore(config, &checkpoint));
        match restored {
            Ok(restored) => return Ok(Some(restored)),
            Err(error) => eprintln!(
                "{}: {}",
                folder.file(partition, number).display(),
                because(&error)
            ),
        }
    }
    Ok(None)
}

fn because(error: &UnusableError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn show(
    config: &Config,
    folder: &CheckpointFolder,
    partitions: &[u16],
    customer: &str,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let Some(id) = CustomerId::new(customer) else {
        bail!("a customer's id has 1 to {CUSTOMER_ID_BYTES_MAX} bytes");
    };
    let Some(of) = partitions_of(folder, partitions)? else {
        bail!("no checkpoint in {} is sound", folder.path().display());
    };
    let partition = partition_of(&id.token(), of);
    let Some(restored) = newest(config, folder, partition)? else {
        bail!(
            "there is no sound checkpoint of partition {partition} of {of}, which {customer} belongs to"
        );
    };
    let as_of = as_of(&restored.cut);
    let Some(known) = restored.customers.get(id.as_str()) else {
        eprintln!("{customer} is not known {as_of}");
        return Ok(ExitCode::FAILURE);
    };
    eprintln!("{customer} {as_of}");
    let json = customer_json(&id, &known, restored.customers.names());
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}

/// Of how many partitions they are, as the first checkpoint says whose head is sound.
fn partitions_of(folder: &CheckpointFolder, partitions: &[u16]) -> anyhow::Result<Option<u16>> {
    for partition in partitions {
        for number in folder.numbers(*partition)? {
            if let Ok(cut) = read_cut(&folder.read(*partition, number)?) {
                return Ok(Some(cut.partitions));
            }
        }
    }
    Ok(None)
}

fn as_of(cut: &Cut) -> String {
    format!(
        "as of {}: partition {} after event {}",
        format_rfc3339(cut.taken_at),
        cut.partition,
        cut.through
    )
}

fn verify(
    config: &Config,
    folder: &CheckpointFolder,
    partitions: &[u16],
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let mut unsound = 0;
    for partition in partitions {
        for number in folder.numbers(*partition)? {
            let file = folder.file(*partition, number);
            let checked = load(folder, *partition, number).and_then(|checkpoint| {
                let restored = restore(config, &checkpoint)?;
                Ok((checkpoint.customers(), checkpoint.size(), restored.cut))
            });
            unsound += i32::from(checked.is_err());
            match (format, checked) {
                (Format::Text, Ok((customers, bytes, cut))) => writeln!(
                    out,
                    "sound    {}  {customers} customers, {bytes} bytes, {}",
                    file.display(),
                    as_of(&cut)
                )?,
                (Format::Text, Err(error)) => {
                    writeln!(out, "UNSOUND  {}  {}", file.display(), because(&error))?;
                }
                (Format::Json, Ok((customers, bytes, cut))) => {
                    let json = serde_json::json!({
                        "file": file, "sound": true, "partition": partition, "number": number,
                        "customers": customers, "bytes": bytes, "through": cut.through, "log": cut.log,
                        "taken_at": format_rfc3339(cut.taken_at), "version": cut.version,
                    });
                    writeln!(out, "{json}")?;
                }
                (Format::Json, Err(error)) => {
                    let json = serde_json::json!({
                        "file": file, "sound": false, "partition": partition, "number": number,
                        "error": because(&error),
                    });
                    writeln!(out, "{json}")?;
                }
            }
        }
    }
    Ok(ExitCode::from(u8::from(unsound > 0)))
}

fn export(
    config: &Config,
    folder: &CheckpointFolder,
    partitions: &[u16],
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let mut missing = 0;
    for partition in partitions {
        let Some(restored) = newest(config, folder, *partition)? else {
            eprintln!("partition {partition} has no sound checkpoint");
            missing += 1;
            continue;
        };
        eprintln!("{}", as_of(&restored.cut));
        let mut ids = Vec::with_capacity(restored.customers.len());
        restored.customers.for_each(|id, _| ids.push(id.clone()));
        ids.sort_unstable();
        for id in ids {
            if let Some(customer) = restored.customers.get(id.as_str()) {
                let json = customer_json(&id, &customer, restored.customers.names());
                serde_json::to_writer(&mut *out, &json)?;
                writeln!(out)?;
            }
        }
    }
    Ok(ExitCode::from(u8::from(missing > 0)))
}
