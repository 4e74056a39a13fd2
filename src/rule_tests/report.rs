//! A failed test as a person reads it.

use super::suite::{Failure, TestResult};
use crate::rules::{Diagnostic, Sources, render};
use std::fmt::Write as _;

impl TestResult {
    /// What went wrong: expected and found line by line, the reason, and the places. Empty if
    /// nothing did.
    #[must_use]
    pub fn report(&self) -> String {
        let Some(failure) = &self.failure else {
            return String::new();
        };
        if !failure.faults.is_empty() {
            return render(&failure.faults);
        }
        let mut text = String::new();
        let moment = match failure.step {
            None => "before the event".to_owned(),
            Some(0) => "at the event".to_owned(),
            Some(step) => format!("at follow-up {step}"),
        };
        let _ = writeln!(text, "    {}:{}, {moment}", self.file, failure.line);
        let _ = writeln!(text, "    - expected  + found");
        text.push('\n');
        rows(failure, &mut text);
        for reason in &failure.reasons {
            let place = match (&reason.file, reason.line) {
                (Some(file), Some(line)) => format!("    {file}:{line}: "),
                (Some(file), None) => format!("    {file}: "),
                _ => "    ".to_owned(),
            };
            text.push('\n');
            let _ = write!(text, "{place}{}", reason.text.replace('\n', "\n    "));
        }
        if !failure.reasons.is_empty() {
            text.push('\n');
        }
        text
    }

    /// The failure in the form of every other fault of a rules folder; `None` if it passed.
    #[must_use]
    pub fn diagnostics(&self, sources: &Sources) -> Vec<Diagnostic> {
        let Some(failure) = &self.failure else {
            return Vec::new();
        };
        if !failure.faults.is_empty() {
            return failure.faults.clone();
        }
        let Some(source) = sources.tests.iter().find(|source| source.path == self.file) else {
            return Vec::new();
        };
        let rows = failure.rows.iter().filter(|row| !row.agrees);
        let differences: Vec<String> = rows
            .map(|row| {
                format!(
                    "`{}` should be {} and is {}",
                    row.what, row.expected, row.found
                )
            })
            .collect();
        let message = format!(
            "the test \"{}\" fails: {}",
            self.name,
            differences.join("; ")
        );
        let reasons: Vec<&str> = failure.reasons.iter().map(|r| &*r.text).collect();
        let hint = if reasons.is_empty() {
            "mend the rule, or the test".to_owned()
        } else {
            reasons.join("; ")
        };
        let fault = Diagnostic::whole(&source.path, &source.text, message);
        let fault = match &failure.span {
            Some(span) => fault.over(span.clone()),
            None => fault.at(Some((failure.line, 1))),
        };
        vec![fault.code("test-fails").hint(hint)]
    }
}

fn rows(failure: &Failure, text: &mut String) {
    let wide = failure
        .rows
        .iter()
        .map(|row| row.what.chars().count())
        .max()
        .unwrap_or(0);
    for row in &failure.rows {
        if row.agrees {
            let _ = writeln!(text, "      {:wide$}  {}", row.what, row.found);
        } else {
            let _ = writeln!(text, "    - {:wide$}  {}", row.what, row.expected);
            let _ = writeln!(text, "    + {:wide$}  {}", row.what, row.found);
        }
    }
}
