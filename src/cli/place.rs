//! From a path on the command line to a rules folder and the part of it that is meant.

use crate::rules::Sources;
use anyhow::{Context as _, bail};
use std::path::{Component, Path, PathBuf};

/// The end of a test file's name.
const TEST_END: &str = ".test.toml";
/// The files of a rules folder that are no rules and yet decide how rules are read.
const SHARED: [&str; 2] = ["schema.toml", "policy.toml"];

/// A rules folder, and which of its rules are meant.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    /// The paths of the files that are meant begin so, relative to the root; empty for all.
    below: String,
    /// One rule by its name, not what begins so.
    exact: bool,
}

impl Place {
    /// Finds the rules folder that a folder or file belongs to: rules have their names from there.
    pub(super) fn find(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            bail!(
                "there is no {}: name a rules folder, a rule or a test file",
                path.display()
            );
        }
        let whole = whole(path)?;
        let folder = if whole.is_dir() {
            &whole
        } else {
            whole.parent().unwrap_or(Path::new("/"))
        };
        let root = root_of(folder);
        let inside = whole.strip_prefix(&root).unwrap_or(Path::new(""));
        let parts = inside
            .components()
            .map(|part| part.as_os_str().to_string_lossy());
        let below = parts.collect::<Vec<_>>().join("/");
        let exact = whole.is_file();
        let is_known = below.ends_with(TEST_END)
            || below.ends_with(".rhai")
            || SHARED.contains(&below.as_str());
        if exact && !is_known {
            bail!(
                "{} is neither a rule nor a test file, nor the schema.toml or policy.toml of {}",
                path.display(),
                shown(&root).display()
            );
        }
        Ok(Self {
            root: shown(&root),
            below,
            exact,
        })
    }

    /// The one file that is meant, relative to the root.
    pub(super) fn file(&self) -> Option<&str> {
        self.exact.then_some(&*self.below)
    }

    /// The files of the folder.
    pub(super) fn sources(&self) -> anyhow::Result<Sources> {
        Sources::read(&self.root)
            .with_context(|| format!("could not load the rules in {}", self.root.display()))
    }

    /// Whether a rule is meant, by its name.
    pub(super) fn covers(&self, rule: &str) -> bool {
        let name = self.below.strip_suffix(TEST_END);
        let name = name.or_else(|| self.below.strip_suffix(".rhai"));
        match name {
            Some(name) if self.exact => rule == name,
            _ => self.has(rule),
        }
    }

    /// Whether a file is meant, by its path relative to the root.
    pub(super) fn has(&self, file: &str) -> bool {
        if self.below.is_empty() || file == self.below {
            return true;
        }
        !self.exact
            && file
                .strip_prefix(&*self.below)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// A path from the root of the file system. Links stay as they are called, so that a link `rules` to
/// another folder is still the rules folder.
fn whole(path: &Path) -> anyhow::Result<PathBuf> {
    let failed = || format!("could not find {}", path.display());
    if path.components().any(|part| part == Component::ParentDir) {
        return std::fs::canonicalize(path).with_context(failed);
    }
    std::path::absolute(path).with_context(failed)
}

/// A folder as a user would write it: from where they are, if it is there.
fn shown(folder: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match folder.strip_prefix(&here) {
        Ok(inside) if inside == Path::new("") => PathBuf::from("."),
        Ok(inside) => inside.to_owned(),
        Err(_) => folder.to_owned(),
    }
}

/// The nearest folder upwards that looks like the top of a rules folder; else the folder itself.
fn root_of(folder: &Path) -> PathBuf {
    let is_root = |folder: &&Path| {
        SHARED.iter().any(|name| folder.join(name).is_file())
            || folder.file_name().is_some_and(|name| name == "rules")
            || has_library(folder)
    };
    let found = folder.ancestors().find(is_root);
    found.unwrap_or(folder).to_owned()
}

/// Whether there is a `lib/` of shared functions. Any other folder of that name says nothing: the top of
/// a file system has one.
fn has_library(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder.join("lib")).into_iter().flatten();
    files
        .flatten()
        .any(|file| file.path().extension().is_some_and(|end| end == "rhai"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_folder_covers_what_is_below_it_and_not_what_only_begins_like_it() {
        let place = |below: &str, exact| Place {
            root: PathBuf::new(),
            below: below.to_owned(),
            exact,
        };
        assert!(place("", false).covers("coffee/third-visit"));
        assert!(place("coffee", false).covers("coffee/third-visit"));
        assert!(!place("coffee", false).covers("coffee-house/third-visit"));
        assert!(place("coffee.rhai", true).covers("coffee"));
        assert!(place("coffee.test.toml", true).covers("coffee"));
        assert!(!place("coffee.rhai", true).covers("coffee/third-visit"));
        assert!(!place("schema.toml", true).covers("coffee"));
        assert!(place("coffee", false).has("coffee/third-visit.test.toml"));
        assert!(!place("coffee.rhai", true).has("coffee.test.toml"));
    }
}
