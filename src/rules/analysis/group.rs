//! Rules of a group, of which at most one speaks at an event: which never gets its turn, and between which
//! the name decides.

use super::RuleView;
use super::condition::{Condition, Formula, Node};
use super::file::FileView;
use super::findings::{Fault, Findings};
use crate::terms::{Percent, Quiet, Terms};
use std::collections::BTreeMap;

/// The most rules of a group that are compared with one another.
const COMPARED_MAX: usize = 64;

/// What is kept of a rule that is in a group.
pub(super) struct Member<'a> {
    /// Without its functions.
    file: FileView<'a>,
    terms: Terms,
    condition: Option<Condition<'static>>,
    has_score: bool,
    always_speaks: bool,
}

impl<'a> Member<'a> {
    /// What is kept of a rule; `None` if it is in no group.
    pub(super) fn new(rule: RuleView<'a>, condition: Option<Condition<'static>>) -> Option<Self> {
        let terms = rule.terms.filter(|terms| terms.group.is_some())?;
        let mut file = rule.file;
        let has_score = file.function("score").is_some();
        let always_speaks = file.function("action").is_some_and(always_speaks);
        file.functions.clear();
        Some(Self {
            file,
            terms,
            condition,
            has_score,
            always_speaks,
        })
    }
}

pub(super) fn check(members: &[Member<'_>], findings: &mut Findings) {
    let mut groups: BTreeMap<&str, Vec<&Member<'_>>> = BTreeMap::new();
    for member in members {
        let group = member.terms.group.as_deref().unwrap_or("");
        groups.entry(group).or_default().push(member);
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
fn misspelt(groups: &BTreeMap<&str, Vec<&Member<'_>>>, findings: &mut Findings) {
    for (name, members) in groups {
        let [rule] = members.as_slice() else {
            continue;
        };
        let letters = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
        let near = groups.keys().find(|other| {
            // Groups that are numbered are meant to be near.
            if letters(name) == letters(other) {
                return false;
            }
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

/// A rule whose place another one of the group always takes.
fn shadowed(member: &Member<'_>, members: &[&Member<'_>], findings: &mut Findings) {
    let (terms, Some(condition)) = (&member.terms, &member.condition) else {
        return;
    };
    let over = members.iter().find(|other| {
        let its = &other.terms;
        let before = its.priority > terms.priority
            || its.priority == terms.priority && its.name < terms.name;
        let (true, Some(its_condition)) = (before, &other.condition) else {
            return false;
        };
        let answers = terms.on.iter().all(|kind| its.on.contains(kind))
            && terms
                .channels
                .iter()
                .all(|channel| its.channels.contains(channel))
            && its.fresh >= terms.fresh;
        let scored = other.has_score || member.has_score;
        answers
            && other.always_speaks
            && !scored
            && is_unlimited(its)
            && implies(condition, its_condition)
    });
    let Some(its) = over.map(|other| &other.terms) else {
        return;
    };
    let file = &member.file;
    let span = file.field("group").and_then(|at| file.marks().span(at));
    findings.warning(
        file,
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
        && *rollout == Percent::ALL
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
fn tied(member: &Member<'_>, before: &[&Member<'_>], findings: &mut Findings) {
    let (terms, Some(condition)) = (&member.terms, &member.condition) else {
        return;
    };
    let tie = before.iter().find(|other| {
        let (its, Some(its_condition)) = (&other.terms, &other.condition) else {
            return false;
        };
        its.priority == terms.priority
            && its.on.iter().any(|kind| terms.on.contains(kind))
            && !other.has_score
            && !member.has_score
            && in_season_together(its, terms)
            && super::condition::together([&condition.root, &its_condition.root]).is_some()
    });
    let Some(other) = tie else {
        return;
    };
    let (file, its) = (&member.file, &other.terms);
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
    let noted = other.file.source.text.contains("allow(group-tie)");
    if !noted {
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
