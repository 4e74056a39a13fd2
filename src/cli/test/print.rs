//! Results of tests as text for people, or as JSON for machines.

use super::Outcome;
use crate::cli::check::Format;
use crate::rule_tests::TestResult;
use crate::rules::{Mutant, render};
use std::time::Duration;

/// Writes results as they come.
#[derive(Debug)]
pub(super) struct Printer {
    format: Format,
    started: std::time::Instant,
}

impl Printer {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            started: crate::clock::monotonic_now(),
        }
    }

    pub(super) fn test(&self, result: &TestResult, took: Duration) {
        if self.format == Format::Json {
            return;
        }
        let word = if result.failure.is_some() {
            "FAIL"
        } else {
            "PASS"
        };
        let seconds = took.as_secs_f64();
        println!(
            "{word:>8} [{seconds:>8.3}s] {}  {}",
            result.rule, result.name
        );
        if result.failure.is_some() {
            println!("\n{}", result.report());
        }
    }

    /// Writes what was found as a whole.
    pub(super) fn finish(&self, outcome: &Outcome) -> anyhow::Result<()> {
        match self.format {
            Format::Json => println!("{}", serde_json::to_string(&outcome.json())?),
            Format::Text => self.summary(outcome),
        }
        Ok(())
    }

    fn summary(&self, outcome: &Outcome) {
        if !outcome.faults.is_empty() {
            println!("{}", render(&outcome.faults));
        }
        for rule in &outcome.untested {
            println!("warning: {rule} has no tests: write them to {rule}.test.toml");
        }
        if outcome.tests.is_empty() && outcome.faults.is_empty() {
            println!(
                "error: no test was run: there is none where you point, or none whose name has the text of --filter"
            );
        }
        gaps(outcome);
        println!("{}", "─".repeat(12));
        measures(outcome);
        let failed = outcome.failed();
        let run = outcome.tests.len();
        let mut parts = vec![format!("{} passed", run - failed)];
        if failed > 0 {
            parts.push(format!("{failed} failed"));
        }
        if !outcome.faults.is_empty() {
            parts.push(format!(
                "{} in files",
                counted(outcome.faults.len(), "fault")
            ));
        }
        if !outcome.untested.is_empty() {
            let rules = counted(outcome.untested.len(), "rule");
            parts.push(format!("{rules} without tests"));
        }
        let seconds = self.started.elapsed().as_secs_f64();
        println!(
            " Summary [{seconds:>8.3}s] {} run: {}",
            counted(run, "test"),
            parts.join(", ")
        );
    }
}

/// What no test decides or notices.
fn gaps(outcome: &Outcome) {
    for part in outcome
        .coverage
        .iter()
        .flatten()
        .filter(|part| !part.decided())
    {
        let what = match (part.denied, part.held) {
            (false, true) => "never said no",
            (true, false) => "was never true with all others",
            _ => "never decided anything",
        };
        println!(
            "uncovered: {}:{}: {}  {what}",
            part.file, part.line, part.text
        );
    }
    if let Some(mutants) = &outcome.mutants {
        for survivor in &mutants.survivors {
            println!("survived: {}", told(survivor));
        }
    }
}

/// How much the tests decide and notice.
fn measures(outcome: &Outcome) {
    if let Some(coverage) = &outcome.coverage {
        let decided = coverage.iter().filter(|part| part.decided()).count();
        println!(
            "Coverage  {decided} of {} parts of conditions decided",
            coverage.len()
        );
    }
    if outcome.mutants_skipped {
        println!(" Mutants  not run: first make the tests pass");
    }
    if let Some(mutants) = &outcome.mutants {
        let least = mutants
            .min_score
            .map(|least| format!(", at least {least} % wanted"));
        println!(
            " Mutants  {} killed, {} survived: {} %{}",
            mutants.killed,
            mutants.survivors.len(),
            mutants.score,
            least.unwrap_or_default()
        );
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn told(mutant: &Mutant) -> String {
    let Mutant {
        file,
        line,
        column,
        function,
        before,
        after,
        ..
    } = mutant;
    let what = match (&**before, &**after) {
        (before, "") => format!("`{before}` taken out"),
        (before, after) => format!("`{after}` in place of `{before}`"),
    };
    format!("{file}:{line}:{column}: in `{function}`, {what}")
}

impl Outcome {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "passed": self.tests.len() - self.failed(),
            "failed": self.failed(),
            "faults": self.faults,
            "tests": self.tests,
            "untested": self.untested,
            "coverage": self.coverage,
            "mutants": self.mutants,
        })
    }
}
