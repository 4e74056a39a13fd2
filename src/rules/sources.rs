//! The files of a rules folder, read as one.

use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The most files a folder may hold.
const FILES_MAX: usize = 100_000;
/// How deep folders may nest.
const DEPTH_MAX: usize = 16;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path relative to the folder, with `/` between parts.
    pub path: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

impl Source {
    /// The hexadecimal digits of the SHA-256 of its text.
    #[must_use]
    pub fn sha256(&self) -> String {
        format!("{:x}", Sha256::digest(self.text.as_bytes()))
    }

    /// A hash of its path and text.
    pub(super) fn digest(&self) -> u64 {
        let mut hash = Sha256::new();
        for part in [&self.path, &self.text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        u64::from_le_bytes(
            digest[..8]
                .try_into()
                .expect("invariant: SHA-256 has 32 bytes"),
        )
    }
}

/// All files that make a rule set, in order of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// `*.rhai` outside of `lib/`.
    pub rules: Vec<Source>,
    /// `lib/*.rhai`.
    pub library: Vec<Source>,
    /// `schema.toml`.
    pub schema: Option<Source>,
    /// `policy.toml`.
    pub policy: Option<Source>,
    /// `lists/*.txt`, of customers by their ids.
    pub lists: Vec<Source>,
    /// `*.test.toml`, each beside its rule. They do not count into the generation: they change
    /// nothing of what rules do.
    pub tests: Vec<Source>,
}

/// Why a folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// A file or folder could not be read.
    #[error("could not read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not UTF-8 text.
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// A file is too large.
    #[error("{} has more than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// There are too many files, or folders nest too deeply.
    #[error("{} holds more than {FILES_MAX} files or more than {DEPTH_MAX} levels of folders", .0.display())]
    TooMany(PathBuf),
}

impl Sources {
    /// Reads a folder. Hidden files and folders (such as Kubernetes' `..data`) are left out;
    /// symbolic links are followed.
    ///
    /// # Errors
    /// When something could not be read.
    pub fn read(folder: &Path) -> Result<Self, SourcesError> {
        let mut paths = Vec::new();
        walk(folder, folder, 0, &mut paths)?;
        paths.sort();
        let mut sources = Self::default();
        for (relative, path) in paths {
            let read = || -> Result<Source, SourcesError> {
                Ok(Source {
                    text: text_of(&path)?.into(),
                    path: relative.as_str().into(),
                })
            };
            if is_source(&relative) {
                sources.put(read()?);
            }
        }
        Ok(sources)
    }

    /// The same from files that are no folder: each with its path and its text.
    #[must_use]
    pub fn of(files: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> Self {
        let files = files.into_iter().map(|(path, text)| Source { path, text });
        let mut files: Vec<Source> = files.filter(|file| is_source(&file.path)).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut sources = Self::default();
        for file in files {
            sources.put(file);
        }
        sources
    }

    fn put(&mut self, file: Source) {
        match &*file.path {
            "schema.toml" => self.schema = Some(file),
            "policy.toml" => self.policy = Some(file),
            name if is_list(name) => self.lists.push(file),
            name if name.ends_with(".test.toml") => self.tests.push(file),
            name if name.starts_with("lib/") => self.library.push(file),
            _ => self.rules.push(file),
        }
    }

    /// The files that count into the generation.
    pub fn files(&self) -> impl Iterator<Item = &Source> {
        (self.library.iter())
            .chain(&self.rules)
            .chain(&self.schema)
            .chain(&self.policy)
            .chain(&self.lists)
    }

    /// A hash of the files that every rule depends on.
    pub(super) fn shared_digest(&self) -> u64 {
        let shared = self.library.iter().chain(&self.schema);
        shared.fold(0, |all, source| all ^ source.digest())
    }

    /// The SHA-256 of all files but the tests: of each path and each text, with its length before it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for source in self.files() {
            for part in [&source.path, &source.text] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part.as_bytes());
            }
        }
        hash.finalize().into()
    }

    /// The content hash of all files but the tests: the same files have the same generation anywhere.
    #[must_use]
    pub fn generation(&self) -> Arc<str> {
        use std::fmt::Write as _;
        let mut hex = String::with_capacity(16);
        for byte in &self.digest()[..8] {
            let _ = write!(hex, "{byte:02x}");
        }
        hex.into()
    }
}

/// Whether a file belongs to a rule set, by its path.
fn is_source(path: &str) -> bool {
    matches!(path, "schema.toml" | "policy.toml")
        || path.ends_with(".test.toml")
        || path.ends_with(".rhai")
        || is_list(path)
}

fn is_list(path: &str) -> bool {
    path.starts_with("lists/") && path.ends_with(".txt")
}

fn walk(
    root: &Path,
    folder: &Path,
    depth: usize,
    found: &mut Vec<(String, PathBuf)>,
) -> Result<(), SourcesError> {
    let failed = |path: &Path, source| SourcesError::Io {
        path: path.to_owned(),
        source,
    };
    if depth > DEPTH_MAX {
        return Err(SourcesError::TooMany(root.to_owned()));
    }
    for entry in std::fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        let entry = entry.map_err(|e| failed(folder, e))?;
        let path = entry.path();
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            return Err(SourcesError::NotText(path));
        };
        if name.starts_with('.') {
            continue;
        }
        let kind = match std::fs::metadata(&path) {
            Ok(kind) => kind,
            // Gone between listing and looking: an editor's temporary file.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(failed(&path, e)),
        };
        if kind.is_dir() {
            walk(root, &path, depth + 1, found)?;
        } else if matches!(
            path.extension().and_then(|e| e.to_str()),
            Some("rhai" | "toml" | "txt")
        ) {
            let relative = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect::<Vec<_>>()
                .join("/");
            found.push((relative, path));
            if found.len() > FILES_MAX {
                return Err(SourcesError::TooMany(root.to_owned()));
            }
        }
    }
    Ok(())
}

fn text_of(path: &Path) -> Result<String, SourcesError> {
    let failed = |source| SourcesError::Io {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(SourcesError::TooLarge(path.to_owned()));
    }
    String::from_utf8(std::fs::read(path).map_err(failed)?)
        .map_err(|_| SourcesError::NotText(path.to_owned()))
}
