//! `onscene history`: which generation of rules went live when, where and why, and which files changed.

use super::check::Format;
use super::runtime::block_on;
use super::settings::{NatsSettings, Settings};
use crate::clock::{Millis, format_rfc3339};
use crate::governance::{self, LiveRecord, texts};
use crate::nats::Connection;
use clap::Args;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Which rules went live when, in how many engines, why, and which files changed.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene history --last 5\n  onscene history --format json | jq -r .generation"
)]
pub(super) struct History {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    /// At most so many, the latest ones.
    #[arg(long, default_value_t = 20)]
    last: usize,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A generation that went live in one engine or several.
struct Step {
    generation: String,
    at: Millis,
    cause: String,
    engines: Vec<String>,
}

impl History {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self
            .settings
            .load(&[("--nats", "nats.url", self.nats.nats.as_deref())])?;
        block_on(async {
            let connection = Connection::open(&config.nats_url, "onscene history").await?;
            let steps = steps(governance::history(&connection).await?);
            // One more than is shown: what it changed is told against the one before.
            let from = steps.len().saturating_sub(self.last.saturating_add(1));
            let mut before = None;
            for (at, step) in steps.iter().enumerate().skip(from) {
                let files = texts::hashes(&connection, &step.generation).await?;
                let files: BTreeMap<Box<str>, Box<str>> = files.into_iter().collect();
                if at + self.last >= steps.len() {
                    self.show(step, &changes(before.as_ref(), &files));
                }
                before = Some(files);
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    fn show(&self, step: &Step, changes: &Changes) {
        let at = format_rfc3339(step.at);
        if self.format == Format::Json {
            let line = serde_json::json!({
                "generation": step.generation, "at": at, "cause": step.cause, "engines": step.engines,
                "added": changes.added, "changed": changes.changed, "removed": changes.removed,
            });
            println!("{line}");
            return;
        }
        let engines = step.engines.len();
        println!(
            "{at}  {}  {:<8} {engines} engine(s)",
            step.generation, step.cause
        );
        for (sign, files) in [
            ('+', &changes.added),
            ('~', &changes.changed),
            ('-', &changes.removed),
        ] {
            for file in files {
                println!("    {sign} {file}");
            }
        }
    }
}

/// Takes together what several engines did at the same time.
fn steps(records: Vec<LiveRecord>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for record in records {
        let engine = record.engine.to_string();
        match steps.last_mut() {
            Some(last) if *last.generation == *record.generation => {
                if !last.engines.contains(&engine) {
                    last.engines.push(engine);
                }
            }
            _ => steps.push(Step {
                generation: record.generation.to_string(),
                at: record.at,
                cause: record.cause.into(),
                engines: vec![engine],
            }),
        }
    }
    steps
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

/// Which files differ; none if nothing is known of the one before.
fn changes(
    before: Option<&BTreeMap<Box<str>, Box<str>>>,
    after: &BTreeMap<Box<str>, Box<str>>,
) -> Changes {
    let mut changes = Changes::default();
    let Some(before) = before else {
        return changes;
    };
    for (path, hash) in after {
        match before.get(path) {
            None => changes.added.push(path.to_string()),
            Some(former) if former != hash => changes.changed.push(path.to_string()),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    changes.removed = gone.map(ToString::to_string).collect();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_did_together_is_one_step_and_going_back_is_another() {
        let record = |generation: &str, engine: &str| LiveRecord {
            generation: generation.into(),
            before: None,
            engine: engine.into(),
            cause: "folder".into(),
            at: 0,
        };
        let records = [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"), ("a", "1")];
        let steps = steps(records.map(|(g, e)| record(g, e)).into());
        let told: Vec<_> = (steps.iter())
            .map(|s| (&*s.generation, s.engines.len()))
            .collect();
        assert_eq!(told, [("a", 2), ("b", 2), ("a", 1)]);
    }

    #[test]
    fn files_that_came_changed_and_went_are_told() {
        let files = |files: &[(&str, &str)]| -> BTreeMap<Box<str>, Box<str>> {
            (files.iter())
                .map(|(path, hash)| ((*path).into(), (*hash).into()))
                .collect()
        };
        let before = files(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let after = files(&[("b", "2"), ("c", "1"), ("d", "1")]);
        let told = changes(Some(&before), &after);
        let wanted = Changes {
            added: vec!["d".to_owned()],
            changed: vec!["b".to_owned()],
            removed: vec!["a".to_owned()],
        };
        assert_eq!(told, wanted);
        assert_eq!(changes(None, &after), Changes::default());
    }
}
