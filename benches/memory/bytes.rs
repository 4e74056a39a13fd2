//! Customers to bytes and back.

use crate::kit::grouped;
use crate::life::Life;
use crate::{Stopwatch, resident_bytes, resident_since};
use onscene::clock::monotonic_now;
use onscene::state::{CustomerDecoder, CustomerEncoder, Customers};
use std::hint::black_box;
use std::path::PathBuf;

/// Streams, each read by a thread of its own.
const STREAMS: usize = 2;
const BUFFER_BYTES: usize = 1 << 20;

/// Encodes all of them, in one thread: once to see how long it takes, into a buffer that is emptied as a
/// file would take it, and once to keep the bytes.
pub(crate) fn encode(life: &Life, customers: &Customers) -> [Vec<u8>; STREAMS] {
    let (mut encoder, mut buffer) = (CustomerEncoder::new(), Vec::new());
    let started = Stopwatch::start();
    customers.for_each(|id, customer| {
        encoder.encode(id, customer, customers.names(), &mut buffer);
        if buffer.len() > BUFFER_BYTES {
            black_box(&buffer);
            buffer.clear();
        }
    });
    let time = started.nanoseconds();
    let mut streams: [(CustomerEncoder, Vec<u8>); STREAMS] = Default::default();
    let mut next = 0;
    customers.for_each(|id, customer| {
        let (encoder, bytes) = &mut streams[next];
        encoder.encode(id, customer, customers.names(), bytes);
        next = (next + 1) % STREAMS;
    });
    let streams = streams.map(|(_, bytes)| bytes);
    let bytes: f64 = streams.iter().map(|bytes| bytes.len() as f64).sum();
    println!(
        "\n{} bytes a customer when encoded; {} ns to encode one, in one thread",
        grouped(bytes / f64::from(life.customers), 0),
        grouped(time / f64::from(life.customers), 0),
    );
    streams
}

/// Has them decoded by a process of its own.
pub(crate) fn decode_elsewhere(life: &Life, streams: [Vec<u8>; STREAMS]) -> anyhow::Result<()> {
    let folder = std::env::temp_dir();
    let own = std::process::id();
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.arg("--customers").arg(life.customers.to_string());
    let mut paths = Vec::new();
    for (number, bytes) in streams.into_iter().enumerate() {
        let path = folder.join(format!("onscene-bench-memory-{own}-{number}"));
        std::fs::write(&path, bytes)?;
        command.arg("--read").arg(&path);
        paths.push(path);
    }
    let status = command.status();
    for path in paths {
        std::fs::remove_file(path)?;
    }
    anyhow::ensure!(status?.success(), "what was encoded could not be decoded");
    Ok(())
}

/// Decodes all of them, a thread for each stream.
pub(crate) fn decode(life: &Life, paths: &[PathBuf]) -> anyhow::Result<()> {
    let streams: Vec<Vec<u8>> = paths.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    let before = resident_bytes();
    let customers = Customers::default();
    let started = monotonic_now();
    let read_all: Vec<_> = std::thread::scope(|scope| {
        let customers = &customers;
        let threads = streams
            .iter()
            .map(|bytes| scope.spawn(move || read(bytes, customers)));
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let mut worked = 0.0;
    for result in read_all {
        worked += result.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    }
    println!(
        "{} ns to decode one and put it into the map; {} s for all, by {STREAMS} threads\n\
         {} bytes a customer, resident, when they were read",
        grouped(worked / f64::from(life.customers), 0),
        grouped(seconds, 2),
        resident_since(before, life),
    );
    anyhow::ensure!(
        customers.len() == life.customers as usize,
        "some were lost on the way"
    );
    Ok(())
}

/// Tells how long it worked.
fn read(mut bytes: &[u8], customers: &Customers) -> anyhow::Result<f64> {
    let started = Stopwatch::start();
    let mut decoder = CustomerDecoder::new();
    while let Some((id, customer)) = decoder.decode(&mut bytes, customers.names())? {
        customers.insert(id, customer);
    }
    Ok(started.nanoseconds())
}
