//! Customers to bytes and back.

use crate::kit::grouped;
use crate::life::Life;
use onscene::clock::monotonic_now;
use onscene::state::{CustomerDecoder, CustomerEncoder, Customers};
use std::hint::black_box;
use std::time::Duration;

/// Streams, each read by a thread of its own.
const STREAMS: usize = 2;

fn nanoseconds(time: Duration, life: &Life) -> f64 {
    time.as_secs_f64() * 1e9 / f64::from(life.customers)
}

/// Encodes all of them, in one thread.
pub(crate) fn encode(life: &Life, customers: &Customers) -> [Vec<u8>; STREAMS] {
    let mut streams: [(CustomerEncoder, Vec<u8>); STREAMS] = Default::default();
    let started = monotonic_now();
    let mut next = 0;
    customers.for_each(|id, customer| {
        let (encoder, bytes) = &mut streams[next];
        encoder.encode(id, customer, customers.names(), bytes);
        next = (next + 1) % STREAMS;
    });
    let time = started.elapsed();
    let streams = streams.map(|(_, bytes)| bytes);
    let bytes: f64 = streams.iter().map(|bytes| bytes.len() as f64).sum();
    println!(
        "\n{} bytes a customer when encoded; {} ns to encode one, in one thread",
        grouped(bytes / f64::from(life.customers), 0),
        grouped(nanoseconds(time, life), 0),
    );
    streams
}

/// Decodes all of them, first without keeping them.
pub(crate) fn decode(life: &Life, streams: &[Vec<u8>; STREAMS]) -> anyhow::Result<Customers> {
    let idle = Customers::default();
    let started = monotonic_now();
    for bytes in streams {
        read(bytes, &idle, |customer| drop(black_box(customer)))?;
    }
    let alone = started.elapsed();
    drop(idle);
    let customers = Customers::default();
    let started = monotonic_now();
    let read_all = std::thread::scope(|scope| {
        let customers = &customers;
        let threads = streams.each_ref().map(|bytes| {
            scope.spawn(move || read(bytes, customers, |(id, c)| customers.insert(id, c)))
        });
        threads.map(|thread| thread.join())
    });
    for result in read_all {
        result.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    }
    println!(
        "{} ns to decode one, in one thread; {} s until all are in the map, read by {STREAMS} threads",
        grouped(nanoseconds(alone, life), 0),
        grouped(started.elapsed().as_secs_f64(), 2),
    );
    Ok(customers)
}

fn read(
    mut bytes: &[u8],
    customers: &Customers,
    mut keep: impl FnMut((onscene::partitioning::CustomerId, onscene::state::Customer)),
) -> anyhow::Result<()> {
    let mut decoder = CustomerDecoder::new();
    while let Some(customer) = decoder.decode(&mut bytes, customers.names())? {
        keep(customer);
    }
    Ok(())
}
