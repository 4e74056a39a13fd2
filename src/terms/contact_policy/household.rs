//! `[household]`: who shares caps.

use super::reader::Reader;
use crate::event::FieldKind;
use toml::de::DeTable;

pub(super) const TABLE: &str = "household";

/// Who shares caps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Household {
    /// The profile attribute whose value is the key; `None` if nobody shares any.
    pub attribute: Option<Box<str>>,
}

pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Household {
    let Some(section) = reader.section(root, (TABLE, "[household]")) else {
        return Household::default();
    };
    section.known(reader, &["attribute"]);
    section.missing(reader, "attribute", "\"household\"");
    let attribute = section.text(reader, "attribute");
    let attribute = attribute.map(|(name, span)| {
        reader.attribute(name, span, FieldKind::Text);
        Box::from(name)
    });
    Household { attribute }
}
