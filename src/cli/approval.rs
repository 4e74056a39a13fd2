//! `onscene approval`: one person submits a rule's text, another one approves it.

use super::check::Format;
use super::place::Place;
use super::runtime::block_on;
use super::settings::{NatsSettings, Settings};
use crate::clock::format_rfc3339;
use crate::governance::approvals::{self, Approval, Submission};
use crate::governance::{self};
use crate::nats::Connection;
use crate::rules::{RuleSet, render};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// Submit the text of a rule that asks for approval, look at it, and approve it.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene approval submit --rule win/dining --by 'Li Na' --reason 'new amounts for spring'\n  onscene approval list\n  onscene approval show --rule win/dining\n  onscene approval approve --rule win/dining --sha256 3f29c1 --by 'Wang Wei' --reason 'checked against the budget'"
)]
pub(super) struct Approvals {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Submit the text of a rule as it is in the rules folder.
    Submit {
        /// The rule.
        #[arg(long, value_name = "RULE")]
        rule: String,
        /// Who made it.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// What was changed, and why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Approve a text that was submitted by somebody else: it goes live wherever the rules folder has it.
    Approve {
        /// The rule.
        #[arg(long, value_name = "RULE")]
        rule: String,
        /// How the SHA-256 of the text begins that is approved, as `show` tells it: at least 6 digits.
        #[arg(long, value_name = "DIGITS", value_parser = digits)]
        sha256: String,
        /// Who has checked it.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// What was checked.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// The text that waits for approval; if none does, the one that was approved last.
    Show {
        /// The rule.
        #[arg(long, value_name = "RULE")]
        rule: String,
    },
    /// What waits for approval, and what was approved last.
    List {
        /// How it is written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

fn digits(text: &str) -> Result<String, String> {
    if text.len() >= 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("write at least 6 hexadecimal digits, as `onscene approval show` tells them".to_owned())
    }
}

impl Approvals {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self
            .settings
            .load(&[("--nats", "nats.url", self.nats.nats.as_deref())])?;
        block_on(async {
            let connection = Connection::open(&config.nats_url, "onscene approval").await?;
            match &self.command {
                Command::Submit { rule, by, reason } => {
                    let (text, asks) = text_of(&config.rules, rule)?;
                    let signed = governance::sign(by, reason)?;
                    let done = approvals::submit(&connection, rule, &text, asks, signed).await?;
                    println!("submitted {rule}: SHA-256 {}", done.text.sha256());
                    if !asks {
                        println!(
                            "it does not ask for approval: once it is approved, no later text of the rule needs any"
                        );
                    }
                }
                Command::Approve {
                    rule,
                    sha256,
                    by,
                    reason,
                } => {
                    let signed = governance::sign(by, reason)?;
                    let done = approvals::approve(&connection, rule, sha256, signed).await?;
                    let maker = &done.submission.maker.by;
                    println!(
                        "approved {rule}, which {maker} has made: it is live within a second in every engine whose rules folder has exactly this text"
                    );
                }
                Command::Show { rule } => show(&connection, rule).await?,
                Command::List { format } => list(&approvals::list(&connection).await?, *format)?,
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// The text of a rule in the folder, and whether it asks for approval.
fn text_of(folder: &Path, rule: &str) -> anyhow::Result<(String, bool)> {
    let sources = Place::find(folder)?.sources()?;
    let set = RuleSet::compile(&sources).map_err(|faults| {
        anyhow::anyhow!(
            "the rules in {} have faults: mend them first\n{}",
            folder.display(),
            render(&faults)
        )
    })?;
    let path = format!("{rule}.rhai");
    let file = sources.rules.iter().find(|file| *file.path == *path);
    let file = file.with_context(|| format!("there is no {path} in {}", folder.display()))?;
    let asks = set.rule(rule).is_some_and(|rule| rule.terms.approval);
    Ok((file.text.to_string(), asks))
}

async fn show(connection: &Connection, rule: &str) -> anyhow::Result<()> {
    let all = approvals::list(connection).await?;
    let Some(approval) = all.get(rule) else {
        bail!("nothing was ever submitted of {rule}: `onscene approval list` says what was");
    };
    let (submission, state) = match (&approval.submitted, &approval.approved) {
        (Some(submission), _) => (submission, "waits for approval".to_owned()),
        (None, Some(approved)) => {
            let state = format!("approved by {}", approved.checker.by);
            (&approved.submission, state)
        }
        (None, None) => bail!("nothing waits for approval of {rule}"),
    };
    eprintln!(
        "{rule}: {state}; SHA-256 {}; submitted by {}: {}",
        submission.text.sha256(),
        submission.maker.by,
        submission.maker.reason
    );
    print!("{}", submission.text.load(connection).await?);
    Ok(())
}

fn list(approvals: &BTreeMap<Box<str>, Approval>, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        let all: Vec<&Approval> = approvals.values().collect();
        let text = serde_json::to_string_pretty(&all).context("could not write JSON")?;
        println!("{text}");
        return Ok(());
    }
    let made = |submission: &Submission| {
        let digits = submission.text.sha256().get(..12).unwrap_or_default();
        let (by, at) = (&submission.maker.by, format_rfc3339(submission.maker.at));
        format!("{digits} by {by}, {at}: {}", submission.maker.reason)
    };
    for (rule, approval) in approvals {
        if let Some(submission) = &approval.submitted {
            println!("{rule}: waits for approval: {}", made(submission));
        }
        if let Some(approved) = &approval.approved {
            let checker = &approved.checker;
            println!(
                "{rule}: approved: {}; checked by {}, {}: {}",
                made(&approved.submission),
                checker.by,
                format_rfc3339(checker.at),
                checker.reason
            );
        }
    }
    Ok(())
}
