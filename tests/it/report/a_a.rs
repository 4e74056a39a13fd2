//! Experiments in which nothing happens, with the engine's own assignment of customers.

use crate::kit::Random;
use onscene::partitioning::CustomerId;
use onscene::policy::is_held_out;
use onscene::statistics::{ConfidenceSequence, Proportion};
use onscene::terms::{Percent, Terms};

const DAYS: usize = 60;
const CUSTOMERS_A_DAY: usize = 60;

#[test]
fn a_thousand_rules_without_effect_that_are_looked_at_daily_are_called_one_in_at_most_one_of_twenty()
 {
    let customers: Vec<CustomerId> = (0..DAYS * CUSTOMERS_A_DAY)
        .map(|number| CustomerId::new(&format!("C{number:05}")).unwrap())
        .collect();
    let sequence = ConfidenceSequence::new(0.05);
    let wrong = (0..1_000).filter(|rule| {
        let terms = Terms {
            holdout: Percent::whole(20),
            ..Terms::new(format!("nothing/{rule}"))
        };
        let mut random = Random::new(*rule);
        let [mut treated, mut held_out] = [Proportion::default(); 2];
        customers.chunks(CUSTOMERS_A_DAY).any(|day| {
            for customer in day {
                let side = if is_held_out(&terms, customer) {
                    &mut held_out
                } else {
                    &mut treated
                };
                side.of += 1;
                side.successes += u64::from(random.chance(20));
            }
            let difference = sequence.of_proportions(treated, held_out);
            difference.is_some_and(|difference| !difference.absolute.contains(0.0))
        })
    });
    let wrong = wrong.count();
    println!("result: {wrong} of 1,000 rules without effect are called one");
    assert!(wrong <= 50, "{wrong} of 1,000");
}
