//! Looks at exports and at the log.

use super::super::runtime::block_on;
use super::Verify;
use super::compare;
use super::findings::Findings;
use super::texts;
use crate::audit::{Anchor, Line, Links, Record, Verified, verify};
use crate::nats::{ChainHash, Connection};
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::ExitCode;

/// The lines of a file, each with its line break.
pub(super) fn lines(
    path: &Path,
) -> anyhow::Result<impl Iterator<Item = io::Result<Vec<u8>>> + use<>> {
    let file = File::open(path).with_context(|| format!("could not read {}", path.display()))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    Ok(std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    }))
}

/// What is gathered over all files, or over the log.
pub(super) struct Audited {
    pub(super) findings: Findings,
    pub(super) links: Links,
    anchors: Vec<(Anchor, bool)>,
    /// Decisions of each generation.
    generations: BTreeMap<String, u64>,
    /// The hashes of their rule files, as the exports say.
    texts: BTreeMap<String, ChainHash>,
}

impl Audited {
    /// Looks at a message of the log, in a file or in the stream.
    pub(super) fn record(&mut self, of: &str, record: &Record) {
        if let Err(fault) = self.links.follow(record) {
            self.findings.fault("links", of, &fault.to_string());
        }
        if let Some(generation) = record.generation() {
            *self.generations.entry(generation).or_default() += 1;
        }
        let carried = record.link();
        for (anchor, met) in &mut self.anchors {
            if let Anchor::Log {
                partition,
                sequence,
                link,
            } = anchor
            {
                *met |= (*partition, *sequence) == (record.partition, record.sequence)
                    && carried == Some(*link);
            }
        }
    }

    fn line(&mut self, n: u64, hash: ChainHash) {
        for (anchor, met) in &mut self.anchors {
            *met |= *anchor == Anchor::Export { line: n, hash };
        }
    }
}

pub(super) fn run(arguments: &Verify, nats: Option<&str>) -> anyhow::Result<ExitCode> {
    let anchors = arguments.anchors.iter();
    let mut audited = Audited {
        findings: Findings::new(arguments.format),
        links: Links::default(),
        anchors: anchors.map(|anchor| (anchor.clone(), false)).collect(),
        generations: BTreeMap::new(),
        texts: BTreeMap::new(),
    };
    let mut sound = Vec::new();
    let mut before: Option<Verified> = None;
    for path in &arguments.files {
        let verified = file(path, before.as_ref(), &mut audited)?;
        if let Some(verified) = &verified {
            sound.push((path.clone(), verified.clone()));
        }
        before = verified;
    }
    if let Some(url) = nats {
        block_on(async {
            let connection = Connection::open(url, "onscene audit").await?;
            if arguments.files.is_empty() {
                return compare::log(&connection, &mut audited).await;
            }
            for (path, verified) in &sound {
                compare::file(&connection, path, verified, &mut audited).await?;
            }
            Ok(())
        })?;
    }
    finish(arguments, audited)
}

/// Verifies one file, which goes on from the one before if it says so.
fn file(
    path: &Path,
    before: Option<&Verified>,
    audited: &mut Audited,
) -> anyhow::Result<Option<Verified>> {
    let of = path.display().to_string();
    let previous = before.map(|before| before.hash);
    let verdict = verify(lines(path)?, |n, hash, line| {
        match line {
            // What does not go on from the file before begins anew.
            Line::Head(head) if previous.is_none() || head.previous != previous => {
                audited.links = Links::default();
            }
            Line::Record(record) => audited.record(&of, record),
            Line::Tail(tail) => {
                let texts = tail.generations.iter();
                let texts = texts.filter_map(|of| Some((of.generation.clone(), of.texts?)));
                audited.texts.extend(texts);
            }
            Line::Head(_) => {}
        }
        audited.line(n, hash);
    });
    let verified = match verdict.with_context(|| format!("could not read {of}"))? {
        Ok(verified) => verified,
        Err(broken) => {
            audited.findings.fault("file", &of, &broken.to_string());
            return Ok(None);
        }
    };
    let (head, tail) = (&verified.head, &verified.tail);
    let says = format!(
        "{} lines, {} messages of {} partitions, {} to {}, export:{}:{}",
        verified.lines,
        tail.records,
        tail.partitions.len(),
        head.after_sequence + 1,
        tail.until_sequence,
        verified.lines,
        verified.hash
    );
    audited.findings.sound("file", &of, &says);
    if let Some(before) = before
        && (head.previous != Some(before.hash) || head.after_sequence != before.tail.until_sequence)
    {
        let says = "it does not go on from the file before it: another one is missing between them, or it was made without --after";
        audited.findings.fault("order", &of, says);
    }
    Ok(Some(verified))
}

fn finish(arguments: &Verify, mut audited: Audited) -> anyhow::Result<ExitCode> {
    let links = format!(
        "{} messages carry a link, {} do not",
        audited.links.linked(),
        audited.links.unlinked()
    );
    let findings = &mut audited.findings;
    if findings.faults() == 0 {
        findings.sound("links", "the log", &links);
    }
    for (anchor, met) in &audited.anchors {
        if *met {
            findings.sound("anchor", &anchor.to_string(), "it is as it was");
        } else {
            let says = "nothing here has this hash: what came before it was changed or cut off, or it is of something else";
            findings.fault("anchor", &anchor.to_string(), says);
        }
    }
    if let Some(folder) = &arguments.texts {
        texts::verify(folder, &audited.generations, &audited.texts, findings)?;
    }
    Ok(ExitCode::from(u8::from(findings.faults() > 0)))
}
