//! `onscene replay`

use super::settings::Settings;
use crate::clock::{Millis, format_rfc3339, parse_rfc3339};
use crate::config::Config;
use crate::decode::Decoder;
use crate::partition::Silenced;
use crate::replay::{Line, Replay as Engine};
use crate::rules::{RuleSet, Sources, render};
use anyhow::{Context as _, bail};
use clap::Args;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;

/// Run history through the engine, offline.
///
/// Reads structured CloudEvents as NDJSON, one a line, in the order given; the clock is the events'
/// own time. Writes the action CloudEvents as NDJSON to standard output and nothing else there;
/// refused lines and a summary go to standard error. Exits with 1 when a line was refused.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene replay --rules rules history.ndjson > actions.ndjson\n  zcat 2026-*.gz | onscene replay --rules rules --all -\n  onscene replay --rules rules --until 2026-12-01T00:00:00Z history.ndjson"
)]
pub(super) struct Replay {
    #[command(flatten)]
    settings: Settings,
    /// Files with history; `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Also print proposals that did not go out, with their verdict.
    #[arg(long)]
    all: bool,
    /// Ask Rhai for every condition, without native code and without an index: the same output, slower.
    #[arg(long)]
    plain: bool,
    /// Go on after the last event up to this time (RFC 3339), doing what falls due by then.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Millis>,
}

fn time(text: &str) -> Result<Millis, String> {
    parse_rfc3339(text).ok_or_else(|| "write a time such as 2026-11-22T10:00:00+08:00".to_owned())
}

#[derive(Default)]
struct Tally {
    events: u64,
    decisions: u64,
    duplicates: u64,
    refused: u64,
    errors: u64,
}

impl Replay {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load(&[])?;
        let mut engine = engine(&config, self.all, self.plain)?;
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let mut tally = Tally::default();
        let started = crate::clock::monotonic_now();
        for name in &self.files {
            let input: Box<dyn BufRead> = if name == "-" {
                Box::new(io::stdin().lock())
            } else {
                let file = File::open(name).with_context(|| format!("could not read {name}"))?;
                Box::new(BufReader::with_capacity(1 << 16, file))
            };
            match Self::file(name, input, &mut engine, &mut out, &mut tally) {
                // Whoever reads our output has seen enough, as `head` does.
                Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
                other => other?,
            }
        }
        if let Some(until) = self.until {
            if let Some(latest) = engine.latest().filter(|latest| *latest > until) {
                out.flush()?;
                bail!(
                    "--until {} is before the last event, at {}: name a later time, or leave it out",
                    format_rfc3339(until),
                    format_rfc3339(latest)
                );
            }
            let line = engine.advance(until);
            let written = take("--until", 0, &line, &engine, &mut out, &mut tally);
            if written.as_ref().is_err_and(is_broken_pipe) {
                return Ok(ExitCode::SUCCESS);
            }
            written?;
        }
        out.flush()?;
        let seconds = started.elapsed().as_secs_f64();
        let rate = f64::from(u32::try_from(tally.events).unwrap_or(u32::MAX)) / seconds.max(1e-9);
        eprintln!(
            "{} in {seconds:.2} s ({rate:.0}/s), {}, {}, {}, {} refused, {}",
            counted(tally.events, "event"),
            counted(engine.customers().len(), "customer"),
            counted(tally.decisions, "decision"),
            counted(tally.duplicates, "duplicate"),
            tally.refused,
            counted(tally.errors, "rule error")
        );
        Ok(ExitCode::from(u8::from(tally.refused > 0)))
    }

    fn file(
        name: &str,
        mut input: Box<dyn BufRead>,
        engine: &mut Engine,
        out: &mut impl Write,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = input
                .read_until(b'\n', &mut line)
                .with_context(|| format!("could not read {name}"))?;
            if read == 0 {
                break;
            }
            let json = line.trim_ascii();
            if json.is_empty() {
                continue;
            }
            tally.events += 1;
            let result = engine.line(number, json);
            take(name, number, &result, engine, out, tally)?;
        }
        Ok(())
    }
}

/// Writes what a line, or the passing of time, led to.
fn take(
    name: &str,
    number: u64,
    line: &Line,
    engine: &Engine,
    out: &mut impl Write,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    report(name, number, line, tally);
    for decision in &line.decisions {
        out.write_all(&decision.to_cloudevent())?;
        out.write_all(b"\n")?;
    }
    for silenced in &line.silenced {
        writeln!(out, "{}", silenced_json(silenced, engine.generation()))?;
    }
    Ok(())
}

fn counted(number: impl TryInto<u64>, what: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn report(name: &str, number: u64, line: &Line, tally: &mut Tally) {
    tally.decisions += line.decisions.len() as u64;
    tally.duplicates += u64::from(line.duplicate);
    if let Some(rejection) = &line.rejection {
        tally.refused += 1;
        eprintln!("{name}:{number}: {rejection}");
    }
    for (_, error) in &line.errors {
        tally.errors += 1;
        eprintln!("{name}:{number}: {error}");
    }
}

/// A proposal that did not go out, in the shape of an action without a channel and a body; if another
/// rule won, with its name.
fn silenced_json(silenced: &Silenced, generation: &str) -> serde_json::Value {
    let mut json = serde_json::json!({
        "specversion": "1.0",
        "id": crate::action::decision_id(
            &silenced.customer, &silenced.trigger.source, &silenced.trigger.id, &silenced.rule, silenced.step
        ).to_string(),
        "source": "onscene",
        "type": "scene.action",
        "subject": silenced.customer.as_str(),
        "time": format_rfc3339(silenced.at),
        "datacontenttype": "application/json",
        "data": {
            "rule": silenced.rule,
            "generation": generation,
            "step": silenced.step,
            "verdict": silenced.verdict.word(),
            "trigger": silenced.trigger,
            "decided_at": format_rfc3339(silenced.at),
        },
    });
    if let Some(winner) = &silenced.winner {
        json["data"]["winner"] = (&**winner).into();
    }
    json
}

fn engine(config: &Config, all: bool, plain: bool) -> anyhow::Result<Engine> {
    let sources = Sources::read(&config.rules)
        .with_context(|| format!("could not load the rules in {}", config.rules.display()))?;
    let rules = match RuleSet::compile(&sources) {
        Ok(rules) if plain => rules.plain(),
        Ok(rules) => rules,
        Err(faults) => {
            eprint!("{}", render(&faults));
            bail!(
                "the rules in {} have {}",
                config.rules.display(),
                counted(faults.len(), "fault")
            );
        }
    };
    let decoder = Decoder {
        rates: config.rates.clone(),
        ..Decoder::default()
    };
    Ok(Engine::new(
        decoder,
        rules,
        config.journal,
        config.zone.clone(),
        all,
    ))
}
