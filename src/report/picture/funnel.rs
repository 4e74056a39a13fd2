//! What became of what was sent.

use super::canvas::{Anchor, BLUE, Canvas, FAINT, GREEN, INK, Place};
use crate::report::model::Figures;
use crate::report::table::grouped;

const NAMES: f64 = 84.0;
const LONGEST: f64 = 230.0;
const ROW: f64 = 32.0;
const THICK: f64 = 18.0;

/// Draws a bar for each stage; all are as long as their part of what was sent.
pub(super) fn draw(canvas: &mut Canvas, (left, top): Place, figures: &Figures) {
    let sent = figures.journeys.sent;
    let stages = [
        ("sent", sent, BLUE),
        ("delivered", figures.delivered, BLUE),
        ("opened", figures.opened, BLUE),
        ("accepted", figures.accepted, BLUE),
        ("redeemed", figures.redeemed, BLUE),
        ("converted", figures.converted.sent, GREEN),
    ];
    let title = "Journeys that were sent, and how far they came";
    canvas.text((left, top + 8.0), 12.0, Anchor::Start, INK, title);
    for (at, (name, count, colour)) in stages.into_iter().enumerate() {
        let y = top + 22.0 + ROW * at as f64;
        let part = count as f64 / sent.max(1) as f64;
        let length = LONGEST * part.min(1.0);
        let words = y + THICK / 2.0 + 4.0;
        let bar = left + NAMES;
        canvas.text((bar - 8.0, words), 12.0, Anchor::End, INK, name);
        canvas.line((bar, y - 4.0), (bar, y + THICK + 4.0), FAINT, 1.0);
        if count > 0 {
            canvas.bar((bar, y), (length.max(1.0), THICK), colour);
        }
        let label = match at {
            0 => grouped(count),
            _ => format!("{} ({:.1} %)", grouped(count), part * 100.0),
        };
        canvas.text(
            (bar + length + 6.0, words),
            12.0,
            Anchor::Start,
            INK,
            &label,
        );
    }
}
