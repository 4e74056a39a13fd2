//! Dates, days and hours, in the customer's time zone.

use crate::clock::Millis;
use crate::terms::{Days, Terms};
use jiff::{Timestamp, tz::TimeZone};

/// Whether a rule may speak at this time. `zone` is asked for only if it matters.
pub fn is_scheduled(terms: &Terms, at: Millis, zone: impl FnOnce() -> TimeZone) -> bool {
    let always = terms.starts.is_none()
        && terms.ends.is_none()
        && terms.hours.is_none()
        && terms.days == Days::ALL;
    if always {
        return true;
    }
    let Ok(timestamp) = Timestamp::from_millisecond(at) else {
        return false;
    };
    let local = timestamp.to_zoned(zone());
    terms.starts.is_none_or(|starts| local.date() >= starts)
        && terms.ends.is_none_or(|ends| local.date() < ends)
        && terms.hours.is_none_or(|hours| hours.contain(local.time()))
        && terms.days.contain(local.weekday().to_monday_zero_offset())
}
