//! What is said while an import runs, and when it is done.

use super::bookmark::Tally;
use super::check::{Notes, Refused};
use crate::cli::simulate::{grouped, per_second};
use crate::clock::monotonic_now;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PROGRESS_TERMINAL: Duration = Duration::from_millis(500);
const PROGRESS_PLAIN: Duration = Duration::from_secs(10);
/// Refused lines of a file that are shown one by one.
pub(super) const SHOWN_MAX: usize = 20;

/// How an import stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub(super) tally: &'a Tally,
    /// Records before this run.
    pub(super) before: u64,
    /// Bytes done with, at the beginning of this run and now, and of the whole; none for standard input.
    pub(super) bytes: Option<(u64, u64, u64)>,
}

/// Tells how far it is, on standard error: one line that changes on a terminal, a new one now and then
/// elsewhere.
pub(super) struct Progress {
    name: String,
    terminal: bool,
    started: Instant,
    told: Instant,
}

impl Progress {
    pub(super) fn new(name: &str) -> Self {
        let now = monotonic_now();
        Self {
            name: name.to_owned(),
            terminal: std::io::stderr().is_terminal(),
            started: now,
            told: now,
        }
    }

    pub(super) fn tell(&mut self, standing: Standing<'_>) {
        let interval = if self.terminal {
            PROGRESS_TERMINAL
        } else {
            PROGRESS_PLAIN
        };
        if self.told.elapsed() < interval {
            return;
        }
        self.told = monotonic_now();
        let text = line(&self.name, standing, self.started.elapsed());
        if self.terminal {
            eprint!("\r\x1b[K{text}");
        } else {
            eprintln!("{text}");
        }
    }

    /// Writes a line that stays.
    pub(super) fn say(&self, text: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        eprintln!("{clear}{}: {text}", self.name);
    }

    /// Shows a refused record.
    pub(super) fn refused(&self, refused: &Refused) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        eprintln!(
            "{clear}{}:{}: {}",
            self.name, refused.line, refused.rejection
        );
    }

    /// Clears the line, and tells how long it took.
    pub(super) fn done(&self) -> Duration {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
        self.started.elapsed()
    }
}

fn line(name: &str, standing: Standing<'_>, took: Duration) -> String {
    let records = standing.tally.records();
    let rate = per_second(records - standing.before, took);
    let mut text = format!("{name}: {} lines, {}/s", grouped(records), grouped(rate));
    if standing.tally.refused > 0 {
        text += &format!(", {} refused", grouped(standing.tally.refused));
    }
    if let Some((from, now, whole)) = standing.bytes.filter(|(_, _, whole)| *whole > 0) {
        text += &format!(", {}%", now * 100 / whole);
        let (did, left) = (now - from, whole.saturating_sub(now));
        let left = took.as_secs().saturating_mul(left);
        if let Some(seconds) = left.checked_div(did) {
            text += &format!(", {}:{:02} to go", seconds / 60, seconds % 60);
        }
    }
    text
}

/// A refused record, for machines.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    line: u64,
    reason: &'static str,
    detail: String,
}

impl Shown {
    pub(super) fn of(refused: &Refused) -> Self {
        Self {
            line: refused.line,
            reason: refused.rejection.reason.word(),
            detail: refused.rejection.detail.clone(),
        }
    }
}

/// What became of one input.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) file: String,
    /// All of it, in this run and those before.
    pub(super) imported: u64,
    pub(super) refused: u64,
    pub(super) reasons: BTreeMap<String, u64>,
    /// Lines of runs before this one.
    pub(super) before: u64,
    /// Whether it was read to its end.
    pub(super) complete: bool,
    pub(super) seconds: f64,
    pub(super) lines_per_second: u64,
    /// Where refused lines are.
    pub(super) rejects: Option<String>,
    /// The first of this run.
    pub(super) first_refused: Vec<Shown>,
    pub(super) undeclared_types: BTreeMap<Arc<str>, u64>,
    pub(super) repeated_rows: u64,
    pub(super) crowded_customers: u64,
    pub(super) overflowing_events: u64,
    #[serde(skip)]
    pub(super) dry_run: bool,
}

impl Report {
    pub(super) fn new(name: &str, tally: Tally, before: u64, took: Duration, notes: Notes) -> Self {
        Self {
            file: name.to_owned(),
            before,
            complete: false,
            seconds: took.as_secs_f64(),
            lines_per_second: per_second(tally.records() - before, took),
            imported: tally.imported,
            refused: tally.refused,
            reasons: tally.reasons,
            rejects: None,
            first_refused: Vec::new(),
            undeclared_types: notes.undeclared,
            repeated_rows: notes.repeated,
            crowded_customers: notes.crowded,
            overflowing_events: notes.overflowing,
            dry_run: false,
        }
    }

    /// For people.
    pub(super) fn text(&self, entries_max: usize) -> String {
        let verb = if self.dry_run { "sound" } else { "imported" };
        let mut text = format!(
            "{}: {} {verb}, {} refused",
            self.file,
            counted(self.imported, "line"),
            grouped(self.refused)
        );
        if self.before > 0 {
            text += &format!(", {} of them by earlier runs", grouped(self.before));
        }
        text += &format!(
            "; {:.1} s, {}/s",
            self.seconds,
            grouped(self.lines_per_second)
        );
        let mut note = |line: String| text += &format!("\n  {line}");
        for (reason, times) in &self.reasons {
            note(format!("refused as {reason}: {}", grouped(*times)));
        }
        if let Some(rejects) = &self.rejects {
            note(format!(
                "the refused lines are in {rejects}: mend them there and import that file"
            ));
        }
        for (kind, times) in &self.undeclared_types {
            note(format!(
                "{} of type {kind}, which schema.toml does not declare: kept by name only",
                counted(*times, "event")
            ));
        }
        if self.repeated_rows > 0 {
            note(format!(
                "{} equal to an earlier one, cell by cell, and counted once: give rows an `id` if they are \
                 different events",
                counted(self.repeated_rows, "row")
            ));
        }
        if self.crowded_customers > 0 {
            note(format!(
                "{} with more than {} events here (journal.entries_max): {} will not be kept",
                counted(self.crowded_customers, "customer"),
                grouped(entries_max as u64),
                counted(self.overflowing_events, "older event")
            ));
        }
        if !self.complete {
            note("not read to its end: run the same command again to go on".to_owned());
        }
        text
    }
}

fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}
