//! `onscene dlq list` and `onscene dlq retry`

use super::check::Format;
use super::runtime::block_on;
use super::settings::{NatsSettings, Settings};
use crate::clock::format_rfc3339;
use crate::event::{Value, parse_json};
use crate::nats::{Connection, DeadLetter, DeadLetters, dead_letters::DeadLetterFilter};
use crate::partitioning::token;
use anyhow::bail;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Dead letters looked at when none is named.
const RETRY_MAX: usize = 100_000;

/// Events that were refused: list them, or send them again.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene dlq list --reason unknown_currency\n  onscene dlq retry --reason unknown_currency   (after the rate was added)\n  onscene dlq retry 17 18"
)]
pub(super) struct Dlq {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List refused events, oldest first.
    List {
        /// Only those refused for this reason.
        #[arg(long)]
        reason: Option<String>,
        /// From this number on.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        max: usize,
        /// How they are written; json has the payloads.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Publish refused events again, unchanged, and take them out of the dead letters.
    Retry {
        /// Numbers as `list` shows them.
        #[arg(required_unless_present_any = ["reason", "all"])]
        numbers: Vec<u64>,
        /// All that were refused for this reason.
        #[arg(long, conflicts_with_all = ["numbers", "all"])]
        reason: Option<String>,
        /// All.
        #[arg(long, conflicts_with = "numbers")]
        all: bool,
    },
}

impl Dlq {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self
            .settings
            .load(&[("--nats", "nats.url", self.nats.nats.as_deref())])?;
        block_on(async {
            let connection = Connection::open(&config.nats_url, "onscene dlq").await?;
            let letters = DeadLetters::new(&connection);
            match &self.command {
                Command::List {
                    reason,
                    from,
                    max,
                    format,
                } => {
                    let filter = DeadLetterFilter {
                        reason: reason.clone(),
                        from_sequence: *from,
                        max: Some(*max),
                    };
                    list(&letters.list(&filter).await?, *format)
                }
                Command::Retry {
                    numbers, reason, ..
                } => retry(&letters, numbers, reason.clone()).await,
            }
        })
    }
}

fn list(letters: &[DeadLetter], format: Format) -> anyhow::Result<ExitCode> {
    for letter in letters {
        match format {
            Format::Text => println!(
                "{:>8}  {}  {:<17} event {:<9} {}",
                letter.sequence,
                format_rfc3339(letter.rejected_at),
                letter.reason,
                letter.stored_sequence,
                letter.error
            ),
            Format::Json => println!("{}", json(letter)),
        }
    }
    if format == Format::Text {
        eprintln!("{} refused event(s) shown", letters.len());
    }
    Ok(ExitCode::SUCCESS)
}

fn json(letter: &DeadLetter) -> serde_json::Value {
    let headers: serde_json::Map<String, serde_json::Value> = letter
        .headers
        .iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let payload = match std::str::from_utf8(&letter.payload) {
        Ok(text) => serde_json::json!({ "text": text }),
        Err(_) => serde_json::json!({ "bytes": letter.payload.to_vec() }),
    };
    serde_json::json!({
        "number": letter.sequence,
        "rejected_at": format_rfc3339(letter.rejected_at),
        "reason": letter.reason,
        "error": letter.error,
        "stored_subject": letter.stored_subject,
        "stored_sequence": letter.stored_sequence,
        "stored_at": format_rfc3339(letter.stored_at),
        "headers": headers,
        "payload": payload,
    })
}

async fn retry(
    letters: &DeadLetters,
    numbers: &[u64],
    reason: Option<String>,
) -> anyhow::Result<ExitCode> {
    let chosen = if numbers.is_empty() {
        let filter = DeadLetterFilter {
            reason,
            from_sequence: 0,
            max: Some(RETRY_MAX),
        };
        letters.list(&filter).await?
    } else {
        let mut chosen = Vec::new();
        for number in numbers {
            chosen.push(letters.get(*number).await?);
        }
        chosen
    };
    let (mut sent, mut left) = (0, 0);
    for letter in &chosen {
        match subject(letter) {
            Some(subject) => {
                let sequence = letters.retry(letter, &subject).await?;
                println!("{:>8}  sent again as event {sequence}", letter.sequence);
                sent += 1;
            }
            None => {
                println!(
                    "{:>8}  left: it names no type and customer, so it has no subject to go to; repair its bytes (`onscene dlq list --format json`) and publish them anew",
                    letter.sequence
                );
                left += 1;
            }
        }
    }
    if chosen.is_empty() && !numbers.is_empty() {
        bail!("there is nothing to send again");
    }
    eprintln!("{sent} sent again, {left} left");
    Ok(ExitCode::from(u8::from(left > 0)))
}

/// The subject a producer would publish it to, if the event says its type and customer.
fn subject(letter: &DeadLetter) -> Option<String> {
    let (kind, customer) = if letter.headers.get("ce-type").is_some() {
        let decoded = |name| {
            let text = letter.headers.get(name)?;
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
            decoded.ok().map(std::borrow::Cow::into_owned)
        };
        (decoded("ce-type")?, decoded("ce-subject")?)
    } else {
        let event = parse_json(&letter.payload).ok()?;
        let text = |name| event.get(name).and_then(Value::as_text).map(str::to_owned);
        (text("type")?, text("subject")?)
    };
    let (domain, kind) = kind.split_once('.')?;
    let plain = |part: &str| !part.is_empty() && token(part) == part;
    (plain(domain) && plain(kind) && !customer.is_empty())
        .then(|| format!("scene.events.{domain}.{kind}.{}", token(&customer)))
}
