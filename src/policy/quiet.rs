//! Quiet hours, in the customer's time zone.

use crate::clock::Millis;
use crate::terms::QuietHours;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// When the quiet hours end that a time falls into; `None` if it falls into none.
///
/// Wall-clock time decides, so on the day of a change to or from summer time the night is an hour
/// shorter or longer. An end that the change skips comes when the clocks have been put forward; one
/// that comes twice is the first.
#[must_use]
pub(super) fn end(quiet: &QuietHours, at: Millis, zone: &TimeZone) -> Option<Millis> {
    let local = Timestamp::from_millisecond(at).ok()?.to_zoned(zone.clone());
    let is_quiet = quiet.hours.contain(local.time())
        && quiet.days.contain(local.weekday().to_monday_zero_offset());
    if !is_quiet {
        return None;
    }
    let on = |date: Date| {
        let end = date.to_datetime(quiet.hours.until());
        let end = end.to_zoned(zone.clone()).ok()?.timestamp();
        Some(end.as_millisecond()).filter(|end| *end > at)
    };
    let tomorrow = local.date().tomorrow().ok()?;
    on(local.date()).or_else(|| on(tomorrow))
}
