//! `onscene explain`

use super::check::Format;
use super::runtime::block_on;
use super::settings::{NatsSettings, Settings};
use crate::config::Config;
use crate::decode::Decoder;
use crate::durable::CheckpointFolder;
use crate::explain::{Ask, Explainer, Explanation, Texts};
use crate::nats::Connection;
use crate::partitioning::{CUSTOMER_ID_BYTES_MAX, CustomerId};
use crate::rules::{RuleSet, Sources, render};
use anyhow::{Context as _, bail};
use clap::Args;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

/// Why, and why not: what became of one event of a customer, rule by rule, with the values that were seen.
///
/// The customer is put together as of that event, from a checkpoint and the streams, and the event is decided once more;
/// the engine may run or not, and nothing is written.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene explain --customer C1001 --event co-17\n  onscene explain --customer C1001 --event co-17 --rule win-the-payment/checkout\n  onscene explain --customer C1001 --event co-17 --format json | jq '.rules[] | {rule, verdict}'\n\nExit code: 0; 1 if there is no such event, or if a verdict is not what the log says."
)]
pub(super) struct Explain {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    /// The engine's data folder, for its checkpoints [default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// The customer's id.
    #[arg(long, value_name = "ID")]
    customer: String,
    /// The event's id.
    #[arg(long, value_name = "ID")]
    event: String,
    /// The event's source, where several sources use the same ids.
    #[arg(long)]
    source: Option<String>,
    /// Only this rule.
    #[arg(long)]
    rule: Option<String>,
    /// Ask the rules of the folder, also where others decided: what would they say?
    #[arg(long)]
    folder_rules: bool,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Explain {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load(&[
            ("--nats", "nats.url", self.nats.nats.as_deref()),
            ("--data", "data.folder", self.data.as_deref()),
        ])?;
        let Some(customer) = CustomerId::new(&self.customer) else {
            bail!("a customer's id has 1 to {CUSTOMER_ID_BYTES_MAX} bytes");
        };
        let ask = Ask {
            customer,
            event: self.event.as_str().into(),
            source: self.source.as_deref().map(Into::into),
            rule: self.rule.as_deref().map(Into::into),
            as_given: self.folder_rules,
        };
        let texts = texts(&config)?;
        let explanation = block_on(async {
            let connection = Connection::open(&config.nats_url, "onscene explain").await?;
            let explainer = Explainer::new(
                connection.clone(),
                CheckpointFolder::new(&config.data),
                decoder(&config, &connection),
                config.journal,
                config.zone.clone(),
            );
            Ok(explainer.explain(&ask, texts).await?)
        })?;
        self.print(&explanation)?;
        Ok(ExitCode::from(u8::from(!explanation.agrees)))
    }

    fn print(&self, explanation: &Explanation) -> anyhow::Result<()> {
        let text = match self.format {
            Format::Text => explanation.to_string(),
            Format::Json => format!("{}\n", serde_json::to_string_pretty(explanation)?),
        };
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever reads our output has seen enough, as `head` does.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }
}

/// The rules of the folder.
fn texts(config: &Config) -> anyhow::Result<Texts> {
    let folder = config.rules.display();
    let sources = Sources::read(&config.rules)
        .with_context(|| format!("could not load the rules in {folder}"))?;
    match RuleSet::compile(&sources) {
        Ok(set) => Ok(Texts {
            set: Arc::new(set),
            sources: Arc::new(sources),
            from: format!("the folder {folder}"),
        }),
        Err(faults) => {
            eprint!("{}", render(&faults));
            bail!("the rules in {folder} cannot be asked: name another folder with --rules");
        }
    }
}

fn decoder(config: &Config, connection: &Connection) -> Decoder {
    Decoder {
        rates: config.rates.clone(),
        payload_bytes_max: connection.event_bytes_max(),
        future_tolerance: config.future_tolerance,
        horizon: config.journal.horizon,
        partitions: config.partitions,
    }
}
