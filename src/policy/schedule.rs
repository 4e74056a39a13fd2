//! Dates, days and hours, in the customer's time zone.

use crate::clock::Millis;
use crate::terms::{Days, Terms};
use jiff::civil::{Date, Time};
use jiff::{Timestamp, Zoned, tz::TimeZone};

/// Whether a rule may speak at this time. `zone` is asked for only if it matters.
pub fn is_scheduled(terms: &Terms, at: Millis, zone: impl FnOnce() -> TimeZone) -> bool {
    let always = terms.starts.is_none()
        && terms.ends.is_none()
        && terms.hours.is_none()
        && terms.days == Days::ALL;
    if always {
        return true;
    }
    local_time(at, zone()).is_some_and(|local| is_scheduled_at(terms, &local))
}

/// A time in a time zone; `None` for one that no calendar has.
#[must_use]
pub fn local_time(at: Millis, zone: TimeZone) -> Option<Zoned> {
    let timestamp = Timestamp::from_millisecond(at).ok()?;
    Some(timestamp.to_zoned(zone))
}

/// Whether a rule may speak at this local time.
#[must_use]
pub fn is_scheduled_at(terms: &Terms, local: &Zoned) -> bool {
    terms.starts.is_none_or(|starts| local.date() >= starts)
        && terms.ends.is_none_or(|ends| local.date() < ends)
        && terms.hours.is_none_or(|hours| hours.contain(local.time()))
        && terms.days.contain(local.weekday().to_monday_zero_offset())
}

/// The calendar day of a time.
#[must_use]
pub fn local_day(at: Millis, zone: &TimeZone) -> Date {
    Timestamp::from_millisecond(at).map_or(Date::ZERO, |timestamp| {
        timestamp.to_zoned(zone.clone()).date()
    })
}

/// When a time of day comes next after `after`, and on which day. A time that a change to summer time
/// skips comes when the clocks have been put forward; one that comes twice is the first.
#[must_use]
pub fn daily_due(at: Time, after: Millis, zone: &TimeZone) -> Option<(Millis, Date)> {
    let mut day = local_day(after, zone);
    // Today's, or tomorrow's; a zone that crosses the date line can skip a whole day.
    for _ in 0..3 {
        let due = day.to_datetime(at).to_zoned(zone.clone()).ok()?;
        let due = due.timestamp().as_millisecond();
        if due > after {
            return Some((due, day));
        }
        day = day.tomorrow().ok()?;
    }
    None
}
