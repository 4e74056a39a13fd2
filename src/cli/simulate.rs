//! `onscene simulate`

pub(super) mod action;
pub(super) mod latencies;
pub(super) mod sender;
pub(super) mod traffic;

use super::runtime::{block_on, interrupted};
use crate::clock::{monotonic_now, now_ms};
use crate::nats::Connection;
use crate::simulate::{Simulation, SimulationSettings, TrueEffect};
use action::{Action, ActionFeed};
use anyhow::Context as _;
use clap::Args;
use sender::Deliveries;
use std::future::pending;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use traffic::Traffic;

/// How long the end waits for acknowledgements that are still to come.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(15);
const PROGRESS_TERMINAL: Duration = Duration::from_millis(500);
const PROGRESS_PLAIN: Duration = Duration::from_secs(5);
/// Default seeds stay short: they are part of every customer's id.
const SEEDS: i64 = 100_000;

/// Publish the traffic of simulated customers to NATS.
///
/// First tells who they are and what they did before (profiles and history), as fast as the server
/// acknowledges, then goes on live at the chosen rate, and lets the customers react to what the engine
/// sends them. The engine must be running: it makes the streams. Ctrl-C ends it with a summary.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene simulate --rate 1000 --seconds 60\n  onscene simulate --nats nats://10.0.0.5:4222 --customers 20000 --seed 7\n  onscene simulate --trial bills/reminder=10:12.5"
)]
pub(super) struct Simulate {
    /// URL of NATS; several separated by commas.
    #[arg(
        long,
        value_name = "URL",
        env = "NATS_URL",
        default_value = "nats://127.0.0.1:4222",
        hide_env_values = true
    )]
    nats: String,
    /// Live events a second.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// How many customers there are at a time.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    customers: u32,
    /// Decides everything that is random, the customers' ids too [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// End after so many seconds of live traffic [default: at Ctrl-C]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Days of history before the live traffic begins; 0 tells profiles only.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=365))]
    warmup_days: u32,
    /// Let customers ignore what the engine sends them.
    #[arg(long)]
    no_outcomes: bool,
    /// A trial: how many percent of a rule's customers do what it is for without its action, and with it. They
    /// then send `trial.converted`, which the rule must ask for in `converted`; can be given for several rules.
    #[arg(long, value_name = "RULE=WITHOUT:WITH", conflicts_with = "no_outcomes")]
    trial: Vec<TrueEffect>,
}

impl Simulate {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        block_on(self.simulate())
    }

    async fn simulate(&self) -> anyhow::Result<ExitCode> {
        let mut end = Box::pin(interrupted());
        let connection = Connection::open(&self.nats, "onscene-simulate").await;
        let connection = connection.context("could not simulate")?;
        let actions = self.listen().await?;
        let seed = self.seed.unwrap_or_else(new_seed);
        let settings = SimulationSettings {
            customers: self.customers,
            warmup_days: self.warmup_days,
            ..SimulationSettings::new(seed, now_ms())
        };
        eprintln!(
            "{} customers with {} days behind them, seed {seed}, to {}",
            grouped(self.customers.into()),
            self.warmup_days,
            connection.url()
        );
        let simulation = Simulation::new(settings).with_effects(self.trial.clone());
        let mut traffic = Traffic::new(simulation, &connection, actions);

        let mut progress = Progress::new();
        let started = monotonic_now();
        let opened = tokio::select! {
            opened = traffic.open(|_| {}, |so_far| progress.tell(started, so_far)) => opened.map(|()| true)?,
            end = &mut end => end.map(|()| false)?,
        };
        let opening = traffic.deliveries().clone();
        progress.done();
        say(&line(
            "opening",
            &opening,
            &Deliveries::default(),
            started.elapsed(),
        ));
        let mut live = None;
        if opened {
            let started = monotonic_now();
            tokio::select! {
                () = traffic.live(self.rate, |_, so_far| progress.tell(started, so_far)) => {}
                end = &mut end => end?,
                () = after(self.seconds) => {}
            }
            live = Some(started.elapsed());
        }
        progress.done();
        let settled = tokio::time::timeout(SETTLE_TIMEOUT, traffic.settle()).await;
        if let Some(took) = live {
            say(&line("live", traffic.deliveries(), &opening, took));
        }
        connection.close().await;
        let complete = settled.is_ok() && traffic.deliveries().failed == 0;
        Ok(ExitCode::from(u8::from(!complete)))
    }

    /// Actions for the customers to react to, over a connection of its own.
    async fn listen(&self) -> anyhow::Result<Option<mpsc::Receiver<Action>>> {
        if self.no_outcomes {
            return Ok(None);
        }
        let connection = Connection::open(&self.nats, "onscene-simulate-feed").await?;
        let mut feed = ActionFeed::subscribe(&connection).await?;
        let actions = feed.listen();
        tokio::spawn(feed.run());
        Ok(Some(actions))
    }
}

/// Resolves after so many seconds, or never.
pub(super) async fn after(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => pending().await,
    }
}

/// A seed that the last run did not have: its customers have been spoken to already, and cooldowns would
/// keep the engine silent.
pub(super) fn new_seed() -> u64 {
    u64::try_from(now_ms() / 1_000 % SEEDS).unwrap_or_default()
}

/// Writes a line to standard output; that nobody reads it any more is no reason to fail.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// What happened since `before`, within `took`.
fn line(what: &str, now: &Deliveries, before: &Deliveries, took: Duration) -> String {
    let published = now.published - before.published;
    let acked = now.acked - before.acked;
    format!(
        "{what:<8} {} events published, {} acknowledged in {:.1} s ({}/s); acknowledgements {}{}",
        grouped(published),
        grouped(acked),
        took.as_secs_f64(),
        grouped(per_second(acked, took)),
        now.acks.since(&before.acks).summary(),
        now.troubles(),
    )
}

/// How many a second, rounded.
pub(super) fn per_second(count: u64, took: Duration) -> u64 {
    let micros = took.as_micros().max(1);
    let rate = (u128::from(count) * 1_000_000 + micros / 2) / micros;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A number with its thousands apart: `12,345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Progress on standard error: one line that changes on a terminal, a new one now and then elsewhere.
struct Progress {
    terminal: bool,
    told: Option<Instant>,
}

impl Progress {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            told: None,
        }
    }

    fn tell(&mut self, started: Instant, so_far: &Deliveries) {
        let interval = if self.terminal {
            PROGRESS_TERMINAL
        } else {
            PROGRESS_PLAIN
        };
        let last = *self.told.get_or_insert(started);
        if last.elapsed() < interval {
            return;
        }
        self.told = Some(monotonic_now());
        let text = format!(
            "{:.0} s: {} events acknowledged, {}{}",
            started.elapsed().as_secs_f64(),
            grouped(so_far.acked),
            so_far.acks.summary(),
            so_far.troubles(),
        );
        if self.terminal {
            eprint!("\r\x1b[K{text}");
        } else {
            eprintln!("{text}");
        }
    }

    /// Clears the line.
    fn done(&mut self) {
        if self.terminal && self.told.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        let texts = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn rates_are_rounded_and_survive_an_instant() {
        assert_eq!(per_second(299, Duration::from_millis(996)), 300);
        assert_eq!(per_second(0, Duration::ZERO), 0);
    }
}
