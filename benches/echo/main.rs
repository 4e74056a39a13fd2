//! The engine against a bare echo and a fair echo, on one nats-server, in interleaved rounds.
//!
//! * *bare echo*: a reader of `SCENE_EVENTS` that answers each event with a constant, pipelined: what any
//!   program on this broker could reach at best.
//! * *plain echo* (on request): the same, written with the client library's JetStream interface.
//! * *fair echo*: the same bytes, headers and chained writes as the engine's, and no thinking: what the
//!   contracts of the log cost.
//! * *engine*: `Engine::start` with the rule in `benches/rules`.
//!
//! Each of them runs as a process of its own (this program, started again with `--role`), so that the load
//! generator's tasks are not on its threads and its processor time can be read. Run it by
//! `cargo bench --bench echo`; `-- --quick` is a smoke run, `-- --help` shows what else there is.

mod bare;
mod broker;
mod contender;
mod curve;
mod disturbance;
mod events;
mod fair;
#[path = "../kit/mod.rs"]
mod kit;
mod latency;
mod picture;
mod plain;
mod report;
mod roles;
mod throughput;

use anyhow::Context as _;
use clap::Parser;
use contender::{Contender, Role};
use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What to measure.
#[derive(Clone, Debug, Parser)]
#[command(about = "The engine against a bare and a fair echo on one nats-server")]
struct Arguments {
    /// A smoke run of a few seconds that shows that everything works; its numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Rounds; in each, everybody is measured once.
    #[arg(long)]
    rounds: Option<usize>,
    /// Events in the backlog when every event is answered; twice as many when one in ten is.
    #[arg(long)]
    events: Option<u64>,
    /// Events a second in the latency runs.
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
    /// Length of a latency run, in seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Force each stored message onto the disk before it is acknowledged.
    #[arg(long)]
    sync_always: bool,
    /// Only these measurements; `curve` and `disturbed` are made on request alone.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "every,tenth,latency,synced,synced-latency"
    )]
    measure: Vec<Measure>,
    /// Events a second of the curve, each of which is answered, up to where nobody keeps up.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "100,1000,5000,10000,20000,30000,40000,60000,80000"
    )]
    rates: Vec<u64>,
    /// Where the curve's picture goes.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/latency.svg"))]
    picture: PathBuf,
    /// Rules that are compiled anew in `disturbed`.
    #[arg(long, default_value_t = 10_000)]
    reloaded: u64,
    /// Only these contenders; `plain` is one too.
    #[arg(long, value_delimiter = ',', default_value = "bare,fair,engine")]
    contenders: Vec<Role>,
    /// Another build of this benchmark, whose engine takes part too: for comparing before with after.
    #[arg(long)]
    against: Option<PathBuf>,
    /// Settings of the engine, as `key=value`.
    #[arg(long = "set")]
    settings: Vec<String>,
    #[command(flatten)]
    inner: Inner,
}

/// What the program tells itself, and what `cargo bench` adds.
#[derive(Clone, Debug, clap::Args)]
struct Inner {
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    role: Option<Role>,
    #[arg(long, hide = true, default_value = "")]
    nats: String,
    #[arg(long, hide = true, default_value_t = 1)]
    first: u64,
    #[arg(long, hide = true, default_value_t = 1)]
    every: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measure {
    /// Throughput, every event answered.
    Every,
    /// Throughput, one event in ten answered.
    Tenth,
    /// Latency at a steady rate.
    Latency,
    /// As `every`, each stored message forced onto the disk before it is acknowledged.
    Synced,
    /// As `latency`, the same.
    SyncedLatency,
    /// Latency over load, by the engine and the fair echo.
    Curve,
    /// Latency of the engine during checkpoints, reloads and broadcasts.
    Disturbed,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("could not start the runtime")?;
    match arguments.inner.role {
        Some(role) => runtime.block_on(roles::play(role, &arguments)),
        None => runtime.block_on(measure(&arguments)),
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Extent {
    rounds: usize,
    /// Events of a backlog.
    events: u64,
    /// Of a latency run.
    seconds: u64,
}

impl Extent {
    fn of(arguments: &Arguments) -> Self {
        let is_quick = arguments.quick;
        Self {
            rounds: arguments.rounds.unwrap_or(if is_quick { 1 } else { 5 }),
            events: arguments
                .events
                .unwrap_or(if is_quick { 4_000 } else { 40_000 }),
            seconds: arguments.seconds.unwrap_or(if is_quick { 1 } else { 4 }),
        }
    }
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let extent = Extent::of(arguments);
    for measure in &arguments.measure {
        let is_synced = matches!(measure, Measure::Synced | Measure::SyncedLatency);
        let sync_always = arguments.sync_always || is_synced;
        let broker = broker::Broker::start(sync_always).await?;
        println!(
            "{} threads; nats-server {}, file storage, sync_interval {}; {} interleaved round(s)\n",
            std::thread::available_parallelism()?,
            broker.version(),
            if sync_always { "always" } else { "default" },
            extent.rounds,
        );
        match measure {
            Measure::Curve => curve::measure(&broker, arguments, extent).await?,
            Measure::Disturbed => disturbance::measure(&broker, arguments, extent).await?,
            _ => compare(&broker, arguments, *measure, extent).await?,
        }
        broker.stop().await?;
    }
    Ok(())
}

/// Everybody does the same, in turns.
async fn compare(
    broker: &broker::Broker,
    arguments: &Arguments,
    measure: Measure,
    extent: Extent,
) -> anyhow::Result<()> {
    let contenders = Contender::all(arguments)?;
    let rate = arguments.rate;
    let (every, events) = match measure {
        Measure::Every | Measure::Synced => (1, extent.events),
        Measure::Tenth => (10, extent.events * 2),
        _ => (10, rate * extent.seconds),
    };
    let mut results = vec![Vec::new(); contenders.len()];
    for round in 0..extent.rounds {
        for turn in 0..contenders.len() {
            // Whoever comes first in one round comes last in the next.
            let at = (turn + round) % contenders.len();
            let contender = &contenders[at];
            let result = match measure {
                Measure::Latency | Measure::SyncedLatency => {
                    let load = latency::Load {
                        events,
                        every,
                        rate,
                    };
                    latency::run(broker, contender, load, None).await
                }
                _ => throughput::run(broker, contender, events, every).await,
            };
            let result =
                result.with_context(|| format!("could not measure the {}", contender.name))?;
            eprintln!(
                "  {measure:?} round {}: {}: {result}",
                round + 1,
                contender.name
            );
            results[at].push(result);
        }
    }
    let names: Vec<&str> = contenders.iter().map(|c| c.name.as_str()).collect();
    println!("{}", report::text(measure, events, rate, &names, &results));
    Ok(())
}
