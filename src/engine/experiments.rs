//! How many customers each group of each rule's experiment has, as far as this engine has seen since it
//! started, and whether those are the right sizes.

use crate::policy::{self, Arm};
use crate::rules::RuleSet;
use crate::statistics::SampleRatio;
use crate::telemetry::Metrics;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The experiments of all rules, shared by all partitions.
#[derive(Debug, Default)]
pub(super) struct Experiments(Mutex<HashMap<Arc<str>, Sizes>>);

/// One rule's groups: the share that each should have, and how many customers it has.
#[derive(Debug, Default)]
struct Sizes {
    shares: Vec<(Arm, f64)>,
    counts: Vec<u64>,
}

impl Experiments {
    /// Counts customers about whom rules decided for the first time.
    pub(super) fn count(
        &self,
        assigned: &HashMap<(Arc<str>, Arm), u64>,
        rules: &RuleSet,
        metrics: &Metrics,
    ) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((name, arm), customers) in assigned {
            let group = match arm {
                Arm::Control => "control",
                Arm::Holdout => "holdout",
                Arm::Variant(_) => "treated",
            };
            let variant = match arm {
                Arm::Variant(variant) => variant,
                Arm::Control | Arm::Holdout => "",
            };
            let labels = [&**name, group, variant];
            let counter = &metrics.experiment_customers;
            counter.with_label_values(&labels).inc_by(*customers);
            let Some(rule) = rules.rule(name) else {
                continue;
            };
            let shares = policy::arms(&rule.terms, rules.policy());
            let sizes = all.entry(name.clone()).or_default();
            if let Some(p_value) = sizes.add(shares, arm, *customers) {
                let gauge = &metrics.experiment_sizes_p_value;
                gauge.with_label_values(&[name]).set(p_value);
            }
        }
    }
}

impl Sizes {
    /// Adds customers of a group; returns the p-value of the sizes, if there are several groups. Other shares
    /// are another experiment: it is counted from the beginning.
    fn add(&mut self, shares: Vec<(Arm, f64)>, arm: &Arm, customers: u64) -> Option<f64> {
        if self.shares != shares {
            self.counts = vec![0; shares.len()];
            self.shares = shares;
        }
        // A group that there is no longer was decided by a generation that was live a moment ago.
        let at = self.shares.iter().position(|(known, _)| known == arm)?;
        self.counts[at] += customers;
        let shares = self.shares.iter().map(|(_, share)| *share);
        let groups: Vec<(u64, f64)> = self.counts.iter().copied().zip(shares).collect();
        (groups.len() > 1).then(|| SampleRatio::of(&groups).p_value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(holdout: f64) -> Vec<(Arm, f64)> {
        let variant = Arm::Variant("default".into());
        vec![(Arm::Holdout, holdout), (variant, 1.0 - holdout)]
    }

    #[test]
    fn sizes_that_fit_no_longer_are_seen_and_other_shares_begin_anew() {
        let mut sizes = Sizes::default();
        let treated = Arm::Variant("default".into());
        sizes.add(shares(0.1), &treated, 9_000);
        let fits = sizes.add(shares(0.1), &Arm::Holdout, 1_000).unwrap();
        assert!(fits > 0.5, "{fits}");
        let off = sizes.add(shares(0.1), &treated, 9_000).unwrap();
        assert!(off < 0.001, "{off}");
        let anew = sizes.add(shares(0.2), &treated, 8).unwrap();
        assert!(anew > 0.5, "{anew}");
        let former = Arm::Variant("gone".into());
        assert_eq!(sizes.add(shares(0.2), &former, 8), None);
    }
}
