//! `policy.toml`: what stands between every rule and a customer.

mod consent;
mod deferred;
mod faults;
mod households;
mod limits;
mod turns;

use crate::kit::Desk;
use crate::kit::desk::{NOON, checkout, time};
use onscene::action::Verdict;
use onscene::clock::Millis;

/// A desk with a policy and rules of which each speaks whenever it may.
fn desk(policy: &str, rules: &[(&str, String)]) -> Desk {
    let schema = "[attributes]\nhousehold = \"text\"\ndnd = \"boolean\"\n";
    let mut files = vec![
        ("policy.toml", policy.to_owned()),
        ("schema.toml", schema.to_owned()),
    ];
    files.extend(rules.iter().cloned());
    Desk::new(&files)
}

/// What became of a rule at a checkout of a customer so long after noon.
fn at(desk: &mut Desk, rule: &str, customer: &str, after: Millis) -> Verdict {
    let at = time(NOON) + after;
    desk.verdict(
        rule,
        &checkout(&format!("{customer}-{after}"), customer, at),
    )
}
