//! How an uplift came to be known: what the report would have said at each of some moments of the period.

use super::fact::Side;
use super::model::Point;
use super::people::Person;
use super::uplift::bounds;
use crate::clock::{DAY, HOUR, MINUTE, Millis, SECOND};
use crate::statistics::{ConfidenceSequence, Proportion};

/// How many moments at most.
const POINTS_MAX: i64 = 60;
/// How far apart they may be.
const INTERVALS: [Millis; 21] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    20 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    28 * DAY,
];

/// What was known of customers at the end of each part of the period.
pub(super) fn over_time<'a>(
    sequence: &ConfidenceSequence,
    people: impl Iterator<Item = &'a Person>,
) -> Vec<Point> {
    // Who came, and who converted, each at its time: 0 for the treated, 1 for those held out.
    let mut events: Vec<(Millis, usize, bool)> = Vec::new();
    for person in people {
        let side = match person.side {
            Side::Treated => 0,
            Side::HeldOut => 1,
            Side::Control | Side::Shadow => continue,
        };
        events.push((person.at, side, false));
        if let Some(at) = person.converted_at {
            events.push((at.max(person.at), side, true));
        }
    }
    events.sort_unstable();
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Vec::new();
    };
    let (first, last) = (first.0, last.0);
    let interval = interval(last - first);
    let mut sides = [Proportion::default(); 2];
    let mut rest = &events[..];
    let mut points = Vec::new();
    let mut at = first.div_euclid(interval) * interval;
    while !rest.is_empty() {
        at += interval;
        let now = rest.partition_point(|event| event.0 < at);
        for (_, side, converted) in &rest[..now] {
            if *converted {
                sides[*side].successes += 1;
            } else {
                sides[*side].of += 1;
            }
        }
        rest = &rest[now..];
        let [treated, held_out] = sides;
        let difference = sequence.of_proportions(treated, held_out);
        points.push(Point {
            at,
            treated: treated.of,
            treated_converted: treated.successes,
            held_out: held_out.of,
            held_out_converted: held_out.successes,
            absolute: difference.map(|difference| bounds(difference.absolute)),
        });
    }
    points
}

fn interval(span: Millis) -> Millis {
    let fits = |interval: &&Millis| span / **interval < POINTS_MAX;
    let longest = INTERVALS[INTERVALS.len() - 1];
    INTERVALS
        .iter()
        .find(fits)
        .copied()
        .unwrap_or_else(|| longest * (span / longest / POINTS_MAX + 1))
}
