//! What checkpoints cost while the engine runs, and how long a restart takes.
//!
//! A million customers with 32 journal entries each, or as many as one says, are written as checkpoints. A real
//! engine loads them, takes checkpoints under a steady load, and is killed when the events of a minute at that
//! rate have come since the last one. Then it is started again, and the time is taken until it decides.
//! Run it by `cargo bench --bench restart`; `-- --quick` is a smoke run.

mod engine;
#[path = "../kit/mod.rs"]
mod kit;
#[path = "../memory/life.rs"]
mod life;
mod load;

use anyhow::Context as _;
use clap::Parser;
use engine::Engine;
use kit::{Spread, grouped, table};
use life::Life;
use load::Load;
use onscene::clock::monotonic_now;
use onscene::durable::{CheckpointFolder, CheckpointStore as _, Cut, checkpoint};
use onscene::nats::{Connection, LocalServer, LocalServerOptions, StreamSettings, ensure_streams};
use onscene::partition::Partition;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTITIONS: u16 = 16;
/// How often the engine is killed and started again.
const RESTARTS: usize = 3;
/// Seconds between checkpoints when none is to be taken.
const NEVER: u64 = 86_400;
/// Seconds; a bound of the engine's histogram.
const LATE: &str = "0.02";

#[derive(Debug, Parser)]
#[command(about = "Checkpoints under load, and restarts")]
struct Arguments {
    /// A smoke run that shows that everything works; its numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Customers in memory.
    #[arg(long)]
    customers: Option<u32>,
    /// Entries in each journal.
    #[arg(long, default_value_t = 32)]
    entries: u32,
    /// Events a second of the steady load.
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
    /// Seconds of load while checkpoints are taken, and seconds between them.
    #[arg(long)]
    seconds: Option<u64>,
    /// Seconds of events that came since the last checkpoint when the engine is killed.
    #[arg(long)]
    since: Option<u64>,
    #[arg(long, hide = true)]
    bench: bool,
}

/// What happens to the engine.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Events a second.
    rate: u64,
    /// Seconds between checkpoints.
    seconds: u64,
    /// Seconds of events since the last checkpoint.
    since: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let pick = |given: Option<u64>, quick, full| {
        given.unwrap_or(if arguments.quick { quick } else { full })
    };
    let (seconds, since) = (pick(arguments.seconds, 4, 30), pick(arguments.since, 2, 60));
    let customers = pick(arguments.customers.map(u64::from), 10_000, 1_000_000);
    let life = Life {
        customers: u32::try_from(customers)?,
        entries: arguments.entries,
        merchants: 10_000,
    };
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("restart-{}", std::process::id()));
    let plan = Plan {
        rate: arguments.rate,
        seconds,
        since,
    };
    let report = run(&folder, life, plan).await;
    std::fs::remove_dir_all(&folder)?;
    println!("{}", report?);
    Ok(())
}

async fn run(folder: &Path, life: Life, plan: Plan) -> anyhow::Result<String> {
    let bytes = write(&folder.join("data"), life)?;
    let options = LocalServerOptions::in_folder(folder.join("nats"));
    let mut server = LocalServer::start(options).await?;
    let connection = Connection::open(&server.url(), "bench").await?;
    ensure_streams(&connection, &StreamSettings::default()).await?;
    let mut load = Load::new(&connection, life.customers);
    let under_load = under_load(folder, &server, &mut load, plan).await?;
    let anchor = anchor(folder, &server, &mut load, plan).await?;
    let restarts = restarts(folder, &server, &connection, &mut load, plan).await?;
    server.stop().await?;

    Ok(report(life, plan, bytes, under_load, anchor, &restarts))
}

fn report(
    life: Life,
    plan: Plan,
    bytes: f64,
    under_load: UnderLoad,
    anchor: Answers,
    [ready, deciding]: &[Spread; 2],
) -> String {
    let megabytes = |bytes: f64| {
        format!(
            "{} MB, {} bytes a customer",
            grouped(bytes / 1e6, 0),
            grouped(bytes / f64::from(life.customers), 0)
        )
    };
    let rows = [
        ("checkpoints of all partitions", megabytes(bytes)),
        (
            "one partition's checkpoint, under load",
            format!(
                "{} ms from its cut until it is durable",
                grouped(under_load.took * 1e3, 0)
            ),
        ),
        (
            "longest pause for a checkpoint",
            format!("{} ms", grouped(under_load.pause * 1e3, 2)),
        ),
        (
            "from event to action, mean; longer than 20 ms",
            under_load.answers.show(),
        ),
        ("the same without checkpoints", anchor.show()),
        (
            "ratio of the means",
            grouped(under_load.answers.mean / anchor.mean, 2),
        ),
        (
            "stop, with last checkpoints",
            format!("{} s", grouped(under_load.stopped, 1)),
        ),
        ("resident, after loading", megabytes(under_load.resident)),
        (
            "restart, no event since",
            format!("{} s until ready", grouped(under_load.loaded, 1)),
        ),
        (
            "restart, with those events since",
            format!(
                "{} s until ready, {} s until a new decision is stored",
                ready.show(1),
                deciding.show(1)
            ),
        ),
    ];
    let rows = rows.map(|(what, value)| vec![what.to_owned(), value]);
    format!(
        "{} customers, {} entries each, {PARTITIONS} partitions; {} events/s for {} s, then {} events and a kill\n\n{}",
        grouped(life.customers.into(), 0),
        life.entries,
        grouped(plan.rate as f64, 0),
        2 * plan.seconds,
        grouped((plan.rate * plan.since) as f64, 0),
        table(&["what", "measured"], &rows)
    )
}

/// What checkpoints cost under load.
#[derive(Clone, Copy, Debug)]
struct UnderLoad {
    /// Seconds until loaded.
    loaded: f64,
    /// Seconds that a partition's checkpoint took.
    took: f64,
    /// Seconds that events waited for one at the longest.
    pause: f64,
    /// Seconds to stop.
    stopped: f64,
    /// Resident bytes after loading.
    resident: f64,
    answers: Answers,
}

async fn under_load(
    folder: &Path,
    server: &LocalServer,
    load: &mut Load,
    plan: Plan,
) -> anyhow::Result<UnderLoad> {
    // Loaded and nothing to read: what a restart takes at the least.
    let mut engine = Engine::start(folder, &server.url(), plan.seconds)?;
    let loaded = engine.ready().await?.as_secs_f64();
    let resident = engine.resident_bytes()?;
    // Two intervals, so that every partition has taken one.
    load.steady(plan.rate, 2 * plan.seconds).await?;
    let taken = engine.metric("onscene_checkpoint_seconds_count")?;
    anyhow::ensure!(
        taken >= f64::from(PARTITIONS),
        "only {taken} checkpoints were taken"
    );
    let took = engine.metric("onscene_checkpoint_seconds_sum")? / taken;
    let pause = engine.metric("onscene_checkpoint_longest_pause_seconds")?;
    let answers = Answers::of(&engine)?;
    let started = monotonic_now();
    engine.stop().await?;
    Ok(UnderLoad {
        loaded,
        took,
        pause,
        stopped: started.elapsed().as_secs_f64(),
        resident,
        answers,
    })
}

/// How events are answered under the same load without checkpoints.
async fn anchor(
    folder: &Path,
    server: &LocalServer,
    load: &mut Load,
    plan: Plan,
) -> anyhow::Result<Answers> {
    let mut engine = Engine::start(folder, &server.url(), NEVER)?;
    engine.ready().await?;
    load.steady(plan.rate, 2 * plan.seconds).await?;
    let answers = Answers::of(&engine)?;
    engine.stop().await?;
    Ok(answers)
}

/// Seconds until ready, and until a new decision is stored, after a kill so many events after a checkpoint.
async fn restarts(
    folder: &Path,
    server: &LocalServer,
    connection: &Connection,
    load: &mut Load,
    plan: Plan,
) -> anyhow::Result<[Spread; 2]> {
    let mut engine = Engine::start(folder, &server.url(), NEVER)?;
    engine.ready().await?;
    load.burst(plan.rate * plan.since).await?;
    engine.caught_up(load).await?;
    let (mut ready, mut deciding) = (Vec::new(), Vec::new());
    for _ in 0..RESTARTS {
        engine.kill().await?;
        let started = monotonic_now();
        engine = Engine::start(folder, &server.url(), NEVER)?;
        ready.push(engine.ready().await?.as_secs_f64());
        load.answered(connection).await?;
        deciding.push(started.elapsed().as_secs_f64());
    }
    engine.kill().await?;
    Ok([Spread::of(ready), Spread::of(deciding)])
}

/// How events were answered.
#[derive(Clone, Copy, Debug)]
struct Answers {
    /// Seconds from an event's storing to its action's, on average.
    mean: f64,
    /// The share that took longer than [`LATE`].
    late: f64,
}

impl Answers {
    fn show(self) -> String {
        format!(
            "{} ms; {} %",
            grouped(self.mean * 1e3, 2),
            grouped(self.late * 100.0, 2)
        )
    }

    fn of(engine: &Engine) -> anyhow::Result<Self> {
        let of = |series: &str| format!("onscene_event_to_action_seconds_{series}");
        let in_time = format!("bucket{{le=\"{LATE}\"}}");
        let series = ["count", "sum", &in_time].map(of);
        let [count, sum, in_time] = engine.metrics(series.each_ref().map(String::as_str))?;
        anyhow::ensure!(count > 0.0, "no event was answered");
        Ok(Self {
            mean: sum / count,
            late: 1.0 - in_time / count,
        })
    }
}

/// Lets the customers live, writes their checkpoints, and tells how many bytes these have.
fn write(data: &Path, life: Life) -> anyhow::Result<f64> {
    let (_, mut partitions) = life.live_in(PARTITIONS);
    let folder = CheckpointFolder::new(data);
    let mut bytes = 0;
    for (number, partition) in partitions.iter_mut().enumerate() {
        bytes += write_one(&folder, u16::try_from(number)?, partition)
            .context("could not write a checkpoint")?;
    }
    Ok(bytes as f64)
}

/// A checkpoint from before the first event of any stream.
fn write_one(
    folder: &CheckpointFolder,
    number: u16,
    partition: &mut Partition,
) -> anyhow::Result<u64> {
    let (mut rest, mut customers) = partition.begin_cut();
    (rest.position, rest.clock) = (0, None);
    let cut = Cut {
        partition: number,
        partitions: PARTITIONS,
        through: 0,
        log: 0,
        log_id: String::new(),
        taken_at: life::NOW,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        rest,
    };
    let mut file = folder.create(number, 1)?;
    let mut bytes = 0;
    let mut put = |part: Vec<u8>| -> anyhow::Result<u64> {
        file.write_all(&part)?;
        bytes += part.len() as u64;
        Ok(bytes)
    };
    let mut written = put(checkpoint::head(&cut))?;
    let mut is_last = false;
    while !is_last {
        let mut part = Vec::new();
        is_last = customers.write(1_000, &mut part);
        if !part.is_empty() {
            written = put(checkpoint::block(&part))?;
        }
    }
    let written = put(checkpoint::end(customers.written(), written))?;
    file.commit()?;
    Ok(written)
}

/// How long anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(300);
