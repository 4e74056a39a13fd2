//! Many rules that do not fire: what one of them costs, natively and by Rhai alone, beside native Rust.

use crate::fixture::{Fixture, Shape, Stepping, rule_set};
use crate::kit::{Spread, grouped, table};
use crate::{Done, anchors};
use onscene::clock::monotonic_now;
use std::time::Duration;

/// Numbers of rules.
const RULES: [usize; 4] = [10, 100, 1_000, 10_000];
const SHAPES: [(Shape, &str); 3] = [
    (Shape::Mixed, "equality, ranges, 30-day sums"),
    (Shape::Ranges, "ranges only"),
    (Shape::Windows, "500 windows"),
];

struct Row {
    name: String,
    rules: usize,
    native: Stepping,
    plain: Stepping,
    nanoseconds: [Vec<f64>; 2],
}

/// Measures in interleaved rounds and prints a table. What an event takes without any rule is taken off.
pub(crate) fn measure(fixture: &Fixture, rounds: usize, length: Duration) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (shape, name) in SHAPES {
        for count in RULES {
            let rules = rule_set(count, shape)?;
            rows.push(Row {
                name: name.to_owned(),
                rules: count,
                native: fixture.stepping_over(&rules, &format!("{shape:?}-native"))?,
                plain: fixture.stepping_over(&rules.plain(), &format!("{shape:?}-plain"))?,
                nanoseconds: [Vec::new(), Vec::new()],
            });
        }
    }
    let mut idle = fixture.stepping(0, false)?;
    let mut rust = anchors::native(fixture);
    let (mut idles, mut rusts) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        idles.push(usual(length, || idle.run()));
        rusts.push(usual(length, &mut rust));
        for row in &mut rows {
            row.nanoseconds[0].push(usual(length, || row.native.run()));
            row.nanoseconds[1].push(usual(length, || row.plain.run()));
        }
    }
    let (idle, rust) = (Spread::of(idles).median, Spread::of(rusts).median);
    println!(
        "\nrules that do not fire; an event without rules takes {idle:.0} ns, one condition in native Rust {rust:.1} ns\n"
    );
    let rows: Vec<Vec<String>> = rows.iter().map(|row| line(row, idle, rust)).collect();
    let head = [
        "",
        "rules",
        "ns an event",
        "ns a rule",
        "× native Rust",
        "plain Rhai, ns a rule",
        "plain / native",
    ];
    println!("{}", table(&head, &rows));
    Ok(())
}

fn line(row: &Row, idle: f64, rust: f64) -> Vec<String> {
    let rules = u32::try_from(row.rules).map_or(f64::NAN, f64::from);
    let [native, plain] =
        [0, 1].map(|which: usize| Spread::of(row.nanoseconds[which].iter().copied()));
    let a_rule = |spread: &Spread| (spread.median - idle) / rules;
    vec![
        row.name.clone(),
        grouped(rules, 0),
        native.show(0),
        grouped(a_rule(&native), 2),
        grouped(a_rule(&native) / rust, 3),
        grouped(a_rule(&plain), 0),
        grouped(a_rule(&plain) / a_rule(&native), 0),
    ]
}

fn usual(length: Duration, mut work: impl FnMut() -> Done) -> f64 {
    let begun = monotonic_now();
    let mut pieces = Vec::new();
    while pieces.is_empty() || begun.elapsed() < length {
        pieces.push(work().nanoseconds());
    }
    Spread::of(pieces).median
}
