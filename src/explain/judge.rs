//! The event decided once more, as if the log had no answer to it, and compared with the answer that it has.

use super::model::CheckFacts;
use super::rebuild::Past;
use super::story::{LoggedAction, Story};
use crate::action::{Decision, Verdict};
use crate::clock::Millis;
use crate::event::Value;
use crate::money::Money;
use crate::partition::{Input, LogEntry, Output, TimerChange};
use crate::policy;
use crate::rules::RuleSet;
use crate::state::{Draw, Ledger};
use crate::terms::Budget;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What came of deciding once more.
pub(super) struct Judgement {
    /// By rule.
    pub(super) rules: BTreeMap<Arc<str>, Judged>,
    /// The wall clock that freshness was measured by.
    pub(super) now: Millis,
}

/// What came of one rule.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) verdict: Option<Verdict>,
    pub(super) decision: Option<Box<Decision>>,
    /// Whether it began to wait: also where its first step was not said, and a later one is to come.
    waits: bool,
    pub(super) checks: Vec<CheckFacts>,
    pub(super) winner: Option<Arc<str>>,
    pub(super) error: Option<String>,
    /// Its budget was taken to be spent, since the log has no action of it.
    pub(super) budget_as_decided: bool,
}

/// How a rule's verdict and the log differ.
pub(super) enum Agreement {
    /// They say the same.
    Yes,
    /// The event had not been decided about when the log was read.
    Undecided,
    /// They do not say the same: a sentence.
    No(String),
}

/// Decides once more. What others spent of a budget is not known here, so a budget is taken to have been spent where
/// everything else would have let an action pass and the log has none. If the moment at which it was decided is only
/// known to lie between two, the later one is tried where the earlier one does not agree with the log.
pub(super) fn judge(past: &Past, input: &Input, rules: &RuleSet, story: &Story) -> Judgement {
    let at_once = story.actions.iter().filter(|action| action.at_once);
    let exact = at_once.filter_map(|action| action.decided_at).next();
    let earliest = exact.unwrap_or(story.earliest);
    let first = settled(past, input, rules, story, earliest);
    let later = story
        .reached
        .filter(|later| exact.is_none() && *later > earliest);
    let differs = |judgement: &Judgement| {
        (judgement.rules.iter())
            .any(|(rule, judged)| matches!(agreement(rule, judged, story), Agreement::No(_)))
    };
    if let Some(later) = later.filter(|_| differs(&first) || takes_as_spent(&first)) {
        let second = settled(past, input, rules, story, later);
        if !differs(&second) && !takes_as_spent(&second) {
            return second;
        }
    }
    first
}

fn takes_as_spent(judgement: &Judgement) -> bool {
    let mut judged = judgement.rules.values();
    judged.any(|judged| judged.budget_as_decided)
}

/// Decides again and again, until no budget must be taken to have been spent.
fn settled(past: &Past, input: &Input, rules: &RuleSet, story: &Story, now: Millis) -> Judgement {
    let mut spent: BTreeMap<Arc<str>, Draw> = BTreeMap::new();
    loop {
        let ledger = Arc::new(Ledger::default());
        for draw in spent.values() {
            ledger.add(0, draw);
        }
        let mut partition = past.partition(ledger);
        // What was due before is in the log, or came to nothing.
        partition.advance(input.stored_at, now, rules);
        let output = partition.step(std::slice::from_ref(input), now, rules);
        let mut judged = by_rule(output);
        for (rule, judged) in &mut judged {
            judged.budget_as_decided = spent.contains_key(rule);
        }
        let unpaid = judged.values().filter_map(|judged| {
            let decision = judged.decision.as_ref()?;
            let budget = rules.rule(&decision.rule)?.terms.budget.as_ref()?;
            let draws = decision.verdict == Verdict::Sent;
            let is_there = story.at_once(&decision.rule).is_some();
            (draws && !is_there && story.reached.is_some())
                .then(|| whole(decision, budget, past.zone()))
        });
        let unpaid: Vec<Draw> = unpaid.collect();
        let before = spent.len();
        spent.extend(unpaid.into_iter().map(|draw| (draw.rule.clone(), draw)));
        if spent.len() == before {
            return Judgement { rules: judged, now };
        }
    }
}

/// All of the budget that a decision draws on.
fn whole(decision: &Decision, budget: &Budget, zone: &TimeZone) -> Draw {
    let limits = [budget.total, budget.daily].into_iter().flatten();
    Draw {
        rule: decision.rule.clone(),
        account: decision.account.clone(),
        day: policy::local_day(decision.policy_time, zone),
        cost: limits.max().unwrap_or(Money::ZERO),
    }
}

fn by_rule(output: Output) -> BTreeMap<Arc<str>, Judged> {
    let mut rules: BTreeMap<Arc<str>, Judged> = BTreeMap::new();
    for ((rule, verdict), _) in output.verdicts {
        rules.entry(rule).or_default().verdict = Some(verdict);
    }
    for entry in output.entries {
        match entry {
            LogEntry::Decision(decision) => {
                let judged = rules.entry(decision.rule.clone()).or_default();
                // What stands in for an action that failed is no verdict of the rule's, which was not asked.
                judged.verdict.get_or_insert(decision.verdict);
                judged.decision = Some(decision);
            }
            LogEntry::Timer(record) if matches!(record.change, TimerChange::Armed { .. }) => {
                rules.entry(record.rule).or_default().waits = true;
            }
            _ => {}
        }
    }
    for silenced in output.silenced {
        rules.entry(silenced.rule).or_default().winner = silenced.winner;
    }
    for (rule, error) in output.errors {
        rules.entry(rule).or_default().error = Some(error.to_string());
    }
    for asked in output.checks {
        let judged = rules.entry(asked.rule).or_default();
        judged.checks = asked.checks.iter().map(check).collect();
    }
    rules
}

fn check(check: &policy::Check) -> CheckFacts {
    let detail = check.detail.iter();
    CheckFacts {
        name: check.name.to_owned(),
        passed: check.passed,
        detail: detail
            .map(|(name, value)| ((*name).to_owned(), json(value)))
            .collect(),
    }
}

/// A number of a check; decimals are text, so that no reader makes binary fractions of them.
fn json(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Whether a rule's verdict is what the log says.
pub(super) fn agreement(rule: &str, judged: &Judged, story: &Story) -> Agreement {
    let logged = story.at_once(rule);
    let waits = story.waiting.contains(rule);
    if story.reached.is_none() {
        return Agreement::Undecided;
    }
    match (&judged.decision, logged) {
        (Some(decision), Some(logged)) => match difference(decision, logged) {
            None => Agreement::Yes,
            Some(difference) => Agreement::No(difference),
        },
        (Some(decision), None) => Agreement::No(format!(
            "asked again it would be {} by {}, and the log has no action",
            decision.verdict.word(),
            decision.channel
        )),
        (None, Some(logged)) => Agreement::No(format!(
            "the log has an action, {} by {}, and asked again it would not be one",
            logged.verdict, logged.channel
        )),
        (None, None) => match (judged.waits, waits) {
            (true, false) => Agreement::No(
                "asked again it would begin to wait, and the log does not say so".to_owned(),
            ),
            (false, true) => Agreement::No(
                "the log says that it began to wait, and asked again it would not".to_owned(),
            ),
            _ => Agreement::Yes,
        },
    }
}

fn difference(decision: &Decision, logged: &LoggedAction) -> Option<String> {
    if decision.id != logged.id {
        return Some(format!(
            "asked again its id would be {}, and the log has {}",
            decision.id, logged.id
        ));
    }
    let again = (decision.verdict.word(), &*decision.channel);
    let then = (&*logged.verdict, &*logged.channel);
    (again != then).then(|| {
        format!(
            "asked again it would be {} by {}, and the log has {} by {}",
            again.0, again.1, then.0, then.1
        )
    })
}
