//! `[[cap]]` and `[[cooldown]]`: how often, and after how long.

use super::reader::{Reader, Section, Subject};
use crate::clock::DAY;
use crate::state::Window;
use toml::de::DeTable;

pub(super) const CAP: &str = "cap";
pub(super) const COOLDOWN: &str = "cooldown";
/// As long as contacts are kept.
const WINDOW_MAX: i64 = 400 * DAY;

/// So many contacts per so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub count: u32,
    /// Per what.
    pub per: Per,
    /// Which proposals it concerns, and which contacts it counts.
    pub scope: Scope,
    /// Whether the contacts of everybody in the household count.
    pub household: bool,
}

/// The time in which contacts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// The length before the moment.
    Rolling(Window),
    /// The calendar day, in the customer's time zone.
    Day,
    /// The calendar week, from Monday.
    Week,
    /// The calendar month.
    Month,
}

impl Per {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            other => Self::Rolling(window(other)?),
        })
    }
}

impl std::fmt::Display for Per {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rolling(window) => window.fmt(f),
            Self::Day => f.write_str("day"),
            Self::Week => f.write_str("week"),
            Self::Month => f.write_str("month"),
        }
    }
}

/// What something is limited to; nothing for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// This channel.
    pub channel: Option<Box<str>>,
    /// This scene.
    pub scene: Option<Box<str>>,
    /// This rule.
    pub rule: Option<Box<str>>,
}

fn window(text: &str) -> Option<Window> {
    Window::parse(text).filter(|window| window.millis() <= WINDOW_MAX)
}

pub(super) fn caps(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Vec<Limit> {
    let caps = reader.sections(root, (CAP, "[[cap]]"), false);
    caps.iter()
        .filter_map(|cap| read_cap(reader, cap))
        .collect()
}

fn read_cap(reader: &mut Reader<'_>, cap: &Section<'_>) -> Option<Limit> {
    cap.known(
        reader,
        &["count", "per", "channel", "scene", "rule", "household"],
    );
    cap.missing(reader, "count", "3");
    cap.missing(reader, "per", "\"day\"");
    let count = cap.count(reader, "count");
    let wanted = "a length up to \"400d\" such as \"24h\", or \"day\", \"week\" or \"month\"";
    let per = cap.parsed(reader, "per", wanted, Per::parse);
    let (scope, household) = (scope(reader, cap), cap.boolean(reader, "household"));
    Some(Limit {
        count: count?,
        per: per?,
        scope,
        household,
    })
}

pub(super) fn cooldowns(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Vec<Limit> {
    let cooldowns = reader.sections(root, (COOLDOWN, "[[cooldown]]"), false);
    let read = |cooldown: &Section<'_>| {
        cooldown.known(reader, &["length", "channel", "scene", "rule", "household"]);
        cooldown.missing(reader, "length", "\"30m\"");
        let wanted = "a length up to \"400d\" such as \"30m\"";
        let length = cooldown.parsed(reader, "length", wanted, window);
        let scope = scope(reader, cooldown);
        let household = cooldown.boolean(reader, "household");
        Some(Limit {
            count: 1,
            per: Per::Rolling(length?),
            scope,
            household,
        })
    };
    cooldowns.iter().filter_map(read).collect()
}

fn scope(reader: &mut Reader<'_>, section: &Section<'_>) -> Scope {
    let mut word = |key: &str, subject: Subject| {
        let (word, span) = section.text(reader, key)?;
        reader.mention(subject, word, span);
        Some(Box::from(word))
    };
    Scope {
        channel: word("channel", Subject::Channel),
        scene: word("scene", Subject::Scene),
        rule: word("rule", Subject::Rule),
    }
}
