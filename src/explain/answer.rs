//! Puts an explanation together from all that was fetched. Pure.

use super::conditions::{Conditions, EventNames};
use super::explainer::{Ask, ExplainError, Texts};
use super::judge::{Agreement, Judged, agreement, judge};
use super::model::{Conjunct, EventFacts, Explanation, RuleExplanation, RuleTexts, StateFacts};
use super::rebuild::Past;
use super::story::Story;
use crate::clock::format_rfc3339;
use crate::event::Event;
use crate::partition::Input;
use crate::rules::{Rule, RuleSet, Standing};
use crate::state::Ledger;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is asked, and what was fetched for it.
pub(super) struct Asked {
    pub(super) ask: Ask,
    pub(super) past: Past,
    pub(super) input: Input,
    pub(super) event: Event,
    pub(super) story: Story,
    pub(super) texts: Texts,
    /// Why the rules that decided are not asked.
    pub(super) without_texts: Option<String>,
    pub(super) names: EventNames,
    pub(super) partition: u16,
    /// The first sequence that is kept of events.
    pub(super) first: u64,
}

pub(super) fn answer(asked: Asked) -> Result<Explanation, ExplainError> {
    let Asked { past, story, .. } = &asked;
    let set = &*asked.texts.set;
    let judgement = judge(past, &asked.input, set, story);
    // Before it is decided about: rules did not see what they answered.
    past.partition(Arc::new(Ledger::default()));
    let Some((customer, index)) = past.standing(&asked.input) else {
        return Err(ExplainError::Unapplied {
            event: asked.ask.event.clone(),
            why: "it had been seen before, or was older than the customer's journal reaches back",
        });
    };
    let standing = Standing {
        id: &asked.ask.customer,
        customer: &customer,
        customers: past.customers(),
        time: asked.event.time,
        index,
    };
    let conditions = Conditions::of(set, &asked.texts.sources, &asked.event.kind);
    let mut rules = Vec::new();
    for name in asked.rules_named(set)? {
        let judged = judgement.rules.get(&name);
        let rule = set.rule(&name);
        let asks = rule.filter(|rule| rule.terms.on.contains(&asked.event.kind));
        let conjuncts = asks.map_or_else(Vec::new, |rule| {
            conditions.ask(rule, &asked.event, standing, &asked.names)
        });
        rules.push(RuleExplanation {
            conjuncts,
            ..of_rule(&name, rule.map(|rule| &**rule), judged, story)
        });
    }
    // What came out first, then what wanted to speak, then the others; each by name.
    rules.sort_by_key(|rule| {
        let holds = |part: &Conjunct| part.held == Some(true);
        let wanted = !rule.conjuncts.is_empty() && rule.conjuncts.iter().all(holds);
        (rule.happened.is_empty(), !wanted)
    });
    let (events, log_entries) = past.counts();
    Ok(Explanation {
        customer: asked.ask.customer.as_str().to_owned(),
        event: EventFacts {
            id: asked.event.id.to_string(),
            source: asked.event.source.to_string(),
            kind: asked.event.kind.to_string(),
            time: format_rfc3339(asked.event.time),
            stored_at: format_rfc3339(asked.input.stored_at),
            sequence: asked.input.sequence,
            decided_at: format_rfc3339(judgement.now),
        },
        state: StateFacts {
            partition: asked.partition,
            checkpoint: past.base().map(|base| base.number),
            checkpoint_through: past.base().map(|base| base.through),
            events,
            log_entries,
        },
        rules_used: RuleTexts {
            generation: set.generation().to_string(),
            from: asked.texts.from.clone(),
            decided_by: story.decided_by(),
        },
        agrees: rules.iter().all(|rule| rule.agrees),
        notes: asked.notes(&rules),
        rules,
    })
}

impl Asked {
    /// The rules that are explained, by name: those that listen, and those that the log has an answer of.
    fn rules_named(&self, set: &RuleSet) -> Result<BTreeSet<Arc<str>>, ExplainError> {
        let listening = set.listening(&self.event.kind).iter();
        let mut names: BTreeSet<Arc<str>> = listening
            .map(|rule| rule.terms.name.clone())
            .chain(self.story.rules().cloned())
            .collect();
        if let Some(wanted) = &self.ask.rule {
            names.retain(|name| **name == **wanted);
            if names.is_empty() {
                return Err(ExplainError::NoSuchRule(wanted.clone()));
            }
        }
        Ok(names)
    }

    fn notes(&self, rules: &[RuleExplanation]) -> Vec<String> {
        let mut notes = Vec::new();
        let set = &self.texts.set;
        if let Some(then) = self.story.decided_by()
            && *then != **set.generation()
        {
            let why = self.without_texts.as_deref();
            let why = why.unwrap_or("as was asked for");
            notes.push(format!(
                "the rules that decided are not those that were asked ({why}): what differs may be for that"
            ));
        }
        if self.story.reached.is_none() {
            notes.push("the log does not say yet that the event was decided about".to_owned());
        }
        let begin = self.past.base().map_or(0, |base| base.through) + 1;
        if self.first > begin {
            notes.push(format!(
                "events before {} are no longer kept and are in no checkpoint that is older than this event: what the customer did before is missing",
                self.first
            ));
        }
        let mut budgets = rules.iter().filter(|rule| {
            let rule = set.rule(&rule.rule);
            rule.is_some_and(|rule| rule.terms.budget.is_some())
        });
        if budgets.next().is_some() {
            notes.push(
                "what others had spent of a budget is not put together again: that is as decided"
                    .to_owned(),
            );
        }
        notes
    }
}

fn of_rule(
    name: &str,
    rule: Option<&Rule>,
    judged: Option<&Judged>,
    story: &Story,
) -> RuleExplanation {
    let happened = story.happened(name);
    let Some(judged) = judged else {
        let remark = match rule {
            None => "it is not among the rules that were asked: what the log says of it stands",
            Some(_) => "it was not asked",
        };
        return RuleExplanation {
            rule: name.to_owned(),
            file: rule.map(|rule| rule.file.to_string()),
            agrees: happened.is_empty(),
            happened,
            remark: Some(remark.to_owned()),
            ..RuleExplanation::default()
        };
    };
    let (agrees, remark) = match agreement(name, judged, story) {
        Agreement::Yes if judged.budget_as_decided => {
            let remark = "all else would have let it pass and the log has no action, so its budget was spent then";
            (true, Some(remark.to_owned()))
        }
        Agreement::Yes => (true, None),
        Agreement::Undecided => (true, None),
        Agreement::No(difference) => (false, Some(difference)),
    };
    RuleExplanation {
        rule: name.to_owned(),
        file: rule.map(|rule| rule.file.to_string()),
        verdict: judged.verdict.map(|verdict| verdict.word().to_owned()),
        conjuncts: Vec::new(),
        checks: judged.checks.clone(),
        winner: judged.winner.as_deref().map(str::to_owned),
        error: judged.error.clone(),
        happened,
        agrees,
        remark,
    }
}
