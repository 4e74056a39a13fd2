//! Times in tests: lengths such as `"9m59s999ms"`, and points in time, absolute or relative to `now`.

use crate::clock::{DAY, HOUR, MINUTE, Millis, SECOND, parse_rfc3339};

/// How a length is written.
pub(super) const LENGTH: &str = "a length such as \"3d\", \"10m\" or \"9m59s999ms\"";
/// How a point in time is written.
pub(super) const TIME: &str =
    "a time such as \"2026-11-18T12:00:00+08:00\", or \"now\", \"now-3d\", \"now+10m\"";

/// Reads whole numbers with `d`, `h`, `m`, `s` or `ms`, one after another.
pub(super) fn length(text: &str) -> Option<Millis> {
    let mut total: Millis = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = match unit {
            "d" => DAY,
            "h" => HOUR,
            "m" => MINUTE,
            "s" => SECOND,
            "ms" => 1,
            _ => return None,
        };
        let number: Millis = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = after;
    }
    (total <= 36_500 * DAY).then_some(total)
}

/// Reads an RFC 3339 time, or one relative to `now`.
pub(super) fn time(text: &str, now: Millis) -> Option<Millis> {
    let Some(offset) = text.trim().strip_prefix("now") else {
        return parse_rfc3339(text);
    };
    let offset = offset.trim();
    match offset.chars().next() {
        None => Some(now),
        Some('-') => length(&offset[1..]).map(|length| now - length),
        Some('+') => length(&offset[1..]).map(|length| now + length),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_add_up_and_times_may_be_relative() {
        assert_eq!(length("9m59s999ms"), Some(10 * MINUTE - 1));
        assert_eq!(length("0s"), Some(0));
        assert_eq!(length("1d 2h"), None);
        for wrong in ["", "d", "3", "3w", "-3d", "99999999999d"] {
            assert_eq!(length(wrong), None, "{wrong}");
        }
        assert_eq!(time("now-1m", HOUR), Some(HOUR - MINUTE));
        assert_eq!(time("now + 1m", HOUR), Some(HOUR + MINUTE));
        assert_eq!(time("now", HOUR), Some(HOUR));
        assert_eq!(time("1970-01-01T01:00:00Z", 0), Some(HOUR));
        assert_eq!(time("nowhere", 0), None);
        assert_eq!(time("yesterday", 0), None);
    }
}
