//! `[channels]`: in which order they are tried.

use super::reader::Reader;
use toml::de::DeTable;

pub(super) const TABLE: &str = "channels";

/// In which order the channels of a rule are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelOrder {
    /// These first, in this order; then the others in the rule's.
    pub order: Vec<Box<str>>,
    /// Whether those that are known to reach the customer come before those of which nothing is known.
    pub prefer_reachable: bool,
}

impl ChannelOrder {
    /// The place of a channel: the lower first.
    #[must_use]
    pub fn place(&self, channel: &str) -> usize {
        let place = self.order.iter().position(|known| **known == *channel);
        place.unwrap_or(self.order.len())
    }
}

pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> ChannelOrder {
    let Some(section) = reader.section(root, (TABLE, "[channels]")) else {
        return ChannelOrder::default();
    };
    section.known(reader, &["order", "prefer_reachable"]);
    ChannelOrder {
        order: section.channels(reader, "order"),
        prefer_reachable: section.boolean(reader, "prefer_reachable"),
    }
}
