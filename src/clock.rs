//! Time: the type all stages share, and the only place that reads the machine's clocks.

use jiff::Timestamp;
use jiff::tz::Offset;
use std::fmt;
use std::sync::Arc;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// One second in [`Millis`].
pub const SECOND: Millis = 1_000;
/// One minute in [`Millis`].
pub const MINUTE: Millis = 60 * SECOND;
/// One hour in [`Millis`].
pub const HOUR: Millis = 60 * MINUTE;
/// One day of 24 hours in [`Millis`].
pub const DAY: Millis = 24 * HOUR;

/// The wall clock, in milliseconds since the Unix epoch.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the wall clock is read"
)]
pub fn now_ms() -> Millis {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
        })
}

/// A clock that is handed to whoever needs the wall clock's time, so that a simulation has its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// The machine's wall clock.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(now_ms)
    }

    /// A clock that shows what a function says, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn from_fn(read: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Its time, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> Millis {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", format_rfc3339(self.now()))
    }
}

/// The monotonic clock, for measuring how long something took.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the monotonic clock is read"
)]
pub fn monotonic_now() -> std::time::Instant {
    std::time::Instant::now()
}

/// The runtime's clock: the monotonic one, or a simulation's.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a simulation has simulated time, which only the runtime knows"
)]
pub fn runtime_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Reads an RFC 3339 time with any offset. Fractions finer than a millisecond are cut off.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Millis> {
    text.parse::<Timestamp>().ok().map(|t| t.as_millisecond())
}

/// Writes a time as RFC 3339 in UTC with milliseconds, such as `2026-11-22T02:00:00.123Z`.
#[must_use]
pub fn format_rfc3339(time: Millis) -> String {
    let Ok(timestamp) = Timestamp::from_millisecond(time) else {
        return time.to_string();
    };
    let date = Offset::UTC.to_datetime(timestamp).date();
    let numbers = [date.year(), date.month().into(), date.day().into()];
    if date.year() < 0 {
        return format!("{timestamp:.3}");
    }
    written(numbers.map(i64::from), time.rem_euclid(DAY))
}

/// A date and the milliseconds of its day as RFC 3339 in UTC. Each action has several times in it, and the general
/// formatter takes ten times as long.
fn written([year, month, day]: [i64; 3], millis: Millis) -> String {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |end: usize, digits: usize, mut number: i64| {
        for at in (end - digits..end).rev() {
            text[at] = b"0123456789"[usize::try_from(number % 10).unwrap_or(0)];
            number /= 10;
        }
    };
    put(4, 4, year);
    put(7, 2, month);
    put(10, 2, day);
    put(13, 2, millis / HOUR);
    put(16, 2, millis / MINUTE % 60);
    put(19, 2, millis / SECOND % 60);
    put(23, 3, millis % SECOND);
    String::from_utf8(text.to_vec()).expect("invariant: digits are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        let general = |time: Millis| {
            let timestamp = Timestamp::from_millisecond(time);
            timestamp.map_or_else(|_| time.to_string(), |t| format!("{t:.3}"))
        };
        // From 0000-01-01 on, in steps that meet every day of the year and every hour.
        let (first, last) = (-62_167_219_200_000, Timestamp::MAX.as_second() * SECOND);
        let stride = 97 * DAY + 5 * HOUR + 61 * SECOND + 1;
        let some = (0..).map(|n| first + n * stride);
        let leap = parse_rfc3339("2000-03-01T00:00:00Z").unwrap();
        let edges = [
            first,
            leap,
            last,
            0,
            last + DAY,
            Millis::MAX - 1,
            Millis::MIN + 1,
        ];
        let edges = edges
            .into_iter()
            .flat_map(|edge| [edge - 1, edge, edge + 1]);
        for time in some.take_while(|t| *t <= last).chain(edges) {
            assert_eq!(format_rfc3339(time), general(time));
        }
        assert_eq!(format_rfc3339(leap - 1), "2000-02-29T23:59:59.999Z");
    }

    #[test]
    fn an_offset_is_honoured_and_written_back_in_utc() {
        let time = parse_rfc3339("2026-11-22T10:00:00.123+08:00").unwrap();
        assert_eq!(format_rfc3339(time), "2026-11-22T02:00:00.123Z");
        assert_eq!(parse_rfc3339("2026-11-22"), None);
    }
}
