//! `[attribution]` of `policy.toml`: to which of several touches a conversion is put down.

use super::reader::Reader;
use toml::de::DeTable;

pub(super) const TABLE: &str = "attribution";

/// To which of several touches a conversion is put down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AttributionModel {
    /// All of it to the last.
    #[default]
    LastTouch,
    /// All of it to the first.
    FirstTouch,
    /// To each the same part.
    Linear,
}

impl AttributionModel {
    /// Every model, the default first.
    pub const ALL: [Self; 3] = [Self::LastTouch, Self::FirstTouch, Self::Linear];

    /// The word in `policy.toml` and in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::LastTouch => "last-touch",
            Self::FirstTouch => "first-touch",
            Self::Linear => "linear",
        }
    }

    /// The model of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.word() == word)
    }
}

pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> AttributionModel {
    let Some(section) = reader.section(root, (TABLE, "[attribution]")) else {
        return AttributionModel::default();
    };
    section.known(reader, &["model"]);
    section.missing(reader, "model", "\"last-touch\"");
    let wanted = "\"last-touch\", \"first-touch\" or \"linear\"";
    let model = section.parsed(reader, "model", wanted, AttributionModel::from_word);
    model.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::policy::tests::{faults, read};
    use super::*;

    #[test]
    fn the_last_touch_gets_it_unless_the_policy_says_otherwise() {
        let model = |text: &str| read(text).unwrap().0.attribution;
        assert_eq!(model(""), AttributionModel::LastTouch);
        for known in AttributionModel::ALL {
            let text = format!("[attribution]\nmodel = \"{}\"\n", known.word());
            assert_eq!(model(&text), known);
        }
        let found = faults("[attribution]\nmodel = \"last\"\n");
        assert!(found[0].hint.contains("last-touch"), "{found:?}");
        assert_eq!(found[0].span, 22..28);
    }
}
