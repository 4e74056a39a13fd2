//! The rule texts of every generation that went live: so that it can be shown which text made a decision, and
//! so that any of them can be brought back.
//!
//! Texts are stored by the SHA-256 of their bytes, each once, however many generations have it. A generation is
//! a list of files with their hashes, which is such a text itself.

use super::{GovernanceError, damaged, keys};
use crate::clock::{format_rfc3339, now_ms};
use crate::nats::{Connection, read_rules, rules_history, write_rules};
use crate::rules::Sources;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::sync::Arc;

/// The version of the format.
const VERSION: u32 = 1;
/// Longer texts are cut into pieces of so many bytes: a message of NATS has 1 MiB at the most unless the server
/// says otherwise, a rule file may have as much.
const PIECE_BYTES_MAX: usize = 512 * 1024;
/// Requests to the server on the way at a time.
const IN_FLIGHT_MAX: usize = 64;

/// What is known to be stored already, so that a reload sends only what is new.
#[derive(Debug, Default)]
pub struct Known(HashSet<String>);

/// A generation of which the texts are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredGeneration {
    version: u32,
    /// The generation.
    pub generation: Box<str>,
    /// When it was stored first, RFC 3339, by the engine's clock.
    pub at: Box<str>,
    /// By which engine.
    pub engine: Box<str>,
    /// How many files it has.
    pub files: usize,
    list: StoredText,
}

/// Where a text is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredText {
    sha256: Box<str>,
    bytes: usize,
    /// The hashes of its pieces, if it was cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pieces: Vec<Box<str>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FileList {
    version: u32,
    files: Vec<StoredFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredFile {
    path: Box<str>,
    text: StoredText,
}

/// The hexadecimal digits of the SHA-256 of some bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Stores the texts of a generation; what is there already is left as it is.
///
/// # Errors
/// When NATS does not take them: then some may be there, and storing again completes it.
pub async fn store(
    connection: &Connection,
    sources: &Sources,
    engine: &str,
    known: &mut Known,
) -> Result<(), GovernanceError> {
    let generation = sources.generation();
    if known.0.contains(&*generation) {
        return Ok(());
    }
    let mut pieces: Vec<(String, Bytes)> = Vec::new();
    let files: Vec<StoredFile> = (sources.files())
        .map(|file| StoredFile {
            path: (&*file.path).into(),
            text: cut(file.text.as_bytes(), &mut pieces),
        })
        .collect();
    let count = files.len();
    let list = FileList {
        version: VERSION,
        files,
    };
    let list = serde_json::to_vec(&list).expect("invariant: text and numbers serialise");
    let list = cut(&list, &mut pieces);
    pieces.retain(|(hash, _)| !known.0.contains(hash));
    put_all(connection, &pieces).await?;
    let record = StoredGeneration {
        version: VERSION,
        generation: (&*generation).into(),
        at: format_rfc3339(now_ms()).into(),
        engine: engine.into(),
        files: count,
        list,
    };
    let value = serde_json::to_vec(&record).expect("invariant: text and numbers serialise");
    // Somebody else may have stored it before: the same.
    write_rules(
        connection,
        &keys::generation(&generation),
        value.into(),
        Some(0),
    )
    .await?;
    known.0.extend(pieces.into_iter().map(|(hash, _)| hash));
    known.0.insert(generation.to_string());
    Ok(())
}

/// Stores one text, and returns its SHA-256.
///
/// # Errors
/// When NATS does not take it.
pub(super) async fn store_one(
    connection: &Connection,
    text: &str,
) -> Result<StoredOne, GovernanceError> {
    let mut pieces = Vec::new();
    let stored = cut(text.as_bytes(), &mut pieces);
    put_all(connection, &pieces).await?;
    Ok(StoredOne(stored))
}

/// A text that is stored by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredOne(StoredText);

impl StoredOne {
    /// The hexadecimal digits of its SHA-256.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is not there as it was stored.
    pub async fn load(&self, connection: &Connection) -> Result<Arc<str>, GovernanceError> {
        text_of(connection, &self.0).await
    }
}

async fn put_all(
    connection: &Connection,
    pieces: &[(String, Bytes)],
) -> Result<(), GovernanceError> {
    let puts = pieces.iter().cloned().map(|(hash, bytes)| async move {
        // Nothing happens if it is there already: under its hash there is nothing else.
        write_rules(connection, &keys::text(&hash), bytes, Some(0)).await
    });
    let puts = futures_util::stream::iter(puts).buffer_unordered(IN_FLIGHT_MAX);
    puts.try_for_each(|_| async { Ok(()) }).await?;
    Ok(())
}

/// Adds the pieces of a text.
fn cut(bytes: &[u8], pieces: &mut Vec<(String, Bytes)>) -> StoredText {
    let whole = sha256(bytes);
    let mut text = StoredText {
        sha256: whole.as_str().into(),
        bytes: bytes.len(),
        pieces: Vec::new(),
    };
    if bytes.len() <= PIECE_BYTES_MAX {
        pieces.push((whole, Bytes::copy_from_slice(bytes)));
        return text;
    }
    for piece in bytes.chunks(PIECE_BYTES_MAX) {
        let hash = sha256(piece);
        text.pieces.push(hash.as_str().into());
        pieces.push((hash, Bytes::copy_from_slice(piece)));
    }
    text
}

/// The files of a generation that went live at some time.
///
/// # Errors
/// When its texts are not there, or not as they were stored.
pub async fn load(connection: &Connection, generation: &str) -> Result<Sources, GovernanceError> {
    let record = record_of(connection, generation).await?;
    let files = files_of(connection, &record).await?;
    let texts = files.into_iter().map(|file| async move {
        let text = text_of(connection, &file.text).await?;
        Ok::<_, GovernanceError>((Arc::from(&*file.path), text))
    });
    let texts = futures_util::stream::iter(texts).buffered(IN_FLIGHT_MAX);
    let texts: Vec<(Arc<str>, Arc<str>)> = texts.try_collect().await?;
    let sources = Sources::of(texts);
    let found = sources.generation();
    if *found != *generation {
        let what = format!("its files are of the generation {found}");
        return Err(damaged(&keys::generation(generation), what));
    }
    Ok(sources)
}

/// The generations of which the texts are stored, in the order in which they were stored first.
///
/// # Errors
/// When NATS does not answer, or one cannot be read.
pub async fn list(connection: &Connection) -> Result<Vec<StoredGeneration>, GovernanceError> {
    let entries = rules_history(connection, &keys::generation("*"), 1).await?;
    let read = |entry: crate::nats::RulesEntry| parse(&entry.key, &entry.value);
    entries.into_iter().map(read).collect()
}

/// The paths of a generation's files, each with the SHA-256 of its text.
///
/// # Errors
/// As for [`load`].
pub async fn hashes(
    connection: &Connection,
    generation: &str,
) -> Result<Vec<(Box<str>, Box<str>)>, GovernanceError> {
    let record = record_of(connection, generation).await?;
    let files = files_of(connection, &record).await?;
    Ok((files.into_iter())
        .map(|file| (file.path, file.text.sha256))
        .collect())
}

async fn record_of(
    connection: &Connection,
    generation: &str,
) -> Result<StoredGeneration, GovernanceError> {
    let unknown = || GovernanceError::UnknownGeneration(generation.to_owned());
    if !keys::is_generation(generation) {
        return Err(unknown());
    }
    let key = keys::generation(generation);
    let entry = read_rules(connection, &key).await?.ok_or_else(unknown)?;
    parse(&key, &entry.value)
}

fn parse(key: &str, value: &[u8]) -> Result<StoredGeneration, GovernanceError> {
    let record: StoredGeneration = serde_json::from_slice(value).map_err(|e| damaged(key, e))?;
    known_version(key, record.version)?;
    Ok(record)
}

fn known_version(key: &str, version: u32) -> Result<(), GovernanceError> {
    if version == VERSION {
        return Ok(());
    }
    let what = format!("it has version {version}, and this one knows version {VERSION}");
    Err(damaged(key, what))
}

async fn files_of(
    connection: &Connection,
    record: &StoredGeneration,
) -> Result<Vec<StoredFile>, GovernanceError> {
    let key = keys::text(&record.list.sha256);
    let text = text_of(connection, &record.list).await?;
    let list: FileList = serde_json::from_str(&text).map_err(|error| damaged(&key, error))?;
    known_version(&key, list.version)?;
    Ok(list.files)
}

async fn text_of(connection: &Connection, text: &StoredText) -> Result<Arc<str>, GovernanceError> {
    let whole = std::slice::from_ref(&text.sha256);
    let pieces = if text.pieces.is_empty() {
        whole
    } else {
        &text.pieces
    };
    let mut bytes = Vec::with_capacity(text.bytes);
    for hash in pieces {
        let key = keys::text(hash);
        let entry = read_rules(connection, &key).await?;
        let entry = entry.ok_or_else(|| damaged(&key, "it is not there"))?;
        bytes.extend_from_slice(&entry.value);
    }
    let key = keys::text(&text.sha256);
    if sha256(&bytes) != *text.sha256 {
        return Err(damaged(&key, "it was changed: its hash is another one"));
    }
    let text = String::from_utf8(bytes).map_err(|_| damaged(&key, "it is not text"))?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_a_short_one_is_not() {
        let mut pieces = Vec::new();
        let short = cut(b"short", &mut pieces);
        assert_eq!((pieces.len(), short.pieces.len()), (1, 0));
        assert_eq!(pieces[0].0, *short.sha256);
        let long = "x".repeat(PIECE_BYTES_MAX) + "y";
        let long = cut(long.as_bytes(), &mut pieces);
        assert_eq!((pieces.len(), long.pieces.len()), (3, 2));
        assert_eq!(pieces[2], (sha256(b"y"), Bytes::from_static(b"y")));
    }

    /// The bytes in the bucket.
    #[test]
    fn a_generation_is_written_and_read_as_it_always_was() {
        let bytes = br#"{"version":1,"generation":"0123456789abcdef","at":"2026-11-30T21:00:00.000Z","engine":"e-1","files":2,"list":{"sha256":"ab","bytes":3,"pieces":["c","d"]}}"#;
        let record = parse("generation.x", bytes).unwrap();
        assert_eq!(serde_json::to_vec(&record).unwrap(), bytes);
        let later = br#"{"version":2,"generation":"0","at":"","engine":"","files":0,"list":{"sha256":"","bytes":0}}"#;
        let error = parse("generation.x", later).unwrap_err().to_string();
        assert!(error.contains("version 2"), "{error}");
    }
}
