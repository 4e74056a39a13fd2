//! The contact policy's caps and cooldowns, counted over contacts.

use super::trace::{self, Trace};
use crate::clock::Millis;
use crate::event::Value;
use crate::state::{Contact, Customer, DecisionId, Name, Names};
use crate::terms::{ContactPolicy, Limit, Per, Terms};
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use std::sync::Arc;

/// A contact that was decided about at this very event, and is not in the customer's state yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// By which channel.
    pub channel: Box<str>,
    /// Of which scene.
    pub scene: Option<Arc<str>>,
    /// By which rule.
    pub rule: Arc<str>,
    /// The decision on another channel that it stands in for.
    pub fallback_of: Option<DecisionId>,
}

/// Whom a customer shares caps with.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The household's key, as contacts have it; `None` if nobody was contacted under it yet.
    pub key: Option<Name>,
    /// The others who were contacted under it.
    pub others: Vec<Arc<Customer>>,
}

/// What caps and cooldowns are counted over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count<'a> {
    pub(super) customer: &'a Customer,
    pub(super) names: &'a Names,
    pub(super) at: Millis,
    pub(super) spoken: &'a [Spoken],
    pub(super) household: Option<&'a Shared>,
    /// The failed decision that a proposal stands in for: both are one contact.
    pub(super) instead_of: Option<DecisionId>,
}

impl Count<'_> {
    /// Whether every cap and cooldown lets a rule speak by a channel.
    pub(super) fn allows(
        &self,
        policy: &ContactPolicy,
        terms: &Terms,
        channel: &str,
        zone: &dyn Fn() -> TimeZone,
        trace: &mut Trace,
    ) -> bool {
        let cooldowns = policy.cooldowns.iter().map(|limit| ("cooldown", limit));
        let caps = policy.caps.iter().map(|limit| ("cap", limit));
        for (kind, limit) in cooldowns.chain(caps) {
            if !concerns(limit, terms, channel) || limit.household && self.household.is_none() {
                continue;
            }
            let period = Period::of(limit.per, self.at, zone);
            let mut times = self.times(limit, period.begin);
            let passed = times.len() < limit.count as usize;
            trace.push("policy_cap", passed, || {
                times.sort_unstable();
                told(kind, limit, channel, &times, period)
            });
            if !passed {
                return false;
            }
        }
        true
    }

    /// When the contacts were that a limit counts, later than `begin`.
    fn times(&self, limit: &Limit, begin: Millis) -> Vec<Millis> {
        let Some(scope) = self.scope(limit) else {
            // A word that nobody was contacted under yet.
            let now = self
                .spoken
                .iter()
                .filter(|spoken| self.is_said(limit, spoken));
            return now.map(|_| self.at).collect();
        };
        let household = self.household.filter(|_| limit.household);
        let others = household.map_or(&[][..], |shared| &shared.others);
        let everybody = std::iter::once(self.customer).chain(others.iter().map(|other| &**other));
        let mut times = Vec::new();
        for customer in everybody {
            let contacts = customer.contacts.all().iter().rev();
            let recent = contacts.take_while(|contact| contact.at > begin);
            let counts = |contact: &&Contact| {
                contact.at <= self.at
                    && household.is_none_or(|shared| {
                        shared.key.is_some() && shared.key == contact.household
                    })
                    && scope.counts(contact, limit, self.instead_of)
            };
            times.extend(recent.filter(counts).map(|contact| contact.at));
        }
        let now = self
            .spoken
            .iter()
            .filter(|spoken| self.is_said(limit, spoken));
        times.extend(now.map(|_| self.at));
        times
    }

    /// The words of a scope as state has them; `None` if it does not know one of them.
    fn scope(&self, limit: &Limit) -> Option<NamedScope> {
        let find = |word: &Option<Box<str>>| match word {
            None => Some(None),
            Some(word) => self.names.find(word).map(Some),
        };
        Some(NamedScope {
            channel: find(&limit.scope.channel)?,
            scene: find(&limit.scope.scene)?,
            rule: find(&limit.scope.rule)?,
        })
    }

    /// Whether a limit counts what was said just now.
    fn is_said(&self, limit: &Limit, spoken: &Spoken) -> bool {
        let scope = &limit.scope;
        scope
            .channel
            .as_deref()
            .is_none_or(|word| *word == *spoken.channel)
            && scope
                .rule
                .as_deref()
                .is_none_or(|word| *word == *spoken.rule)
            && (scope.scene.as_deref()).is_none_or(|word| spoken.scene.as_deref() == Some(word))
            && (scope.channel.is_some() || spoken.fallback_of.is_none())
    }
}

/// Whether a limit concerns what a rule says by a channel.
fn concerns(limit: &Limit, terms: &Terms, channel: &str) -> bool {
    let scope = &limit.scope;
    scope
        .channel
        .as_deref()
        .is_none_or(|word| *word == *channel)
        && scope
            .rule
            .as_deref()
            .is_none_or(|word| *word == *terms.name)
        && (scope.scene.as_deref()).is_none_or(|word| terms.scene.as_deref() == Some(word))
}

struct NamedScope {
    channel: Option<Name>,
    scene: Option<Name>,
    rule: Option<Name>,
}

impl NamedScope {
    fn counts(&self, contact: &Contact, limit: &Limit, instead_of: Option<DecisionId>) -> bool {
        // A second try on another channel is the same contact, but for the channel's own caps.
        let is_by_channel = limit.scope.channel.is_some();
        let is_one = is_by_channel
            || contact.fallback_of.is_none() && instead_of.is_none_or(|id| id != contact.id);
        contact.delivery.counts()
            && is_one
            && self
                .channel
                .is_none_or(|channel| channel == contact.channel)
            && self.rule.is_none_or(|rule| rule == contact.rule)
            && self.scene.is_none_or(|scene| contact.scene == Some(scene))
    }
}

/// The time in which contacts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    /// Contacts later than this count.
    begin: Millis,
    /// When a calendar's period ends; `None` for a rolling one.
    end: Option<Millis>,
    /// The length of a rolling one.
    length: Millis,
}

impl Period {
    fn of(per: Per, at: Millis, zone: &dyn Fn() -> TimeZone) -> Self {
        if let Per::Rolling(window) = per {
            return Self {
                begin: at.saturating_sub(window.millis()),
                end: None,
                length: window.millis(),
            };
        }
        let zone = zone();
        let today = Timestamp::from_millisecond(at).map(|at| at.to_zoned(zone.clone()).date());
        let (first, next) = days(per, today.unwrap_or(Date::ZERO));
        let start = |day: Date| {
            let start = day.to_zoned(zone.clone());
            start.map_or(at, |start| start.timestamp().as_millisecond())
        };
        Self {
            // The first moment of the day is part of it.
            begin: start(first) - 1,
            end: Some(start(next)),
            length: 0,
        }
    }
}

/// The first day of a calendar's period, and of the next one.
fn days(per: Per, today: Date) -> (Date, Date) {
    let (first, length) = match per {
        Per::Rolling(_) | Per::Day => (today, 1.day()),
        Per::Week => {
            let since_monday = i64::from(today.weekday().to_monday_zero_offset());
            (today.saturating_sub(since_monday.days()), 7.days())
        }
        Per::Month => (today.first_of_month(), 1.month()),
    };
    (first, first.saturating_add(length))
}

/// The numbers of a limit, with the next time at which it would let pass.
fn told(
    kind: &str,
    limit: &Limit,
    channel: &str,
    times: &[Millis],
    period: Period,
) -> Vec<(&'static str, Value)> {
    let mut detail = vec![
        ("kind", trace::word(kind)),
        ("channel", trace::word(channel)),
        ("count", trace::count(times.len())),
        ("limit", Value::Int(limit.count.into())),
        ("per", trace::word(&limit.per.to_string())),
    ];
    let scope = [
        ("of_channel", &limit.scope.channel),
        ("of_scene", &limit.scope.scene),
        ("of_rule", &limit.scope.rule),
    ];
    let scope = scope.into_iter();
    detail.extend(scope.filter_map(|(name, word)| Some((name, trace::word(word.as_ref()?)))));
    if limit.household {
        detail.push(("household", Value::Bool(true)));
    }
    if let Some(over) = times.len().checked_sub(limit.count as usize) {
        let rolled = times.get(over).map(|at| at.saturating_add(period.length));
        let until = period.end.or(rolled);
        detail.extend(until.map(|until| ("until", trace::time(until))));
    }
    detail
}
