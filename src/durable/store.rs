//! Where checkpoints are kept: a folder for each partition, a file for each checkpoint.

use super::checkpoint::{Checkpoint, CheckpointError};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const ENDING: &str = "checkpoint";
const DAMAGED: &str = "damaged";
const PART: &str = "part";

/// A place for checkpoints. Numbers grow: the highest is the newest.
pub trait CheckpointStore: fmt::Debug + Send + Sync + 'static {
    /// The numbers of a partition's checkpoints, the newest first.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn numbers(&self, partition: u16) -> io::Result<Vec<u64>>;

    /// The bytes of one.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, partition: u16, number: u64) -> io::Result<Vec<u8>>;

    /// Begins to write one. It is not there before it is committed.
    ///
    /// # Errors
    /// When it cannot be begun.
    fn create(&self, partition: u16, number: u64) -> io::Result<Box<dyn CheckpointFile>>;

    /// Puts a damaged one out of the way, so that it is not tried again and can be looked at. Tells what it is
    /// called now.
    ///
    /// # Errors
    /// When it cannot be moved.
    fn set_aside(&self, partition: u16, number: u64) -> io::Result<String>;

    /// Removes one.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, partition: u16, number: u64) -> io::Result<()>;

    /// Whether reading and writing wait for a disk, so that a thread should do it that may wait.
    fn waits(&self) -> bool {
        true
    }
}

/// A checkpoint that is being written.
pub trait CheckpointFile: Write + Send {
    /// Makes it the newest, whole and durable.
    ///
    /// # Errors
    /// When it could not be made durable; it is not there then.
    fn commit(self: Box<Self>) -> io::Result<()>;
}

/// A folder with a folder for each partition.
#[derive(Clone, Debug)]
pub struct CheckpointFolder(PathBuf);

impl CheckpointFolder {
    /// The folder of checkpoints in an engine's data folder.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self(data.join("checkpoints"))
    }

    /// Makes the folder if it is not there, and sees that something can be written there.
    ///
    /// # Errors
    /// When it cannot be made or written to.
    pub fn prepare(&self) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let trial = self.0.join(format!("trial.{}.{PART}", std::process::id()));
        File::create(&trial)?;
        fs::remove_file(trial)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The partitions that have a folder, in order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn partitions(&self) -> io::Result<Vec<u16>> {
        let mut partitions: Vec<u16> = names(&self.0)?
            .iter()
            .filter_map(|name| name.strip_prefix("partition-")?.parse().ok())
            .collect();
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// The file of a checkpoint.
    #[must_use]
    pub fn file(&self, partition: u16, number: u64) -> PathBuf {
        self.of(partition).join(format!("{number:012}.{ENDING}"))
    }

    fn of(&self, partition: u16) -> PathBuf {
        self.0.join(format!("partition-{partition:04}"))
    }
}

impl CheckpointStore for CheckpointFolder {
    fn numbers(&self, partition: u16) -> io::Result<Vec<u64>> {
        let mut numbers: Vec<u64> = names(&self.of(partition))?
            .iter()
            .filter_map(|name| name.strip_suffix(ENDING)?.strip_suffix('.')?.parse().ok())
            .collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers)
    }

    fn read(&self, partition: u16, number: u64) -> io::Result<Vec<u8>> {
        fs::read(self.file(partition, number))
    }

    fn create(&self, partition: u16, number: u64) -> io::Result<Box<dyn CheckpointFile>> {
        let folder = self.of(partition);
        fs::create_dir_all(&folder)?;
        // What a killed engine left half written is of no use to anybody.
        for name in names(&folder)?.iter().filter(|name| name.ends_with(PART)) {
            fs::remove_file(folder.join(name))?;
        }
        let whole = self.file(partition, number);
        let part = whole.with_extension(format!("{}.{PART}", std::process::id()));
        Ok(Box::new(PartFile {
            file: File::create(&part)?,
            part,
            whole,
            folder,
        }))
    }

    fn set_aside(&self, partition: u16, number: u64) -> io::Result<String> {
        let aside = self.file(partition, number).with_extension(DAMAGED);
        fs::rename(self.file(partition, number), &aside)?;
        Ok(aside.display().to_string())
    }

    fn remove(&self, partition: u16, number: u64) -> io::Result<()> {
        fs::remove_file(self.file(partition, number))
    }
}

/// The names in a folder; none if it is not there.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

struct PartFile {
    file: File,
    part: PathBuf,
    whole: PathBuf,
    folder: PathBuf,
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl CheckpointFile for PartFile {
    fn commit(self: Box<Self>) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.part, &self.whole)?;
        // The new name, too, must outlive a power loss.
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // There is nothing left of it when it was committed.
        let _ = fs::remove_file(&self.part);
    }
}

/// Why a checkpoint that is there is not used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    /// It is damaged.
    #[error("it is damaged")]
    Damaged(#[from] CheckpointError),
}

/// Reads and checks one.
///
/// # Errors
/// When it cannot be read, or is not exactly what was written.
pub fn load(
    store: &dyn CheckpointStore,
    partition: u16,
    number: u64,
) -> Result<Checkpoint, UnusableError> {
    Ok(Checkpoint::check(store.read(partition, number)?)?)
}
