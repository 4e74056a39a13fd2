//! Quiet hours, in the customer's time zone.

use crate::clock::Millis;
use crate::terms::QuietHours;
use jiff::{Timestamp, civil::Time, tz::TimeZone};

/// Whether a time is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quiet {
    /// It is not.
    No,
    /// It is, until then.
    Until(Millis),
    /// It is, and no end of it is near.
    Always,
}

/// How many days ahead an end is looked for: a week and a day, so that every weekday is seen.
const DAYS_AHEAD: usize = 8;

/// Whether any of these quiet hours cover a time, and when all of them are over.
///
/// Wall-clock time decides, so on the day of a change to or from summer time the night is an hour
/// shorter or longer. An end that the change skips comes when the clocks have been put forward; one
/// that comes twice is the first that has not passed.
#[must_use]
pub(super) fn quiet(hours: &[&QuietHours], at: Millis, zone: &TimeZone) -> Quiet {
    let local = |at: Millis| {
        let timestamp = Timestamp::from_millisecond(at).ok()?;
        Some(timestamp.to_zoned(zone.clone()))
    };
    let is_quiet = |at: Millis| {
        local(at).is_some_and(|local| {
            let (time, day) = (local.time(), local.weekday().to_monday_zero_offset());
            (hours.iter()).any(|quiet| quiet.hours.contain(time) && quiet.days.contain(day))
        })
    };
    if hours.is_empty() || !is_quiet(at) {
        return Quiet::No;
    }
    let mut day = local(at).map(|local| local.date());
    for _ in 0..=DAYS_AHEAD {
        let Some(today) = day else { break };
        // Some hours end, or a day ends whose successor is not a quiet one.
        let times = hours.iter().map(|quiet| quiet.hours.until());
        let moments = times.chain([Time::midnight()]).flat_map(|time| {
            let ambiguous = zone.to_ambiguous_zoned(today.to_datetime(time));
            [ambiguous.clone().compatible(), ambiguous.later()]
        });
        let moments = moments
            .flatten()
            .map(|end| end.timestamp().as_millisecond());
        if let Some(end) = moments.filter(|end| *end > at && !is_quiet(*end)).min() {
            return Quiet::Until(end);
        }
        day = today.tomorrow().ok();
    }
    Quiet::Always
}
