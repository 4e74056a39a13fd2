//! `[exclusions]`: to whom nothing is said.

use super::lists::CustomerList;
use super::reader::{Reader, meant};
use crate::event::FieldKind;
use std::sync::Arc;
use toml::de::DeTable;

pub(super) const TABLE: &str = "exclusions";

/// To whom nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions {
    /// Those in one of these segments.
    pub segments: Vec<Box<str>>,
    /// Those of whom one of these attributes is true.
    pub attributes: Vec<Box<str>>,
    /// Those on one of these lists.
    pub lists: Vec<(Box<str>, Arc<CustomerList>)>,
}

pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Exclusions {
    let Some(section) = reader.section(root, (TABLE, "[exclusions]")) else {
        return Exclusions::default();
    };
    section.known(reader, &["segments", "attributes", "lists"]);
    let segments = section.texts(reader, "segments");
    let attributes = section.texts(reader, "attributes");
    for (name, span) in &attributes {
        reader.attribute(name, span.clone(), FieldKind::Boolean);
    }
    let mut lists = Vec::new();
    for (name, span) in section.texts(reader, "lists") {
        let known = reader.surroundings.lists;
        if let Some(list) = known.get(&name) {
            lists.push((name, list.clone()));
            continue;
        }
        let names: Vec<&str> = known.keys().map(|name| &**name).collect();
        let hint = meant(&name, &names)
            .unwrap_or_else(|| format!("write the file lists/{name}.txt, one customer id a line"));
        reader.fault(span, format!("there is no list `{name}`"), hint);
    }
    Exclusions {
        segments: segments.into_iter().map(|(name, _)| name).collect(),
        attributes: attributes.into_iter().map(|(name, _)| name).collect(),
        lists,
    }
}
