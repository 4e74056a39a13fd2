//! Cooldown, cap, and the choice of a channel.

use super::quiet;
use super::trace::{self, Trace};
use crate::action::Verdict;
use crate::clock::Millis;
use crate::event::Value;
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
    trace: &mut Trace,
) -> Option<Verdict> {
    let limits = [
        (Verdict::Cooldown, terms.cooldown.map(|window| (1, window))),
        (Verdict::Cap, terms.cap.map(|cap| (cap.count, cap.window))),
    ];
    for (verdict, limit) in limits {
        let Some((limit, window)) = limit else {
            continue;
        };
        let said = rule.map_or(0, |rule| customer.entries(rule, at, window.millis()));
        let passed = said < limit as usize;
        trace.push(verdict.word(), passed, || {
            vec![
                ("count", trace::count(said)),
                ("limit", Value::Int(limit.into())),
                ("window", trace::word(&window.to_string())),
            ]
        });
        if !passed {
            return Some(verdict);
        }
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

/// The channels, in order, that the customer did not refuse, that are not known to be out of reach, and
/// that are not kept quiet: at least one. `zone` is asked for only if there are quiet hours.
///
/// # Errors
/// Why there is none.
pub fn channels<'a>(
    terms: &'a Terms,
    policy: &ContactPolicy,
    customer: &Customer,
    names: &Names,
    at: Millis,
    zone: impl FnOnce() -> TimeZone,
    trace: &mut Trace,
) -> Result<Vec<&'a str>, Refusal> {
    let profile = &customer.profile;
    let quiet = policy.quiet.as_ref();
    let until = quiet.and_then(|quiet| quiet::end(quiet, at, &zone()));
    let mut open = Vec::new();
    let mut first = None;
    let mut waits = false;
    for channel in &terms.channels {
        let closed = match names.find(channel) {
            Some(name) if profile.consents(name) == Some(false) => Some(Verdict::Consent),
            Some(name) if profile.reachable(name) == Some(false) => Some(Verdict::Unreachable),
            _ if until.is_some() && quiet.is_some_and(|quiet| quiet.cover(channel)) => {
                waits = terms.quiet == Quiet::Defer;
                Some(Verdict::QuietHours)
            }
            _ => None,
        };
        let name = closed.map_or("channel", Verdict::word);
        trace.push(name, closed.is_none(), || {
            let mut detail = vec![("channel", trace::word(channel))];
            if closed == Some(Verdict::QuietHours) {
                detail.extend(until.map(|until| ("until", trace::time(until))));
            }
            detail
        });
        match closed {
            None => open.push(&**channel),
            Some(verdict) => {
                first.get_or_insert(verdict);
            }
        }
    }
    if !open.is_empty() {
        return Ok(open);
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
