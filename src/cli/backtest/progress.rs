//! How far a backtest is, on standard error.

use crate::backtest::Progress;
use crate::clock::{format_rfc3339, monotonic_now};
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const EVERY_TERMINAL: Duration = Duration::from_millis(200);
const EVERY_PLAIN: Duration = Duration::from_secs(10);

/// A line that is written again and again on a terminal, and now and then elsewhere.
pub(super) struct Line {
    started: Instant,
    shown: Instant,
    is_terminal: bool,
    is_open: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        let now = monotonic_now();
        Self {
            started: now,
            shown: now,
            is_terminal: std::io::stderr().is_terminal(),
            is_open: false,
        }
    }

    pub(super) fn tell(&mut self, progress: &Progress) {
        let every = if self.is_terminal {
            EVERY_TERMINAL
        } else {
            EVERY_PLAIN
        };
        if self.shown.elapsed() < every {
            return;
        }
        self.shown = monotonic_now();
        let text = text(progress, self.started.elapsed());
        if self.is_terminal {
            eprint!("\r{text}\u{1b}[K");
            let _ = std::io::stderr().flush();
            self.is_open = true;
        } else {
            eprintln!("{text}");
        }
    }

    pub(super) fn done(&mut self) {
        if std::mem::take(&mut self.is_open) {
            eprintln!();
        }
    }
}

fn text(progress: &Progress, took: Duration) -> String {
    let mut text = format!(
        "{}, history is at {}",
        rate(progress.events, took),
        format_rfc3339(progress.at)
    );
    if let Some((behind, of)) = progress.of.filter(|(_, of)| *of > 0) {
        let left =
            took.as_millis() * u128::from(of.saturating_sub(behind)) / u128::from(behind.max(1));
        text += &format!(
            ", {} % done, {} s left",
            behind.min(of) * 100 / of,
            left / 1_000
        );
    }
    text
}

/// So many events in so much time.
pub(super) fn rate(events: u64, took: Duration) -> String {
    let a_second = u128::from(events) * 1_000 / took.as_millis().max(1);
    format!(
        "{events} events in {:.1} s, {a_second}/s",
        took.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_fast_it_goes_and_how_long_it_takes() {
        let progress = Progress {
            events: 50_000,
            at: 1_795_312_000_000,
            of: Some((50_000, 200_000)),
        };
        assert_eq!(
            text(&progress, Duration::from_secs(2)),
            "50000 events in 2.0 s, 25000/s, history is at 2026-11-22T01:46:40.000Z, 25 % done, 6 s left"
        );
    }
}
