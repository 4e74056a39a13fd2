//! Cooldown, cap, and the choice of a channel.

use super::quiet;
use crate::action::Verdict;
use crate::clock::Millis;
use crate::state::{Customer, Name, Names};
use crate::terms::{ContactPolicy, Quiet, Terms};
use jiff::tz::TimeZone;

/// Whether a rule may speak to a customer again. `rule` is `None` when it never spoke to anybody.
/// Something sent exactly a cooldown ago no longer stands in the way, as for every window.
#[must_use]
pub fn frequency(
    terms: &Terms,
    rule: Option<Name>,
    customer: &Customer,
    at: Millis,
) -> Option<Verdict> {
    let rule = rule?;
    if let Some(cooldown) = terms.cooldown
        && customer.entries(rule, at, cooldown.millis()) > 0
    {
        return Some(Verdict::Cooldown);
    }
    if let Some(cap) = terms.cap
        && customer.entries(rule, at, cap.window.millis()) >= cap.count as usize
    {
        return Some(Verdict::Cap);
    }
    None
}

/// What no channel of a rule gets past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The first channel's reason; [`Verdict::Deferred`] if the rule waits for the end of quiet hours.
    pub verdict: Verdict,
    /// When the quiet hours end that the rule waits for.
    pub until: Option<Millis>,
}

/// The first channel that the customer did not refuse, that is not known to be out of reach, and that
/// is not kept quiet. `zone` is asked for only if there are quiet hours.
///
/// # Errors
/// Why there is none.
pub fn channel<'a>(
    terms: &'a Terms,
    policy: &ContactPolicy,
    customer: &Customer,
    names: &Names,
    at: Millis,
    zone: impl FnOnce() -> TimeZone,
) -> Result<&'a str, Refusal> {
    let profile = &customer.profile;
    let quiet = policy.quiet.as_ref();
    let until = quiet.and_then(|quiet| quiet::end(quiet, at, &zone()));
    let mut first = None;
    let mut waits = false;
    for channel in &terms.channels {
        let verdict = match names.find(channel) {
            Some(name) if profile.consents(name) == Some(false) => Verdict::Consent,
            Some(name) if profile.reachable(name) == Some(false) => Verdict::Unreachable,
            _ if until.is_some() && quiet.is_some_and(|quiet| quiet.cover(channel)) => {
                waits = terms.quiet == Quiet::Defer;
                Verdict::QuietHours
            }
            _ => return Ok(channel),
        };
        first.get_or_insert(verdict);
    }
    Err(if waits {
        Refusal {
            verdict: Verdict::Deferred,
            until,
        }
    } else {
        Refusal {
            verdict: first.unwrap_or(Verdict::Unreachable),
            until: None,
        }
    })
}
