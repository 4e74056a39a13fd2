//! From saving a rule file to its being live, and what events wait for meanwhile.
//!
//! A real engine beside a real nats-server answers a thousand events a second. One file among 35, and one among
//! 10,000, is saved again and again; the time is taken from just before it is written until the engine says that the
//! new generation is live. The longest wait is that of the events published from saving until 50 ms after the
//! swap, from publishing an event to receiving its answer; beside it stands that of spans as long in which nothing
//! is saved. Run it by `cargo bench --bench reload`; `-- --quick` is a smoke run.

mod engine;
#[path = "../kit/mod.rs"]
mod kit;
mod load;

use anyhow::Context as _;
use clap::Parser;
use engine::Engine;
use kit::{Spread, grouped, table};
use load::{Answer, Load};
use onscene::clock::monotonic_now;
use onscene::nats::{Connection, LocalServer, LocalServerOptions, StreamSettings, ensure_streams};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Before anything is saved, and between what was saved last and the span that is compared.
const REST: Duration = Duration::from_millis(500);
/// After the swap, events still belong to it for so long.
const AFTER: Duration = Duration::from_millis(50);
/// How long the last answers may take.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

#[derive(Debug, Parser)]
#[command(about = "From saving a rule file to its being live")]
struct Arguments {
    /// A smoke run that shows that everything works; its numbers mean little.
    #[arg(long)]
    quick: bool,
    /// How often a file is saved.
    #[arg(long)]
    saves: Option<usize>,
    /// Rules in the larger folder.
    #[arg(long)]
    rules: Option<usize>,
    /// Events a second.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    #[arg(long, hide = true)]
    bench: bool,
}

/// A folder of rules and the file that is saved.
struct Desk {
    name: String,
    rules: PathBuf,
    saved: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let pick = |given: Option<usize>, quick, full| {
        given.unwrap_or(if arguments.quick { quick } else { full })
    };
    let (saves, many) = (
        pick(arguments.saves, 2, 10),
        pick(arguments.rules, 500, 10_000),
    );
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("reload-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let desks = [small(&folder)?, large(&folder, many)?];
    let mut rows = Vec::new();
    for desk in &desks {
        let measured = measure(&folder, desk, saves, arguments.rate).await;
        rows.push(measured.with_context(|| format!("could not measure {}", desk.name))?);
    }
    std::fs::remove_dir_all(&folder)?;
    println!(
        "{saves} saves each, {} events a second, each answered\n",
        grouped(arguments.rate as f64, 0)
    );
    let head = [
        "one file saved among",
        "save to live, ms",
        "longest wait meanwhile, ms",
        "longest wait without, ms",
        "answers late by over 5 ms, %",
        "without, %",
    ];
    println!("{}", table(&head, &rows));
    Ok(())
}

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// The rules of the repository with their tests, without a contact policy, and the one that answers.
fn small(folder: &Path) -> anyhow::Result<Desk> {
    let rules = folder.join("small");
    let from = Path::new(REPOSITORY).join("rules");
    let status = Command::new("cp")
        .arg("-r")
        .args([&from, &rules])
        .status()?;
    anyhow::ensure!(status.success(), "{} could not be copied", from.display());
    std::fs::remove_file(rules.join("policy.toml"))?;
    answering(&rules)?;
    Ok(Desk {
        name: "the 35 rules of the repository, with their tests".to_owned(),
        saved: rules.join("win-the-payment/dining-coupon.rhai"),
        rules,
    })
}

/// Generated rules, which listen to another type of event, and the one that answers.
fn large(folder: &Path, count: usize) -> anyhow::Result<Desk> {
    let rules = folder.join("large");
    let script = format!("{REPOSITORY}/benches/comparison/generate.py");
    let status = Command::new("python3")
        .args([
            &script,
            "--rules",
            &count.to_string(),
            "--kind",
            "ranges",
            "--rhai",
        ])
        .arg(&rules)
        .status()
        .context("could not start python3, which writes the rules")?;
    anyhow::ensure!(status.success(), "the rules could not be written: {status}");
    answering(&rules)?;
    Ok(Desk {
        name: format!("{} generated rules", grouped(count as f64, 0)),
        saved: rules.join("g0/00000.rhai"),
        rules,
    })
}

fn answering(rules: &Path) -> anyhow::Result<()> {
    let rule = Path::new(REPOSITORY).join("benches/rules/coupon.rhai");
    std::fs::copy(rule, rules.join("coupon.rhai"))?;
    Ok(())
}

/// When a file was saved, and when it was live.
#[derive(Clone, Copy)]
struct Save {
    saved: Instant,
    live: Instant,
}

async fn measure(
    folder: &Path,
    desk: &Desk,
    saves: usize,
    rate: u64,
) -> anyhow::Result<Vec<String>> {
    let options = LocalServerOptions::in_folder(folder.join("nats"));
    let mut server = LocalServer::start(options).await?;
    let connection = Connection::open(&server.url(), "bench").await?;
    ensure_streams(&connection, &StreamSettings::default()).await?;
    connection.close().await;
    let mut engine = Engine::start(folder, &server.url(), &desk.rules).await?;
    let load = Load::start(&server.url(), rate).await?;
    tokio::time::sleep(4 * REST).await;
    let text = std::fs::read_to_string(&desk.saved)?;
    let mut all = Vec::new();
    for number in 0..saves {
        let saved = monotonic_now();
        std::fs::write(&desk.saved, format!("{text}// {number}\n"))?;
        let live = engine.swapped().await?;
        all.push(Save { saved, live });
        // Time for a span as long in which nothing is saved.
        tokio::time::sleep(REST + (live - saved) + 2 * AFTER).await;
    }
    tokio::time::sleep(LAST_ANSWERS).await;
    let answers = load.stop().await?;
    engine.stop().await?;
    server.stop().await?;
    std::fs::remove_dir_all(folder.join("nats"))?;
    std::fs::remove_dir_all(folder.join("data"))?;
    Ok(row(desk, &all, &answers))
}

fn row(desk: &Desk, saves: &[Save], answers: &[Answer]) -> Vec<String> {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let took = saves
        .iter()
        .map(|save| milliseconds(save.live - save.saved));
    let spans = |shift: bool| {
        saves.iter().map(move |save| {
            let length = save.live - save.saved + AFTER;
            let from = if shift {
                save.live + AFTER + REST
            } else {
                save.saved
            };
            Span {
                from,
                until: from + length,
            }
        })
    };
    let longest = |shift| Spread::of(spans(shift).map(|span| milliseconds(span.longest(answers))));
    let late = |shift| {
        let counts = spans(shift).map(|span| span.late(answers));
        let (late, all) = counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        grouped(late as f64 * 100.0 / all as f64, 2)
    };
    vec![
        desk.name.clone(),
        Spread::of(took).show(0),
        longest(false).show(1),
        longest(true).show(1),
        late(false),
        late(true),
    ]
}

/// A span of time, and the answers to what was published in it.
#[derive(Clone, Copy)]
struct Span {
    from: Instant,
    until: Instant,
}

/// An answer later than this is late.
const LATE: Duration = Duration::from_millis(5);

impl Span {
    fn of(self, answers: &[Answer]) -> impl Iterator<Item = &Answer> {
        answers
            .iter()
            .filter(move |answer| answer.sent >= self.from && answer.sent < self.until)
    }

    fn longest(self, answers: &[Answer]) -> Duration {
        self.of(answers)
            .map(|answer| answer.waited)
            .max()
            .unwrap_or_default()
    }

    /// How many were late, of how many.
    fn late(self, answers: &[Answer]) -> (usize, usize) {
        let late = self
            .of(answers)
            .filter(|answer| answer.waited > LATE)
            .count();
        (late, self.of(answers).count())
    }
}
