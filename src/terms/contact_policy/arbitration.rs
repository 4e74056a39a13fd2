//! `[arbitration]`: how many may speak at one event.

use super::reader::Reader;
use toml::de::DeTable;

pub(super) const TABLE: &str = "arbitration";

/// How many may speak at one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arbitration {
    /// At most so many to one customer, over all groups; `None` for as many as pass.
    pub per_event: Option<u32>,
}

pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Arbitration {
    let Some(section) = reader.section(root, (TABLE, "[arbitration]")) else {
        return Arbitration::default();
    };
    section.known(reader, &["per_event"]);
    Arbitration {
        per_event: section.count(reader, "per_event"),
    }
}
