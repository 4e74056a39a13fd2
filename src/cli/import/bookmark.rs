//! How far an input has been imported: a small file beside it, replaced whole, from which a later run
//! goes on.

use super::records::Place;
use crate::clock::Millis;
use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const VERSION: u32 = 1;
/// Bytes at the beginning of the input, and before the place, by which it is known again.
const SAMPLE_BYTES: u64 = 64 << 10;

/// What became of the records up to a place, in this run and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Stored by the server.
    pub(super) imported: u64,
    /// Refused.
    pub(super) refused: u64,
    /// Refused, by reason.
    pub(super) reasons: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn records(&self) -> u64 {
        self.imported + self.refused
    }
}

/// By what an input is known again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Bytes.
    size: u64,
    /// When it was last changed, in milliseconds since the Unix epoch.
    modified: Millis,
    head: Sample,
    /// What comes right before the place.
    tail: Sample,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sample {
    start: u64,
    bytes: u64,
    sha256: String,
}

/// The file's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bookmark {
    version: u32,
    /// Into which `SCENE_EVENTS`: when it was created.
    pub(super) stream: String,
    /// The options that make events of records.
    pub(super) options: String,
    pub(super) input: Identity,
    /// Everything before it is stored, or refused.
    pub(super) offset: u64,
    /// The line there.
    pub(super) line: u64,
    pub(super) tally: Tally,
    /// The file with refused records.
    pub(super) rejects: Option<PathBuf>,
    /// Bytes of it.
    pub(super) rejects_bytes: u64,
    /// Whether the input was read to its end.
    pub(super) complete: bool,
}

/// What distinguishes one import of an input from another.
#[derive(Clone, Debug)]
pub(super) struct Undertaking {
    pub(super) stream: String,
    pub(super) options: String,
}

impl Bookmark {
    /// At the beginning of an input.
    pub(super) fn begin(undertaking: &Undertaking, input: &File) -> anyhow::Result<Self> {
        Ok(Self {
            version: VERSION,
            stream: undertaking.stream.clone(),
            options: undertaking.options.clone(),
            input: Identity::of(input, 0)?,
            offset: 0,
            line: Place::START.line,
            tally: Tally::default(),
            rejects: None,
            rejects_bytes: 0,
            complete: false,
        })
    }

    /// Reads it; none if there is none.
    pub(super) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("could not read {shown}"))?,
        };
        let bookmark: Self = serde_json::from_str(&text).with_context(|| {
            format!(
                "{shown} does not say how far the import has come; begin anew with --restart: what is imported twice \
                 changes nothing"
            )
        })?;
        if bookmark.version != VERSION {
            bail!("{shown} is of another version of onscene: begin anew with --restart");
        }
        Ok(Some(bookmark))
    }

    /// Whether an import can go on from here; if not, why.
    pub(super) fn check(&self, undertaking: &Undertaking, input: &File) -> anyhow::Result<()> {
        if self.options != undertaking.options {
            bail!(
                "its import was begun with other options: `{}`, and now it is `{}`; go on with those, or begin anew \
                 with --restart",
                self.options,
                undertaking.options
            );
        }
        if self.stream != undertaking.stream {
            bail!(
                "it was imported into another SCENE_EVENTS, on another server or since deleted: begin anew with \
                 --restart"
            );
        }
        let now = Identity::of(input, self.offset)?;
        let was = &self.input;
        // More may have been appended; what is done must be as it was.
        let is_same = now.size >= self.offset
            && was.head.sha256 == sample(input, was.head.start, was.head.bytes)?.sha256
            && was.tail == now.tail
            && (now.size != was.size || now.modified == was.modified);
        if !is_same {
            bail!(
                "it has changed since line {} of it was imported: begin anew with --restart; what is imported twice \
                 changes nothing",
                self.line
            );
        }
        Ok(())
    }

    /// Whether there is nothing left to read.
    pub(super) fn is_done(&self, input: &File) -> anyhow::Result<bool> {
        Ok(self.complete && input.metadata()?.len() == self.offset)
    }

    /// Writes it down, whole or not at all.
    pub(super) fn write(&mut self, path: &Path, input: &File) -> anyhow::Result<()> {
        self.input = Identity::of(input, self.offset)?;
        let new = beside(path, ".new");
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_data()?;
            fs::rename(&new, path)
        };
        write().with_context(|| {
            format!(
                "could not write {}: say with --work-dir where there is room for it",
                path.display()
            )
        })
    }
}

/// The path with something at its end.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

impl Identity {
    fn of(input: &File, offset: u64) -> anyhow::Result<Self> {
        let metadata = input.metadata()?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
        let modified = modified.map_or(0, |since| since.as_millis());
        let head = SAMPLE_BYTES.min(metadata.len());
        let tail = SAMPLE_BYTES.min(offset);
        Ok(Self {
            size: metadata.len(),
            modified: Millis::try_from(modified).unwrap_or_default(),
            head: sample(input, 0, head)?,
            tail: sample(input, offset - tail, tail)?,
        })
    }
}

/// A hash of some bytes of a file, as far as they are there.
fn sample(input: &File, start: u64, bytes: u64) -> anyhow::Result<Sample> {
    let mut content = vec![0; usize::try_from(bytes)?];
    let mut length = 0;
    while length < content.len() {
        match input.read_at(&mut content[length..], start + length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    let digest = Sha256::digest(&content[..length]);
    let hex = digest.iter().map(|byte| format!("{byte:02x}"));
    Ok(Sample {
        start,
        bytes,
        sha256: hex.collect(),
    })
}
