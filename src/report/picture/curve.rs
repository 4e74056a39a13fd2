//! How an uplift came to be known: its estimate and its interval, look after look.

use super::canvas::{Anchor, Canvas, FAINT, GREEN, INK, Place};
use super::scale::{label, ticks, time};
use crate::report::model::{Bounds, Point, RuleReport};
use crate::report::table::grouped;

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 170.0;
const AXIS: f64 = 50.0;
/// The longest name of a time of which five find room beside one another.
const SHORT: usize = 8;

/// Draws the uplift of a rule over its control group.
pub(super) fn draw(canvas: &mut Canvas, (left, top): Place, rule: &RuleReport) {
    let title = "Uplift over the rule's holdout, in percentage points";
    canvas.text((left, top + 8.0), 12.0, Anchor::Start, INK, title);
    let plot = (left + AXIS, top + 22.0);
    let known: Vec<(&Point, Bounds)> = (rule.over_time.iter())
        .filter_map(|point| Some((point, point.absolute?.map(|share| share * 100.0))))
        .collect();
    let (Some(first), Some(last)) = (rule.over_time.first(), rule.over_time.last()) else {
        return nothing(canvas, plot, "no customers yet");
    };
    let Some((_, latest)) = known.last() else {
        let reason = if last.held_out == 0 {
            "nobody is held out"
        } else {
            "too few customers to say"
        };
        return nothing(canvas, plot, reason);
    };
    let axis = Axis::of(&known);
    axis.draw(canvas, plot);
    let span = last.at - first.at;
    let x = |at: i64| plot.0 + WIDTH * (at - first.at) as f64 / span.max(1) as f64;
    let y = |number: f64| axis.place(plot, number);
    let upper = known.iter().map(|(point, b)| (x(point.at), y(b.high)));
    let lower = known.iter().rev().map(|(point, b)| (x(point.at), y(b.low)));
    let band: Vec<Place> = upper.chain(lower).collect();
    canvas.area(&band, GREEN);
    let estimates: Vec<Place> = (known.iter())
        .map(|(point, b)| (x(point.at), y(b.estimate)))
        .collect();
    canvas.path(&estimates, GREEN);
    let bottom = plot.1 + HEIGHT;
    canvas.line((plot.0, bottom), (plot.0 + WIDTH, bottom), FAINT, 1.0);
    let parts = if time(first.at, span).len() <= SHORT {
        4
    } else {
        2
    };
    for tick in 0..=parts {
        let at = first.at + span * tick / parts;
        canvas.line((x(at), bottom), (x(at), bottom + 4.0), FAINT, 1.0);
        let anchor = match tick {
            0 => Anchor::Start,
            last if last == parts => Anchor::End,
            _ => Anchor::Middle,
        };
        canvas.text((x(at), bottom + 17.0), 11.0, anchor, INK, &time(at, span));
    }
    let now = format!(
        "now {:+.2} [{:.2}, {:.2}]; {} customers, {} held out",
        latest.estimate,
        latest.low,
        latest.high,
        grouped(last.treated),
        grouped(last.held_out)
    );
    canvas.text((plot.0, bottom + 36.0), 12.0, Anchor::Start, INK, &now);
}

fn nothing(canvas: &mut Canvas, plot: Place, why: &str) {
    let middle = (plot.0 + WIDTH / 2.0, plot.1 + HEIGHT / 2.0);
    canvas.text(middle, 13.0, Anchor::Middle, INK, why);
}

/// The axis of the uplift. The first looks are wide; what is beyond the later ones is cut off.
struct Axis {
    ticks: Vec<f64>,
}

impl Axis {
    fn of(known: &[(&Point, Bounds)]) -> Self {
        let later = &known[known.len() / 4..];
        let low = later.iter().map(|(_, b)| b.low).fold(0.0, f64::min);
        let high = later.iter().map(|(_, b)| b.high).fold(0.0, f64::max);
        Self {
            ticks: ticks(low, high, 5.0),
        }
    }

    fn place(&self, plot: Place, number: f64) -> f64 {
        let low = self.ticks[0];
        let high = self.ticks[self.ticks.len() - 1];
        let part = (number.clamp(low, high) - low) / (high - low);
        plot.1 + HEIGHT * (1.0 - part)
    }

    fn draw(&self, canvas: &mut Canvas, plot: Place) {
        let step = self.ticks[1] - self.ticks[0];
        for tick in &self.ticks {
            let y = self.place(plot, *tick);
            let is_zero = tick.abs() < step / 2.0;
            let (colour, width) = if is_zero { (INK, 1.5) } else { (FAINT, 0.4) };
            canvas.line((plot.0, y), (plot.0 + WIDTH, y), colour, width);
            let name = label(*tick, step);
            canvas.text((plot.0 - 8.0, y + 4.0), 11.0, Anchor::End, INK, &name);
        }
    }
}
