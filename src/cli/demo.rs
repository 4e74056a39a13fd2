//! `onscene demo`

mod screen;
mod show;
mod stage;
mod summary;
mod tally;
mod ticker;
mod triggers;

use super::runtime::{block_on, interrupted};
use super::simulate::sender::Deliveries;
use super::simulate::traffic::Traffic;
use super::simulate::{after, grouped, new_seed, per_second};
use crate::clock::{monotonic_now, now_ms};
use crate::engine::EngineError;
use crate::simulate::{Moment, SimulatedEvent, Simulation, SimulationSettings};
use anyhow::bail;
use clap::{Args, ValueEnum};
use screen::Screen;
use show::Show;
use stage::Stage;
use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;
use summary::Summary;
use triggers::Triggers;

/// How long the end waits for acknowledgements that are still to come.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end waits for the actions of the last events.
const LAST_ACTIONS: Duration = Duration::from_millis(400);
/// The same customers in each demo on a server of its own.
const SEED: u64 = 7;

/// The language in which offers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Locale {
    #[value(name = "en")]
    English,
    #[value(name = "zh-CN", alias = "zh")]
    Chinese,
}

impl Locale {
    fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

/// Everything on one machine: NATS, the engine and simulated customers, with a live feed of what happens.
///
/// Without --nats it runs a nats-server of its own, with a store that is removed at the end. While it runs,
/// edit a rule file and watch the next lines. Latency is from just before an event is published until
/// its action is received back from NATS.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  onscene demo\n  onscene demo --seconds 20 --rate 1000\n  onscene demo --rules my-rules --locale zh-CN"
)]
pub(super) struct Demo {
    /// End after so many seconds of live traffic [default: at Ctrl-C]
    #[arg(long, value_name = "N", env = "DEMO_SECONDS")]
    seconds: Option<u64>,
    /// Live events a second.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How many customers there are at a time.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    customers: u32,
    /// Days of history before the live traffic begins.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=365))]
    warmup_days: u32,
    /// Decides who the customers are and what they do [default: 7; another one each time with --nats]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Folder with the rule files.
    #[arg(long, value_name = "DIR", default_value = "rules")]
    rules: PathBuf,
    /// URL of a NATS server to use instead of one of its own.
    #[arg(long, value_name = "URL", env = "NATS_URL", hide_env_values = true)]
    nats: Option<String>,
    /// Address of the HTTP server; another port is taken if this one is in use.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// The language in which offers are shown.
    #[arg(long, value_enum, default_value_t = Locale::English)]
    locale: Locale,
}

/// Why the live traffic ended.
enum Ending {
    /// Time is up, or the user has seen enough.
    Asked,
    Failed(EngineError),
}

impl Demo {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        // The feed tells what matters; the log is there for those who ask for it.
        if std::env::var_os("RUST_LOG").is_some() {
            crate::telemetry::init_log();
        }
        block_on(self.demo())
    }

    async fn demo(&self) -> anyhow::Result<ExitCode> {
        let mut screen = Screen::new();
        let mut end: Pin<Box<dyn Future<Output = anyhow::Result<()>>>> = Box::pin(interrupted());
        let prepared = tokio::select! {
            prepared = self.prepare(&mut screen) => prepared?,
            asked = &mut end => {
                asked?;
                screen.clear();
                return Ok(ExitCode::SUCCESS);
            }
        };
        let (mut stage, mut traffic, triggers) = prepared;
        let opening = traffic.deliveries().clone();
        let triggers = RefCell::new(triggers);
        let registry = stage.engine.registry().clone();
        let mut show = Show::new(registry, self.locale.tag());
        self.announce(&mut screen, &stage);

        let started = monotonic_now();
        let ending = tokio::select! {
            () = traffic.live(self.rate, |event, _| triggers.borrow_mut().note(event)) => Ending::Asked,
            () = show.run(&mut stage.actions, &triggers, &mut screen) => Ending::Asked,
            failure = stage.engine.failed() => Ending::Failed(failure),
            asked = &mut end => { asked?; Ending::Asked }
            () = after(self.seconds) => Ending::Asked,
        };
        let took = started.elapsed();
        // What is not acknowledged by then is told in the summary.
        let _ = tokio::time::timeout(SETTLE_TIMEOUT, traffic.settle()).await;
        show.quiet();
        let last = show.run(&mut stage.actions, &triggers, &mut screen);
        let _ = tokio::time::timeout(LAST_ACTIONS, last).await;
        screen.line("");
        screen.progress("stopping");
        let summary = Summary {
            opening,
            all: traffic.deliveries().clone(),
            took,
            tally: show.into_tally(),
            outcomes: triggers.into_inner().into_outcomes(),
            counters: summary::Counters::read(stage.engine.metrics()),
        };
        let stopped = stage.stop(&mut screen).await;
        screen.clear();
        summary.print(&mut screen);
        match ending {
            Ending::Failed(failure) => Err(failure.into()),
            Ending::Asked => {
                stopped?;
                if screen.closed() {
                    // Whoever read our output had seen enough, as `head` does.
                    return Ok(ExitCode::SUCCESS);
                }
                verdict(&summary)
            }
        }
    }

    /// Steps 1 to 3: the server, the engine, the customers and their history.
    async fn prepare(&self, screen: &mut Screen) -> anyhow::Result<(Stage, Traffic, Triggers)> {
        let nats = self.nats.as_deref().filter(|url| !url.is_empty());
        let mut stage = Stage::set(screen, nats, &self.rules, self.http).await?;
        let seed = match (self.seed, nats) {
            (Some(seed), _) => seed,
            (None, None) => SEED,
            (None, Some(_)) => new_seed(),
        };
        let settings = SimulationSettings {
            customers: self.customers,
            warmup_days: self.warmup_days,
            ..SimulationSettings::new(seed, now_ms())
        };
        let simulation = Simulation::new(settings);
        let mut traffic = Traffic::new(simulation, &stage.publishing, stage.reactions.take());
        let before = summary::events_applied(stage.engine.metrics());
        let who = format!(
            "3/4  {} customers (seed {seed})",
            grouped(self.customers.into())
        );
        let started = monotonic_now();
        let mut triggers = Triggers::default();
        let progress = |so_far: &Deliveries| {
            let told = grouped(so_far.acked);
            screen.progress(&format!("{who}: {told} events of their past"));
        };
        // What happened ten minutes or a day ago may be decided while we look.
        let note = |event: &SimulatedEvent| {
            if !matches!(event.kind, Moment::History | Moment::Profile) {
                triggers.note(event);
            }
        };
        traffic.open(note, progress).await?;
        let told = traffic.deliveries().clone();
        screen.progress(&format!("{who}: the engine reads their past"));
        stage.caught_up(before + told.acked).await?;
        screen.line(&format!(
            "{who} with {} days behind them: {} events told and taken in ({}/s){}",
            self.warmup_days,
            grouped(told.acked),
            grouped(per_second(told.acked, started.elapsed())),
            told.troubles(),
        ));
        Ok((stage, traffic, triggers))
    }

    /// Step 4, and what one can try meanwhile.
    fn announce(&self, screen: &mut Screen, stage: &Stage) {
        let length = match self.seconds {
            Some(seconds) => format!("for {seconds} s"),
            None => "until Ctrl-C".to_owned(),
        };
        screen.line(&format!(
            "4/4  live: {} events a second, {length}",
            grouped(self.rate.into())
        ));
        screen.line("");
        if let Some(hint) = stage.reload_hint() {
            screen.line(&format!("     try it    {hint}"));
        }
        let address = stage.engine.http_address();
        screen.line(&format!(
            "     look at   http://{address}/api/rules   http://{address}/metrics"
        ));
        screen.line("");
    }
}

/// Whether the demo has shown what it is for.
fn verdict(summary: &Summary) -> anyhow::Result<ExitCode> {
    if summary.tally.sent() == 0 {
        bail!(
            "no action was seen: do the rules fit the simulated traffic, and was there time enough?"
        );
    }
    Ok(ExitCode::SUCCESS)
}
