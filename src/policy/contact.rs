//! Cooldown, cap, and the choice of a channel.

use crate::action::Verdict;
use crate::clock::Millis;
use crate::state::{Contacts, Name, Names, Profile};
use crate::terms::Terms;

/// Whether a rule may speak to a customer again. `rule` is `None` when it never spoke to anybody.
/// Something sent exactly a cooldown ago no longer stands in the way, as for every window.
#[must_use]
pub fn frequency(
    terms: &Terms,
    rule: Option<Name>,
    contacts: &Contacts,
    at: Millis,
) -> Option<Verdict> {
    let rule = rule?;
    if let Some(cooldown) = terms.cooldown
        && contacts.count(rule, at, cooldown.millis()) > 0
    {
        return Some(Verdict::Cooldown);
    }
    if let Some(cap) = terms.cap
        && contacts.count(rule, at, cap.window.millis()) >= cap.count as usize
    {
        return Some(Verdict::Cap);
    }
    None
}

/// The first channel that the customer did not refuse and that is not known to be out of reach.
///
/// # Errors
/// The first channel's reason.
pub fn channel<'a>(terms: &'a Terms, profile: &Profile, names: &Names) -> Result<&'a str, Verdict> {
    let mut first = None;
    for channel in &terms.channels {
        let verdict = match names.find(channel) {
            Some(name) if profile.consents(name) == Some(false) => Verdict::Consent,
            Some(name) if profile.reachable(name) == Some(false) => Verdict::Unreachable,
            _ => return Ok(channel),
        };
        first.get_or_insert(verdict);
    }
    Err(first.unwrap_or(Verdict::Unreachable))
}
