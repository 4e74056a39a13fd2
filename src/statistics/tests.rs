use super::*;

/// `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014): the same experiments on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }
}

/// An experiment of 60 days that is looked at every day.
#[derive(Clone, Copy)]
struct Trial {
    customers_a_day: u32,
    holdout: f64,
    rate_treated: f64,
    rate_held_out: f64,
}

const DAYS: u32 = 60;

impl Trial {
    /// What is known at the end of each day.
    fn run(self, seed: u64, mut look: impl FnMut(Proportion, Proportion)) {
        let mut random = Random(seed);
        let (mut treated, mut held_out) = (Proportion::default(), Proportion::default());
        for _ in 0..DAYS {
            for _ in 0..self.customers_a_day {
                let (arm, rate) = if random.chance(self.holdout) {
                    (&mut held_out, self.rate_held_out)
                } else {
                    (&mut treated, self.rate_treated)
                };
                arm.of += 1;
                arm.successes += u64::from(random.chance(rate));
            }
            look(treated, held_out);
        }
    }

    /// In how many of a number of experiments a method says on any day that there is a difference.
    fn found(self, experiments: u64, says: impl Fn(Proportion, Proportion) -> bool) -> u64 {
        (0..experiments)
            .filter(|seed| {
                let mut said = false;
                self.run(*seed << 20, |treated, held_out| {
                    said = said || says(treated, held_out);
                });
                said
            })
            .count() as u64
    }
}

fn sequence_says(treated: Proportion, held_out: Proportion) -> bool {
    (ConfidenceSequence::new(0.05).of_proportions(treated, held_out))
        .is_some_and(|difference| !difference.absolute.contains(0.0))
}

/// The usual test of two proportions at 5 %, as if it were looked at once.
fn fixed_sample_test_says(treated: Proportion, held_out: Proportion) -> bool {
    let (one, other) = (treated.of as f64, held_out.of as f64);
    let pooled = (treated.successes + held_out.successes) as f64 / (one + other);
    let error = (pooled * (1.0 - pooled) * (1.0 / one + 1.0 / other)).sqrt();
    held_out.of >= 100 && ((treated.rate() - held_out.rate()) / error).abs() > 1.96
}

#[test]
fn of_a_thousand_experiments_without_effect_at_most_one_in_twenty_is_called_one_though_looked_at_daily()
 {
    let trials = [
        (100, 0.1, 0.2),
        (60, 0.5, 0.05),
        (400, 0.1, 0.02),
        (100, 0.1, 0.95),
    ];
    for (customers_a_day, holdout, rate) in trials {
        let trial = Trial {
            customers_a_day,
            holdout,
            rate_treated: rate,
            rate_held_out: rate,
        };
        let wrong = trial.found(1_000, sequence_says);
        println!("result: {wrong} of 1,000 A/A experiments at a rate of {rate} are called one");
        assert!(wrong <= 50, "{wrong} of 1,000 at {rate}");
    }
}

#[test]
fn the_usual_test_looked_at_daily_is_wrong_far_more_often_so_that_the_trial_can_fail() {
    let trial = Trial {
        customers_a_day: 100,
        holdout: 0.1,
        rate_treated: 0.2,
        rate_held_out: 0.2,
    };
    let wrong = trial.found(1_000, fixed_sample_test_says);
    println!("result: {wrong} of 1,000 A/A experiments are called one by a z-test looked at daily");
    assert!(wrong > 150, "{wrong} of 1,000");
}

#[test]
fn a_lift_of_ten_percent_is_found_and_the_truth_stays_inside_at_every_look() {
    let trial = Trial {
        customers_a_day: 2_500,
        holdout: 0.2,
        rate_treated: 0.22,
        rate_held_out: 0.20,
    };
    let experiments = 40;
    let sequence = ConfidenceSequence::new(0.05);
    let found = trial.found(experiments, sequence_says);
    println!("result: a lift of 10 % is found in {found} of {experiments} experiments");
    assert!(found * 10 >= experiments * 9, "{found} of {experiments}");
    let missed = trial.found(experiments, |treated, held_out| {
        sequence
            .of_proportions(treated, held_out)
            .is_some_and(|difference| {
                let inside = |interval: Interval, truth| interval.contains(truth);
                !inside(difference.absolute, 0.02)
                    || difference.relative.is_some_and(|ratio| !inside(ratio, 0.1))
            })
    });
    assert!(missed <= 4, "{missed} of {experiments} miss the truth");
}

#[test]
fn means_with_a_long_tail_keep_the_level_too() {
    // What a customer brings: nothing from four in five, else a log-normal amount.
    let value = |random: &mut Random| {
        if !random.chance(0.2) {
            return 0.0;
        }
        let angle = std::f64::consts::TAU * random.unit();
        let normal = (-2.0 * (1.0 - random.unit()).ln()).sqrt() * angle.cos();
        100.0 * normal.exp()
    };
    let sequence = ConfidenceSequence::new(0.05);
    let mut wrong = 0;
    for seed in 0..500_u64 {
        let mut random = Random(seed << 20);
        let (mut treated, mut held_out) = (Sample::default(), Sample::default());
        let mut said = false;
        for _ in 0..DAYS {
            for _ in 0..100 {
                let is_held_out = random.chance(0.2);
                let value = value(&mut random);
                if is_held_out {
                    &mut held_out
                } else {
                    &mut treated
                }
                .add(value);
            }
            said = said
                || (sequence.of_means(&treated, &held_out))
                    .is_some_and(|difference| !difference.absolute.contains(0.0));
        }
        wrong += u64::from(said);
    }
    println!("result: {wrong} of 500 A/A experiments on means are called one");
    assert!(wrong <= 25, "{wrong} of 500");
}

#[test]
fn the_interval_is_the_one_of_the_paper() {
    // By hand: n = 10,000, ρ² = 7.936 / 10,000, so √(8.936 / 7.936 · ln(8.936 / 0.0025)) = 3.035.
    let treated = Proportion {
        successes: 1_099,
        of: 4_998,
    };
    let held_out = Proportion {
        successes: 999,
        of: 4_998,
    };
    let mut arms = [treated.arm(), held_out.arm()];
    for arm in &mut arms {
        // The tuning is made for 10,000 units, and an added success and failure for a round number.
        arm.units = 5_000;
    }
    let [one, other] = arms;
    let difference = ConfidenceSequence::new(0.05)
        .compare(one, other, 2_000)
        .unwrap();
    let error = (0.22_f64 * 0.78 / 5_000.0 + 0.2 * 0.8 / 5_000.0).sqrt();
    let reach = (difference.absolute.high - difference.absolute.estimate) / error;
    assert!((reach - 3.035).abs() < 0.001, "{reach}");
}

#[test]
fn nothing_is_said_of_few_and_no_ratio_to_what_may_be_zero() {
    let sequence = ConfidenceSequence::new(0.05);
    let rate = |successes, of| Proportion { successes, of };
    assert_eq!(sequence.of_proportions(rate(90, 99), rate(10, 1_000)), None);
    assert_eq!(sequence.of_proportions(rate(38, 200), rate(1, 200)), None);
    assert_eq!(
        sequence.of_proportions(rate(200, 200), rate(199, 200)),
        None
    );
    let difference = (sequence.of_proportions(rate(500, 1_000), rate(0, 1_000))).unwrap();
    assert!(difference.absolute.low > 0.4 && difference.p_value < 1e-6);
    assert_eq!(difference.relative, None);
}

#[test]
fn the_interval_excludes_zero_exactly_when_the_p_value_is_below_the_level() {
    let held_out = Proportion {
        successes: 200,
        of: 1_000,
    };
    for successes in 150..300 {
        let treated = Proportion {
            successes,
            of: 1_000,
        };
        let difference = ConfidenceSequence::new(0.05).of_proportions(treated, held_out);
        let difference = difference.unwrap();
        assert_eq!(
            difference.absolute.contains(0.0),
            difference.p_value >= 0.05,
            "{successes}"
        );
        let ratio = difference.relative.unwrap();
        assert_eq!(difference.absolute.contains(0.0), ratio.contains(0.0));
    }
}

#[test]
fn a_mean_and_a_variance_are_those_of_the_textbook() {
    let mut sample = Sample::default();
    for value in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
        sample.add(value);
    }
    assert_eq!(sample.mean(), 5.0);
    assert!((sample.variance() - 32.0 / 7.0).abs() < 1e-12);
}
