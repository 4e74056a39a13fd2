//! `rules/policy.toml`: what stands between every rule and a customer.

mod attribution;
mod control_group;

use super::{Days, Hours};

pub use attribution::AttributionModel;
pub use control_group::ControlGroup;

/// The contact policy of all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactPolicy {
    /// When nobody is disturbed.
    pub quiet: Option<QuietHours>,
    /// To whom no rule speaks.
    pub control_group: Option<ControlGroup>,
    /// To which of several touches a conversion is put down.
    pub attribution: AttributionModel,
}

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

/// What is wrong with a `policy.toml`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PolicyError {
    /// What, and how to mend it.
    pub message: String,
    /// Where in the file, in bytes.
    pub span: Option<std::ops::Range<usize>>,
}

impl ContactPolicy {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not TOML, has an unknown key, or names hours or days that are none.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let raw: RawPolicy = toml::from_str(text).map_err(|error| PolicyError {
            message: error.message().to_owned(),
            span: error.span(),
        })?;
        let quiet = raw.quiet_hours.map(RawQuietHours::read).transpose()?;
        let group = raw.control_group;
        let control_group = group
            .map(control_group::RawControlGroup::read)
            .transpose()?;
        let attribution = raw.attribution;
        let attribution = attribution
            .map(attribution::RawAttribution::read)
            .transpose()?;
        Ok(Self {
            quiet,
            control_group,
            attribution: attribution.unwrap_or_default(),
        })
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    quiet_hours: Option<RawQuietHours>,
    control_group: Option<control_group::RawControlGroup>,
    attribution: Option<attribution::RawAttribution>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuietHours {
    hours: toml::Spanned<String>,
    days: Option<toml::Spanned<String>>,
    #[serde(default)]
    channels: Vec<Box<str>>,
}

impl RawQuietHours {
    fn read(self) -> Result<QuietHours, PolicyError> {
        let fault = |text: &toml::Spanned<String>, wanted: &str| PolicyError {
            message: format!("\"{}\" is not {wanted}", text.get_ref()),
            span: Some(text.span()),
        };
        let hours = Hours::parse(self.hours.get_ref())
            .ok_or_else(|| fault(&self.hours, "hours: write them as \"22:00-08:00\""))?;
        let days = match &self.days {
            None => Days::ALL,
            Some(days) => Days::parse(days.get_ref())
                .ok_or_else(|| fault(days, "days: write them as \"mon-fri\" or \"sat,sun\""))?,
        };
        Ok(QuietHours {
            hours,
            days,
            channels: self.channels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_are_read_and_mistakes_are_named_with_their_place() {
        let text = "[quiet_hours]\nhours = \"22:00-08:00\"\nchannels = [\"push\"]\n";
        let quiet = ContactPolicy::parse(text).unwrap().quiet.unwrap();
        assert!(quiet.cover("push") && !quiet.cover("im"));
        assert_eq!(ContactPolicy::parse("").unwrap(), ContactPolicy::default());
        let wrong = |text: &str| ContactPolicy::parse(text).unwrap_err();
        let hours = wrong("[quiet_hours]\nhours = \"late\"\n");
        assert!(hours.message.contains("22:00-08:00"), "{hours}");
        assert_eq!(hours.span, Some(22..28));
        assert!(wrong("[caps]\n").message.contains("unknown field"));
        assert!(wrong("[quiet_hours]\n").message.contains("hours"));
    }
}
