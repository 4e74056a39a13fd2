//! Where a machine keeps its engine's checkpoints: they outlive the engine, but not always.

use super::faults::Planted;
use super::random::Random;
use crate::durable::checkpoint::{block, end, head};
use crate::durable::{Checkpoint, CheckpointFile, CheckpointStore};
use crate::partition::Partition;
use crate::state::{Customers, Journal, JournalLimits};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// Checkpoints by partition and number.
type Files = BTreeMap<(u16, u64), Vec<u8>>;

/// A machine's disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    files: Arc<Mutex<Files>>,
    /// A copy that somebody made of it some time.
    copy: Arc<Mutex<Files>>,
    planted: Planted,
}

impl Disk {
    pub(super) fn new(planted: Planted) -> Self {
        Self {
            planted,
            ..Self::default()
        }
    }

    /// What may happen to it while no engine looks; tells in a word.
    pub(super) fn suffer(&self, random: &mut Random) -> &'static str {
        let mut files = self.lock();
        match random.within(0..12) {
            0 => {
                files.clear();
                "the disk is new"
            }
            1 => {
                let newest: Vec<(u16, u64)> = newest(&files);
                files.retain(|key, _| !newest.contains(key));
                "the newest checkpoints are gone"
            }
            2 | 3 => {
                for key in newest(&files) {
                    if let Some(bytes) = files.get_mut(&key) {
                        let at = random.index(bytes.len());
                        bytes[at] ^= 1 << random.within(0..8);
                    }
                }
                "the newest checkpoints are damaged"
            }
            4 => {
                for key in newest(&files) {
                    if let Some(bytes) = files.get_mut(&key) {
                        let length = random.index(bytes.len());
                        bytes.truncate(length);
                    }
                }
                "the newest checkpoints are cut off"
            }
            5 => {
                *files = self.copy.lock().unwrap().clone();
                "the disk is restored from an old copy"
            }
            6 | 7 => {
                *self.copy.lock().unwrap() = files.clone();
                "the disk is copied"
            }
            _ => "the disk is as it was",
        }
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap()
    }
}

/// The newest checkpoint of each partition.
fn newest(files: &Files) -> Vec<(u16, u64)> {
    let mut newest: BTreeMap<u16, u64> = BTreeMap::new();
    for (partition, number) in files.keys() {
        newest.insert(*partition, *number);
    }
    newest.into_iter().collect()
}

fn missing() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl CheckpointStore for Disk {
    fn numbers(&self, partition: u16) -> io::Result<Vec<u64>> {
        let files = self.lock();
        let own = files.keys().filter(|(of, _)| *of == partition);
        Ok(own.rev().map(|(_, number)| *number).collect())
    }

    fn read(&self, partition: u16, number: u64) -> io::Result<Vec<u8>> {
        let bytes = self.lock().get(&(partition, number)).cloned();
        let bytes = bytes.ok_or_else(missing)?;
        Ok(match self.planted {
            Planted::DedupeForgotten => without_fingerprints(bytes),
            _ => bytes,
        })
    }

    fn create(&self, partition: u16, number: u64) -> io::Result<Box<dyn CheckpointFile>> {
        Ok(Box::new(DiskFile {
            disk: self.clone(),
            key: (partition, number),
            bytes: Vec::new(),
        }))
    }

    fn set_aside(&self, partition: u16, number: u64) -> io::Result<String> {
        let moved = self.lock().remove(&(partition, number));
        moved.map(|_| "aside".to_owned()).ok_or_else(missing)
    }

    fn remove(&self, partition: u16, number: u64) -> io::Result<()> {
        let removed = self.lock().remove(&(partition, number));
        removed.map(|_| ()).ok_or_else(missing)
    }

    fn waits(&self) -> bool {
        false
    }
}

struct DiskFile {
    disk: Disk,
    key: (u16, u64),
    bytes: Vec<u8>,
}

impl io::Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CheckpointFile for DiskFile {
    fn commit(self: Box<Self>) -> io::Result<()> {
        let Self { disk, key, bytes } = *self;
        disk.lock().insert(key, bytes);
        Ok(())
    }
}

/// A sound checkpoint by whose journals no event is known again.
fn without_fingerprints(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(checkpoint) = Checkpoint::check(bytes.clone()) else {
        return bytes;
    };
    let customers = Arc::new(Customers::default());
    let limits = JournalLimits::default();
    let mut partition = Partition::new(customers.clone(), limits, TimeZone::UTC);
    if checkpoint.restore(&mut partition).is_err() {
        return bytes;
    }
    let mut ids = Vec::new();
    customers.for_each(|id, _| ids.push(id.clone()));
    for id in ids {
        let forget = |customer: &mut crate::state::Customer| {
            let mut journal = Journal::default();
            for entry in customer.journal.entries().iter() {
                let mut entry = entry.to_entry();
                entry.fingerprint = !entry.fingerprint;
                journal.insert(entry);
            }
            customer.journal = journal;
        };
        customers.update(&id, || unreachable!("it is known"), forget);
    }
    let mut whole = head(checkpoint.cut());
    let (_, mut customers) = partition.begin_cut();
    let mut bytes = Vec::new();
    customers.write(usize::MAX, &mut bytes);
    if !bytes.is_empty() {
        whole.extend(block(&bytes));
    }
    let end = end(customers.written(), whole.len() as u64);
    whole.extend(end);
    whole
}
