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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTITIONS: u16 = 16;
/// How often the engine is killed and started again.
const RESTARTS: usize = 3;
/// Seconds between checkpoints when none is to be taken.
const NEVER: u64 = 86_400;

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
    [loaded, took, pause, work, stopped, resident]: [f64; 6],
    anchor: f64,
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
                grouped(took * 1e3, 0)
            ),
        ),
        (
            "longest pause for a checkpoint",
            format!(
                "{} ms; {} ms of it on the processor",
                grouped(pause * 1e3, 2),
                grouped(work * 1e3, 2)
            ),
        ),
        (
            "longest that another thread took for half a millisecond of work, without checkpoints",
            format!(
                "{} ms; the pause is {} times that",
                grouped(anchor * 1e3, 2),
                grouped(pause / anchor, 2)
            ),
        ),
        (
            "stop, with last checkpoints",
            format!("{} s", grouped(stopped, 1)),
        ),
        ("resident, after loading", megabytes(resident)),
        (
            "restart, no event since",
            format!("{} s until ready", grouped(loaded, 1)),
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

/// Seconds until loaded, seconds a checkpoint took, the longest pause and what of it was work, seconds to stop, and
/// resident bytes.
async fn under_load(
    folder: &Path,
    server: &LocalServer,
    load: &mut Load,
    plan: Plan,
) -> anyhow::Result<[f64; 6]> {
    // Loaded and nothing to read: what a restart takes at the least.
    let mut engine = Engine::start(folder, &server.url(), plan.seconds)?;
    let loaded = engine.ready().await?;
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
    let work = engine.metric("onscene_checkpoint_longest_work_seconds")?;
    let started = monotonic_now();
    engine.stop().await?;
    let stopped = started.elapsed().as_secs_f64();
    Ok([loaded.as_secs_f64(), took, pause, work, stopped, resident])
}

/// The seconds that half a millisecond of work takes at the longest under the same load without checkpoints, on a thread
/// that has nothing to do with it.
async fn anchor(
    folder: &Path,
    server: &LocalServer,
    load: &mut Load,
    plan: Plan,
) -> anyhow::Result<f64> {
    let mut engine = Engine::start(folder, &server.url(), NEVER)?;
    engine.ready().await?;
    let works = Works::begin();
    load.steady(plan.rate, 2 * plan.seconds).await?;
    let longest = works.end()?;
    engine.stop().await?;
    Ok(longest.as_secs_f64())
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

/// A thread that works for half a millisecond and rests for one, as a checkpoint does: what it takes at the longest is the
/// machine's doing.
struct Works {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Works {
    fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !stopped.load(Ordering::Relaxed) {
                let began = monotonic_now();
                while began.elapsed() < Duration::from_micros(500) {
                    std::hint::spin_loop();
                }
                longest = longest.max(began.elapsed());
                std::thread::park_timeout(Duration::from_millis(1));
            }
            longest
        });
        Self { stop, thread }
    }

    fn end(self) -> anyhow::Result<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        let longest = self.thread.join();
        longest.map_err(|_| anyhow::anyhow!("the working thread has panicked"))
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
    let mut rest = partition.begin_cut();
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
        is_last = partition.write_cut(1_000);
        if let Some(customers) =
            partition.take_cut(if is_last { 1 } else { checkpoint::BLOCK_BYTES })
        {
            written = put(checkpoint::block(&customers))?;
        }
    }
    let written = put(checkpoint::end(partition.end_cut(), written))?;
    file.commit()?;
    Ok(written)
}

/// How long anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(300);
