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
mod events;
mod fair;
#[path = "../kit/mod.rs"]
mod kit;
mod latency;
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
    /// Only these measurements.
    #[arg(long, value_delimiter = ',', default_value = "every,tenth,latency")]
    measure: Vec<Measure>,
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
    Every,
    Tenth,
    Latency,
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

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let broker = broker::Broker::start(arguments.sync_always).await?;
    let contenders = Contender::all(arguments)?;
    let rounds = arguments
        .rounds
        .unwrap_or(if arguments.quick { 1 } else { 5 });
    let events = arguments
        .events
        .unwrap_or(if arguments.quick { 4_000 } else { 40_000 });
    let seconds = arguments
        .seconds
        .unwrap_or(if arguments.quick { 1 } else { 4 });
    println!(
        "{} threads; nats-server {}, file storage, sync_interval {}; {rounds} interleaved round(s)\n",
        std::thread::available_parallelism()?,
        broker.version(),
        if arguments.sync_always {
            "always"
        } else {
            "default"
        },
    );
    for measure in &arguments.measure {
        let (every, events) = match measure {
            Measure::Every => (1, events),
            Measure::Tenth => (10, events * 2),
            Measure::Latency => (10, arguments.rate * seconds),
        };
        let mut results = vec![Vec::new(); contenders.len()];
        for round in 0..rounds {
            for turn in 0..contenders.len() {
                // Whoever comes first in one round comes last in the next.
                let at = (turn + round) % contenders.len();
                let contender = &contenders[at];
                let result = match measure {
                    Measure::Latency => {
                        latency::run(&broker, contender, events, every, arguments.rate).await
                    }
                    _ => throughput::run(&broker, contender, events, every).await,
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
        println!(
            "{}",
            report::text(*measure, events, arguments.rate, &names, &results)
        );
    }
    broker.stop().await
}
