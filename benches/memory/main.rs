//! What customers take in memory and as bytes, and what windows over packed journals take in time.
//!
//! A million customers with 32 journal entries each, or as many as one says, live through their events in
//! the order of time, as in the engine: so lists grow in turns, and what that leaves of holes in memory
//! counts. Windows are compared with the same questions to entries of 72 bytes, every field beside the
//! other, in the same rounds. Run it by `cargo bench --bench memory`; `-- --quick` is a smoke run,
//! `-- --customers 10000000 --entries 8` the other size that DESIGN names.

mod bytes;
#[path = "../kit/mod.rs"]
mod kit;
mod life;
mod windows;

use clap::Parser;
use kit::grouped;
use life::Life;
use onscene::clock::monotonic_now;
use std::path::PathBuf;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Memory and bytes of customers, and windows over their journals")]
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
    /// Different merchants, and half as many counterparties.
    #[arg(long, default_value_t = 10_000)]
    merchants: u32,
    /// Rounds in which windows are asked for.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Reads encoded customers from these files and says what they take: what a measurement starts for
    /// itself, so that nothing else was in memory before.
    #[arg(long, hide = true)]
    read: Vec<PathBuf>,
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let many = if arguments.quick { 10_000 } else { 1_000_000 };
    let life = Life {
        customers: arguments.customers.unwrap_or(many),
        entries: arguments.entries,
        merchants: arguments.merchants,
    };
    if !arguments.read.is_empty() {
        return bytes::decode(&life, &arguments.read);
    }
    println!(
        "{} customers with {} journal entries each, at {} merchants\n",
        grouped(life.customers.into(), 0),
        life.entries,
        grouped(life.merchants.into(), 0),
    );
    let before = resident_bytes();
    let started = Stopwatch::start();
    let (customers, partitions) = life.live_in(1);
    let events = f64::from(life.customers) * f64::from(life.entries);
    println!(
        "{} words and {} shapes; {} ns to make an event and apply it",
        grouped(count(customers.names().len()), 0),
        grouped(count(customers.names().shapes()), 0),
        grouped(started.nanoseconds() / events, 0),
    );
    println!(
        "{} bytes a customer, resident: map, id, list of members, customer, journal, words and shapes",
        resident_since(before, &life)
    );
    windows::measure(&life, &customers, arguments.rounds);
    let streams = bytes::encode(&life, &customers);
    drop((customers, partitions));
    bytes::decode_elsewhere(&life, streams)
}

/// What each customer added to what the process holds in memory.
fn resident_since(before: Option<f64>, life: &Life) -> String {
    let pair = resident_bytes().zip(before);
    let each = pair.map(|(after, before)| (after - before) / f64::from(life.customers));
    each.map_or("unknown".to_owned(), |each| grouped(each, 0))
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::NAN, f64::from)
}

/// What the process holds in memory, if the system tells.
fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4_096.0)
}

/// Measures how long this thread worked: others on the machine do not count, if the system tells.
pub(crate) struct Stopwatch {
    began: Instant,
    worked: Option<f64>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            began: monotonic_now(),
            worked: worked_nanoseconds(),
        }
    }

    pub(crate) fn nanoseconds(&self) -> f64 {
        let worked = worked_nanoseconds().zip(self.worked);
        worked.map_or_else(
            || self.began.elapsed().as_secs_f64() * 1e9,
            |(now, then)| now - then,
        )
    }
}

fn worked_nanoseconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}
