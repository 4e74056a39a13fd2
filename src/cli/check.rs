//! `onscene check`

use crate::rules::{RuleSet, Sources, render};
use anyhow::Context as _;
use clap::{Args, ValueEnum};
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

/// Compile the rule files and say what is wrong with them.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Folder with the rule files.
    #[arg(default_value = "rules")]
    path: PathBuf,
    /// How faults are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Check {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let sources = Sources::read(&self.path)
            .with_context(|| format!("could not load the rules in {}", self.path.display()))?;
        let (faults, text) = match RuleSet::compile(&sources) {
            Ok(set) => (
                Vec::new(),
                format!(
                    "{} rules, generation {}",
                    set.rules().len(),
                    set.generation()
                ),
            ),
            Err(faults) => {
                let text = format!("{}\n{} fault(s)", render(&faults), faults.len());
                (faults, text)
            }
        };
        match self.format {
            Format::Text => println!("{text}"),
            Format::Json => println!("{}", serde_json::to_string(&faults)?),
        }
        Ok(ExitCode::from(u8::from(!faults.is_empty())))
    }
}
