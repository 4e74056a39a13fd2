//! `[[quiet_hours]]`: when nobody is disturbed.

use super::reader::{Reader, Section};
use crate::terms::{Days, Hours};
use toml::de::DeTable;

pub(super) const TABLE: &str = "quiet_hours";

/// Hours, in the customer's time zone, in which nothing is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// From when up to when.
    pub hours: Hours,
    /// On which days.
    pub days: Days,
    /// On which channels; empty for all.
    pub channels: Vec<Box<str>>,
}

impl QuietHours {
    /// Whether they keep a channel quiet.
    #[must_use]
    pub fn cover(&self, channel: &str) -> bool {
        self.channels.is_empty() || self.channels.iter().any(|quiet| **quiet == *channel)
    }
}

pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Vec<QuietHours> {
    let sections = reader.sections(root, (TABLE, "[[quiet_hours]]"), true);
    let read = |section: &Section<'_>| {
        section.known(reader, &["hours", "days", "channels"]);
        section.missing(reader, "hours", "\"22:00-08:00\"");
        let hours = section.parsed(
            reader,
            "hours",
            "hours such as \"22:00-08:00\"",
            Hours::parse,
        );
        let days = "days such as \"mon-fri\" or \"sat,sun\"";
        let days = section.parsed(reader, "days", days, Days::parse);
        let channels = section.channels(reader, "channels");
        Some(QuietHours {
            hours: hours?,
            days: days.unwrap_or(Days::ALL),
            channels,
        })
    };
    sections.iter().filter_map(read).collect()
}
