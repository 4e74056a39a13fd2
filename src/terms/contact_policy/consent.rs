//! `[consent]`: what holds where a profile says nothing.

use super::reader::{Reader, Subject};
use std::collections::BTreeMap;
use toml::de::DeTable;

pub(super) const TABLE: &str = "consent";

/// What holds for channels and purposes of which a profile says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentDefaults {
    /// Whether they count as consented to.
    pub allow: bool,
    /// The same for purposes of their own.
    pub purposes: BTreeMap<Box<str>, bool>,
}

impl Default for ConsentDefaults {
    fn default() -> Self {
        Self {
            allow: true,
            purposes: BTreeMap::new(),
        }
    }
}

impl ConsentDefaults {
    /// Whether a purpose of which the profile says nothing counts as consented to.
    #[must_use]
    pub fn allows_purpose(&self, purpose: &str) -> bool {
        self.purposes.get(purpose).copied().unwrap_or(self.allow)
    }
}

fn word(text: &str) -> Option<bool> {
    match text {
        "refuse" => Some(false),
        "allow" => Some(true),
        _ => None,
    }
}

pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> ConsentDefaults {
    let Some(section) = reader.section(root, (TABLE, "[consent]")) else {
        return ConsentDefaults::default();
    };
    let wanted = "\"refuse\" or \"allow\"";
    section.known(reader, &["default", "purposes"]);
    let allow = section.parsed(reader, "default", wanted, word);
    let mut purposes = BTreeMap::new();
    for (purpose, inner) in section.words(reader, "purposes") {
        if let Some(allow) = inner.parsed(reader, &purpose, wanted, word) {
            let span = inner.span(&purpose).unwrap_or_else(|| inner.place());
            reader.mention(Subject::Purpose, &purpose, span);
            purposes.insert(purpose, allow);
        }
    }
    ConsentDefaults {
        allow: allow.unwrap_or(true),
        purposes,
    }
}
