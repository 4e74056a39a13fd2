//! Lines, bars, areas and words, as SVG.

use std::fmt::Write as _;

/// Words and axes: a grey with enough contrast on white and on near-black.
pub(super) const INK: &str = "#6b7785";
/// What shall be seen only by whoever looks for it.
pub(super) const FAINT: &str = "#9aa5b1";
/// What was sent.
pub(super) const BLUE: &str = "#3b82c4";
/// What came of it.
pub(super) const GREEN: &str = "#2f9e6e";

/// A place, in pixels from the upper left corner.
pub(super) type Place = (f64, f64);

/// Which part of a word stands at its place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that is being drawn.
pub(super) struct Canvas {
    svg: String,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let title = escaped(title);
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" \
             font-family=\"system-ui, 'DejaVu Sans', 'Noto Sans CJK SC', sans-serif\">\n\
             <title>{title}</title>\n"
        );
        Self { svg }
    }

    pub(super) fn text(
        &mut self,
        (x, y): Place,
        size: f64,
        anchor: Anchor,
        colour: &str,
        text: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{text}</text>"
        ));
    }

    pub(super) fn line(&mut self, from: Place, to: Place, colour: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
        ));
    }

    pub(super) fn bar(&mut self, (x, y): Place, (width, height): Place, colour: &str) {
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" fill=\"{colour}\"/>"
        ));
    }

    pub(super) fn path(&mut self, places: &[Place], colour: &str) {
        let points = points(places);
        self.add(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linejoin=\"round\"/>"
        ));
    }

    pub(super) fn area(&mut self, places: &[Place], colour: &str) {
        let points = points(places);
        self.add(format_args!(
            "<polygon points=\"{points}\" fill=\"{colour}\" fill-opacity=\"0.22\"/>"
        ));
    }

    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = writeln!(self.svg, "{element}");
    }
}

fn points(places: &[Place]) -> String {
    let places = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
    places.collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
