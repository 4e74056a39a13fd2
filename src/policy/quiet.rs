//! Quiet hours, in the customer's time zone.

use crate::clock::Millis;
use crate::terms::QuietHours;
use jiff::{Timestamp, civil::Time, tz::TimeZone};

/// When the quiet hours end that a time falls into; `None` if it falls into none.
///
/// Wall-clock time decides, so on the day of a change to or from summer time the night is an hour
/// shorter or longer. An end that the change skips comes when the clocks have been put forward; one
/// that comes twice is the first that has not passed.
#[must_use]
pub(super) fn end(quiet: &QuietHours, at: Millis, zone: &TimeZone) -> Option<Millis> {
    let local = |at: Millis| {
        let timestamp = Timestamp::from_millisecond(at).ok()?;
        Some(timestamp.to_zoned(zone.clone()))
    };
    let is_quiet = |at: Millis| {
        local(at).is_some_and(|local| {
            quiet.hours.contain(local.time())
                && quiet.days.contain(local.weekday().to_monday_zero_offset())
        })
    };
    if !is_quiet(at) {
        return None;
    }
    let today = local(at)?.date();
    let tomorrow = today.tomorrow().ok()?;
    // The hours end, or a day ends whose successor is not a quiet one.
    let ends = [today, tomorrow].map(|day| day.to_datetime(quiet.hours.until()));
    let midnight = tomorrow.to_datetime(Time::midnight());
    let moments = ends.into_iter().chain([midnight]).flat_map(|end| {
        let ambiguous = zone.to_ambiguous_zoned(end);
        [ambiguous.clone().compatible(), ambiguous.later()]
    });
    let moments = moments
        .flatten()
        .map(|end| end.timestamp().as_millisecond());
    moments.filter(|end| *end > at && !is_quiet(*end)).min()
}
