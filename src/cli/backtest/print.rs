//! The findings as text.

use crate::backtest::{Cause, Change, Difference, Differences, Report, Told};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Groups of numbers of messages in a week.
const GROUPS: [(u32, u32); 7] = [
    (1, 1),
    (2, 2),
    (3, 3),
    (4, 4),
    (5, 7),
    (8, 14),
    (15, u32::MAX),
];

/// The whole report.
pub(super) fn text(report: &Report) -> String {
    let mut out = String::new();
    head(report, &mut out);
    causes(report, &mut out);
    rules(report, &mut out);
    budgets(report, &mut out);
    pressure(report, &mut out);
    verdicts(report, &mut out);
    examples(report, &mut out);
    out
}

/// Rows with the first column to the left and the others to the right, as wide as what stands in them.
fn table(header: &[&str], rows: &[Vec<String>], out: &mut String) {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::from(" ");
        for (at, (cell, width)) in cells.zip(&widths).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            text += &if at == 0 {
                format!(" {cell}{pad}")
            } else {
                format!("  {pad}{cell}")
            };
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&mut header.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
}

fn head(report: &Report, out: &mut String) {
    let _ = write!(out, "Rules {}", report.generation);
    match &report.before {
        None => out.push_str(", compared with nothing: there is no --against\n"),
        Some(generations) => {
            let what = if report.is_live {
                "what was decided"
            } else {
                "other rules"
            };
            let each: Vec<String> = generations
                .iter()
                .map(|(generation, count)| format!("{generation}: {}", counted(*count, "decision")))
                .collect();
            let _ = writeln!(out, ", compared with {what} ({})", none_or(each.join(", ")));
        }
    }
    let from = report.from.as_deref().unwrap_or("the first event");
    let to = report.to.as_deref().unwrap_or("the last event");
    let _ = writeln!(out, "From {from} to {to}; begun with {}", report.start);
    let events = &report.events;
    let _ = write!(out, "{}", counted(events.decided, "event"));
    let further = [
        (events.before, "before the period"),
        (events.duplicates, "seen before"),
        (events.imported, "imported"),
        (events.refused, "refused"),
        (events.refused_live, "refused live and passed over"),
    ];
    for (count, what) in further.iter().filter(|(count, _)| *count > 0) {
        let _ = write!(out, ", {count} {what}");
    }
    out.push('\n');
    if let Some(first) = &events.first_refusal {
        let _ = writeln!(out, "The first that was refused: {first}");
    }
    if report.before.is_some() {
        let Differences {
            gained,
            lost,
            changed,
        } = report.differences;
        let _ = writeln!(
            out,
            "\n{} the same; {} differ: {gained} gained, {lost} lost, {changed} changed",
            report.same,
            report.differences.all()
        );
        let customers = &report.customers;
        let _ = writeln!(
            out,
            "Customers spoken to: {} before, {} after; {} gain an offer, {} lose one, {} get another one",
            customers.spoken_to.before,
            customers.spoken_to.after,
            customers.gaining,
            customers.losing,
            customers.changing
        );
    }
}

fn none_or(text: String) -> String {
    if text.is_empty() {
        "no decisions".to_owned()
    } else {
        text
    }
}

fn counted(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

fn causes(report: &Report, out: &mut String) {
    if report.causes.is_empty() {
        return;
    }
    out.push_str("\nWhy they differ\n");
    for cause in Cause::ALL {
        if let Some(count) = report.causes.get(&cause) {
            let _ = writeln!(out, "  {count:>8}  {}", cause.sentence());
        }
    }
}

fn rules(report: &Report, out: &mut String) {
    out.push_str("\nRules\n");
    let header = [
        "rule",
        "sent before",
        "after",
        "gained",
        "lost",
        "changed",
        "held out before",
        "after",
        "cost before",
        "after",
        "converted before",
        "after",
    ];
    let rows: Vec<Vec<String>> = report
        .rules
        .iter()
        .map(|line| {
            let (before, after) = (&line.figures.before, &line.figures.after);
            vec![
                line.rule.clone(),
                before.sent.to_string(),
                after.sent.to_string(),
                line.differences.gained.to_string(),
                line.differences.lost.to_string(),
                line.differences.changed.to_string(),
                before.withheld.to_string(),
                after.withheld.to_string(),
                before.cost.clone(),
                after.cost.clone(),
                before.converted.to_string(),
                after.converted.to_string(),
            ]
        })
        .collect();
    table(&header, &rows, out);
    for line in report
        .rules
        .iter()
        .filter(|line| line.figures.after.errors > 0)
    {
        let _ = writeln!(
            out,
            "  {} failed {} times",
            line.rule, line.figures.after.errors
        );
    }
}

fn budgets(report: &Report, out: &mut String) {
    if report.budgets.is_empty() {
        return;
    }
    out.push_str("\nSpent, by rule and day\n");
    let rows: Vec<Vec<String>> = report
        .budgets
        .iter()
        .map(|budget| {
            let spent = &budget.spent;
            vec![
                format!("{}  {}", budget.day, budget.rule),
                spent.before.clone(),
                spent.after.clone(),
            ]
        })
        .collect();
    table(&["day         rule", "before", "after"], &rows, out);
}

fn pressure(report: &Report, out: &mut String) {
    out.push_str(
        "\nMessages to a customer in a week, Monday to Sunday: how many weeks of customers\n",
    );
    let (before, after) = (&report.pressure.before, &report.pressure.after);
    let of = |weeks: &BTreeMap<u32, u64>, (least, most): (u32, u32)| -> u64 {
        weeks.range(least..=most).map(|(_, weeks)| weeks).sum()
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for group in GROUPS {
        let (before, after) = (of(&before.weeks, group), of(&after.weeks, group));
        if before + after > 0 {
            let name = match group {
                (least, most) if least == most => least.to_string(),
                (least, u32::MAX) => format!("{least} or more"),
                (least, most) => format!("{least} to {most}"),
            };
            rows.push(vec![name, before.to_string(), after.to_string()]);
        }
    }
    for (name, before, after) in [
        ("median", before.median, after.median),
        ("99 %", before.p99, after.p99),
        ("the most", before.most, after.most),
    ] {
        rows.push(vec![name.to_owned(), before.to_string(), after.to_string()]);
    }
    table(&["messages", "before", "after"], &rows, out);
}

fn verdicts(report: &Report, out: &mut String) {
    out.push_str("\nVerdicts\n");
    let rows: Vec<Vec<String>> = report
        .verdicts
        .iter()
        .map(|line| {
            vec![
                format!("{}  {}", line.rule, line.verdict),
                line.before
                    .map_or_else(|| "?".to_owned(), |count| count.to_string()),
                line.after.to_string(),
            ]
        })
        .collect();
    table(&["rule  verdict", "before", "after"], &rows, out);
    if report.is_live {
        out.push_str("  ?: the log does not keep it\n");
    }
}

fn examples(report: &Report, out: &mut String) {
    for (change, title) in [
        (Change::Gained, "Newly decided, for example"),
        (Change::Lost, "No longer decided, for example"),
        (Change::Changed, "Decided otherwise, for example"),
    ] {
        let own = report
            .examples
            .iter()
            .filter(|example| example.change == change);
        for (at, example) in own.enumerate() {
            if at == 0 {
                let _ = writeln!(out, "\n{title}");
            }
            example_line(example, out);
        }
    }
}

fn example_line(example: &Difference, out: &mut String) {
    let (kind, id) = &example.trigger;
    let _ = write!(
        out,
        "  {}  {}  {} for {kind} {id}: ",
        example.at, example.customer, example.rule
    );
    let told = match (&example.before, &example.after) {
        (Some(before), Some(after)) => {
            format!(
                "{} instead of {} ({})",
                said(after),
                said(before),
                example.fields.join(", ")
            )
        }
        (Some(told), None) | (None, Some(told)) => said(told),
        (None, None) => String::new(),
    };
    out.push_str(&told);
    if let Some(cause) = example.cause {
        let _ = write!(out, "; {}", cause.sentence());
    }
    out.push('\n');
}

fn said(told: &Told) -> String {
    let mut text = format!("{} by {}", told.verdict, told.channel);
    if told.variant != "default" {
        let _ = write!(text, ", variant {}", told.variant);
    }
    for (name, value) in [
        ("code", &told.code),
        ("value", &told.value),
        ("cost", &told.cost),
    ] {
        if let Some(value) = value {
            let _ = write!(text, ", {name} {value}");
        }
    }
    text
}
