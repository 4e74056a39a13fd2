//! From a path on the command line to a rules folder and the part of it that is meant.

use crate::rules::Sources;
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};

/// A rules folder, and which of its rules are meant.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    /// Their names begin so; empty for all.
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
        let folder = if path.is_dir() {
            path
        } else {
            path.parent()
                .filter(|parent| *parent != Path::new(""))
                .unwrap_or(Path::new("."))
        };
        let root = root_of(folder);
        let inside = path.strip_prefix(&root).unwrap_or(Path::new(""));
        let parts = inside
            .components()
            .map(|part| part.as_os_str().to_string_lossy());
        let mut below = parts.collect::<Vec<_>>().join("/");
        let exact = path.is_file();
        if exact {
            let name = below
                .strip_suffix(".test.toml")
                .or_else(|| below.strip_suffix(".rhai"));
            let Some(name) = name else {
                bail!("{} is neither a rule nor a test file", path.display());
            };
            below = name.to_owned();
        }
        Ok(Self { root, below, exact })
    }

    /// The files of the folder.
    pub(super) fn sources(&self) -> anyhow::Result<Sources> {
        Sources::read(&self.root)
            .with_context(|| format!("could not load the rules in {}", self.root.display()))
    }

    /// Whether a rule is meant.
    pub(super) fn covers(&self, rule: &str) -> bool {
        if self.below.is_empty() || rule == self.below {
            return true;
        }
        !self.exact
            && rule
                .strip_prefix(&*self.below)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// The nearest folder upwards that looks like the top of a rules folder; else the folder itself.
fn root_of(folder: &Path) -> PathBuf {
    let is_root = |folder: &&Path| {
        ["schema.toml", "policy.toml", "lib"]
            .iter()
            .any(|name| folder.join(name).exists())
            || folder.file_name().is_some_and(|name| name == "rules")
    };
    let found = folder.ancestors().find(is_root);
    found.unwrap_or(folder).to_owned()
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
        assert!(place("coffee", true).covers("coffee"));
        assert!(!place("coffee", true).covers("coffee/third-visit"));
    }
}
