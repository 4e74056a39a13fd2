//! How events are stepped however many rules and customers there are: in process, decoded, without NATS.
//!
//! Each of two threads steps the events of its own customers through a `Partition` of its own; the customers
//! share one map, as in the engine. Decoding is not counted. The rules are written by
//! `benches/comparison/generate.py`, the events are those of `benches/comparison/flink`. Each measurement runs
//! as a process of its own, so that what it holds in memory is its own. Run it by `cargo bench --bench scale`;
//! `-- --quick` is a smoke run, `-- --json --rules 1000 --kind sums` measures one case for a script.

#[path = "../kit/mod.rs"]
mod kit;
mod run;
mod traffic;

use anyhow::Context as _;
use clap::Parser;
use kit::{Spread, grouped, table};
use run::{Measured, Plan};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use traffic::Kind;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The rules of the measurement with ever more customers.
const RULES_OF_CUSTOMERS: usize = 10;

#[derive(Debug, Parser)]
#[command(about = "Events stepped with many rules and many customers, without NATS")]
struct Arguments {
    /// A smoke run that shows that everything works; its numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Numbers of rules.
    #[arg(long, value_delimiter = ',', default_value = "10,1000,10000")]
    rules: Vec<usize>,
    /// What rules look at.
    #[arg(long, value_delimiter = ',', default_value = "sums,ranges,windows")]
    kind: Vec<Kind>,
    /// Customers in memory while rules are many.
    #[arg(long, default_value_t = 100_000)]
    customers: u64,
    /// Numbers of customers, with ten rules; none leaves this measurement out.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1000,10000,100000,1000000"
    )]
    curve: Vec<u64>,
    /// The same with ten million as well, which takes some minutes and 16 GB.
    #[arg(long)]
    ten_million: bool,
    /// Only the measurement with ever more customers, or only the one with ever more rules.
    #[arg(long)]
    only: Option<Only>,
    /// Entries in each journal before anything is measured.
    #[arg(long, default_value_t = 8)]
    entries: u64,
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Seconds of stepping in one measurement.
    #[arg(long)]
    seconds: Option<f64>,
    /// So many live events in a measurement, however long they take: for comparing what was decided.
    #[arg(long)]
    events: Option<u64>,
    /// Rounds; in each, everything is measured once.
    #[arg(long)]
    rounds: Option<usize>,
    /// A folder of rules instead of generated ones.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Measures the one case once and prints JSON.
    #[arg(long)]
    json: bool,
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    Rules,
    Customers,
}

/// One case: so many rules of a kind, so many customers.
#[derive(Clone, Copy, Debug)]
struct Case {
    rules: usize,
    kind: Kind,
    customers: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.json {
        return measure_one(&arguments);
    }
    if arguments.only != Some(Only::Customers) {
        many_rules(&arguments)?;
    }
    if arguments.only != Some(Only::Rules) {
        many_customers(&arguments)?;
    }
    Ok(())
}

fn measure_one(arguments: &Arguments) -> anyhow::Result<()> {
    let ([rules], [kind]) = (&*arguments.rules, &*arguments.kind) else {
        anyhow::bail!("--json measures one number of rules of one kind");
    };
    let plan = Plan {
        kind: *kind,
        customers: arguments.customers,
        entries: arguments.entries,
        threads: arguments.threads,
        events: arguments.events,
        seconds: seconds(arguments),
    };
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => generate(*rules, *kind)?,
    };
    let measured = run::measure(&folder, plan)?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

fn seconds(arguments: &Arguments) -> f64 {
    let usual = if arguments.quick { 0.2 } else { 4.0 };
    arguments.seconds.unwrap_or(usual)
}

/// Writes the rules into the target folder.
fn generate(rules: usize, kind: Kind) -> anyhow::Result<PathBuf> {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scale-{}-{rules}", kind.word()));
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/benches/comparison/generate.py"
    );
    let status = Command::new("python3")
        .args([
            script,
            "--rules",
            &rules.to_string(),
            "--kind",
            kind.word(),
            "--rhai",
        ])
        .arg(&folder)
        .status()
        .context("could not start python3, which writes the rules")?;
    anyhow::ensure!(status.success(), "the rules could not be written: {status}");
    Ok(folder)
}

/// Measures a case in a process of its own.
fn elsewhere(arguments: &Arguments, case: Case) -> anyhow::Result<Measured> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--json", "--kind", case.kind.word()])
        .args(["--rules", &case.rules.to_string()])
        .args(["--customers", &case.customers.to_string()])
        .args(["--entries", &arguments.entries.to_string()])
        .args(["--threads", &arguments.threads.to_string()])
        .args(["--seconds", &seconds(arguments).to_string()])
        .stderr(Stdio::inherit());
    if let Some(events) = arguments.events {
        command.args(["--events", &events.to_string()]);
    }
    if let Some(folder) = &arguments.folder {
        command.arg("--folder").arg(folder);
    }
    let output = command.output()?;
    anyhow::ensure!(
        output.status.success(),
        "{case:?} failed: {}",
        output.status
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Measures all cases in turn, round after round.
fn rounds(arguments: &Arguments, cases: &[Case]) -> anyhow::Result<Vec<Vec<Measured>>> {
    let rounds = arguments
        .rounds
        .unwrap_or(if arguments.quick { 1 } else { 3 });
    let mut all = vec![Vec::new(); cases.len()];
    for round in 0..rounds {
        for (case, results) in cases.iter().zip(&mut all) {
            let measured = elsewhere(arguments, *case)?;
            eprintln!(
                "  round {}: {} {} rules, {} customers: {} events/s",
                round + 1,
                case.rules,
                case.kind.word(),
                case.customers,
                grouped(measured.events_per_second, 0)
            );
            results.push(measured);
        }
    }
    Ok(all)
}

fn spread(results: &[Measured], value: impl Fn(&Measured) -> f64) -> Spread {
    Spread::of(results.iter().map(value))
}

fn as_f64(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}

fn many_rules(arguments: &Arguments) -> anyhow::Result<()> {
    let customers = if arguments.quick {
        2_000
    } else {
        arguments.customers
    };
    let cases: Vec<Case> = (arguments.kind.iter())
        .flat_map(|&kind| {
            arguments.rules.iter().map(move |&rules| Case {
                rules,
                kind,
                customers,
            })
        })
        .collect();
    let results = rounds(arguments, &cases)?;
    let threads = arguments.threads;
    let rows: Vec<_> = (cases.iter().zip(&results))
        .map(|(case, results)| {
            let speed = spread(results, |m| m.events_per_second);
            // All threads step at the same time.
            let each = as_f64(threads) * 1e9 / speed.median;
            let fired = spread(results, |m| as_f64(m.fired) / as_f64(m.stepped)).median;
            vec![
                case.kind.word().to_owned(),
                grouped(as_f64(case.rules as u64), 0),
                speed.show(0),
                grouped(each, 0),
                grouped(each / as_f64(case.rules as u64), 1),
                grouped(fired * 100.0, 2),
                grouped(spread(results, |m| m.compile_seconds).median * 1e3, 0),
            ]
        })
        .collect();
    println!(
        "{} customers with {} journal entries each, {threads} threads\n",
        grouped(as_f64(customers), 0),
        arguments.entries
    );
    let head = [
        "rules",
        "how many",
        "events/s",
        "ns an event",
        "ns a rule",
        "actions, %",
        "compiled, ms",
    ];
    println!("{}", table(&head, &rows));
    Ok(())
}

fn many_customers(arguments: &Arguments) -> anyhow::Result<()> {
    let ten_million = arguments.ten_million.then_some(10_000_000);
    let curve = arguments
        .curve
        .iter()
        .copied()
        .filter(|&count| !arguments.quick || count <= 10_000);
    let cases: Vec<Case> = (curve.chain(ten_million))
        .map(|customers| Case {
            rules: RULES_OF_CUSTOMERS,
            kind: Kind::Sums,
            customers,
        })
        .collect();
    let results = rounds(arguments, &cases)?;
    let rows: Vec<_> = (cases.iter().zip(&results))
        .map(|(case, results)| {
            let bytes = spread(results, |m| m.bytes_a_customer.unwrap_or(f64::NAN)).median;
            vec![
                grouped(as_f64(case.customers), 0),
                spread(results, |m| m.events_per_second).show(0),
                grouped(bytes, 0),
                grouped(bytes * as_f64(case.customers) / 1e6, 0),
            ]
        })
        .collect();
    println!(
        "{RULES_OF_CUSTOMERS} rules with sums, {} journal entries each\n",
        arguments.entries
    );
    let head = ["customers", "events/s", "bytes a customer", "MB resident"];
    println!("{}", table(&head, &rows));
    Ok(())
}
