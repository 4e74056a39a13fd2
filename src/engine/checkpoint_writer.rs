//! Writes one checkpoint as its parts come.

use super::checkpoints::Checkpoints;
use crate::durable::checkpoint::{block, end, head};
use crate::durable::{CheckpointFile, CheckpointStore, Cut};
use std::io;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Parts that wait to be written.
const PARTS_MAX: usize = 8;

/// A part of a checkpoint behind its head.
#[derive(Debug)]
pub(super) enum Part {
    /// The bytes of customers.
    Customers(Vec<u8>),
    /// That was all; so many customers.
    End(u64),
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) number: u64,
    pub(super) bytes: u64,
    pub(super) customers: u64,
}

/// Starts a task that writes a checkpoint, and then removes those that are too many. If the sender goes before the
/// end was sent, nothing is left of it.
pub(super) fn start(
    checkpoints: &Checkpoints,
    cut: Cut,
) -> (mpsc::Sender<Part>, JoinHandle<io::Result<Written>>) {
    let (sender, mut parts) = mpsc::channel(PARTS_MAX);
    let (store, keep) = (checkpoints.store.clone(), checkpoints.keep);
    let writing = if store.waits() {
        tokio::task::spawn_blocking(move || {
            let mut writer = Writer::begin(&*store, &cut)?;
            while let Some(part) = parts.blocking_recv() {
                if let Some(customers) = writer.take(part)? {
                    return writer.commit(&*store, keep, customers);
                }
            }
            Err(given_up())
        })
    } else {
        tokio::spawn(async move {
            let mut writer = Writer::begin(&*store, &cut)?;
            while let Some(part) = parts.recv().await {
                if let Some(customers) = writer.take(part)? {
                    return writer.commit(&*store, keep, customers);
                }
            }
            Err(given_up())
        })
    };
    (sender, writing)
}

fn given_up() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "given up before its end")
}

struct Writer {
    file: Box<dyn CheckpointFile>,
    partition: u16,
    number: u64,
    bytes: u64,
}

impl Writer {
    fn begin(store: &dyn CheckpointStore, cut: &Cut) -> io::Result<Self> {
        let newest = store.numbers(cut.partition)?.first().copied().unwrap_or(0);
        let number = newest + 1;
        let mut writer = Self {
            file: store.create(cut.partition, number)?,
            partition: cut.partition,
            number,
            bytes: 0,
        };
        writer.put(&head(cut))?;
        Ok(writer)
    }

    /// Writes a part; at the end, tells how many customers there are.
    fn take(&mut self, part: Part) -> io::Result<Option<u64>> {
        match part {
            Part::Customers(customers) => self.put(&block(&customers)).map(|()| None),
            Part::End(customers) => {
                self.put(&end(customers, self.bytes))?;
                Ok(Some(customers))
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn commit(
        self,
        store: &dyn CheckpointStore,
        keep: usize,
        customers: u64,
    ) -> io::Result<Written> {
        self.file.commit()?;
        Checkpoints::prune(store, self.partition, keep)?;
        Ok(Written {
            number: self.number,
            bytes: self.bytes,
            customers,
        })
    }
}
