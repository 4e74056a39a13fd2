//! `onscene schema`

use super::settings::Settings;
use crate::config::Config;
use crate::event::Schema as Declarations;
use crate::rules::{Diagnostic, Sources, render};
use crate::schema::{Deployment, action, asyncapi, events};
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Document {
    /// AsyncAPI 3.0: every subject, who publishes there, and what.
    Asyncapi,
    /// JSON Schema 2020-12 of the events that producers publish.
    Event,
    /// JSON Schema 2020-12 of the actions that adapters receive.
    Action,
}

/// Print the contracts for machines: AsyncAPI, and JSON Schema of events and actions.
///
/// The event types of the rules folder's schema.toml are included.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene schema > onscene.asyncapi.json\n  onscene schema --rules rules event\n  onscene schema action"
)]
pub(super) struct Schema {
    #[command(flatten)]
    settings: Settings,
    /// Which document.
    #[arg(value_enum, default_value_t = Document::Asyncapi)]
    document: Document,
}

impl Schema {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load(&[])?;
        let document = match self.document {
            Document::Action => action(),
            Document::Event => events(&declarations(&config)?),
            Document::Asyncapi => asyncapi(&declarations(&config)?, &deployment(&config)),
        };
        let mut out = serde_json::to_vec_pretty(&document)?;
        out.push(b'\n');
        match io::stdout().lock().write_all(&out) {
            // Whoever reads our output has seen enough, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            written => written
                .map(|()| ExitCode::SUCCESS)
                .context("could not write the document"),
        }
    }
}

/// The built-in types and those of `schema.toml`; the rules themselves may be faulty.
pub(super) fn declarations(config: &Config) -> anyhow::Result<Declarations> {
    let sources = Sources::read(&config.rules)
        .with_context(|| format!("could not load the rules in {}", config.rules.display()))?;
    let Some(source) = sources.schema else {
        return Ok(Declarations::default());
    };
    match Declarations::parse(&source.text) {
        Ok(declarations) => Ok(declarations),
        Err(errors) => {
            eprint!("{}", render(&Diagnostic::of_schema(&source, errors)));
            bail!("the declarations in {} are faulty", source.path);
        }
    }
}

/// Where the first of the configured servers is, without its credentials.
fn deployment(config: &Config) -> Deployment {
    let first = config.nats_url.split(',').next().unwrap_or_default().trim();
    let host = first.split_once("://").map_or(first, |(_, rest)| rest);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    Deployment {
        host: host.to_owned(),
        partitions: config.partitions,
    }
}
