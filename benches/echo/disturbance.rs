//! What happens to the slowest answers while the engine also takes checkpoints, compiles ten thousand rules, or
//! speaks to everybody.
//!
//! Each is done every two seconds during the run, and what is done is counted: checkpoints by their files,
//! reloads by the generations that answered, broadcasts by the actions that they led to.

use crate::broker::Broker;
use crate::contender::{Contender, Role};
use crate::events::CUSTOMERS;
use crate::kit::{grouped, table};
use crate::latency::{self, Load};
use crate::report::{Latencies, Result, spread};
use crate::throughput::as_f64;
use crate::{Arguments, Extent, roles};
use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use onscene::clock::{format_rfc3339, now_ms};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// From one disturbance to the next.
const PERIOD: Duration = Duration::from_secs(2);
/// At least so long, so that there are some of each.
const SECONDS_MIN: u64 = 10;
/// Seconds between checkpoints when none is to be taken.
const NEVER: u64 = 86_400;
/// Speaks to everybody on a channel of its own, so that its actions are not among the answers.
const FLASH: &str = r#"const RULE = #{ on: "broadcast.flash", channels: ["inapp"] };
fn when(event, customer) { true }
fn action(event, customer) { #{ kind: "message", code: "FLASH", text: #{ "en": `Now!` } } }
"#;
const SCHEMA: &str = "[events.\"broadcast.flash\"]\n";

/// What is done during a run.
#[derive(Clone, Debug)]
pub(crate) struct Disturbance {
    name: &'static str,
    folder: PathBuf,
    checkpoints: bool,
    reloads: bool,
    broadcasts: bool,
}

impl Disturbance {
    fn all(folder: &Path) -> Vec<Self> {
        let new = |name, checkpoints, reloads, broadcasts| Self {
            name,
            folder: folder.to_owned(),
            checkpoints,
            reloads,
            broadcasts,
        };
        vec![
            new("nothing else", false, false, false),
            new("checkpoints", true, false, false),
            new("reloads", false, true, false),
            new("broadcasts", false, false, true),
            new("all three", true, true, true),
        ]
    }

    fn rules(&self) -> PathBuf {
        self.folder.join("rules")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn settings(&self) -> Vec<String> {
        let seconds = if self.checkpoints {
            PERIOD.as_secs()
        } else {
            NEVER
        };
        vec![
            format!("rules.folder={}", self.rules().display()),
            format!("data.folder={}", self.data().display()),
            format!("checkpoints.interval_s={seconds}"),
        ]
    }

    /// Disturbs until it is dropped.
    pub(crate) async fn go_on(self, client: async_nats::Client) -> anyhow::Result<()> {
        let coupon = std::fs::read_to_string(Path::new(roles::RULES).join("coupon.rhai"))?;
        for number in 0_u64.. {
            tokio::time::sleep(PERIOD).await;
            if self.reloads {
                let text = format!("{coupon}// {number}\n");
                std::fs::write(self.rules().join("coupon.rhai"), text)?;
            }
            if self.broadcasts {
                let time = now_ms();
                let event = format!(
                    r#"{{"specversion":"1.0","id":"{time}","source":"bench","type":"broadcast.flash","time":"{}","data":{{}}}}"#,
                    format_rfc3339(time)
                );
                client
                    .publish("scene.broadcast.flash", event.into())
                    .await?;
            }
        }
        Ok(())
    }

    /// What was done in the run that has just ended.
    async fn done(&self, broker: &Broker, result: &Result) -> anyhow::Result<Done> {
        let checkpoints = match std::fs::read_dir(self.data()) {
            Ok(_) => files(&self.data())?,
            Err(_) => 0,
        };
        let stream = broker.jetstream.get_stream("SCENE_ACTIONS").await?;
        let subjects = stream.info_with_subjects("scene.actions.inapp.*").await?;
        let counts: Vec<usize> = subjects.map_ok(|(_, count)| count).try_collect().await?;
        Ok(Done {
            checkpoints,
            reloads: result.generations.saturating_sub(1),
            said: counts.iter().sum(),
        })
    }
}

/// What was done, most of all rounds.
#[derive(Clone, Copy, Default)]
struct Done {
    /// Files that are there at the end; older ones were removed.
    checkpoints: usize,
    reloads: usize,
    /// Actions of broadcasts.
    said: usize,
}

fn files(folder: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() {
            files(&entry.path())?
        } else {
            1
        };
    }
    Ok(count)
}

/// Writes the rules: the benchmark's own, one for broadcasts, and many that listen to something else.
fn write_rules(folder: &Path, count: u64) -> anyhow::Result<()> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/benches/comparison/generate.py"
    );
    let others = count.saturating_sub(2).max(1).to_string();
    let status = Command::new("python3")
        .args([script, "--rules", &others, "--kind", "ranges", "--rhai"])
        .arg(folder)
        .status()
        .context("could not start python3, which writes the rules")?;
    anyhow::ensure!(status.success(), "the rules could not be written: {status}");
    std::fs::copy(
        Path::new(roles::RULES).join("coupon.rhai"),
        folder.join("coupon.rhai"),
    )?;
    std::fs::write(folder.join("flash.rhai"), FLASH)?;
    std::fs::write(folder.join("schema.toml"), SCHEMA)?;
    Ok(())
}

/// Measures the engine, undisturbed and disturbed, in turns.
pub(crate) async fn measure(
    broker: &Broker,
    arguments: &Arguments,
    extent: Extent,
) -> anyhow::Result<()> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("disturbed-{}", std::process::id()));
    write_rules(&folder.join("rules"), arguments.reloaded)?;
    let mut all = Contender::all(arguments)?;
    all.retain(|contender| contender.role == Role::Engine);
    let contender = all
        .into_iter()
        .next()
        .context("the engine does not take part")?;
    let rate = arguments.rate;
    let seconds = if arguments.quick {
        5
    } else {
        extent.seconds.max(SECONDS_MIN)
    };
    let load = Load {
        events: rate * seconds,
        every: 10,
        rate,
    };
    let disturbances = Disturbance::all(&folder);
    let mut results = vec![(Vec::new(), Done::default()); disturbances.len()];
    for round in 0..extent.rounds {
        for turn in 0..disturbances.len() {
            let at = (turn + round) % disturbances.len();
            let disturbance = &disturbances[at];
            let mut engine = contender.clone();
            engine.settings.extend(disturbance.settings());
            let _ = std::fs::remove_dir_all(disturbance.data());
            let result = latency::run(broker, &engine, load, Some(disturbance)).await;
            let result =
                result.with_context(|| format!("could not measure {}", disturbance.name))?;
            eprintln!("  round {}: {}: {result}", round + 1, disturbance.name);
            let done = disturbance.done(broker, &result).await?;
            results[at].1 = done;
            results[at].0.push(result);
        }
    }
    std::fs::remove_dir_all(&folder)?;
    println!(
        "Latency at {rate} events/s for {seconds} s, one in ten answered, {} rules, {} customers\n\n{}",
        grouped(as_f64(arguments.reloaded), 0),
        grouped(as_f64(CUSTOMERS), 0),
        text(&disturbances, &results)
    );
    Ok(())
}

fn text(disturbances: &[Disturbance], results: &[(Vec<Result>, Done)]) -> String {
    let rows: Vec<_> = disturbances
        .iter()
        .zip(results)
        .map(|(disturbance, (results, done))| {
            let of = |value: fn(&Latencies) -> f64| {
                spread(results, |result| {
                    result.latencies_ms.as_ref().map_or(f64::NAN, value)
                })
                .show(2)
            };
            vec![
                disturbance.name.to_owned(),
                of(|l| l.p50),
                of(|l| l.p99),
                of(|l| l.p999),
                of(|l| l.max),
                done.checkpoints.to_string(),
                done.reloads.to_string(),
                grouped(as_f64(done.said as u64), 0),
            ]
        })
        .collect();
    let head = [
        "every two seconds",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "longest ms",
        "checkpoint files",
        "reloads",
        "actions of broadcasts",
    ];
    table(&head, &rows)
}
