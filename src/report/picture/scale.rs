//! Numbers and times along an axis.

use crate::clock::{DAY, MINUTE, Millis};
use jiff::Timestamp;

/// Round numbers from below `low` to above `high`, about `count` of them.
pub(super) fn ticks(low: f64, high: f64, count: f64) -> Vec<f64> {
    let rough = ((high - low) / count).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power);
    let first = (low / step).floor();
    let last = (high / step).ceil();
    let steps = (last - first).clamp(1.0, 100.0) as u32;
    (0..=steps)
        .map(|at| (first + f64::from(at)) * step)
        .collect()
}

/// A number of an axis, with as many decimals as its steps need.
pub(super) fn label(number: f64, step: f64) -> String {
    let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{number:+.decimals$}");
    let is_zero = !text.contains(|c: char| ('1'..='9').contains(&c));
    if is_zero { "0".to_owned() } else { text }
}

/// A time of an axis that spans so long, in UTC.
pub(super) fn time(at: Millis, span: Millis) -> String {
    let format = match span {
        span if span >= 3 * DAY => "%b %d",
        span if span >= DAY => "%b %d %H:%M",
        span if span >= 10 * MINUTE => "%H:%M",
        _ => "%H:%M:%S",
    };
    Timestamp::from_millisecond(at)
        .map_or_else(|_| at.to_string(), |time| time.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_beyond_what_they_measure() {
        assert_eq!(ticks(-0.7, 3.2, 5.0), [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
        let labels: Vec<String> = ticks(0.0, 0.3, 3.0)
            .iter()
            .map(|n| label(*n, 0.1))
            .collect();
        assert_eq!(labels, ["0", "+0.1", "+0.2", "+0.3"]);
        assert_eq!(ticks(0.0, 0.0, 5.0).len(), 2);
    }

    #[test]
    fn a_longer_axis_shows_days_and_a_shorter_one_seconds() {
        let at = 1_793_500_000_000;
        assert_eq!(time(at, 30 * DAY), "Nov 01");
        assert_eq!(time(at, MINUTE), "02:26:40");
    }
}
