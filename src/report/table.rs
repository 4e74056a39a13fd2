//! The report for people: tables of text.

use super::model::{Attribute, Bounds, Figures, Report, RuleReport, Uplift};
use crate::clock::format_rfc3339;
use crate::money::Money;
use std::fmt::Write as _;

/// Attributes that are shown of a rule.
const ATTRIBUTES_SHOWN: usize = 5;
/// Rules up to which customers are compared attribute by attribute; of more, one has to be named.
const RULES_IN_DETAIL: usize = 2;

/// The report as text.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    if report.rules.is_empty() {
        text.push_str("\nNo decision of the period is in what was read.\n");
        return text;
    }
    came_of_it(&mut text, report);
    if report.scenes.len() > 1 {
        by_scene(&mut text, report);
    }
    uplift(&mut text, report);
    silenced(&mut text, report);
    if report.rules.len() <= RULES_IN_DETAIL {
        for rule in &report.rules {
            attributes(&mut text, rule);
        }
    }
    warnings(&mut text, report);
    text
}

fn head(text: &mut String, report: &Report) {
    let time = |at: Option<i64>, without: &str| at.map_or(without.to_owned(), format_rfc3339);
    line(
        text,
        &format!(
            "{} decisions from {} to {}; amounts in {}",
            grouped(report.decisions),
            time(report.from.or(report.first), "the beginning"),
            time(report.to.or(report.last), "the end"),
            report.currency,
        ),
    );
}

const OUTCOMES: [&str; 14] = [
    "rule",
    "variant",
    "proposals",
    "sent",
    "held out",
    "control",
    "delivered",
    "opened",
    "accepted",
    "declined",
    "redeemed",
    "converted",
    "value",
    "cost",
];

fn came_of_it(text: &mut String, report: &Report) {
    title(text, "What was said, and what came of it");
    let mut table = Table::new(2, &OUTCOMES);
    table.head.push("return".to_owned());
    table.head.push(format!("by {}", report.attribution));
    for rule in &report.rules {
        table.row(outcomes(&rule.rule, "", &rule.figures, true));
        if rule.variants.len() > 1 {
            for variant in &rule.variants {
                table.row(outcomes("", &variant.variant, &variant.figures, false));
            }
        }
    }
    table.write(text);
    let shadow: u64 = (report.rules.iter())
        .map(|rule| rule.figures.journeys.shadow)
        .sum();
    let failed: u64 = report.rules.iter().map(|rule| rule.figures.failed).sum();
    if failed > 0 {
        let failed = grouped(failed);
        line(
            text,
            &format!("{failed} failed on every channel that was tried."),
        );
    }
    if shadow > 0 {
        let shadow = grouped(shadow);
        line(
            text,
            &format!("{shadow} were decided in shadow mode and not sent."),
        );
    }
}

fn outcomes(rule: &str, variant: &str, figures: &Figures, credited: bool) -> Vec<String> {
    let mut cells = vec![rule.to_owned(), variant.to_owned()];
    cells.extend(
        [
            figures.proposals,
            figures.journeys.sent,
            figures.journeys.held_out,
            figures.journeys.control,
            figures.delivered,
            figures.opened,
            figures.accepted,
            figures.declined,
            figures.redeemed,
            figures.converted.sent,
        ]
        .map(grouped),
    );
    cells.push(amount(figures.value_won));
    cells.push(amount(figures.cost));
    let return_on_spend = figures.return_on_spend;
    cells.push(return_on_spend.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")));
    cells.push(if credited {
        format!(
            "{:.1} / {}",
            figures.attributed_conversions,
            amount(figures.attributed_value)
        )
    } else {
        String::new()
    });
    cells
}

fn by_scene(text: &mut String, report: &Report) {
    title(text, "By scene");
    let mut table = Table::new(1, &["scene", "sent", "converted", "value", "cost"]);
    for scene in &report.scenes {
        let figures = &scene.figures;
        table.row(vec![
            scene.scene.clone(),
            grouped(figures.journeys.sent),
            grouped(figures.converted.sent),
            amount(figures.value_won),
            amount(figures.cost),
        ]);
    }
    table.write(text);
}

const COMPARISON: [&str; 11] = [
    "rule",
    "against",
    "spoken to",
    "converted",
    "not spoken to",
    "converted",
    "uplift in points",
    "relative",
    "value per customer",
    "incremental return",
    "what may be said",
];

fn uplift(text: &mut String, report: &Report) {
    title(
        text,
        "What would be missing without it (customers, each counted once)",
    );
    let mut table = Table::new(2, &COMPARISON);
    table.left.push(COMPARISON.len() - 1);
    let mut any = false;
    let mut row = |table: &mut Table, rule: &str, against: &str, uplift: Option<&Uplift>| {
        if let Some(uplift) = uplift {
            any = true;
            table.row(comparison(rule, against, uplift));
        }
    };
    for rule in &report.rules {
        row(
            &mut table,
            &rule.rule,
            "holdout",
            rule.over_holdout.as_ref(),
        );
        if rule.variants.len() > 1 {
            for variant in &rule.variants {
                let name = format!("  {}", variant.variant);
                row(&mut table, &name, "holdout", variant.over_holdout.as_ref());
            }
        }
        row(
            &mut table,
            &rule.rule,
            "control",
            rule.over_control.as_ref(),
        );
    }
    for scene in &report.scenes {
        let name = format!("scene {}", scene.scene);
        row(&mut table, &name, "control", scene.over_control.as_ref());
    }
    row(
        &mut table,
        "everything",
        "control",
        report.programme.as_ref(),
    );
    if !any {
        line(text, "Nobody was held out, so nothing can be said.");
        return;
    }
    table.write(text);
    let confidence = report.confidence * 100.0;
    line(
        text,
        &format!(
            "Intervals in brackets hold with {confidence:.0} %, however often they are looked at."
        ),
    );
}

fn comparison(rule: &str, against: &str, uplift: &Uplift) -> Vec<String> {
    let conversion = uplift.conversion;
    let unknown = || "–".to_owned();
    let points = |bounds: Bounds| range(bounds.map(|share| share * 100.0), 2, "");
    let percent = |bounds: Bounds| range(bounds.map(|share| share * 100.0), 1, " %");
    let share =
        |converted: u64, rate: f64| format!("{} ({:.1} %)", grouped(converted), rate * 100.0);
    let value = uplift.value_per_customer.map(|value| value.absolute);
    let value = value.filter(|value| value.estimate != 0.0 || value.high != 0.0);
    let back = uplift.incremental.and_then(|all| all.return_on_spend);
    vec![
        rule.to_owned(),
        against.to_owned(),
        grouped(uplift.treated.customers),
        share(uplift.treated.converted, uplift.treated.rate),
        grouped(uplift.held_out.customers),
        share(uplift.held_out.converted, uplift.held_out.rate),
        conversion.map_or_else(unknown, |c| points(c.absolute)),
        conversion
            .and_then(|c| c.relative)
            .map_or_else(unknown, percent),
        value.map_or_else(unknown, |value| range(value, 2, "")),
        back.map_or_else(unknown, |back| range(back, 2, "")),
        uplift.verdict.to_owned(),
    ]
}

fn silenced(text: &mut String, report: &Report) {
    let any = report.rules.iter().any(|rule| !rule.silenced.is_empty());
    if any {
        title(
            text,
            "Proposals and later steps that did not go out, by reason",
        );
        let mut table = Table::new(2, &["rule", "reasons"]);
        for rule in report.rules.iter().filter(|rule| !rule.silenced.is_empty()) {
            let reasons: Vec<String> = (rule.silenced.iter())
                .map(|(verdict, times)| format!("{verdict} {}", grouped(*times)))
                .collect();
            table.row(vec![rule.rule.clone(), reasons.join(", ")]);
        }
        table.write(text);
    }
    if !report.has_silenced {
        line(
            text,
            "The log has what was sent, held out and waited; what was silenced at once is only counted while an \
             engine runs (/api/rules).",
        );
    }
}

fn attributes(text: &mut String, rule: &RuleReport) {
    if rule.attributes.is_empty() {
        return;
    }
    title(
        text,
        &format!("Who converted and who did not: {} (sent)", rule.rule),
    );
    let mut table = Table::new(
        2,
        &[
            "attribute",
            "group",
            "converted",
            "of them",
            "not converted",
            "of them",
            "rate",
            "held out",
            "rate",
        ],
    );
    for attribute in rule.attributes.iter().take(ATTRIBUTES_SHOWN) {
        groups(&mut table, attribute);
    }
    table.write(text);
    line(
        text,
        "Strength is Cramér's V: 0 tells nothing, 1 everything. Who converts anyway is not who is won over: \
         compare the two rates.",
    );
}

fn groups(table: &mut Table, attribute: &Attribute) {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    for (at, group) in attribute.groups.iter().enumerate() {
        let name = match at {
            0 => format!("{} ({:.2})", attribute.name, attribute.strength),
            _ => String::new(),
        };
        let held_out = group.held_out_converted as f64 / group.held_out.max(1) as f64;
        table.row(vec![
            name,
            group.group.clone(),
            grouped(group.converted),
            percent(group.share_of_converted),
            grouped(group.not_converted),
            percent(group.share_of_not_converted),
            percent(group.rate),
            grouped(group.held_out),
            match group.held_out {
                0 => "–".to_owned(),
                _ => percent(held_out),
            },
        ]);
    }
}

fn warnings(text: &mut String, report: &Report) {
    let warnings = (report.rules.iter())
        .flat_map(|rule| rule.warnings.iter().map(|warning| (&rule.rule, warning)));
    for (at, (rule, warning)) in warnings.enumerate() {
        if at == 0 {
            text.push('\n');
        }
        line(text, &format!("warning: {rule}: {warning}"));
    }
}

fn title(text: &mut String, title: &str) {
    line(text, &format!("\n{title}\n"));
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// `+1.20 [0.40, 2.00]`
fn range(bounds: Bounds, decimals: usize, unit: &str) -> String {
    let number = |number: f64| {
        let text = format!("{number:.decimals$}");
        // Minus zero is zero.
        let zero = text.trim_start_matches(['-', '0', '.']).is_empty();
        if zero {
            text.trim_start_matches('-').to_owned()
        } else {
            text
        }
    };
    let Bounds {
        estimate,
        low,
        high,
    } = bounds;
    let sign = if estimate > 0.0 { "+" } else { "" };
    format!(
        "{sign}{}{unit} [{}, {}]",
        number(estimate),
        number(low),
        number(high)
    )
}

/// An amount without the fractions that no reader of a table wants.
fn amount(amount: Money) -> String {
    let rounded = amount.to_decimal().round_dp(2).normalize().to_string();
    let (whole, fraction) = rounded
        .split_once('.')
        .map_or((&*rounded, ""), |parts| parts);
    let (sign, digits) = whole
        .strip_prefix('-')
        .map_or(("", whole), |digits| ("-", digits));
    let whole = digits.parse().map_or(digits.to_owned(), grouped);
    match fraction {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction:0<2}"),
    }
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns that are there also if they are all zero.
const ASKED_FOR: [&str; 4] = ["sent", "held out", "converted", "cost"];

/// Columns under their names: words to the left, numbers to the right.
struct Table {
    /// The columns that are words.
    left: Vec<usize>,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(words: usize, head: &[&str]) -> Self {
        Self {
            left: (0..words).collect(),
            head: head.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn write(&self, text: &mut String) {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = all().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        // A column in which nobody says anything is left out, unless a reader would ask for it.
        let says = |cell: &String| !["", "0", "–"].contains(&&**cell);
        let is_used = |column: usize| {
            ASKED_FOR.contains(&&*self.head[column])
                || (self.rows.iter()).any(|row| row.get(column).is_some_and(says))
        };
        for row in all() {
            let mut written = String::new();
            for (column, cell) in row.iter().enumerate().filter(|(at, _)| is_used(*at)) {
                if !written.is_empty() {
                    written.push_str("  ");
                }
                let width = widths[column];
                // Writing to a String does not fail.
                let _ = if self.left.contains(&column) {
                    write!(written, "{cell:<width$}")
                } else {
                    write!(written, "{cell:>width$}")
                };
            }
            line(text, written.trim_end());
        }
    }
}
