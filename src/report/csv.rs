//! The report for spreadsheets: a line for each rule, and for each of its variants.

use super::model::{Bounds, Figures, Report, Uplift};
use std::fmt::Write as _;

/// The names of the columns.
const HEAD: &str = "scene,rule,variant,proposals,sent,held_out,control,shadow,actions,delivered,failed,\
opened,accepted,declined,redeemed,unsubscribed,converted,converted_held_out,converted_control,value_won,cost,\
return_on_spend,attributed_conversions,attributed_value,customers,customers_converted,held_out_customers,\
held_out_customers_converted,uplift,uplift_low,uplift_high,relative_uplift,relative_uplift_low,\
relative_uplift_high,value_uplift,value_uplift_low,value_uplift_high,p_value,verdict";

/// The report as comma-separated values (RFC 4180). The variant `*` is all of a rule together; what is not
/// known is empty; shares are fractions of 1.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut text = format!("{HEAD}\r\n");
    for rule in &report.rules {
        let scene = rule.scene.as_deref().unwrap_or_default();
        let mut line = |variant: &str, figures: &Figures, uplift: Option<&Uplift>| {
            let names = [scene, &rule.rule, variant].map(quoted);
            let mut cells: Vec<String> = names.to_vec();
            let credited = variant == "*";
            cells.extend(counts(figures, credited));
            cells.extend(comparison(uplift));
            // Writing to a String does not fail.
            let _ = write!(text, "{}\r\n", cells.join(","));
        };
        line("*", &rule.figures, rule.over_holdout.as_ref());
        for variant in &rule.variants {
            line(
                &variant.variant,
                &variant.figures,
                variant.over_holdout.as_ref(),
            );
        }
    }
    text
}

fn counts(figures: &Figures, credited: bool) -> Vec<String> {
    let Figures {
        journeys,
        converted,
        ..
    } = figures;
    let counts = [
        figures.proposals,
        journeys.sent,
        journeys.held_out,
        journeys.control,
        journeys.shadow,
        figures.actions,
        figures.delivered,
        figures.failed,
        figures.opened,
        figures.accepted,
        figures.declined,
        figures.redeemed,
        figures.unsubscribed,
        converted.sent,
        converted.held_out,
        converted.control,
    ];
    let mut cells: Vec<String> = counts.iter().map(u64::to_string).collect();
    cells.push(figures.value_won.to_string());
    cells.push(figures.cost.to_string());
    cells.push(maybe(figures.return_on_spend));
    let credit = |cell: String| if credited { cell } else { String::new() };
    cells.push(credit(number(figures.attributed_conversions)));
    cells.push(credit(figures.attributed_value.to_string()));
    cells
}

fn comparison(uplift: Option<&Uplift>) -> Vec<String> {
    let Some(uplift) = uplift else {
        return vec![String::new(); 15];
    };
    let groups = [
        uplift.treated.customers,
        uplift.treated.converted,
        uplift.held_out.customers,
        uplift.held_out.converted,
    ];
    let mut cells: Vec<String> = groups.iter().map(u64::to_string).collect();
    cells.extend(bounds(uplift.conversion.map(|c| c.absolute)));
    cells.extend(bounds(uplift.conversion.and_then(|c| c.relative)));
    cells.extend(bounds(uplift.value_per_customer.map(|c| c.absolute)));
    cells.push(maybe(uplift.conversion.map(|c| c.p_value)));
    cells.push(quoted(uplift.verdict));
    cells
}

fn bounds(bounds: Option<Bounds>) -> [String; 3] {
    let part = |of: fn(Bounds) -> f64| maybe(bounds.map(of));
    [part(|b| b.estimate), part(|b| b.low), part(|b| b.high)]
}

fn maybe(number: Option<f64>) -> String {
    number.map(self::number).unwrap_or_default()
}

/// Six decimals, without what is not needed of them.
fn number(number: f64) -> String {
    let rounded = (number * 1e6).round() / 1e6;
    // Minus zero is zero.
    (rounded + 0.0).to_string()
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
