//! `onscene switch`: pauses and the kill switch, shadow mode, and who changed them.

use super::check::Format;
use super::runtime::block_on;
use super::settings::{NatsSettings, Settings};
use crate::clock::{Millis, format_rfc3339, monotonic_now, now_ms};
use crate::governance::{self, switches};
use crate::nats::Connection;
use crate::policy::{Change, Pause, Position, Signed, Switches, Target};
use crate::rules::RuleSet;
use crate::state::Window;
use anyhow::{Context as _, bail};
use clap::{ArgGroup, Args, Subcommand};
use std::process::ExitCode;
use std::time::Duration;

/// Pause rules at once, let them decide without sending, and see who did.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene switch pause --rule win/dining --by 'Li Na' --reason 'wrong amount'\n  onscene switch pause --all --by 'Li Na' --reason 'core banking is down' --for 2h\n  onscene switch resume --rule win/dining --by 'Li Na' --reason 'amount mended'\n  onscene switch shadow --rule new/idea --test-customer C1001 --by 'Li Na' --reason 'before it starts'\n  onscene switch list\n  onscene switch log"
)]
pub(super) struct Switch {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    nats: NatsSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let nothing go out any more; returns when every partition obeys. This is the kill switch.
    Pause {
        #[command(flatten)]
        about: About,
        #[command(flatten)]
        signature: Signature,
        /// How long, such as 2h; until somebody resumes it if this is not given.
        #[arg(long = "for", value_name = "LENGTH", value_parser = window)]
        length: Option<Window>,
    },
    /// Go on with what was paused.
    Resume {
        #[command(flatten)]
        about: About,
        #[command(flatten)]
        signature: Signature,
    },
    /// Let a rule decide and record, and send to nobody but test customers.
    Shadow {
        /// The rule.
        #[arg(long, value_name = "RULE")]
        rule: String,
        /// A customer to whom it really sends; may be given several times.
        #[arg(long = "test-customer", value_name = "CUSTOMER")]
        customers: Vec<String>,
        #[command(flatten)]
        signature: Signature,
    },
    /// Let a rule send again.
    Unshadow {
        /// The rule.
        #[arg(long, value_name = "RULE")]
        rule: String,
        #[command(flatten)]
        signature: Signature,
    },
    /// What is switched off now.
    List {
        /// How it is written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Who changed what, when and why: of each switch the latest 64 changes.
    Log {
        /// How it is written.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// What is meant.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["all", "rule", "scene", "channel"])))]
struct About {
    /// Everything.
    #[arg(long)]
    all: bool,
    /// A rule.
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// All rules of a scene.
    #[arg(long, value_name = "SCENE")]
    scene: Option<String>,
    /// Whatever goes out by a channel.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
}

/// Who changes it.
#[derive(Args, Debug)]
struct Signature {
    /// Who changes it.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How many seconds to wait until every partition obeys.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
}

fn window(text: &str) -> Result<Window, String> {
    Window::parse(text).ok_or_else(|| "write a length such as 30m, 2h or 1d".to_owned())
}

impl About {
    fn target(&self) -> Target {
        match (&self.rule, &self.scene, &self.channel) {
            (Some(rule), _, _) => Target::Rule(rule.as_str().into()),
            (_, Some(scene), _) => Target::Scene(scene.as_str().into()),
            (_, _, Some(channel)) => Target::Channel(channel.as_str().into()),
            _ => Target::All,
        }
    }
}

impl Switch {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self
            .settings
            .load(&[("--nats", "nats.url", self.nats.nats.as_deref())])?;
        block_on(async {
            let connection = Connection::open(&config.nats_url, "onscene switch").await?;
            match &self.command {
                Command::List { format } => list(&switches::read(&connection).await?, *format),
                Command::Log { format } => log(&switches::log(&connection).await?, *format),
                command => {
                    let (target, position, signature) = command.asked();
                    let signed = governance::sign(&signature.by, &signature.reason)?;
                    let change = Change {
                        target,
                        position,
                        signed,
                    };
                    set(&connection, &change, Duration::from_secs(signature.wait)).await
                }
            }
        })
    }
}

impl Command {
    fn asked(&self) -> (Target, Position, &Signature) {
        let rule = |rule: &String| Target::Rule(rule.as_str().into());
        match self {
            Self::Pause {
                about,
                signature,
                length,
            } => {
                let until = length.map(|length| now_ms().saturating_add(length.millis()));
                (about.target(), Position::Paused { until }, signature)
            }
            Self::Resume { about, signature } => (about.target(), Position::Resumed, signature),
            Self::Shadow {
                rule: name,
                customers,
                signature,
            } => {
                let customers = customers.iter().map(|c| c.as_str().into()).collect();
                (rule(name), Position::Shadow { customers }, signature)
            }
            Self::Unshadow {
                rule: name,
                signature,
            } => (rule(name), Position::Unshadowed, signature),
            Self::List { .. } | Self::Log { .. } => {
                unreachable!("invariant: they change nothing")
            }
        }
    }
}

async fn set(
    connection: &Connection,
    change: &Change,
    at_most: Duration,
) -> anyhow::Result<ExitCode> {
    let started = monotonic_now();
    let switched = switches::switch(connection, change, at_most).await?;
    let took = started.elapsed().as_secs_f64();
    let (told, missing) = (&switched.witnessed.partitions, &switched.witnessed.missing);
    println!(
        "{} {}: revision {}",
        change.target,
        change.position.word(),
        switched.revision
    );
    if let Some(last) = told.values().max() {
        println!(
            "in force in {} partition(s) after {took:.3} s: from message {last} of SCENE_ACTIONS on in all of them",
            told.len()
        );
    }
    let unknown = unknown(connection, &change.target).await;
    if let Some(unknown) = &unknown {
        eprintln!("warning: {unknown}");
    }
    if missing.is_empty() {
        return Ok(ExitCode::from(u8::from(unknown.is_some())));
    }
    let numbers: Vec<String> = missing.iter().map(u16::to_string).collect();
    bail!(
        "{} partition(s) have not said that they obey: {}; nobody owns them now, or their engine does not reach NATS. Whoever owns them next obeys before deciding anything; wait for it with --wait, or see that no engine runs cut off from NATS",
        missing.len(),
        numbers.join(", ")
    )
}

/// What is wrong with a name, as far as the rules that went live last tell.
async fn unknown(connection: &Connection, target: &Target) -> Option<String> {
    if *target == Target::All {
        return None;
    }
    let live = governance::history(connection).await.ok()?;
    let generation = &live.last()?.generation;
    let sources = governance::texts::load(connection, generation).await.ok()?;
    let set = RuleSet::compile(&sources).ok()?;
    let mut rules = set.rules().iter();
    let is_known = match target {
        Target::All => true,
        Target::Rule(name) => set.rule(name).is_some(),
        Target::Scene(name) => rules.any(|r| r.terms.scene.as_deref() == Some(name)),
        Target::Channel(name) => rules.any(|r| r.terms.channels.contains(name)),
    };
    (!is_known).then(|| {
        format!("the rules that went live last ({generation}) know no {target}: is it misspelt?")
    })
}

fn list(switches: &Switches, format: Format) -> anyhow::Result<ExitCode> {
    if format == Format::Json {
        let text = serde_json::to_string_pretty(switches).context("could not write JSON")?;
        println!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    let now = now_ms();
    let mut count = 0;
    let mut line = |target: Target, what: String, signed: &Signed| {
        count += 1;
        println!(
            "{target}: {what}, since {} by {}: {}",
            format_rfc3339(signed.at),
            signed.by,
            signed.reason
        );
    };
    if let Some(pause) = &switches.all {
        line(Target::All, paused(pause, now), &pause.signed);
    }
    for (pauses, target) in [
        (&switches.scenes, Target::Scene as fn(Box<str>) -> Target),
        (&switches.rules, Target::Rule),
        (&switches.channels, Target::Channel),
    ] {
        for (name, pause) in pauses {
            line(target(name.clone()), paused(pause, now), &pause.signed);
        }
    }
    for (rule, shadow) in &switches.shadows {
        let what = match shadow.customers.len() {
            0 => "shadow".to_owned(),
            count => format!("shadow but for {count} test customer(s)"),
        };
        line(Target::Rule(rule.clone()), what, &shadow.signed);
    }
    eprintln!("{count} switch(es) set");
    Ok(ExitCode::SUCCESS)
}

fn paused(pause: &Pause, now: Millis) -> String {
    match pause.until {
        None => "paused".to_owned(),
        Some(until) if pause.holds(now) => format!("paused until {}", format_rfc3339(until)),
        Some(until) => format!("paused, ended at {}", format_rfc3339(until)),
    }
}

fn log(changes: &[switches::Changed], format: Format) -> anyhow::Result<ExitCode> {
    for changed in changes {
        let change = &changed.change;
        match format {
            Format::Text => println!(
                "{:>8}  {}  {} {} by {}: {}",
                changed.revision,
                format_rfc3339(changed.at),
                change.target,
                change.position.word(),
                change.signed.by,
                change.signed.reason
            ),
            Format::Json => println!(
                "{}",
                serde_json::json!({
                    "revision": changed.revision,
                    "at": format_rfc3339(changed.at),
                    "change": change,
                })
            ),
        }
    }
    Ok(ExitCode::SUCCESS)
}
