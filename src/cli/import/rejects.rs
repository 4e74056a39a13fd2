//! Refused records, as they were, in a file that can be mended and imported in turn.

use anyhow::{Context as _, bail};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// The file, made when something is refused.
pub(super) struct Rejects {
    /// None if they are not kept.
    path: Option<PathBuf>,
    /// The header of a CSV file.
    header: Vec<u8>,
    file: Option<BufWriter<File>>,
    bytes: u64,
}

impl Rejects {
    /// Goes on behind what an earlier run wrote up to its bookmark: `known` bytes, or none if this is the
    /// first run, which overwrites nothing.
    pub(super) fn open(
        path: Option<PathBuf>,
        header: Vec<u8>,
        known: Option<u64>,
    ) -> anyhow::Result<Self> {
        let mut rejects = Self {
            path,
            header,
            file: None,
            bytes: 0,
        };
        let Some(path) = &rejects.path else {
            return Ok(rejects);
        };
        let length = path.metadata().map_or(0, |metadata| metadata.len());
        match known {
            None if length > 0 => bail!(
                "{} is there already: move it away, or say with --rejects where refused lines are kept",
                path.display()
            ),
            None => {}
            Some(known) if length > 0 => {
                // What came behind the bookmark is read, and refused, again.
                rejects.bytes = known.min(length);
                let file = open(path)?;
                file.set_len(rejects.bytes)?;
                rejects.file = Some(BufWriter::new(file));
            }
            Some(_) => {}
        }
        Ok(rejects)
    }

    /// Keeps a record.
    pub(super) fn keep(&mut self, raw: &[u8]) -> anyhow::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let mut write = || {
            let file = match &mut self.file {
                Some(file) => file,
                None => self.file.insert(BufWriter::new(open(path)?)),
            };
            let header = Some(&*self.header).filter(|header| self.bytes == 0 && !header.is_empty());
            for line in header.into_iter().chain([raw]) {
                file.write_all(line)?;
                file.write_all(b"\n")?;
                self.bytes += line.len() as u64 + 1;
            }
            Ok::<_, std::io::Error>(())
        };
        write().with_context(|| format!("could not write {}", path.display()))
    }

    /// Writes out what was kept, and tells how many bytes that are.
    pub(super) fn flush(&mut self) -> anyhow::Result<u64> {
        if let Some(file) = &mut self.file {
            let flushed = file.flush().and_then(|()| file.get_ref().sync_data());
            flushed.context("could not write the refused lines")?;
        }
        Ok(self.bytes)
    }

    /// Where they are kept.
    pub(super) fn chosen(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Where they are, if there are any.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref().filter(|_| self.bytes > 0)
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
