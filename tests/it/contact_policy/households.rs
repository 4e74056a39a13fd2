//! Caps that a household shares.

use super::{at, desk};
use crate::kit::Desk;
use crate::kit::desk::{NOON, checkout, profile, rule, time};
use onscene::action::Verdict;
use onscene::clock::{DAY, HOUR, MINUTE};
use onscene::partition::Partition;
use onscene::state::{Customers, JournalLimits};
use serde_json::json;
use std::sync::Arc;

const POLICY: &str =
    "[household]\nattribute = \"household\"\n[[cap]]\ncount = 2\nper = \"24h\"\nhousehold = true\n";

fn family() -> Desk {
    let mut desk = desk(POLICY, &[("r.rhai", rule(""))]);
    for (customer, household) in [
        ("anna", "H1"),
        ("ben", "H1"),
        ("carl", "H1"),
        ("dora", "H2"),
    ] {
        let data = json!({"attributes": {"household": household}});
        desk.step(&profile(customer, customer, time(NOON) - HOUR, data));
    }
    desk
}

#[test]
fn a_household_shares_a_cap_and_nobody_else_does() {
    let mut desk = family();
    assert_eq!(at(&mut desk, "r", "anna", 0), Verdict::Sent);
    assert_eq!(at(&mut desk, "r", "ben", MINUTE), Verdict::Sent);
    for member in ["anna", "ben", "carl"] {
        assert_eq!(at(&mut desk, "r", member, HOUR), Verdict::PolicyCap);
    }
    for other in ["dora", "alone"] {
        for number in 0..2 {
            assert_eq!(at(&mut desk, "r", other, HOUR + number), Verdict::Sent);
        }
    }
    assert_eq!(at(&mut desk, "r", "dora", HOUR + 3), Verdict::PolicyCap);
    assert_eq!(at(&mut desk, "r", "alone", HOUR + 3), Verdict::Sent);
    assert_eq!(at(&mut desk, "r", "carl", DAY), Verdict::Sent);
}

#[test]
fn a_household_is_the_one_of_the_moment() {
    let mut desk = family();
    assert_eq!(at(&mut desk, "r", "anna", 0), Verdict::Sent);
    assert_eq!(at(&mut desk, "r", "ben", 1), Verdict::Sent);
    // Who moves out leaves the household what was said to them there.
    let data = json!({"attributes": {"household": "H3"}});
    desk.step(&profile("moves", "anna", time(NOON) + MINUTE, data));
    assert_eq!(at(&mut desk, "r", "anna", HOUR), Verdict::Sent);
    assert_eq!(at(&mut desk, "r", "carl", HOUR), Verdict::PolicyCap);
}

#[test]
fn it_is_found_again_in_the_customers_of_a_checkpoint() {
    let mut desk = family();
    at(&mut desk, "r", "anna", 0);
    at(&mut desk, "r", "ben", MINUTE);
    let (rest, mut customers) = desk.partition.begin_cut();
    let mut bytes = Vec::new();
    assert!(customers.write(usize::MAX, &mut bytes));
    let customers = Arc::new(Customers::default());
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let mut again = Partition::new(customers, JournalLimits::default(), zone);
    let mut restoring = again.restoring();
    assert_eq!(restoring.take(&mut again, &bytes).unwrap(), 4);
    again.restore(&rest);
    desk.partition = again;
    let verdict = desk.verdict("r", &checkout("again", "carl", time(NOON) + HOUR));
    assert_eq!(verdict, Verdict::PolicyCap);
}
