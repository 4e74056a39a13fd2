//! Deciding about an event: conversions first, then the rules that listen, then arbitration.

use super::case::{Case, Origin};
use super::outcome::Told;
use super::output::{Input, Output};
use super::record::{ConversionRecord, LogEntry, Place};
use super::till::Till;
use super::{Applied, Partition};
use crate::action::Verdict;
use crate::clock::Millis;
use crate::event::{Event, Facts, Value};
use crate::money::Money;
use crate::policy::{Trace, trace};
use crate::rules::{Function, PastDecision, Rule, RuleSet, Standing, Subject};
use crate::state::{Contact, Customer, DecisionId, Delivery, Names, Want};
use std::cmp::Reverse;
use std::sync::Arc;

impl Partition {
    /// Decides about an event that was applied. Returns what must be granted first, if anything: then
    /// nothing was decided.
    pub(super) fn decide(
        &mut self,
        input: &Input,
        event: &Event,
        (customer, applied): (Arc<Customer>, Applied),
        now: Millis,
        rules: &RuleSet,
        output: &mut Output,
    ) -> Option<Want> {
        let listening = rules.listening(&event.kind);
        let has_contacts = !customer.contacts.all().is_empty();
        let converts = self.book.asks_conversions && has_contacts;
        let told = applied.told.filter(|told| told.is_news());
        if listening.is_empty() && !converts && told.is_none() {
            return None;
        }
        let mut trial = self.try_out(output);
        let output = trial.output();
        let first = output.entries.len();
        // A former run answered a part of it: rules must not see that part, and what it decided stands.
        let resumes = input.already > 0;
        let shown = if resumes {
            without_answers(&customer, event, listening, told)
        } else {
            customer.clone()
        };
        let standing = Standing {
            id: &event.customer,
            customer: &shown,
            customers: &self.customers.clone(),
            time: event.time,
            index: applied.index,
        };
        let moment = rules.moment(Subject::Event(event), standing);
        let mut case = Case {
            origin: Origin::Event(event, input.sequence),
            id: &event.customer,
            customer: &customer,
            rules,
            moment: &moment,
            at: input.stored_at,
            time: event.time,
            now,
            till: Till::default(),
            trace: Trace::new(self.list_checks),
            spoken: Vec::new(),
            output,
        };
        if let Some(told) = told {
            case.hear(self, event, told);
        }
        if converts {
            case.convert(self, event);
        }
        case.propose(self, &event.kind, resumes);
        let want = case.till.close(self);
        if moment.crossed_trimmed_edge() {
            output.trimmed_windows += 1;
        }
        // Let go of the snapshot first: a customer that nobody else holds is changed in place.
        drop(moment);
        drop((customer, shown));
        if want.is_some() {
            output.retract();
        }
        let begin = output.front_quarantines(first, applied.before);
        number_parts(&mut output.entries[begin..], input.already);
        self.settle(output, first);
        trial.end(want)
    }
}

/// Numbers what answers one event, after so many parts that the log has already.
fn number_parts(entries: &mut [LogEntry], already: u32) {
    let parts = already + u32::try_from(entries.len()).unwrap_or(u32::MAX);
    for (at, entry) in (already..).zip(entries) {
        entry.set_part((at, parts));
    }
}

impl Case<'_> {
    /// Asks the rules that listen, and tries what they propose.
    fn propose(&mut self, partition: &Partition, kind: &str, resumes: bool) {
        let age = self.now.saturating_sub(self.time);
        if !resumes && let Some(proposals) = self.sift(partition, kind, age) {
            return self.arbitrate(partition, &proposals);
        }
        let mut proposals = Vec::new();
        for rule in self.rules.listening(kind) {
            if resumes && self.is_entered(rule) {
                proposals.push(rule.clone());
                continue;
            }
            match self.gate(partition, rule, age) {
                None => proposals.push(rule.clone()),
                Some(verdict) => self.count(rule, 0, verdict),
            }
        }
        self.arbitrate(partition, &proposals);
    }

    /// Asks the rules that spoke lately whether this event is what they spoke for.
    fn convert(&mut self, partition: &Partition, event: &Event) {
        let customer = self.moment.standing().customer;
        let names = self.moment.standing().customers.names();
        for contact in customer.contacts.all() {
            let Some(rule) = partition.book.rules.get(&contact.rule).cloned() else {
                continue;
            };
            let age = event.time.saturating_sub(contact.time);
            // What stands in for another decision is a part of that one.
            let asks = rule.has(Function::Converted)
                && !contact.converted
                && contact.fallback_of.is_none()
                && (0..=rule.terms.within).contains(&age);
            if !asks || self.hold_off(partition, &rule) {
                continue;
            }
            let decision = past(contact, &rule, names);
            match self.rules.converted(&rule, self.moment, &decision) {
                Ok(false) => {}
                Ok(true) => {
                    let record = ConversionRecord {
                        decision: contact.id,
                        customer: self.id.as_str().into(),
                        rule: rule.terms.name.clone(),
                        event: event.id.clone(),
                        source: event.source.clone(),
                        time: event.time,
                        at: self.at,
                        value: amount(event),
                        variant: (&*names.word(contact.variant)).into(),
                        delivery: contact.delivery,
                        place: Place {
                            after: partition.position,
                            part: None,
                        },
                    };
                    self.output.entries.push(LogEntry::Conversion(record));
                }
                Err(error) => {
                    self.fail(partition, &rule, error);
                }
            }
        }
    }

    /// Tries proposals by score; the first of a group that passes wins it.
    pub(super) fn arbitrate(&mut self, partition: &Partition, proposals: &[Arc<Rule>]) {
        // Answers to this that the log had already: only when a former run stopped midway.
        let (known, new): (Vec<_>, Vec<_>) =
            proposals.iter().partition(|rule| self.is_entered(rule));
        // In shadow mode a rule wins nothing: it must not keep others from speaking.
        let wins = |rule: &Rule| {
            !partition
                .switches
                .is_shadow(&rule.terms.name, self.id.as_str())
        };
        let mut won: Vec<&Rule> = known.iter().map(|rule| &***rule).collect();
        won.retain(|rule| wins(rule));
        for rule in known {
            self.resume(partition, rule);
        }
        let mut scored = Vec::with_capacity(new.len());
        for rule in new {
            match self.score(partition, rule) {
                Ok(score) => scored.push((Reverse(score), rule)),
                Err(verdict) => self.conclude(partition, rule, 0, verdict, None),
            }
        }
        // Stable: rules come by name, so those of the same score stay in that order.
        scored.sort_by_key(|(score, _)| *score);
        for (Reverse(score), rule) in scored {
            let winner = self.winner(&won, rule);
            self.trace.about(&rule.terms.name);
            self.trace.push("arbitration", winner.is_none(), || {
                let mut detail = vec![("score", Value::Decimal(score))];
                detail.extend(winner.iter().map(|name| ("winner", trace::word(name))));
                detail
            });
            let verdict = if winner.is_some() {
                Verdict::Arbitration
            } else {
                self.enter(partition, rule)
            };
            if self.till.is_short() {
                return;
            }
            self.conclude(partition, rule, 0, verdict, winner);
            let is_won = matches!(
                verdict,
                Verdict::Sent | Verdict::Holdout | Verdict::Deferred
            );
            if is_won && wins(rule) {
                won.push(rule);
            }
        }
    }

    /// Who won what a rule would speak for: its group, or else all that may be said at one event.
    fn winner(&self, won: &[&Rule], rule: &Rule) -> Option<Arc<str>> {
        let group = rule.terms.group.as_deref();
        let of_group = won
            .iter()
            .find(|winner| group.is_some() && winner.terms.group.as_deref() == group);
        let most = self.rules.policy().arbitration.per_event;
        let is_full = most.is_some_and(|most| won.len() >= most as usize);
        let best = won.first().filter(|_| is_full);
        of_group.or(best).map(|winner| winner.terms.name.clone())
    }

    /// Whether the log has an answer of the rule to this already.
    pub(super) fn is_entered(&self, rule: &Rule) -> bool {
        let customer = self.customer;
        if customer.contacts.all().is_empty() && customer.pending.is_empty() {
            return false;
        }
        let entry = self.origin.decision_id(self.id, rule, 0);
        customer.contacts.has_entry(entry) || customer.pending(entry).is_some()
    }

    /// Arms a journey whose first step was said just before a crash.
    fn resume(&mut self, partition: &Partition, rule: &Rule) {
        let entry = self.origin.decision_id(self.id, rule, 0);
        let customer = self.customer;
        let is_settled = customer.pending(entry).is_some() || customer.contacts.is_closed(entry);
        if !rule.terms.steps.is_empty() && !is_settled {
            self.set_out(partition, rule, entry);
        }
    }
}

/// A customer without what rules have answered to an event.
fn without_answers(
    customer: &Arc<Customer>,
    event: &Event,
    listening: &[Arc<Rule>],
    told: Option<Told>,
) -> Arc<Customer> {
    let origin = Origin::Event(event, 0);
    let own = |rule: &Arc<Rule>| origin.decision_id(&event.customer, rule, 0);
    let own: Vec<DecisionId> = listening.iter().map(own).collect();
    let mut shown = Customer::clone(customer);
    shown.contacts.forget(&own);
    if let Some(told) = told {
        shown.contacts.forget_stand_in(told.decision);
    }
    Arc::new(shown)
}

/// What an event is about in money, in base currency.
fn amount(event: &Event) -> Option<Money> {
    match &event.facts {
        Facts::Movement(movement) => Some(movement.amount),
        Facts::Checkout(checkout) => Some(checkout.amount),
        Facts::Other(kept) => kept.amount,
        Facts::Profile(_) | Facts::Outcome { .. } => None,
    }
}

fn past(contact: &Contact, rule: &Rule, names: &Names) -> PastDecision {
    PastDecision {
        id: contact.id,
        rule: rule.terms.name.clone(),
        variant: names.word(contact.variant),
        step: contact.step,
        channel: names.word(contact.channel),
        code: contact.code.map(|code| names.word(code)),
        value: contact.value,
        cost: contact.cost,
        time: contact.time,
        holdout: contact.delivery != Delivery::Sent,
    }
}
