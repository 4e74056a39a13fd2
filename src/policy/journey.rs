//! When the steps of a journey are due.

use crate::clock::{Millis, SECOND};
use crate::event::Occasion;
use crate::terms::{StepTime, Terms, WAIT_MAX};

/// When a step is due; `None` if the trigger's data lacks the time that it counts from, or the wait
/// would be longer than what waits is kept.
#[must_use]
pub fn step_due(step: &StepTime, trigger: &Occasion) -> Option<Millis> {
    let due = match step {
        StepTime::After(after) => trigger.time.saturating_add(*after),
        StepTime::Before { lead, of } => {
            let seconds = trigger.data.get(of)?.as_decimal()?;
            let seconds: i64 = seconds.trunc().try_into().ok()?;
            seconds.checked_mul(SECOND)?.saturating_sub(*lead)
        }
    };
    (due.saturating_sub(trigger.time) <= WAIT_MAX).then_some(due)
}

/// The step that comes next in time after `after` (when the last one was due, and which it was), and
/// when. Steps whose time had passed before are left out.
#[must_use]
pub fn next_step(terms: &Terms, trigger: &Occasion, after: (Millis, u32)) -> Option<(u32, Millis)> {
    let due = |(at, step)| Some((step_due(step, trigger)?, at));
    let steps = (0..).zip(&terms.steps).filter_map(due);
    let next = steps.filter(|next| *next > after).min()?;
    Some((next.1, next.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::DAY;
    use crate::event::Value;

    fn terms(steps: Vec<StepTime>) -> Terms {
        Terms {
            steps,
            ..Terms::new("r")
        }
    }

    fn trigger(race: Option<i64>) -> Occasion {
        let race = race.map_or(Value::Null, Value::Int);
        Occasion {
            id: "1".into(),
            source: "s".into(),
            kind: "race.registered".into(),
            time: 0,
            traceparent: None,
            data: Value::Record(vec![("race_date".into(), race)]),
        }
    }

    fn race_day() -> Vec<StepTime> {
        let before = |lead| StepTime::Before {
            lead,
            of: "race_date".into(),
        };
        vec![StepTime::After(0), before(DAY), before(0)]
    }

    #[test]
    fn steps_count_from_the_trigger_or_back_from_a_time_of_its_data() {
        let (terms, trigger) = (terms(race_day()), trigger(Some(10 * 86_400)));
        let next = |after| next_step(&terms, &trigger, after);
        assert_eq!(next((-1, 0)), Some((0, 0)));
        assert_eq!(next((0, 0)), Some((1, 9 * DAY)));
        assert_eq!(next((9 * DAY, 1)), Some((2, 10 * DAY)));
        assert_eq!(next((10 * DAY, 2)), None);
    }

    #[test]
    fn a_step_whose_time_has_passed_or_is_unknown_is_left_out() {
        let terms = terms(race_day());
        let tomorrow = trigger(Some(43_200));
        assert_eq!(next_step(&terms, &tomorrow, (0, 0)), Some((2, DAY / 2)));
        assert_eq!(next_step(&terms, &trigger(None), (0, 0)), None);
        let far = trigger(Some(500 * 86_400));
        assert_eq!(next_step(&terms, &far, (0, 0)), None, "longer than is kept");
    }

    #[test]
    fn steps_come_in_the_order_of_time_whatever_their_order_in_the_list() {
        let terms = terms(vec![
            StepTime::After(0),
            StepTime::After(DAY),
            StepTime::Before {
                lead: DAY,
                of: "race_date".into(),
            },
        ]);
        // The race is 36 hours away: the reminder of the day before comes first.
        let trigger = trigger(Some(36 * 3_600));
        let next = |after| next_step(&terms, &trigger, after);
        assert_eq!(next((0, 0)), Some((2, DAY / 2)));
        assert_eq!(next((DAY / 2, 2)), Some((1, DAY)));
        assert_eq!(next((DAY, 1)), None);
    }
}
