//! Deciding about an event: conversions first, then the rules that listen, then arbitration.

use super::Partition;
use super::case::{Case, Origin, Purse};
use super::output::{ConversionRecord, Input, LogEntry, Output, Place};
use crate::action::Verdict;
use crate::clock::Millis;
use crate::event::Event;
use crate::rules::{Function, PastDecision, Rule, RuleSet, Standing, Subject};
use crate::state::{Contact, Customer, Names};
use std::cmp::Reverse;
use std::sync::Arc;

impl Partition {
    #[expect(
        clippy::too_many_arguments,
        reason = "an event with its customer, and what the step was given"
    )]
    pub(super) fn decide(
        &mut self,
        input: &Input,
        event: &Event,
        customer: Arc<Customer>,
        index: usize,
        now: Millis,
        rules: &RuleSet,
        output: &mut Output,
    ) {
        let listening = rules.listening(&event.kind);
        let converts = self.book.asks_conversions && !customer.contacts.all().is_empty();
        if listening.is_empty() && !converts {
            return;
        }
        let first = output.entries.len();
        let customers = self.customers.clone();
        let standing = Standing {
            id: &event.customer,
            customer: &customer,
            customers: &customers,
            time: event.time,
            index,
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
            purse: Purse::Ledger,
            output,
        };
        if converts {
            case.convert(self, event);
        }
        let mut proposals = Vec::new();
        for rule in listening {
            match case.gate(self, rule, now.saturating_sub(event.time)) {
                None => proposals.push(rule.clone()),
                Some(verdict) => case.count(rule, verdict),
            }
        }
        case.arbitrate(self, &proposals);
        if moment.crossed_trimmed_edge() {
            output.trimmed_windows += 1;
        }
        // Let go of the snapshot first: a customer that nobody else holds is changed in place.
        drop(moment);
        drop(customer);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let parts = input.already + number(output.entries.len() - first);
        for (at, entry) in (input.already..).zip(&mut output.entries[first..]) {
            entry.set_part((at, parts));
        }
        self.settle(output, first);
    }
}

impl Case<'_> {
    /// Asks the rules that spoke lately whether this event is what they spoke for.
    fn convert(&mut self, partition: &Partition, event: &Event) {
        let names = self.moment.standing().customers.names();
        for contact in self.customer.contacts.all() {
            let Some(rule) = partition.book.rules.get(&contact.rule).cloned() else {
                continue;
            };
            let age = event.time.saturating_sub(contact.time);
            let asks = rule.has(Function::Converted)
                && !contact.converted
                && (0..=rule.terms.within).contains(&age);
            if !asks {
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
        let mut scored = Vec::with_capacity(proposals.len());
        for rule in proposals {
            match self.score(partition, rule) {
                Ok(score) => scored.push((Reverse(score), rule)),
                Err(verdict) => self.conclude(partition, rule, 0, verdict),
            }
        }
        // Stable: rules come by name, so those of the same score stay in that order.
        scored.sort_by_key(|(score, _)| *score);
        // Decisions about this that the log had already: only when a former run stopped midway.
        let known: Vec<bool> = scored
            .iter()
            .map(|(_, rule)| self.is_entered(rule))
            .collect();
        let mut won: Vec<&str> = (scored.iter().zip(&known))
            .filter(|(_, known)| **known)
            .filter_map(|((_, rule), _)| rule.terms.group.as_deref())
            .collect();
        for ((_, rule), known) in scored.iter().zip(known) {
            if known {
                self.resume(partition, rule);
                continue;
            }
            let group = rule.terms.group.as_deref();
            let verdict = if group.is_some_and(|group| won.contains(&group)) {
                Verdict::Arbitration
            } else {
                self.enter(partition, rule)
            };
            self.conclude(partition, rule, 0, verdict);
            if matches!(
                verdict,
                Verdict::Sent | Verdict::Holdout | Verdict::Deferred
            ) {
                won.extend(group);
            }
        }
    }

    /// Whether the log has an answer of the rule to this already.
    pub(super) fn is_entered(&self, rule: &Rule) -> bool {
        let entry = self.origin.decision_id(self.id, rule, 0);
        self.customer.contacts.has_entry(entry) || self.customer.pending(entry).is_some()
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
        holdout: contact.holdout,
    }
}
