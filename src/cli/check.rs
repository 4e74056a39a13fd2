//! `onscene check`

use crate::clock::now_ms;
use crate::rules::{CheckOptions, Diagnostic, RuleSet, Sources, render};
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For machines: an array of objects with file, line, column, end, severity, code, message and hint.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  onscene check                              all files of the folder rules/
  onscene check rules/coffee/third-visit.rhai  what is said about one of them
  onscene check --deny-warnings rules        before a release
  onscene check --format json rules          for an editor or a pipeline

Exit codes: 0 nothing is wrong, or there are warnings only; 1 something is wrong, or cannot be read;
2 the arguments are wrong.
A warning that is meant so is silenced by a comment in the file, with its code: // allow(group-tie)";

/// Say what is wrong with the rule files, and how to mend it; all of it, without running them.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// Folder with the rule files, or one file of it.
    #[arg(default_value = "rules")]
    path: PathBuf,
    /// How findings are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Fail for warnings too.
    #[arg(long)]
    deny_warnings: bool,
}

impl Check {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let (folder, file) = folder_of(&self.path)?;
        let sources = Sources::read(&folder)
            .with_context(|| format!("could not load the rules in {}", folder.display()))?;
        let options = CheckOptions { today: today() };
        let (set, mut found) = RuleSet::build(&sources, options);
        if let Some(file) = &file {
            found.retain(|found| *found.file == **file);
        }
        let text = match self.format {
            Format::Text => text(&found, set.as_ref(), file.as_deref()),
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

fn text(found: &[Diagnostic], set: Option<&RuleSet>, file: Option<&str>) -> String {
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
        (Some(set), None, counts) => {
            let (rules, generation) = (set.rules().len(), set.generation());
            let rules = format!("{rules} rules, generation {generation}");
            counts.map_or(rules.clone(), |counts| format!("{rules}, {counts}"))
        }
        (_, Some(file), None) => format!("{file}: nothing is wrong"),
        (_, _, Some(counts)) => counts,
        (None, None, None) => String::new(),
    };
    out + last.as_str() + "\n"
}

/// The folder to load, and the file of it that is asked about. A file's folder is the nearest one above it
/// that is called `rules` or has a `schema.toml`, else its own.
fn folder_of(path: &Path) -> anyhow::Result<(PathBuf, Option<String>)> {
    if !path.exists() {
        bail!("there is no {}", path.display());
    }
    if path.is_dir() {
        return Ok((path.to_owned(), None));
    }
    let whole = std::fs::canonicalize(path)
        .with_context(|| format!("could not find {}", path.display()))?;
    let own = whole.parent().unwrap_or(Path::new("/")).to_owned();
    let is_root = |folder: &&Path| {
        folder.join("schema.toml").is_file() || folder.file_name().is_some_and(|n| n == "rules")
    };
    let folder = whole.ancestors().skip(1).find(is_root);
    let folder = folder.map_or(own, Path::to_owned);
    let relative = whole.strip_prefix(&folder).unwrap_or(&whole);
    let parts: Vec<_> = relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    Ok((folder, Some(parts.join("/"))))
}

fn today() -> Option<Date> {
    let now = jiff::Timestamp::from_millisecond(now_ms()).ok()?;
    Some(now.to_zoned(TimeZone::UTC).date())
}
