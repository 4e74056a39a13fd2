//! `policy.toml` and `lists/*.txt`: what of them can be read, and what is wrong with them.

use super::diagnostic::{Diagnostic, Severity, did_you_mean};
use super::rule::Rule;
use super::sources::{Source, Sources};
use crate::event::Schema;
use crate::terms::{
    ContactPolicy, CustomerList, Lists, Mention, PolicyError, Subject, Surroundings,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The kind of these faults, for machines.
const CODE: &str = "policy";

/// Reads the contact policy, and what it speaks of; every fault goes to `faults`.
pub(super) fn read(
    sources: &Sources,
    schema: &Schema,
    faults: &mut Vec<Diagnostic>,
) -> (ContactPolicy, Vec<Mention>) {
    let lists = lists(sources, faults);
    let Some(source) = &sources.policy else {
        return Default::default();
    };
    let surroundings = Surroundings {
        schema,
        lists: &lists,
    };
    ContactPolicy::parse(&source.text, surroundings).unwrap_or_else(|errors| {
        faults.extend(errors.into_iter().map(|error| fault(source, error)));
        Default::default()
    })
}

fn fault(source: &Source, error: PolicyError) -> Diagnostic {
    let whole = Diagnostic::whole(&source.path, &source.text, error.message);
    whole.over(error.span).code(CODE).hint(error.hint)
}

fn list_name(source: &Source) -> &str {
    let name = source.path.strip_prefix("lists/").unwrap_or(&source.path);
    name.strip_suffix(".txt").unwrap_or(name)
}

fn lists(sources: &Sources, faults: &mut Vec<Diagnostic>) -> Lists {
    let mut lists = Lists::new();
    for source in &sources.lists {
        // One with faults is there all the same: that it is missing would be said besides.
        let list = CustomerList::parse(&source.text).unwrap_or_else(|errors| {
            faults.extend(errors.into_iter().map(|error| fault(source, error)));
            CustomerList::default()
        });
        lists.insert(list_name(source).into(), Arc::new(list));
    }
    lists
}

/// What a policy speaks of that no rule knows: it is probably misspelt, and then stands in nobody's way.
pub(super) fn unknown(
    sources: &Sources,
    (policy, mentions): (&ContactPolicy, &[Mention]),
    rules: &[Arc<Rule>],
    schema: &Schema,
) -> Vec<Diagnostic> {
    let Some(source) = &sources.policy else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for mention in mentions {
        let known = known(mention.subject, rules, schema);
        if known.contains(&*mention.name) {
            continue;
        }
        let (what, owner) = match mention.subject {
            Subject::Channel => ("channel", "no rule speaks by"),
            Subject::Scene => ("scene", "no rule belongs to"),
            Subject::Rule => ("rule", "there is no"),
            Subject::Purpose => ("purpose", "no rule is for"),
        };
        let hint = did_you_mean(&mention.name, known.iter().copied()).map_or_else(
            || format!("take it out, or write the {what} as the rules do"),
            |meant| format!("did you mean \"{meant}\"?"),
        );
        let message = format!("{owner} {what} \"{}\"", mention.name);
        found.push(Diagnostic {
            severity: Severity::Warning,
            ..fault(
                source,
                PolicyError {
                    message,
                    hint,
                    span: mention.span.clone(),
                },
            )
        });
    }
    let named: BTreeSet<&str> = policy
        .exclusions
        .lists
        .iter()
        .map(|(name, _)| &**name)
        .collect();
    for list in &sources.lists {
        let name = list_name(list);
        if !named.contains(name) {
            let whole = Diagnostic::whole(
                &list.path,
                &list.text,
                format!("nobody is excluded by the list `{name}`"),
            );
            found.push(Diagnostic {
                severity: Severity::Warning,
                code: CODE,
                hint: Some(format!(
                    "add it to policy.toml: [exclusions] lists = [\"{name}\"]"
                )),
                ..whole
            });
        }
    }
    found
}

fn known<'a>(subject: Subject, rules: &'a [Arc<Rule>], schema: &'a Schema) -> BTreeSet<&'a str> {
    let terms = rules.iter().map(|rule| &rule.terms);
    match subject {
        Subject::Channel => {
            let spoken = terms.flat_map(|terms| terms.channels.iter().map(|word| &**word));
            let declared = schema.channels().into_iter().flatten();
            spoken.chain(declared.map(|(name, _)| &**name)).collect()
        }
        Subject::Scene => terms.filter_map(|terms| terms.scene.as_deref()).collect(),
        Subject::Rule => terms.map(|terms| &*terms.name).collect(),
        Subject::Purpose => terms.filter_map(|terms| terms.purpose.as_deref()).collect(),
    }
}
