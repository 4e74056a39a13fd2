//! What a broadcast would cost, before anything of it is said.

use super::Partition;
use super::case::Case;
use crate::action::Body;
use crate::policy::{self, Assignment, Demand};
use crate::rules::Rule;
use crate::state::Draw;
use crate::terms::Budget;
use std::cmp::Reverse;
use std::sync::Arc;

impl Case<'_> {
    /// What rules would draw, if they would say something now: in the order in which they will be tried,
    /// without those whose group another one will win that asks for nothing.
    pub(super) fn demands(
        &mut self,
        partition: &Partition,
        rank: u64,
        rules: Vec<Arc<Rule>>,
    ) -> Vec<Demand> {
        let asks = |rule: &Arc<Rule>| rule.terms.budget.is_some() && !rule.terms.waits();
        if !rules.iter().any(asks) {
            return Vec::new();
        }
        // What fails here fails again when it is said, and is reported then.
        let mut scored: Vec<_> = (rules.into_iter())
            .filter_map(|rule| Some((Reverse(self.rules.score(&rule, self.moment).ok()?), rule)))
            .collect();
        scored.sort_by_key(|(score, _)| *score);
        let trace = std::mem::take(&mut self.trace);
        let mut won: Vec<Box<str>> = Vec::new();
        let mut demands = Vec::new();
        for (place, (_, rule)) in scored.iter().enumerate() {
            // Where one alone may speak, all are of one group.
            let alone = self.rules.policy().arbitration.per_event == Some(1);
            let group = match alone {
                true => Some(Box::default()),
                false => rule.terms.group.clone(),
            };
            if group.as_ref().is_some_and(|group| won.contains(group)) {
                continue;
            }
            let is_free = self.is_entered(rule)
                || !asks(rule) && self.may_speak(partition, rule)
                || self.is_kept_from(rule) && self.may_speak(partition, rule);
            // In shadow mode it takes nothing from anybody.
            if partition
                .switches
                .is_shadow(&rule.terms.name, self.id.as_str())
            {
                continue;
            }
            if is_free {
                won.extend(group);
            } else if let Some((draw, budget)) = self.demand(partition, rule) {
                demands.push(Demand {
                    rank,
                    place,
                    group,
                    draw,
                    budget,
                });
            }
        }
        self.trace = trace;
        demands
    }

    /// Whether the customer is held out of a rule, for whatever comparison.
    fn is_kept_from(&self, rule: &Rule) -> bool {
        policy::assignment(&rule.terms, self.rules.policy(), self.id) != Assignment::Treated
    }

    /// Whether cooldown, cap and channels would let a rule speak now.
    fn may_speak(&mut self, partition: &Partition, rule: &Rule) -> bool {
        self.frequency(partition, rule).is_none()
            && self.open_channels(partition, rule, None).is_ok()
    }

    fn demand(&mut self, partition: &Partition, rule: &Rule) -> Option<(Draw, Budget)> {
        let budget = rule.terms.budget.as_ref()?;
        if !self.may_speak(partition, rule) {
            return None;
        }
        let variant = policy::variant(&rule.terms, self.id);
        let returned = self.rules.action(rule, self.moment, variant, 0).ok()??;
        let body = Body::check(returned).ok()?;
        let draw = self.draw_for(partition, rule, budget, &body).ok()?;
        Some((draw, budget.clone()))
    }
}
