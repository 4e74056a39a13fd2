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

/// The first step from `from` on that is due after `after`, and when. Steps in between whose time has
/// passed are left out.
#[must_use]
pub fn next_step(
    terms: &Terms,
    trigger: &Occasion,
    from: u32,
    after: Millis,
) -> Option<(u32, Millis)> {
    (0..)
        .zip(&terms.steps)
        .skip(from as usize)
        .find_map(|(at, step)| {
            let due = step_due(step, trigger)?;
            (due > after).then_some((at, due))
        })
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
        assert_eq!(next_step(&terms, &trigger, 0, -1), Some((0, 0)));
        assert_eq!(next_step(&terms, &trigger, 1, 0), Some((1, 9 * DAY)));
        assert_eq!(next_step(&terms, &trigger, 2, 9 * DAY), Some((2, 10 * DAY)));
        assert_eq!(next_step(&terms, &trigger, 3, 10 * DAY), None);
    }

    #[test]
    fn a_step_whose_time_has_passed_or_is_unknown_is_left_out() {
        let terms = terms(race_day());
        let tomorrow = trigger(Some(43_200));
        assert_eq!(next_step(&terms, &tomorrow, 1, 0), Some((2, DAY / 2)));
        assert_eq!(next_step(&terms, &trigger(None), 1, 0), None);
        let far = trigger(Some(500 * 86_400));
        assert_eq!(next_step(&terms, &far, 1, 0), None, "longer than is kept");
    }
}
