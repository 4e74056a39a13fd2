//! Whether a customer may be spoken to now, and by which channels: exclusions, consent, reachability, quiet
//! hours, and the contact policy's caps and cooldowns.

use super::limits::{Count, Shared, Spoken};
use super::quiet::{self, Quiet};
use super::trace::{self, Trace};
use crate::action::Verdict;
use crate::clock::Millis;
use crate::partitioning::CustomerId;
use crate::state::{Attribute, Customer, DecisionId, Names};
use crate::terms::{self, ContactPolicy, QuietHours, Terms};
use jiff::tz::TimeZone;

/// What no channel of a rule gets past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The first channel's reason; [`Verdict::Deferred`] if the rule waits for the end of quiet hours.
    pub verdict: Verdict,
    /// When the quiet hours end that the rule waits for.
    pub until: Option<Millis>,
}

/// A rule that wants to speak to a customer at a time.
#[derive(Clone, Copy)]
pub struct Approach<'a, 'r> {
    /// What the rule says of itself.
    pub terms: &'r Terms,
    /// What holds for all rules.
    pub policy: &'a ContactPolicy,
    /// Whom.
    pub id: &'a CustomerId,
    /// What is known of them.
    pub customer: &'a Customer,
    /// Words of state.
    pub names: &'a Names,
    /// Policy time.
    pub at: Millis,
    /// The customer's time zone, which is asked for only if it matters.
    pub zone: &'a dyn Fn() -> TimeZone,
    /// What was said to them at this very event.
    pub spoken: &'a [Spoken],
    /// Whom they share caps with.
    pub household: Option<&'a Shared>,
    /// The decision that failed on another channel, and that this stands in for.
    pub instead_of: Option<DecisionId>,
}

impl<'r> Approach<'_, 'r> {
    /// The channels, in the order of preference, that are open: at least one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn channels(&self, trace: &mut Trace) -> Result<Vec<&'r str>, Refusal> {
        if self.is_excluded(trace) {
            return Err(Refusal {
                verdict: Verdict::Excluded,
                until: None,
            });
        }
        let mut open = Vec::new();
        let mut first = None;
        let mut until: Option<Millis> = None;
        for channel in self.order() {
            match self.closed(channel, trace) {
                None => {
                    trace.push("channel", true, || vec![("channel", trace::word(channel))]);
                    open.push(channel);
                }
                Some((verdict, ends)) => {
                    first.get_or_insert(verdict);
                    until = until.into_iter().chain(ends).min();
                }
            }
        }
        if !open.is_empty() {
            return Ok(open);
        }
        let waits = self.terms.quiet == terms::Quiet::Defer;
        Err(match until.filter(|_| waits) {
            Some(until) => Refusal {
                verdict: Verdict::Deferred,
                until: Some(until),
            },
            None => Refusal {
                verdict: first.unwrap_or(Verdict::Unreachable),
                until: None,
            },
        })
    }

    /// Whether nothing at all is said to the customer.
    fn is_excluded(&self, trace: &mut Trace) -> bool {
        let exclusions = &self.policy.exclusions;
        let profile = &self.customer.profile;
        let in_segment =
            |word: &str| (self.names.find(word)).is_some_and(|name| profile.in_segment(name));
        let is_true = |word: &str| {
            let name = self.names.find(word);
            name.and_then(|name| profile.attribute(name)) == Some(&Attribute::Bool(true))
        };
        let segment = (exclusions.segments.iter()).find(|word| in_segment(word));
        let attribute = (exclusions.attributes.iter()).find(|word| is_true(word));
        let list = (exclusions.lists.iter()).find(|(_, list)| list.has(self.id.as_str()));
        let found = [
            segment.map(|word| ("segment", word)),
            attribute.map(|word| ("attribute", word)),
            list.map(|(word, _)| ("list", word)),
        ];
        let found = found.into_iter().flatten().next();
        if self.policy.exclusions != terms::Exclusions::default() {
            trace.push("excluded", found.is_none(), || {
                let found = found.into_iter();
                found
                    .map(|(kind, word)| (kind, trace::word(word)))
                    .collect()
            });
        }
        found.is_some()
    }

    /// The rule's channels in the order in which they are tried.
    fn order(&self) -> Vec<&'r str> {
        let order = &self.policy.channels;
        let mut channels: Vec<&'r str> = self.terms.channels.iter().map(|word| &**word).collect();
        let is_reached = |channel: &str| {
            let name = self.names.find(channel);
            name.and_then(|name| self.customer.profile.reachable(name)) == Some(true)
        };
        // Stable: what is alike stays in the order of the rule.
        channels.sort_by_key(|channel| {
            let reached = order.prefer_reachable && is_reached(channel);
            (!reached, order.place(channel))
        });
        channels
    }

    /// Why a channel is closed, if it is; with the end of quiet hours, if that is why and it has one.
    fn closed(&self, channel: &str, trace: &mut Trace) -> Option<(Verdict, Option<Millis>)> {
        if !self.is_consented(channel, trace) {
            return Some((Verdict::Consent, None));
        }
        let name = self.names.find(channel);
        let reachable = name.and_then(|name| self.customer.profile.reachable(name));
        trace.push("unreachable", reachable != Some(false), || {
            let known = reachable.map_or(crate::event::Value::Null, crate::event::Value::Bool);
            vec![("channel", trace::word(channel)), ("reachable", known)]
        });
        if reachable == Some(false) {
            return Some((Verdict::Unreachable, None));
        }
        if let Some(ends) = self.quiet(channel, trace) {
            return Some((Verdict::QuietHours, ends));
        }
        let count = Count {
            customer: self.customer,
            names: self.names,
            at: self.at,
            spoken: self.spoken,
            household: self.household,
            instead_of: self.instead_of,
        };
        let allowed = count.allows(self.policy, self.terms, channel, self.zone, trace);
        (!allowed).then_some((Verdict::PolicyCap, None))
    }

    /// Whether the customer has consented to what the rule is for, and to the channel.
    fn is_consented(&self, channel: &str, trace: &mut Trace) -> bool {
        let defaults = &self.policy.consent;
        let said = |word: &str| {
            let name = self.names.find(word);
            name.and_then(|name| self.customer.profile.consents(name))
        };
        let mut ask = |word: &str, default: bool| {
            let said = said(word);
            let passed = said.unwrap_or(default);
            trace.push("consent", passed, || {
                let by = if said.is_some() { "profile" } else { "policy" };
                vec![("to", trace::word(word)), ("by", trace::word(by))]
            });
            passed
        };
        let purpose = self.terms.purpose.as_deref();
        purpose.is_none_or(|purpose| {
            let word = format!("{PURPOSE_PREFIX}{purpose}");
            ask(&word, defaults.allows_purpose(purpose))
        }) && ask(channel, defaults.allow)
    }

    /// Whether a channel is quiet, and until when, if it ends.
    fn quiet(&self, channel: &str, trace: &mut Trace) -> Option<Option<Millis>> {
        let hours: Vec<&QuietHours> = (self.policy.quiet.iter())
            .filter(|quiet| quiet.cover(channel))
            .collect();
        if hours.is_empty() {
            return None;
        }
        let quiet = quiet::quiet(&hours, self.at, &(self.zone)());
        let ends = match quiet {
            Quiet::No => None,
            Quiet::Until(end) => Some(Some(end)),
            Quiet::Always => Some(None),
        };
        trace.push("quiet_hours", ends.is_none(), || {
            let mut detail = vec![("channel", trace::word(channel))];
            detail.extend(ends.flatten().map(|end| ("until", trace::time(end))));
            detail
        });
        ends
    }
}

/// What the consent to a purpose has before its name, among those to channels.
pub const PURPOSE_PREFIX: &str = "purpose:";
