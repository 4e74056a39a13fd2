//! Saying something, in the steps in which it may fail: a channel, a body, whom it is kept from, and its
//! cost; then it is uttered.

use super::Partition;
use super::case::{Case, Said, Utterance};
use super::record::LogEntry;
use crate::action::{Body, Decision, Verdict, fallback_id};
use crate::event::Value;
use crate::money::Money;
use crate::policy::{self, Approach, Arm, Assignment, Refusal, Shared, Spoken, trace};
use crate::rules::{Function, Rule, RuleError};
use crate::state::{Attribute, DecisionId, Delivery, Draw};
use crate::terms::Budget;
use std::sync::Arc;

/// What is said, when nothing stands in the way any more.
#[derive(Clone, Debug)]
pub(super) struct Words<'r> {
    /// The channels that are open, the chosen one first.
    pub(super) channels: Vec<&'r str>,
    pub(super) body: Body,
    /// The account that it was drawn from.
    pub(super) account: Option<Box<str>>,
    pub(super) reach: Reach,
    pub(super) stands_in: Option<StandIn>,
}

/// For what something is said again.
#[derive(Clone, Debug)]
pub(super) struct StandIn {
    /// The decision that failed.
    pub(super) failed: DecisionId,
    /// Its variant.
    pub(super) variant: Arc<str>,
}

/// Whether it reaches the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// The verdict of the decision.
    pub(super) verdict: Verdict,
    /// Of one that is held out: whether by the control group of all rules.
    pub(super) control: bool,
}

impl Case<'_> {
    /// Says something, if the contact policy and the budget let it.
    pub(super) fn speak(&mut self, partition: &Partition, rule: &Rule, say: Utterance) -> Said {
        let channels = match self.open_channels(partition, rule, None) {
            Ok(channels) => channels,
            Err(refusal) => {
                return match refusal.until {
                    Some(until) => Said::Deferred(until),
                    None => Said::Verdict(refusal.verdict),
                };
            }
        };
        let body = match self.body(partition, rule, say.step) {
            Ok(body) => body,
            Err(verdict) => return Said::Verdict(verdict),
        };
        let reach = self.reach(partition, rule);
        let account = match self.pay(partition, rule, say, &body, reach) {
            Ok(account) => account,
            Err(verdict) => return Said::Verdict(verdict),
        };
        let words = Words {
            channels,
            body,
            account,
            reach,
            stands_in: None,
        };
        Said::Verdict(self.utter(partition, rule, say, words))
    }

    /// The channels by which the contact policy lets a rule speak now, in order. What stands in for a
    /// decision that failed is one contact with it.
    pub(super) fn channels<'r>(
        &mut self,
        partition: &Partition,
        rule: &'r Rule,
        instead_of: Option<DecisionId>,
    ) -> Result<Vec<&'r str>, Refusal> {
        let shared = self.shared(partition);
        let customer = self.customer;
        let approach = Approach {
            terms: &rule.terms,
            policy: self.rules.policy(),
            id: self.id,
            customer,
            names: partition.customers.names(),
            at: self.at,
            zone: &|| partition.zone_of(customer),
            spoken: &self.spoken,
            household: shared.as_ref(),
            instead_of,
        };
        approach.channels(&mut self.trace)
    }

    /// The key by which the customer shares caps with others.
    fn household(&self, partition: &Partition) -> Option<Box<str>> {
        let attribute = self.rules.policy().household.attribute.as_deref()?;
        let name = partition.customers.names().find(attribute)?;
        match self.customer.profile.attribute(name)? {
            Attribute::Text(key) => Some(key.clone()),
            _ => None,
        }
    }

    /// Whom the customer shares caps with, as far as the partition knows them.
    fn shared(&self, partition: &Partition) -> Option<Shared> {
        let key = partition
            .customers
            .names()
            .find(&self.household(partition)?);
        let others = key
            .into_iter()
            .flat_map(|key| partition.households.others(key, self.id));
        Some(Shared {
            key,
            others: others
                .filter_map(|id| partition.customers.get(id.as_str()))
                .collect(),
        })
    }

    /// What the rule has to say.
    fn body(&mut self, partition: &Partition, rule: &Rule, step: u32) -> Result<Body, Verdict> {
        let variant = policy::variant(&rule.terms, self.id);
        let returned = match self.rules.action(rule, self.moment, variant, step) {
            Ok(None) => return Err(Verdict::None),
            Ok(Some(returned)) => returned,
            Err(error) => return Err(self.fail(partition, rule, error)),
        };
        Body::check(returned).map_err(|message| {
            let error = rule.error(Function::Action, message);
            self.fail(partition, rule, error)
        })
    }

    /// Whether it is sent, or kept from the customer to learn what happens without it.
    pub(super) fn reach(&mut self, partition: &Partition, rule: &Rule) -> Reach {
        if self.is_shadow(partition, rule) {
            return Reach {
                verdict: Verdict::Shadow,
                control: false,
            };
        }
        let policy = self.rules.policy();
        let assignment = policy::assignment(&rule.terms, policy, self.id);
        let control = assignment == Assignment::Control;
        if let Some(group) = &policy.control_group {
            self.trace.push("control_group", !control, || {
                vec![("percent", Value::Decimal(group.percent.to_decimal()))]
            });
        }
        if !control {
            let passed = assignment != Assignment::Holdout;
            self.trace.push("holdout", passed, || {
                vec![("percent", Value::Decimal(rule.terms.holdout.to_decimal()))]
            });
        }
        Reach {
            verdict: match assignment {
                Assignment::Treated => Verdict::Sent,
                Assignment::Holdout | Assignment::Control => Verdict::Holdout,
            },
            control,
        }
    }

    /// Draws its cost, if there is a budget and it is sent; returns the account it was drawn from.
    fn pay(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        say: Utterance,
        body: &Body,
        reach: Reach,
    ) -> Result<Option<Box<str>>, Verdict> {
        let Some(budget) = &rule.terms.budget else {
            return Ok(None);
        };
        if reach.verdict != Verdict::Sent {
            return Ok(None);
        }
        let draw = match self.draw_for(partition, rule, budget, body) {
            Ok(draw) => draw,
            Err(error) => return Err(self.fail(partition, rule, error)),
        };
        let (account, cost) = (draw.account.clone(), draw.cost);
        let before = partition.precedents.as_ref().and_then(|precedents| {
            let decision = self.origin.decision_id(self.id, rule, say.step);
            precedents.paid(decision, say.entry)
        });
        let passed = self.till.pay(partition, rule, budget, draw, before);
        self.trace.push("budget", passed, || {
            let mut detail = vec![("cost", Value::Decimal(cost.to_decimal()))];
            detail.extend(account.iter().map(|key| ("account", trace::word(key))));
            detail
        });
        if passed {
            Ok(account)
        } else {
            Err(Verdict::Budget)
        }
    }

    /// Says it: from here on it is decided.
    pub(super) fn utter(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        say: Utterance,
        words: Words<'_>,
    ) -> Verdict {
        let terms = &rule.terms;
        let mut channels = words.channels.into_iter();
        let channel = channels.next().unwrap_or_default();
        let verdict = words.reach.verdict;
        let (id, variant) = match &words.stands_in {
            Some(StandIn { failed, variant }) => (fallback_id(*failed, channel), &**variant),
            None => {
                let id = self.origin.decision_id(self.id, rule, say.step);
                (id, policy::variant(terms, self.id))
            }
        };
        let decision = Decision {
            id,
            entry: say.entry,
            next: say.next,
            customer: self.id.clone(),
            rule: terms.name.clone(),
            generation: self.rules.generation().clone(),
            channel: channel.into(),
            variant: variant.into(),
            step: say.step,
            verdict,
            control: words.reach.control,
            scene: terms.scene.clone(),
            household: self.household(partition),
            fallback_of: words.stands_in.map(|other| other.failed),
            channels_left: channels.map(Into::into).collect(),
            trigger: self.origin.trigger(),
            body: words.body,
            account: words.account,
            decided_at: self.now,
            policy_time: self.at,
            time: self.time,
            traceparent: self.origin.traceparent(),
            after: partition.position,
            part: None,
        };
        self.assign(partition, rule, &decision);
        if decision.delivery().counts() {
            self.spoken.push(Spoken {
                channel: decision.channel.clone(),
                scene: decision.scene.clone(),
                rule: decision.rule.clone(),
                fallback_of: decision.fallback_of,
            });
        }
        self.output
            .entries
            .push(LogEntry::Decision(Box::new(decision)));
        verdict
    }

    /// Counts the customer in their group, if the rule decides about them for the first time.
    fn assign(&mut self, partition: &Partition, rule: &Rule, decision: &Decision) {
        let name = partition.book.name(rule);
        let mut known = self.customer.contacts.all().iter();
        if known.any(|contact| Some(contact.rule) == name && contact.delivery.counts()) {
            return;
        }
        let arm = match decision.delivery() {
            Delivery::Control => Arm::Control,
            Delivery::Holdout => Arm::Holdout,
            Delivery::Sent => Arm::Variant(decision.variant.clone()),
            // It treats nobody, so there is no experiment.
            Delivery::Shadow => return,
        };
        let key = (decision.rule.clone(), arm);
        *self.output.assigned.entry(key).or_default() += 1;
    }

    /// What an action costs and who pays.
    pub(super) fn draw_for(
        &self,
        partition: &Partition,
        rule: &Rule,
        budget: &Budget,
        body: &Body,
    ) -> Result<Draw, RuleError> {
        let fault = |message: String| rule.error(Function::Action, message);
        let cost = body.fields.get("cost").and_then(Value::as_decimal);
        let cost = cost
            .and_then(|cost| Money::exact(cost).ok())
            .filter(|cost| *cost >= Money::ZERO)
            .ok_or_else(|| {
                fault("the action of a rule with a `budget` must have a `cost`: an amount of at least 0 with at most four decimals".to_owned())
            })?;
        let account = match &budget.per {
            None => None,
            Some(key) => {
                let value = body.fields.get(key).and_then(Value::as_text);
                let value = value.ok_or_else(|| {
                    fault(format!(
                        "the budget is kept per `{key}`, so the action must have a `{key}` of text"
                    ))
                })?;
                Some(value.into())
            }
        };
        Ok(Draw {
            rule: rule.terms.name.clone(),
            account,
            day: policy::local_day(self.at, &partition.default_zone),
            cost,
        })
    }
}
