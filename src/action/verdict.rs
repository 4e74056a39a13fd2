//! What became of a rule at an event, in one word.

/// What became of a rule at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// The action went out.
    Sent,
    /// It would have gone out, but the customer is in the rule's control group.
    Holdout,
    /// It would have gone out, but the rule is in shadow mode.
    Shadow,
    /// The rule, its scene or everything was switched off by hand.
    Paused,
    /// The rule failed too often lately, and is not asked for a while.
    Quarantine,
    /// Outside the rule's dates, days or hours.
    Schedule,
    /// The customer is in none of the rule's segments.
    Audience,
    /// The rule is not rolled out to this customer yet.
    Rollout,
    /// The trigger is older than the rule's `fresh`.
    Stale,
    /// `when` said no.
    Condition,
    /// The rule spoke to this customer too recently.
    Cooldown,
    /// The rule spoke to this customer too often.
    Cap,
    /// The customer is on an exclusion list, or is not to be disturbed.
    Excluded,
    /// The customer refused each of the rule's channels.
    Consent,
    /// None of the rule's channels reaches the customer.
    Unreachable,
    /// The contact policy keeps this hour quiet, and the rule does not wait.
    QuietHours,
    /// The contact policy keeps this hour quiet: looked at again when it ends.
    Deferred,
    /// The contact policy's caps or cooldowns: the customer hears from us too often already.
    PolicyCap,
    /// The rule's budget does not cover it.
    Budget,
    /// Another rule of the group won.
    Arbitration,
    /// `still` said no.
    Still,
    /// `action` had nothing to say.
    None,
    /// A function of the rule failed.
    Error,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 23] = [
        Self::Sent,
        Self::Holdout,
        Self::Shadow,
        Self::Paused,
        Self::Quarantine,
        Self::Schedule,
        Self::Audience,
        Self::Rollout,
        Self::Stale,
        Self::Condition,
        Self::Cooldown,
        Self::Cap,
        Self::Excluded,
        Self::Consent,
        Self::Unreachable,
        Self::QuietHours,
        Self::Deferred,
        Self::PolicyCap,
        Self::Budget,
        Self::Arbitration,
        Self::Still,
        Self::None,
        Self::Error,
    ];

    /// The word in actions, metrics and reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Holdout => "holdout",
            Self::Shadow => "shadow",
            Self::Paused => "paused",
            Self::Quarantine => "quarantine",
            Self::Schedule => "schedule",
            Self::Audience => "audience",
            Self::Rollout => "rollout",
            Self::Stale => "stale",
            Self::Condition => "condition",
            Self::Cooldown => "cooldown",
            Self::Cap => "cap",
            Self::Excluded => "excluded",
            Self::Consent => "consent",
            Self::Unreachable => "unreachable",
            Self::QuietHours => "quiet_hours",
            Self::Deferred => "deferred",
            Self::PolicyCap => "policy_cap",
            Self::Budget => "budget",
            Self::Arbitration => "arbitration",
            Self::Still => "still",
            Self::None => "none",
            Self::Error => "error",
        }
    }

    /// Whether the rule's condition held.
    #[must_use]
    pub const fn is_proposal(self) -> bool {
        !matches!(
            self,
            Self::Paused
                | Self::Quarantine
                | Self::Schedule
                | Self::Audience
                | Self::Rollout
                | Self::Stale
                | Self::Condition
        )
    }

    /// Whether it is that of a [`Decision`](super::Decision): nothing stood in the way.
    #[must_use]
    pub const fn is_decision(self) -> bool {
        matches!(self, Self::Sent | Self::Holdout | Self::Shadow)
    }
}
