//! Writes the log to a file.

use super::Export;
use super::texts;
use super::verify::lines;
use crate::audit::{Anchor, FORMAT, Head, Line, LinkFault, Links, Record, Sealer, Tally, verify};
use crate::clock::{Millis, format_rfc3339, now_ms};
use crate::nats::{ChainHash, Connection, LogPeriod, log_period::first_at};
use anyhow::{Context as _, bail};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

const BATCH_MESSAGES: usize = 1_000;
/// After how many messages progress is told.
const TELL_MESSAGES: u64 = 100_000;
/// Faults of the log that are told one by one.
const FAULTS_TOLD_MAX: usize = 20;

/// Where an export begins: behind this sequence, and behind the file with this last hash.
struct Start {
    after_sequence: u64,
    previous: Option<(ChainHash, String)>,
}

pub(super) async fn run(export: &Export, connection: &Connection) -> anyhow::Result<ExitCode> {
    let start = start(export, connection).await?;
    let mut period = LogPeriod::open(connection, start.after_sequence + 1).await?;
    if let Some((_, created)) = &start.previous
        && *created != period.created()
    {
        bail!(
            "the export that this one is to go on from is of another stream SCENE_ACTIONS: leave out --after"
        );
    }
    if period.first_kept() > start.after_sequence + 1 && start.previous.is_some() {
        bail!(
            "messages {} to {} of SCENE_ACTIONS are no longer kept, so this export cannot go on from the one before: leave out \
             --after, and export more often than actions.max_age_days",
            start.after_sequence + 1,
            period.first_kept() - 1
        );
    }
    // An export of a log that has forgotten its beginning says so.
    let after_sequence = start
        .after_sequence
        .max(period.first_kept().saturating_sub(1));
    let previous = start.previous.map(|(hash, _)| hash);
    let head = Head {
        format: FORMAT,
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        exported_at: format_rfc3339(now_ms()),
        stream_created: period.created().to_owned(),
        from: export.from.map(format_rfc3339),
        to: export.to.map(format_rfc3339),
        after_sequence,
        previous,
    };
    let file = File::create_new(&export.out).with_context(|| {
        format!(
            "could not create {} (an export is never overwritten)",
            export.out.display()
        )
    })?;
    let mut writing = Writing::new(file, previous);
    writing.line(&Line::Head(head))?;
    let until = writing
        .records(&mut period, export.to, after_sequence)
        .await?;
    let mut tail = writing.tally.tail(until);
    let folder = export.texts.as_deref();
    let missing = texts::gather(connection, folder, &mut tail).await?;
    writing.line(&Line::Tail(tail))?;
    let code = writing.finish(&export.out)?;
    Ok(if folder.is_some() && missing > 0 {
        ExitCode::FAILURE
    } else {
        code
    })
}

async fn start(export: &Export, connection: &Connection) -> anyhow::Result<Start> {
    if let Some(before) = &export.after {
        let verified = verify(lines(before)?, |_, _, _| {})
            .with_context(|| format!("could not read {}", before.display()))?;
        let verified = verified.map_err(|broken| {
            anyhow::anyhow!("could not go on from {}: {broken}", before.display())
        })?;
        return Ok(Start {
            after_sequence: verified.tail.until_sequence,
            previous: Some((verified.hash, verified.head.stream_created)),
        });
    }
    let after_sequence = match export.from {
        Some(from) => first_at(connection, from).await?.saturating_sub(1),
        None => 0,
    };
    Ok(Start {
        after_sequence,
        previous: None,
    })
}

struct Writing {
    out: BufWriter<File>,
    sealer: Sealer,
    tally: Tally,
    links: Links,
    faults: Vec<LinkFault>,
}

impl Writing {
    fn new(file: File, previous: Option<ChainHash>) -> Self {
        Self {
            out: BufWriter::new(file),
            sealer: Sealer::new(previous),
            tally: Tally::default(),
            links: Links::default(),
            faults: Vec::new(),
        }
    }

    fn line(&mut self, line: &Line) -> anyhow::Result<()> {
        let bytes = self.sealer.seal(line);
        self.out
            .write_all(&bytes)
            .context("could not write the export")
    }

    /// Writes what is stored before a time, and returns the last sequence that is covered.
    async fn records(
        &mut self,
        period: &mut LogPeriod,
        to: Option<Millis>,
        after_sequence: u64,
    ) -> anyhow::Result<u64> {
        let mut until = after_sequence;
        while let Some(batch) = period.next_batch(BATCH_MESSAGES).await? {
            for message in batch {
                if to.is_some_and(|to| message.stored_at >= to) {
                    return Ok(until);
                }
                let Some(record) = Record::of(&message) else {
                    bail!(
                        "message {} of SCENE_ACTIONS has the subject {}, which is not of a partition's log",
                        message.sequence,
                        message.subject
                    );
                };
                until = record.sequence;
                self.tally.add(&record);
                if let Err(fault) = self.links.follow(&record) {
                    self.faults.push(fault);
                }
                self.line(&Line::Record(record))?;
                if self.sealer.lines().is_multiple_of(TELL_MESSAGES) {
                    eprintln!(
                        "{} lines, up to message {until} of {}",
                        self.sealer.lines(),
                        period.until()
                    );
                }
            }
        }
        Ok(until)
    }

    fn finish(self, out: &Path) -> anyhow::Result<ExitCode> {
        let file = self
            .out
            .into_inner()
            .context("could not write the export")?;
        file.sync_all().context("could not write the export")?;
        let anchor = Anchor::Export {
            line: self.sealer.lines(),
            hash: self.sealer.hash(),
        };
        eprintln!(
            "{} messages in {}; keep this anchor elsewhere, where nobody who can change the file can change it:",
            self.sealer.lines() - 2,
            out.display()
        );
        println!("{anchor}");
        for fault in self.faults.iter().take(FAULTS_TOLD_MAX) {
            eprintln!("the log is not as it was written: {fault}");
        }
        if self.faults.len() > FAULTS_TOLD_MAX {
            eprintln!("and {} more", self.faults.len() - FAULTS_TOLD_MAX);
        }
        Ok(ExitCode::from(u8::from(!self.faults.is_empty())))
    }
}
