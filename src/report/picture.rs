//! The report as a picture: for each rule what became of what was sent, and how its uplift came to be known.
//! SVG 1.1, in colours that can be read on light and on dark ground.

mod canvas;
mod curve;
mod funnel;
mod scale;

use super::model::{Report, RuleReport};
use super::table::grouped;
use crate::clock::format_rfc3339;
use canvas::{Anchor, Canvas, FAINT, INK};

/// Rules that are drawn; a report of more draws those that sent most.
const RULES_MAX: usize = 8;

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 24.0;
const HEAD: f64 = 70.0;
const BLOCK: f64 = 300.0;
const FOOT: f64 = 34.0;

/// Draws the rules of a report.
#[must_use]
pub fn svg(report: &Report) -> String {
    let mut rules: Vec<&RuleReport> = report.rules.iter().collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.figures.journeys.sent));
    let left_out = rules.len().saturating_sub(RULES_MAX);
    rules.truncate(RULES_MAX);
    let height = HEAD + BLOCK * rules.len().max(1) as f64 + FOOT;
    let mut canvas = Canvas::new(WIDTH, height, "What was sent, and what it brought");
    head(&mut canvas, report);
    for (at, rule) in rules.iter().enumerate() {
        block(&mut canvas, HEAD + BLOCK * at as f64, rule);
    }
    if rules.is_empty() {
        let middle = (WIDTH / 2.0, HEAD + BLOCK / 2.0);
        canvas.text(
            middle,
            14.0,
            Anchor::Middle,
            INK,
            "Nothing was decided in this period.",
        );
    }
    let confidence = report.confidence * 100.0;
    let mut foot = format!(
        "Bands hold with {confidence:.0} %, however often they are looked at. Times are UTC."
    );
    if left_out > 0 {
        foot.push_str(&format!(" {left_out} rules that sent less are not drawn."));
    }
    canvas.text((MARGIN, height - 14.0), 11.0, Anchor::Start, INK, &foot);
    canvas.finish()
}

fn head(canvas: &mut Canvas, report: &Report) {
    let time = |at: Option<i64>| {
        let text = at.map_or("–".to_owned(), format_rfc3339);
        text.get(..16)
            .map_or(text.clone(), |text| text.replace('T', " "))
    };
    let title = "What was sent, and what it brought";
    canvas.text((MARGIN, 30.0), 18.0, Anchor::Start, INK, title);
    let about = format!(
        "{} decisions, {} to {} UTC",
        grouped(report.decisions),
        time(report.from.or(report.first)),
        time(report.to.or(report.last)),
    );
    canvas.text((MARGIN, 50.0), 12.0, Anchor::Start, INK, &about);
}

fn block(canvas: &mut Canvas, top: f64, rule: &RuleReport) {
    canvas.line((MARGIN, top), (WIDTH - MARGIN, top), FAINT, 1.0);
    let title = shortened(&rule.rule, 90);
    canvas.text((MARGIN, top + 26.0), 14.0, Anchor::Start, INK, &title);
    funnel::draw(canvas, (MARGIN, top + 44.0), &rule.figures);
    curve::draw(canvas, (500.0, top + 44.0), rule);
}

/// A text that fits.
fn shortened(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters - 1).collect();
    format!("{kept}…")
}
