//! Who is in which group: the shares are those that were asked for, no draw knows of another, and nothing
//! but names and ids matters.

use super::chi_square::{CRITICAL_1_PER_MILLE, CRITICAL_5_PERCENT, chi_square};
use crate::kit::Random;
use crate::kit::desk::{NOON, checkout, compile, rule, time};
use onscene::action::Verdict;
use onscene::decode::Decoder;
use onscene::event::{Incoming, Stored};
use onscene::partition::{Input, Partition};
use onscene::partitioning::{CustomerId, partition_of};
use onscene::policy::{self, Arm, Assignment};
use onscene::rules::RuleSet;
use onscene::state::{Customers, JournalLimits};
use onscene::terms::{ContactPolicy, ControlGroup, Percent, Terms};
use std::collections::BTreeMap;
use std::sync::Arc;

const CUSTOMERS: u32 = 200_000;

fn customers() -> Vec<CustomerId> {
    let id = |n| CustomerId::new(&format!("C{n}")).unwrap();
    (0..CUSTOMERS).map(id).collect()
}

fn percent(text: &str) -> Percent {
    Percent::exact(text.parse().unwrap()).unwrap()
}

fn terms(name: &str, holdout: &str, rollout: &str, variants: &[(&str, u32)]) -> Terms {
    let variants = variants
        .iter()
        .map(|(name, weight)| ((*name).into(), *weight));
    Terms {
        holdout: percent(holdout),
        rollout: percent(rollout),
        variants: variants.collect(),
        ..Terms::new(name)
    }
}

fn control(percent_of: &str) -> ContactPolicy {
    ContactPolicy {
        control_group: Some(ControlGroup {
            percent: percent(percent_of),
            salt: "2026".into(),
        }),
        ..ContactPolicy::default()
    }
}

#[test]
fn of_200_000_customers_each_group_has_its_share_within_half_a_percent() {
    let customers = customers();
    let mut largest: (f64, String) = (0.0, String::new());
    let mut near = |what: String, count: usize, share: f64| {
        let found = count as f64 / f64::from(CUSTOMERS);
        let deviation = (found - share).abs();
        assert!(deviation < 0.005, "{what}: {found} instead of {share}");
        if deviation > largest.0 {
            largest = (deviation, what);
        }
    };
    let shares = ["0", "0.5", "2.5", "10", "33.3333", "50", "99.5"];
    for share in shares {
        let rule = terms(
            "win-the-payment/dining-coupon",
            share,
            share,
            &[("default", 1)],
        );
        let part = percent(share).part();
        let held = customers.iter().filter(|id| policy::is_held_out(&rule, id));
        near(format!("holdout {share}"), held.count(), part);
        let rolled = customers
            .iter()
            .filter(|id| policy::is_rolled_out(&rule, id));
        near(format!("rollout {share}"), rolled.count(), part);
        let group = control(share).control_group.unwrap();
        let controls = customers
            .iter()
            .filter(|id| policy::is_in_control_group(&group, id));
        near(format!("control group {share}"), controls.count(), part);
    }
    let policy = control("2.5");
    for weights in [&[("a", 50), ("b", 50)][..], &[("a", 1), ("b", 2), ("c", 7)]] {
        let rule = terms("race-day/marathon", "7.5", "100", weights);
        let mut arms: BTreeMap<Arm, usize> = BTreeMap::new();
        for id in &customers {
            let arm = match policy::assignment(&rule, &policy, id) {
                Assignment::Control => Arm::Control,
                Assignment::Holdout => Arm::Holdout,
                Assignment::Treated => Arm::Variant(policy::variant(&rule, id).into()),
            };
            *arms.entry(arm).or_default() += 1;
        }
        for (arm, share) in policy::arms(&rule, &policy) {
            let count = arms.remove(&arm).unwrap_or(0);
            near(format!("{arm:?} of {weights:?}"), count, share);
        }
        assert!(arms.is_empty(), "nobody is anywhere else: {arms:?}");
    }
    println!(
        "the largest deviation is {:.3} percentage points, of {}",
        largest.0 * 100.0,
        largest.1
    );
}

/// Whether each customer is in a group, a bit each.
type Bits = Vec<u64>;

fn bits(customers: &[CustomerId], is_in: impl Fn(&CustomerId) -> bool) -> Bits {
    let word = |ids: &[CustomerId]| {
        let bit = |(at, id)| u64::from(is_in(id)) << at;
        ids.iter().enumerate().map(bit).sum()
    };
    customers.chunks(64).map(word).collect()
}

fn table(one: &Bits, other: &Bits) -> [[u64; 2]; 2] {
    let count = |bits: &mut dyn Iterator<Item = u64>| -> u64 {
        bits.map(|word| u64::from(word.count_ones())).sum()
    };
    let both = count(&mut one.iter().zip(other).map(|(a, b)| a & b));
    let (first, second) = (
        count(&mut one.iter().copied()),
        count(&mut other.iter().copied()),
    );
    let neither = u64::from(CUSTOMERS) + both - first - second;
    [[both, first - both], [second - both, neither]]
}

/// Every draw of some rules, and two control groups, by name.
fn draws(customers: &[CustomerId]) -> Vec<(String, Bits)> {
    let mut draws = Vec::new();
    for number in 0..12 {
        // Names that differ in a digit, as those of rules do that were copied.
        let name = format!("scene/rule-{number}");
        let rule = terms(&name, "10", "60", &[("a", 1), ("b", 1)]);
        let held = bits(customers, |id| policy::is_held_out(&rule, id));
        let rolled = bits(customers, |id| policy::is_rolled_out(&rule, id));
        let variant = bits(customers, |id| policy::variant(&rule, id) == "a");
        draws.push((format!("{name} holdout"), held));
        draws.push((format!("{name} rollout"), rolled));
        draws.push((format!("{name} variant"), variant));
    }
    for salt in ["", "2026"] {
        let group = ControlGroup {
            percent: percent("5"),
            salt: salt.into(),
        };
        let controls = bits(customers, |id| policy::is_in_control_group(&group, id));
        draws.push((format!("control group \"{salt}\""), controls));
    }
    draws
}

#[test]
fn rules_are_independent_of_each_other_and_so_are_their_draws() {
    let draws = draws(&customers());
    let (mut tables, mut above_5_percent, mut above_1_per_mille) = (0_u32, 0_u32, 0_u32);
    let mut largest: (f64, String) = (0.0, String::new());
    for (at, (name, one)) in draws.iter().enumerate() {
        for (other_name, other) in &draws[..at] {
            let statistic = chi_square(table(one, other));
            tables += 1;
            above_5_percent += u32::from(statistic > CRITICAL_5_PERCENT);
            above_1_per_mille += u32::from(statistic > CRITICAL_1_PER_MILLE);
            if statistic > largest.0 {
                largest = (statistic, format!("{name} and {other_name}"));
            }
        }
    }
    println!(
        "of {tables} pairs, {above_5_percent} are above the critical value of 5 %, {above_1_per_mille} above \
         that of 1 ‰; the largest is {:.1}, {}",
        largest.0, largest.1
    );
    // One in twenty tables of independent draws is above the first, one in a thousand above the second: many more
    // would show a dependence, many fewer that the draws are more even than chance.
    let part = |count: u32| f64::from(count) / f64::from(tables);
    assert!(
        (0.025..0.075).contains(&part(above_5_percent)),
        "{above_5_percent}"
    );
    assert!(part(above_1_per_mille) < 0.006, "{above_1_per_mille}");
    // A pair that hangs together, if ever so little, is far beyond: here one in fifty of a group is taken over.
    let dependent: Bits = draws[0]
        .1
        .iter()
        .zip(&draws[3].1)
        .enumerate()
        .map(|(at, (one, other))| if at % 50 == 0 { *one } else { *other })
        .collect();
    assert!(chi_square(table(&draws[0].1, &dependent)) > 2.0 * largest.0);
}

/// What every customer's first checkout led to: verdict and variant, with the customers spread over so many
/// partitions and coming in this order.
fn decided(rules: &RuleSet, order: &[u32], partitions: u16) -> BTreeMap<String, (Verdict, String)> {
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let shared = Arc::new(Customers::default());
    let make = |_| Partition::new(shared.clone(), JournalLimits::default(), zone.clone());
    let mut all: Vec<Partition> = (0..partitions).map(make).collect();
    let now = time(NOON);
    let mut decided = BTreeMap::new();
    for (sequence, number) in (1..).zip(order) {
        let customer = format!("C{number}");
        let stored = Stored {
            sequence,
            stored_at: now,
            subject: String::new(),
            headers: Vec::new(),
            payload: checkout("1", &customer, now).to_string().into(),
        };
        let decoder = Decoder::default();
        let what: Incoming = decoder.decode_offline(&stored, rules.schema()).unwrap();
        let input = Input {
            sequence,
            stored_at: now,
            already: 0,
            what,
        };
        let partition = &mut all[usize::from(partition_of(&customer, partitions))];
        let output = partition.step(&[input], now, rules);
        for decision in output.decisions() {
            let key = format!("{customer} {}", decision.rule);
            decided.insert(key, (decision.verdict, decision.variant.to_string()));
        }
    }
    decided
}

#[test]
fn groups_stay_through_a_restart_another_number_of_partitions_and_another_order() {
    let one = rule("holdout: 12.5, rollout: 80, variants: #{ a: 1, b: 2 }");
    let two = rule("holdout: 50");
    let policy = "[control_group]\npercent = 7.5\n";
    let files = [
        ("one.rhai", &*one),
        ("two.rhai", &two),
        ("policy.toml", policy),
    ];
    let rules = compile(&files).unwrap();
    let mut order: Vec<u32> = (0..3_000).collect();
    let before = decided(&rules, &order, 1);
    assert!(before.len() > 4_000, "{}", before.len());
    let mut random = Random::new(7);
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    // A new process compiles anew; another rule has come, and one has said something else.
    let other = rule("holdout: 3");
    let changed = one.replace("CODE", "OTHER");
    let files = [
        ("one.rhai", &*changed),
        ("three.rhai", &other),
        ("two.rhai", &two),
        ("policy.toml", policy),
    ];
    let mut after = decided(&compile(&files).unwrap(), &order, 16);
    after.retain(|key, _| !key.ends_with("three"));
    assert!(before == after);
}
