//! Writes one checkpoint, on a thread or in a task of its own.

use super::checkpoints::Checkpoints;
use crate::durable::checkpoint::{BLOCK_BYTES, block, end, head};
use crate::durable::{CheckpointFile, CheckpointStore, Cut};
use crate::partition::CutCustomers;
use std::io;
use std::time::Duration;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Customers written between two looks at how many bytes there are.
const CUSTOMERS_MAX: usize = 64;
/// The same where no disk is waited for: few, so that much happens in between.
const CUSTOMERS_SIMULATED_MAX: usize = 4;
/// How long nothing is written after a block: a thread that never rests takes a whole processor from the partitions.
const REST: Duration = Duration::from_millis(1);

/// Whether anybody waits for a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nobody: events go first.
    Easy,
    /// The engine stops when it has been written.
    Hurried,
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) number: u64,
    pub(super) bytes: u64,
    pub(super) customers: u64,
}

/// A checkpoint that is being written. If it is dropped, nothing is left of it.
pub(super) struct Writing {
    task: JoinHandle<io::Result<Written>>,
    unless_dropped: DropGuard,
}

impl Writing {
    /// Waits until it has been written, or could not be. Cancel safe; not to be asked again afterwards.
    pub(super) async fn ended(&mut self) -> Result<io::Result<Written>, JoinError> {
        (&mut self.task).await
    }

    /// Gives it up, and waits until nothing is written any more.
    pub(super) async fn give_up(self) -> Result<(), JoinError> {
        drop(self.unless_dropped);
        self.task.await.map(drop)
    }
}

/// Starts to write a checkpoint, and then removes those that are too many.
pub(super) fn start(
    checkpoints: &Checkpoints,
    cut: Cut,
    customers: CutCustomers,
    pace: Pace,
) -> Writing {
    let (store, keep) = (checkpoints.store.clone(), checkpoints.keep);
    let given_up = CancellationToken::new();
    let unless_dropped = given_up.clone().drop_guard();
    let task = if store.waits() {
        tokio::task::spawn_blocking(move || {
            let mut writer = Writer::begin(&*store, &cut, customers)?;
            while !writer.block(CUSTOMERS_MAX, BLOCK_BYTES)? {
                go_on(&given_up)?;
                if pace == Pace::Easy {
                    std::thread::park_timeout(REST);
                }
            }
            go_on(&given_up)?;
            writer.commit(&*store, keep)
        })
    } else {
        tokio::spawn(async move {
            let mut writer = Writer::begin(&*store, &cut, customers)?;
            while !writer.block(CUSTOMERS_SIMULATED_MAX, 1)? {
                tokio::time::sleep(REST).await;
                go_on(&given_up)?;
            }
            writer.commit(&*store, keep)
        })
    };
    Writing {
        task,
        unless_dropped,
    }
}

fn go_on(given_up: &CancellationToken) -> io::Result<()> {
    if given_up.is_cancelled() {
        let what = "given up before its end";
        return Err(io::Error::new(io::ErrorKind::Interrupted, what));
    }
    Ok(())
}

struct Writer {
    file: Box<dyn CheckpointFile>,
    customers: CutCustomers,
    /// Kept between blocks, so that its room is.
    buffer: Vec<u8>,
    partition: u16,
    number: u64,
    bytes: u64,
}

impl Writer {
    fn begin(store: &dyn CheckpointStore, cut: &Cut, customers: CutCustomers) -> io::Result<Self> {
        let newest = store.numbers(cut.partition)?.first().copied().unwrap_or(0);
        let number = newest + 1;
        let mut writer = Self {
            file: store.create(cut.partition, number)?,
            customers,
            buffer: Vec::new(),
            partition: cut.partition,
            number,
            bytes: 0,
        };
        writer.put(&head(cut))?;
        Ok(writer)
    }

    /// Writes a block, which ends when it has so many bytes; tells whether it was the last.
    fn block(&mut self, customers_max: usize, bytes_min: usize) -> io::Result<bool> {
        self.buffer.clear();
        let mut is_last = false;
        while !is_last && self.buffer.len() < bytes_min {
            is_last = self.customers.write(customers_max, &mut self.buffer);
        }
        if !self.buffer.is_empty() {
            self.put(&block(&self.buffer))?;
        }
        Ok(is_last)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn commit(mut self, store: &dyn CheckpointStore, keep: usize) -> io::Result<Written> {
        let customers = self.customers.written();
        self.put(&end(customers, self.bytes))?;
        self.file.commit()?;
        Checkpoints::prune(store, self.partition, keep)?;
        Ok(Written {
            number: self.number,
            bytes: self.bytes,
            customers,
        })
    }
}
