//! `onscene check`

use super::place::Place;
use crate::clock::now_ms;
use crate::rule_tests;
use crate::rules::{CheckOptions, Diagnostic, RuleSet, Sources, render};
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  onscene check                              all files of the folder rules/
  onscene check rules/coffee                 those below a folder
  onscene check rules/coffee/third-visit.rhai  what is said about one of them
  onscene check --deny-warnings rules        before a release
  onscene check --format json rules          for an editor or a pipeline

Exit codes: 0 nothing is wrong, or there are warnings only; 1 something is wrong, or cannot be read;
2 the arguments are wrong.
A warning that is meant so is silenced by a comment in the file, with its code: // allow(group-tie)";

/// Say what is wrong with rules, their test files and what they share, and how to mend it; all of it,
/// without running them.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// Folder with rule files, or one file: a rule, a test file, `schema.toml` or `policy.toml`.
    #[arg(default_value = "rules")]
    path: PathBuf,
    /// How findings are written. JSON is an array of objects with file, line, column, end, severity, code,
    /// message and hint.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Fail for warnings too.
    #[arg(long)]
    deny_warnings: bool,
}

impl Check {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let place = Place::find(&self.path)?;
        let sources = place.sources()?;
        if !has_any(&place, &sources) {
            bail!(
                "there is nothing to check in {}: rules are files that end in .rhai, made by `onscene new`",
                self.path.display()
            );
        }
        let options = CheckOptions { today: today() };
        let (set, mut found) = RuleSet::build(&sources, options);
        found.extend(rule_tests::check(&sources, set.as_ref()));
        // Nothing can be said of a rule while the words that it may use are faulty.
        found.retain(|found| place.has(&found.file) || is_shared_fault(found));
        let file = place.file();
        let meant = |set: &RuleSet| {
            let rules = set.rules().iter();
            rules.filter(|rule| place.covers(&rule.terms.name)).count()
        };
        let text = match self.format {
            Format::Text => text(
                &found,
                set.as_ref().map(|set| (meant(set), &**set.generation())),
                file,
            ),
            Format::Json => serde_json::to_string(&found)? + "\n",
        };
        match io::stdout().write_all(text.as_bytes()) {
            // Whoever reads our output has seen enough, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.context("could not write what was found")?,
        }
        let fails = |found: &Diagnostic| self.deny_warnings || found.is_error();
        Ok(ExitCode::from(u8::from(found.iter().any(fails))))
    }
}

fn text(found: &[Diagnostic], set: Option<(usize, &str)>, file: Option<&str>) -> String {
    let mut out = render(found);
    if !found.is_empty() {
        out.push('\n');
    }
    let errors = found.iter().filter(|found| found.is_error()).count();
    let warnings = found.len() - errors;
    let plural = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let counts = match (errors, warnings) {
        (0, 0) => None,
        (0, warnings) => Some(plural(warnings, "warning")),
        (errors, 0) => Some(plural(errors, "error")),
        (errors, warnings) => Some(format!(
            "{}, {}",
            plural(errors, "error"),
            plural(warnings, "warning")
        )),
    };
    let last = match (set, file, counts) {
        (Some((rules, generation)), None, counts) => {
            let rules = format!("{}, generation {generation}", plural(rules, "rule"));
            counts.map_or(rules.clone(), |counts| format!("{rules}, {counts}"))
        }
        (_, Some(file), None) => format!("{file}: nothing is wrong"),
        (_, _, Some(counts)) => counts,
        (None, None, None) => String::new(),
    };
    out + last.as_str() + "\n"
}

/// Whether there is a file to check where the user points.
fn has_any(place: &Place, sources: &Sources) -> bool {
    let files = (sources.rules.iter())
        .chain(&sources.library)
        .chain(&sources.tests);
    // The folder's own declarations are worth a check only if they are asked for by name.
    let shared = sources.schema.iter().chain(&sources.policy);
    let shared = shared.filter(|_| place.file().is_some());
    files.chain(shared).any(|source| place.has(&source.path))
}

fn is_shared_fault(found: &Diagnostic) -> bool {
    let is_shared = ["schema.toml", "policy.toml"].contains(&&*found.file);
    found.is_error() && (is_shared || found.file.starts_with("lists/"))
}

fn today() -> Option<Date> {
    let now = jiff::Timestamp::from_millisecond(now_ms()).ok()?;
    Some(now.to_zoned(TimeZone::UTC).date())
}
