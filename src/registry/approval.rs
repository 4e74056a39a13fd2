//! Rules that ask for approval stay at their last approved text, whatever the folder says; without one they are out.

use super::{Cause, RuleRegistry, lock};
use crate::rules::{RuleSet, Source, Sources, render};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A text of a rule that a second person has approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedText {
    /// The hexadecimal digits of its SHA-256.
    pub sha256: Box<str>,
    /// The rule's file.
    pub text: Arc<str>,
    /// Whether it asks for approval itself: then no other text of the rule goes live without.
    pub asks: bool,
}

/// The approved texts of rules, by their names.
pub type ApprovedTexts = BTreeMap<Box<str>, ApprovedText>;

/// A rule's file that does not go live, since nobody has approved it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Unapproved {
    /// The rule.
    pub rule: Box<str>,
    /// The SHA-256 of its file.
    pub sha256: Box<str>,
    /// That of the text that is live instead; none if the rule is out.
    pub live: Option<Box<str>>,
}

/// The sources with every rule that needs approval at its approved text, and what was held back.
fn hold_back(
    sources: &Sources,
    set: &RuleSet,
    approved: &ApprovedTexts,
) -> (Sources, Vec<Unapproved>) {
    let mut effective = sources.clone();
    let mut held = Vec::new();
    effective.rules.retain_mut(|file| {
        let name = file.path.strip_suffix(".rhai").unwrap_or(&file.path);
        let known = approved.get(name);
        let asks = set.rule(name).is_some_and(|rule| rule.terms.approval)
            || known.is_some_and(|known| known.asks);
        if !asks {
            return true;
        }
        let sha256 = file.sha256();
        if known.is_some_and(|known| *known.sha256 == *sha256) {
            return true;
        }
        held.push(Unapproved {
            rule: name.into(),
            sha256: sha256.into(),
            live: known.map(|known| known.sha256.clone()),
        });
        let Some(known) = known else {
            return false;
        };
        *file = Source {
            path: file.path.clone(),
            text: known.text.clone(),
        };
        true
    });
    (effective, held)
}

impl RuleRegistry {
    /// Rules whose files do not go live, since nobody has approved them.
    #[must_use]
    pub fn unapproved(&self) -> Vec<Unapproved> {
        lock(&self.unapproved).clone()
    }

    /// These texts of rules are approved from now on. It blocks.
    pub fn approve(&self, approved: ApprovedTexts) {
        let started = crate::clock::monotonic_now();
        let _turn = lock(&self.turn);
        let sources = lock(&self.passed).clone();
        // Nearly nobody has rules that ask for approval: then nothing need be compiled again.
        let may_ask = |file: &Source| file.text.contains("approval");
        let is_nothing = approved.is_empty() && lock(&self.approved).is_empty();
        if is_nothing && !sources.rules.iter().any(may_ask) {
            return;
        }
        *lock(&self.approved) = approved;
        match RuleSet::compile(&sources) {
            Ok(set) => {
                self.take(&sources, set, started, Cause::Approval);
            }
            Err(faults) => {
                let text = render(&faults);
                self.refuse(faults, text);
            }
        }
    }

    /// What of the folder may go live: the same, unless something is held back. `None` if what is left cannot be
    /// compiled, which is shown as a fault.
    pub(super) fn approved_part(
        &self,
        sources: &Sources,
        set: RuleSet,
    ) -> Option<(Sources, RuleSet)> {
        let (effective, held) = hold_back(sources, &set, &lock(&self.approved));
        let is_whole = held.is_empty();
        self.tell(held);
        if is_whole {
            return Some((effective, set));
        }
        match RuleSet::compile(&effective) {
            Ok(set) => Some((effective, set)),
            Err(faults) => {
                let text = format!(
                    "with the approved texts instead of those that wait for approval:\n{}",
                    render(&faults)
                );
                self.refuse(faults, text);
                None
            }
        }
    }

    fn tell(&self, held: Vec<Unapproved>) {
        let count = i64::try_from(held.len()).unwrap_or(i64::MAX);
        self.metrics.approvals_pending.set(count);
        let before = std::mem::replace(&mut *lock(&self.unapproved), held.clone());
        for new in held.iter().filter(|held| !before.contains(held)) {
            let instead = match &new.live {
                Some(_) => "its last approved text stays live",
                None => "it stays out",
            };
            tracing::warn!(
                rule = %new.rule,
                sha256 = %new.sha256,
                "a rule waits for approval and does not go live; {instead}: one person says `onscene approval submit --rule {rule}`, another one `onscene approval approve --rule {rule}`",
                rule = new.rule
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Sources {
        Sources::of(
            files
                .iter()
                .map(|(path, text)| (Arc::from(*path), Arc::from(*text))),
        )
    }

    fn rule(fields: &str) -> String {
        format!(
            "const RULE = #{{ on: \"merchant.checkout\", channels: [\"push\"]{fields} }};\nfn when(event, customer) {{ true }}\nfn action(event, customer) {{ #{{ kind: \"message\" }} }}\n"
        )
    }

    fn approved(text: &str, asks: bool) -> ApprovedText {
        let files = sources(&[("a.rhai", text)]);
        ApprovedText {
            sha256: files.rules[0].sha256().into(),
            text: text.into(),
            asks,
        }
    }

    #[test]
    fn a_text_that_asks_for_approval_goes_live_only_when_exactly_it_is_approved() {
        let (asks, free) = (rule(", approval: true"), rule(""));
        let folder = sources(&[("a.rhai", &asks), ("b.rhai", &free)]);
        let set = RuleSet::compile(&folder).unwrap();
        let (effective, held) = hold_back(&folder, &set, &ApprovedTexts::new());
        assert_eq!(effective.rules.len(), 1, "everything else goes live");
        assert_eq!((&*held[0].rule, &held[0].live), ("a", &None));
        let texts = ApprovedTexts::from([("a".into(), approved(&asks, true))]);
        assert_eq!(
            hold_back(&folder, &set, &texts),
            (folder.clone(), Vec::new())
        );
        let changed = sources(&[("a.rhai", &format!("{asks}// more\n")), ("b.rhai", &free)]);
        let set = RuleSet::compile(&changed).unwrap();
        let (effective, held) = hold_back(&changed, &set, &texts);
        assert_eq!(effective, folder, "the last approved text stays");
        assert_eq!(held[0].live, Some(texts["a"].sha256.clone()));
    }

    #[test]
    fn to_ask_no_longer_for_approval_needs_approval() {
        let (asks, free) = (rule(", approval: true"), rule(""));
        let folder = sources(&[("a.rhai", &free)]);
        let set = RuleSet::compile(&folder).unwrap();
        let texts = ApprovedTexts::from([("a".into(), approved(&asks, true))]);
        let (effective, held) = hold_back(&folder, &set, &texts);
        assert_eq!((&*effective.rules[0].text, held.len()), (&*asks, 1));
        let texts = ApprovedTexts::from([("a".into(), approved(&free, false))]);
        assert_eq!(hold_back(&folder, &set, &texts).1, []);
    }
}
