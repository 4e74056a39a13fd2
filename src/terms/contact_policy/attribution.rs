//! `[attribution]` of `policy.toml`: to which of several touches a conversion is put down.

use super::PolicyError;

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

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAttribution {
    model: toml::Spanned<String>,
}

impl RawAttribution {
    pub(super) fn read(self) -> Result<AttributionModel, PolicyError> {
        AttributionModel::from_word(self.model.get_ref()).ok_or_else(|| PolicyError {
            message: format!(
                "\"{}\" is not an attribution model: write \"last-touch\", \"first-touch\" or \"linear\"",
                self.model.get_ref()
            ),
            span: Some(self.model.span()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ContactPolicy;
    use super::*;

    #[test]
    fn the_last_touch_gets_it_unless_the_policy_says_otherwise() {
        let model = |text: &str| ContactPolicy::parse(text).map(|policy| policy.attribution);
        assert_eq!(model(""), Ok(AttributionModel::LastTouch));
        for known in AttributionModel::ALL {
            let text = format!("[attribution]\nmodel = \"{}\"\n", known.word());
            assert_eq!(model(&text), Ok(known));
        }
        let fault = model("[attribution]\nmodel = \"last\"\n").unwrap_err();
        assert!(fault.message.contains("last-touch"), "{fault}");
        assert_eq!(fault.span, Some(22..28));
    }
}
