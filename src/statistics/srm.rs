//! Whether an experiment's groups have the sizes that they should have. If not (a sample-ratio mismatch),
//! something treats them differently before anything is measured, and no comparison of them is to be
//! believed.
//!
//! People look at it every day, so it is a sequential test. Source: M. Lindon and A. Malek, "Anytime-Valid
//! Inference For Multinomial Count Data", NeurIPS 2022 (arXiv:2011.03567): the Bayes factor of a Dirichlet
//! prior against the shares that were asked for,
//!
//! ```text
//! B(n) = Γ(Σα) / Γ(Σα + n) · Π Γ(αᵢ + nᵢ) / Γ(αᵢ) / Π pᵢ^nᵢ
//! ```
//!
//! is a martingale if the shares are as asked, so by Ville's inequality it ever reaches 1/u with a
//! probability of at most u: 1/B(n) is a p-value at every n at once. The prior is the shares
//! that were asked for times [`CONCENTRATION`].

use super::gamma::ln_gamma;

/// How much the prior is worth, in units: so concentrated that deviations of a percentage point, as real
/// faults cause them, are found soonest. It is what the authors' own implementation takes.
const CONCENTRATION: f64 = 10_000.0;
/// A p-value below which the sizes are wrong. A mismatch is a fault of the system and no finding, so few
/// false alarms are wanted.
pub const MISMATCH_ALPHA: f64 = 0.001;

/// What the sizes of an experiment's groups say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRatio {
    /// The logarithm of the Bayes factor for a mismatch.
    ln_bayes_factor: f64,
}

impl SampleRatio {
    /// Compares how many units each group has with the part of all that it should have. Units are
    /// independent of one another: customers, not messages. Each group comes as its count and its share;
    /// the shares add up to 1.
    #[must_use]
    pub fn of(groups: &[(u64, f64)]) -> Self {
        let mut total = 0;
        let mut ln_bayes_factor = 0.0;
        for (count, share) in groups {
            total += count;
            match (*count, *share > 0.0) {
                (0, _) => {}
                // Nobody should be here.
                (_, false) => ln_bayes_factor = f64::INFINITY,
                (count, true) => {
                    let (count, prior) = (count as f64, CONCENTRATION * share);
                    ln_bayes_factor +=
                        ln_gamma(prior + count) - ln_gamma(prior) - count * share.ln();
                }
            }
        }
        ln_bayes_factor += ln_gamma(CONCENTRATION) - ln_gamma(CONCENTRATION + total as f64);
        Self { ln_bayes_factor }
    }

    /// The logarithm of the Bayes factor for a mismatch: above 0 it speaks for one.
    #[must_use]
    pub fn ln_bayes_factor(self) -> f64 {
        self.ln_bayes_factor
    }

    /// A p-value that may be looked at as often as one likes.
    #[must_use]
    pub fn p_value(self) -> f64 {
        (-self.ln_bayes_factor).exp().min(1.0)
    }

    /// Whether the sizes are wrong.
    #[must_use]
    pub fn is_mismatch(self) -> bool {
        self.p_value() < MISMATCH_ALPHA
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014): the same numbers on every machine.
    struct Random(u64);

    impl Random {
        fn part(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    /// Assigns customers to groups of these true shares and looks every 100 of them at whether the sizes
    /// are as they were asked for; returns the smallest p-value that was ever seen.
    fn least(seed: u64, customers: u32, truth: &[f64], asked: &[f64]) -> f64 {
        let mut random = Random(seed << 32);
        let mut groups: Vec<(u64, f64)> = asked.iter().map(|share| (0, *share)).collect();
        let mut least: f64 = 1.0;
        for customer in 1..=customers {
            let mut drawn = random.part();
            let mut fits = |share: &&f64| {
                drawn -= **share;
                drawn < 0.0
            };
            let at = truth.iter().take_while(|share| !fits(share)).count();
            groups[at.min(asked.len() - 1)].0 += 1;
            if customer % 100 == 0 {
                least = least.min(SampleRatio::of(&groups).p_value());
            }
        }
        least
    }

    #[test]
    fn one_at_a_time_it_is_the_product_of_what_was_predicted() {
        let shares = [0.05, 0.1, 0.85];
        let mut groups = shares.map(|share| (0_u64, share));
        let mut product = 0.0;
        let mut random = Random(7);
        for seen in 0..5_000_u32 {
            let drawn = random.part();
            let at = usize::from(drawn > 0.05) + usize::from(drawn > 0.15);
            let (count, share) = groups[at];
            let predicted =
                (CONCENTRATION * share + count as f64) / (CONCENTRATION + f64::from(seen));
            product += (predicted / share).ln();
            groups[at].0 += 1;
        }
        let whole = SampleRatio::of(&groups).ln_bayes_factor();
        assert!((whole - product).abs() < 1e-6, "{whole} {product}");
    }

    #[test]
    fn right_sizes_raise_no_more_false_alarms_than_is_said_however_often_one_looks() {
        let shares = [0.05, 0.095, 0.4275, 0.4275];
        let runs = 1_000;
        let alarms = |alpha: f64| {
            let ever = (0..runs).filter(|seed| least(*seed, 20_000, &shares, &shares) < alpha);
            ever.count()
        };
        let at_five_percent = alarms(0.05);
        println!("{at_five_percent} of {runs} experiments ever looked wrong at 5 %");
        assert!(at_five_percent <= 50, "{at_five_percent}");
    }

    #[test]
    fn wrong_sizes_are_found() {
        // One percentage point of a holdout of ten is lost.
        let found = (0..50)
            .filter(|seed| least(*seed, 60_000, &[0.09, 0.91], &[0.1, 0.9]) < MISMATCH_ALPHA);
        let found = found.count();
        assert!(found >= 48, "{found} of 50");
        assert!(
            SampleRatio::of(&[(1, 0.0), (10, 1.0)]).is_mismatch(),
            "nobody should be there"
        );
        assert!(!SampleRatio::of(&[]).is_mismatch());
        assert!(!SampleRatio::of(&[(0, 0.1), (0, 0.9)]).is_mismatch());
    }
}
