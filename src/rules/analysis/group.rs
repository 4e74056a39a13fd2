//! Rules of a group, of which at most one speaks at an event: which never gets its turn, and between which
//! the name decides.

use super::RuleView;
use super::condition::{Condition, Formula, Node};
use super::findings::{Fault, Findings};
use crate::terms::{Quiet, Terms};
use std::collections::BTreeMap;

/// The most rules of a group that are compared with one another.
const COMPARED_MAX: usize = 64;

type Member<'m, 'e> = (&'m RuleView<'e>, &'m Terms, Option<&'m Condition<'e>>);

pub(super) fn check(
    rules: &[RuleView<'_>],
    conditions: &[Option<Condition<'_>>],
    findings: &mut Findings,
) {
    let mut groups: BTreeMap<&str, Vec<Member<'_, '_>>> = BTreeMap::new();
    for (rule, condition) in rules.iter().zip(conditions) {
        if let Some(terms) = &rule.terms
            && let Some(group) = &terms.group
        {
            let member = (rule, terms, condition.as_ref());
            groups.entry(group).or_default().push(member);
        }
    }
    misspelt(&groups, findings);
    for members in groups
        .values()
        .filter(|members| members.len() <= COMPARED_MAX)
    {
        for (at, member) in members.iter().enumerate() {
            shadowed(member, members, findings);
            tied(member, &members[..at], findings);
        }
    }
}

/// A group with one member, whose name is nearly that of another group.
fn misspelt(groups: &BTreeMap<&str, Vec<Member<'_, '_>>>, findings: &mut Findings) {
    for (name, members) in groups {
        let [(rule, _, _)] = members.as_slice() else {
            continue;
        };
        let near = groups.keys().find(|other| {
            let distance = strsim::damerau_levenshtein(name, other);
            distance == 1 || distance == 2 && other.len() > 6
        });
        let Some(near) = near else {
            continue;
        };
        let span = rule
            .file
            .field("group")
            .and_then(|at| rule.file.marks().span(at));
        findings.warning(
            &rule.file,
            span,
            Fault::new(
                "lonely-group",
                format!("no other rule is in the group \"{name}\""),
                "alone",
                format!("did you mean \"{near}\"?"),
            ),
        );
    }
}

fn scores(rule: &RuleView<'_>) -> bool {
    rule.file.function("score").is_some()
}

/// A rule whose place another one of the group always takes.
fn shadowed(member: &Member<'_, '_>, members: &[Member<'_, '_>], findings: &mut Findings) {
    let (rule, terms, Some(condition)) = member else {
        return;
    };
    let over = members.iter().find(|(other, its, its_condition)| {
        let before = its.priority > terms.priority
            || its.priority == terms.priority && its.name < terms.name;
        let (false, true, Some(its_condition)) =
            (std::ptr::eq(*other, *rule), before, its_condition)
        else {
            return false;
        };
        let answers = terms.on.iter().all(|kind| its.on.contains(kind))
            && terms
                .channels
                .iter()
                .all(|channel| its.channels.contains(channel))
            && its.fresh >= terms.fresh;
        let speaks = other.file.function("action").is_some_and(always_speaks);
        let scored = scores(other) || scores(rule);
        answers && speaks && !scored && is_unlimited(its) && implies(condition, its_condition)
    });
    let Some((_, its, _)) = over else {
        return;
    };
    let span = rule
        .file
        .field("group")
        .and_then(|at| rule.file.marks().span(at));
    findings.warning(
        &rule.file,
        span,
        Fault::new(
            "shadowed",
            format!(
                "this rule never speaks: whenever it would, `{}` of the same group does, and goes first",
                its.name
            ),
            "never gets its turn",
            format!(
                "give it a `priority` above {}, or narrow the `when` of `{}`",
                its.priority, its.name
            ),
        ),
    );
}

/// Whether nothing but its condition keeps a rule from speaking.
fn is_unlimited(terms: &Terms) -> bool {
    let Terms {
        starts,
        ends,
        hours,
        days,
        audience,
        cooldown,
        cap,
        rollout,
        budget,
        quiet,
        delay,
        steps,
        ..
    } = terms;
    starts.is_none()
        && ends.is_none()
        && hours.is_none()
        && *days == crate::terms::Days::ALL
        && audience.is_empty()
        && cooldown.is_none()
        && cap.is_none()
        && *rollout == 100
        && budget.is_none()
        && *quiet == Quiet::Drop
        && delay.is_none()
        && steps.is_empty()
}

/// Whether an action is written as one map, so that it always says something.
fn always_speaks(function: &super::file::FunctionView) -> bool {
    let lets = |statement: &rhai::Stmt| matches!(statement, rhai::Stmt::Var(..));
    match function.body.split_last() {
        Some((rhai::Stmt::Expr(expr), before)) => {
            matches!(**expr, rhai::Expr::Map(..)) && before.iter().all(lets)
        }
        _ => false,
    }
}

/// Whether one condition can only hold while another does.
fn implies(one: &Condition<'_>, other: &Condition<'_>) -> bool {
    let parts: &[Node<'_>] = match &other.root.formula {
        Formula::All(parts) => parts,
        _ => std::slice::from_ref(&other.root),
    };
    parts.iter().all(|part| {
        let not = part.negated(&other.universes);
        super::condition::together([&one.root, &not]).is_none()
    })
}

/// Two rules of the same priority that may both hold.
fn tied(member: &Member<'_, '_>, before: &[Member<'_, '_>], findings: &mut Findings) {
    let (rule, terms, Some(condition)) = member else {
        return;
    };
    let tie = before.iter().find(|(other, its, its_condition)| {
        let Some(its_condition) = its_condition else {
            return false;
        };
        its.priority == terms.priority
            && its.on.iter().any(|kind| terms.on.contains(kind))
            && !scores(other)
            && !scores(rule)
            && in_season_together(its, terms)
            && super::condition::together([&condition.root, &its_condition.root]).is_some()
    });
    let Some((other, its, _)) = tie else {
        return;
    };
    let file = &rule.file;
    let field = file.field("priority").or_else(|| file.field("group"));
    let span = field.and_then(|at| file.marks().span(at));
    let allowed = Fault::new(
        "group-tie",
        format!(
            "`{}` is in the same group with the same priority: when both hold, only the name decides, and `{}` goes first",
            its.name, its.name
        ),
        "as important as another",
        "give the more important one a higher `priority`; if it does not matter, write `// allow(group-tie)` above",
    );
    // Said in either file that it is meant so.
    let noted = |rule: &RuleView<'_>| rule.file.source.text.contains("allow(group-tie)");
    if !noted(other) {
        findings.warning(file, span, allowed);
    }
}

fn in_season_together(a: &Terms, b: &Terms) -> bool {
    let apart = |ends: Option<jiff::civil::Date>, starts: Option<jiff::civil::Date>| {
        ends.zip(starts)
            .is_some_and(|(ends, starts)| ends <= starts)
    };
    let days = (0..7).any(|day| a.days.contain(day) && b.days.contain(day));
    !apart(a.ends, b.starts) && !apart(b.ends, a.starts) && days
}
