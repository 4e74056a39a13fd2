//! The curve of latency over load as SVG 1.1, both axes logarithmic, in colours that can be read on light and on
//! dark ground.

use crate::curve::{Curve, Point};
use crate::kit::grouped;
use crate::throughput::as_f64;
use std::fmt::Write as _;

const INK: &str = "#6b7785";
const FAINT: &str = "#9aa5b1";
const COLOURS: [&str; 4] = ["#9aa5b1", "#3b82c4", "#2f9e6e", "#c4703b"];

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
/// The plot: left, top, right and bottom.
const PLOT: [f64; 4] = [70.0, 60.0, 700.0, 400.0];

type Percentile = (&'static str, &'static str, fn(&Point) -> f64);
/// Name, dashes, and which value.
const PERCENTILES: [Percentile; 3] = [
    ("p50", "", |point| point.p50),
    ("p99", "7 4", |point| point.p99),
    ("p99.9", "2 4", |point| point.p999),
];

/// Draws each contender in its colour, each percentile in its kind of line.
pub(crate) fn svg(curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let x = Axis::over(points().map(|point| as_f64(point.rate)), PLOT[0], PLOT[2]);
    let values = points().flat_map(|point| PERCENTILES.map(|(_, _, value)| value(point)));
    let y = Axis::over(values, PLOT[3], PLOT[1]);
    let mut picture = Picture(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"system-ui, 'DejaVu Sans', sans-serif\">\n\
         <title>Latency over load</title>\n"
    ));
    picture.text(
        PLOT[0],
        28.0,
        "start",
        16,
        "From publishing an event to receiving its answer, over load",
    );
    picture.text(
        PLOT[0],
        48.0,
        "start",
        12,
        "ms, both axes logarithmic; every event answered",
    );
    for (place, name) in y.ticks() {
        picture.line([PLOT[0], place, PLOT[2], place], 0.4);
        picture.text(PLOT[0] - 8.0, place + 4.0, "end", 11, &name);
    }
    for (place, name) in x.ticks() {
        picture.line([place, PLOT[1], place, PLOT[3]], 0.4);
        picture.text(place, PLOT[3] + 18.0, "middle", 11, &name);
    }
    picture.text(
        (PLOT[0] + PLOT[2]) / 2.0,
        PLOT[3] + 40.0,
        "middle",
        12,
        "events a second",
    );
    for (at, curve) in curves.iter().enumerate() {
        let colour = COLOURS[(at) % COLOURS.len()];
        for (_, dashes, value) in PERCENTILES {
            let places = curve
                .points
                .iter()
                .map(|point| (x.place(as_f64(point.rate)), y.place(value(point))));
            picture.path(&places.collect::<Vec<_>>(), colour, dashes);
        }
        let top = PLOT[1] + 20.0 + 90.0 * as_f64(at as u64);
        picture.text(PLOT[2] + 20.0, top, "start", 13, &curve.name);
        for (row, (name, dashes, _)) in PERCENTILES.into_iter().enumerate() {
            let middle = top + 18.0 + 18.0 * as_f64(row as u64);
            picture.path(
                &[(PLOT[2] + 20.0, middle), (PLOT[2] + 56.0, middle)],
                colour,
                dashes,
            );
            picture.text(PLOT[2] + 64.0, middle + 4.0, "start", 11, name);
        }
    }
    picture.0.push_str("</svg>\n");
    picture.0
}

/// A logarithmic axis over whole decades.
struct Axis {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .filter(|value| *value > 0.0)
            .map(f64::log10)
            .fold((f64::MAX, f64::MIN), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let low = low.floor() as i32;
        let high = (high.ceil() as i32).max(low + 1);
        Self {
            low,
            high,
            from,
            to,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + (self.to - self.from) * part
    }

    /// 1, 2 and 5 of each decade, with their names.
    fn ticks(&self) -> Vec<(f64, String)> {
        let values = (self.low..=self.high)
            .flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| (digit * 10_f64.powi(decade), decade)));
        let top = 10_f64.powi(self.high) * 1.01;
        values
            .filter(|(value, _)| *value <= top)
            .map(|(value, decade)| {
                let decimals = usize::try_from(-decade).unwrap_or(0);
                (self.place(value), grouped(value, decimals))
            })
            .collect()
    }
}

struct Picture(String);

impl Picture {
    fn text(&mut self, x: f64, y: f64, anchor: &str, size: u32, text: &str) {
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{INK}\">{text}</text>"
        ));
    }

    fn line(&mut self, [x1, y1, x2, y2]: [f64; 4], width: f64) {
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{FAINT}\" stroke-width=\"{width}\"/>"
        ));
    }

    fn path(&mut self, places: &[(f64, f64)], colour: &str, dashes: &str) {
        let points: Vec<String> = places
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let points = points.join(" ");
        self.add(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>"
        ));
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "{element}");
    }
}
