//! Whether the groups of a rule's experiment have the sizes that they should have.

use super::fact::Side;
use super::model::{GroupSize, Sizes};
use super::people::{People, Person};
use crate::policy::Arm;
use crate::statistics::SampleRatio;

/// Compares the customers of each group with its share; nothing if there are not several groups. Who is in a
/// group that there is no longer is left out.
pub(super) fn sizes(people: &People<'_>, arms: &[(Arm, f64)]) -> Option<Sizes> {
    if arms.len() < 2 {
        return None;
    }
    let is_in = |person: &Person, arm: &Arm| match arm {
        Arm::Control => person.side == Side::Control,
        Arm::Holdout => person.side == Side::HeldOut,
        Arm::Variant(name) => person.side == Side::Treated && *person.variant == **name,
    };
    let count = |arm: &Arm| people.values().filter(|person| is_in(person, arm)).count() as u64;
    let counts: Vec<(u64, f64)> = (arms.iter())
        .map(|(arm, share)| (count(arm), *share))
        .collect();
    let ratio = SampleRatio::of(&counts);
    let groups = arms.iter().zip(&counts);
    Some(Sizes {
        groups: groups
            .map(|((arm, share), (customers, _))| GroupSize {
                group: match arm {
                    Arm::Control => "control".to_owned(),
                    Arm::Holdout => "holdout".to_owned(),
                    Arm::Variant(name) => name.to_string(),
                },
                customers: *customers,
                share: *share,
            })
            .collect(),
        p_value: ratio.p_value(),
        mismatch: ratio.is_mismatch(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;
    use crate::partitioning::CustomerId;

    #[test]
    fn sizes_that_fit_raise_no_alarm_and_a_holdout_that_lost_a_fifth_does() {
        let arms = [
            (Arm::Holdout, 0.1),
            (Arm::Variant("a".into()), 0.45),
            (Arm::Variant("b".into()), 0.45),
        ];
        let ids: Vec<CustomerId> = (0..10_000)
            .map(|n| CustomerId::new(&format!("C{n}")).unwrap())
            .collect();
        let split = |held_out: usize| -> Sizes {
            let person = |at: usize| Person {
                side: if at < held_out {
                    Side::HeldOut
                } else {
                    Side::Treated
                },
                variant: ["a", "b"][at % 2].into(),
                at: 0,
                converted_at: None,
                value: Money::ZERO,
                switched: false,
            };
            let people = ids.iter().enumerate().map(|(at, id)| (id, person(at)));
            sizes(&people.collect(), &arms).unwrap()
        };
        let fit = split(1_000);
        assert!(!fit.mismatch && fit.p_value > 0.1, "{fit:?}");
        let sizes_of: Vec<u64> = fit.groups.iter().map(|group| group.customers).collect();
        assert_eq!(sizes_of, [1_000, 4_500, 4_500]);
        assert!(split(800).mismatch, "{:?}", split(800));
        assert!(sizes(&People::new(), &arms[..1]).is_none());
    }
}
