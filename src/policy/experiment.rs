//! Who is in an experiment, and in which part of it: rollout, holdout, variants, and the control group of
//! all rules.
//!
//! Each is a draw of its own: SHA-256 over its purpose, its salt and the customer's id. So everybody
//! computes the same, whenever and wherever, and no two draws know of each other. The salt of a rule's
//! draws is the rule's name unless its `salt` says otherwise.

use crate::partitioning::CustomerId;
use crate::terms::{ContactPolicy, ControlGroup, Percent, Terms};
use sha2::{Digest, Sha256};

/// A number that is evenly spread over customers, and independent for each purpose and salt.
fn draw(purpose: &str, salt: &str, customer: &CustomerId) -> u64 {
    let mut hash = Sha256::new();
    for part in [purpose, salt, customer.as_str()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    u64::from_le_bytes(
        digest[..8]
            .try_into()
            .expect("invariant: SHA-256 has 32 bytes"),
    )
}

/// Whether a draw falls within a share. Raising a share keeps everybody whom it had.
///
/// Percent come first and their fractions second, so that shares of whole percent are of the same
/// customers as they were when there were no others. The bias of the remainders is below 10⁶ / 2⁶⁴.
fn is_within(drawn: u64, share: Percent) -> bool {
    const FRACTIONS: u64 = Percent::UNITS / 100;
    let (percent, fraction) = (drawn % 100, drawn / 100 % FRACTIONS);
    percent * FRACTIONS + fraction < u64::from(share.millionths())
}

/// What a rule's draws are salted with.
fn salt(terms: &Terms) -> &str {
    terms.salt.as_deref().unwrap_or(&terms.name)
}

/// Whether a rule is rolled out to a customer.
#[must_use]
pub fn is_rolled_out(terms: &Terms, customer: &CustomerId) -> bool {
    terms.rollout == Percent::ALL
        || is_within(draw("rollout", salt(terms), customer), terms.rollout)
}

/// Whether a customer is held out of a rule.
#[must_use]
pub fn is_held_out(terms: &Terms, customer: &CustomerId) -> bool {
    terms.holdout > Percent::NONE
        && is_within(draw("holdout", salt(terms), customer), terms.holdout)
}

/// Whether a customer is in the control group of all rules.
#[must_use]
pub fn is_in_control_group(group: &ControlGroup, customer: &CustomerId) -> bool {
    is_within(draw("control_group", &group.salt, customer), group.percent)
}

/// Whether a rule speaks to a customer, or for the sake of which comparison it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// It speaks.
    Treated,
    /// The customer is held out of this rule.
    Holdout,
    /// The customer is in the control group of all rules.
    Control,
}

/// What a customer is to a rule. The control group goes first, so that it is the same for all rules.
#[must_use]
pub fn assignment(terms: &Terms, policy: &ContactPolicy, customer: &CustomerId) -> Assignment {
    let control = policy.control_group.as_ref();
    if control.is_some_and(|group| is_in_control_group(group, customer)) {
        Assignment::Control
    } else if is_held_out(terms, customer) {
        Assignment::Holdout
    } else {
        Assignment::Treated
    }
}

/// The variant that a customer gets of a rule.
#[must_use]
pub fn variant<'a>(terms: &'a Terms, customer: &CustomerId) -> &'a str {
    if let [(only, _)] = &terms.variants[..] {
        return only;
    }
    let total: u64 = terms.variants.iter().map(|(_, w)| u64::from(*w)).sum();
    let mut drawn = draw("variant", salt(terms), customer) % total.max(1);
    for (name, weight) in &terms.variants {
        match drawn.checked_sub(u64::from(*weight)) {
            None => return name,
            Some(rest) => drawn = rest,
        }
    }
    terms.variants.first().map_or("default", |(name, _)| name)
}

/// One part of an experiment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arm {
    /// In the control group of all rules.
    Control,
    /// Held out of this rule.
    Holdout,
    /// Spoken to, by this variant.
    Variant(Box<str>),
}

/// The parts of a rule's experiment, each with the part of customers that it should have; together 1.
/// What nobody should have is left out.
#[must_use]
pub fn arms(terms: &Terms, policy: &ContactPolicy) -> Vec<(Arm, f64)> {
    let control = (policy.control_group.as_ref()).map_or(0.0, |group| group.percent.part());
    let holdout = (1.0 - control) * terms.holdout.part();
    let treated = (1.0 - control) * (1.0 - terms.holdout.part());
    let total: f64 = terms.variants.iter().map(|(_, w)| f64::from(*w)).sum();
    let mut arms = vec![(Arm::Control, control), (Arm::Holdout, holdout)];
    for (name, weight) in &terms.variants {
        let part = treated * f64::from(*weight) / total;
        arms.push((Arm::Variant(name.clone()), part));
    }
    arms.retain(|(_, part)| *part > 0.0);
    arms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customers(count: u32) -> impl Iterator<Item = CustomerId> {
        (0..count).filter_map(|n| CustomerId::new(&format!("C{n}")))
    }

    fn terms(name: &str) -> Terms {
        Terms {
            holdout: Percent::whole(10),
            rollout: Percent::whole(40),
            variants: vec![("a".into(), 50), ("b".into(), 50)],
            ..Terms::new(name)
        }
    }

    const HELD: [u32; 4] = [20, 21, 32, 52];

    /// As it was before shares could have fractions and rules a salt.
    fn former(purpose: &str, rule: &str, customer: &CustomerId, n: u64) -> u64 {
        draw(purpose, rule, customer) % n
    }

    #[test]
    fn whole_percent_are_of_the_customers_that_they_always_were_of() {
        let terms = terms("win-the-payment/dining-coupon");
        for id in customers(2_000) {
            assert_eq!(
                is_held_out(&terms, &id),
                former("holdout", &terms.name, &id, 100) < 10
            );
            assert_eq!(
                is_rolled_out(&terms, &id),
                former("rollout", &terms.name, &id, 100) < 40
            );
            let is_a = former("variant", &terms.name, &id, 100) < 50;
            assert_eq!(variant(&terms, &id) == "a", is_a);
        }
        // Computed by another implementation of the same hash.
        let held =
            (0..60).filter(|n| is_held_out(&terms, &CustomerId::new(&format!("C{n}")).unwrap()));
        assert_eq!(held.collect::<Vec<u32>>(), HELD);
    }

    #[test]
    fn raising_a_share_by_a_fraction_keeps_everybody_whom_it_had() {
        let group = |percent: &str| ControlGroup {
            percent: Percent::exact(percent.parse().unwrap()).unwrap(),
            salt: "2026".into(),
        };
        let (small, large) = (group("2.5"), group("2.75"));
        let of = |group: &ControlGroup| {
            customers(40_000)
                .filter(|id| is_in_control_group(group, id))
                .count()
        };
        assert!(
            customers(40_000)
                .all(|id| !is_in_control_group(&small, &id) || is_in_control_group(&large, &id))
        );
        assert!((900..1_100).contains(&of(&small)), "{}", of(&small));
        assert!(of(&large) > of(&small));
    }

    #[test]
    fn a_salt_takes_the_place_of_the_rules_name() {
        let salted = |name: &str, salt: &str| Terms {
            salt: Some(salt.into()),
            ..terms(name)
        };
        let (old, renamed) = (terms("old"), salted("new", "old"));
        assert!(customers(2_000).all(|id| is_held_out(&old, &id) == is_held_out(&renamed, &id)));
        let again = salted("old", "old, once more");
        let both = customers(20_000).filter(|id| is_held_out(&old, id) && is_held_out(&again, id));
        assert!(
            (120..280).contains(&both.count()),
            "as two rules: 1 % of all"
        );
    }

    #[test]
    fn the_control_group_is_the_same_for_all_rules_and_goes_before_their_holdouts() {
        let policy = ContactPolicy {
            control_group: Some(ControlGroup {
                percent: Percent::whole(5),
                salt: "".into(),
            }),
            ..ContactPolicy::default()
        };
        let (one, two) = (terms("one"), terms("two"));
        let control =
            |rule: &Terms, id: &CustomerId| assignment(rule, &policy, id) == Assignment::Control;
        assert!(customers(5_000).all(|id| control(&one, &id) == control(&two, &id)));
        let both = |id: &CustomerId| control(&one, id) && is_held_out(&one, id);
        assert!(
            customers(5_000).any(|id| both(&id)),
            "some would be held out besides"
        );
        let none = ContactPolicy::default();
        assert!(customers(5_000).all(|id| assignment(&one, &none, &id) != Assignment::Control));
    }

    #[test]
    fn the_parts_of_an_experiment_add_up_and_leave_out_what_nobody_has() {
        let policy = ContactPolicy {
            control_group: Some(ControlGroup {
                percent: Percent::whole(20),
                salt: "".into(),
            }),
            ..ContactPolicy::default()
        };
        let variant = |name: &str| Arm::Variant(name.into());
        let parts = arms(&terms("r"), &policy);
        let expected = [
            (Arm::Control, 0.2),
            (Arm::Holdout, 0.08),
            (variant("a"), 0.36),
            (variant("b"), 0.36),
        ];
        assert_eq!(parts.len(), expected.len());
        for ((arm, part), (name, share)) in parts.iter().zip(&expected) {
            assert!(
                arm == name && (part - share).abs() < 1e-12,
                "{arm:?} {part}"
            );
        }
        let plain = arms(&Terms::new("r"), &ContactPolicy::default());
        assert_eq!(plain, [(variant("default"), 1.0)]);
    }
}
