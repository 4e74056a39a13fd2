//! The rules of the simulation: one of each kind that has state, in two generations, patient and impatient.

use crate::rules::{RuleSet, Source, Sources};
use std::sync::Arc;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("rules/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "absence.rhai",
    "always.rhai",
    "brief.rhai",
    "cheer.rhai",
    "coupon.rhai",
    "goal.rhai",
    "later.rhai",
    "merchant.rhai",
    "morning.rhai",
    "quiet.rhai",
    "race.rhai",
    "retry.rhai",
    "win-plain.rhai",
    "win-rich.rhai",
];

/// Two generations: the second says other things, has other conditions, and lacks a rule.
#[derive(Clone, Debug)]
pub(super) struct Books([Arc<RuleSet>; 2]);

impl Books {
    /// Compiles them. `fresh`: how old a trigger may be.
    pub(super) fn compile(fresh: &str) -> Self {
        let first = |_: &str, text: &str| Some(text.replace("FRESH", fresh));
        let second = |name: &str, text: &str| {
            let changed = text
                .replace("FRESH", fresh)
                .replace("NOTE", "CHANGED")
                .replace("event.amount >= 30", "event.amount >= 10")
                .replace("STEP", "STRIDE");
            (name != "absence.rhai").then_some(changed)
        };
        Self([compile(first), compile(second)])
    }

    pub(super) fn generation(&self, at: usize) -> Arc<RuleSet> {
        self.0[at % 2].clone()
    }
}

fn compile(change: impl Fn(&str, &str) -> Option<String>) -> Arc<RuleSet> {
    let source = |path: &str, text: String| Source {
        path: path.into(),
        text: text.into(),
    };
    let rules = FILES.iter().filter_map(|(name, text)| {
        let text = change(name, text)?;
        Some(source(name, text))
    });
    let sources = Sources {
        rules: rules.collect(),
        schema: Some(source(
            "schema.toml",
            include_str!("rules/schema.toml").into(),
        )),
        policy: Some(source(
            "policy.toml",
            include_str!("rules/policy.toml").into(),
        )),
        ..Sources::default()
    };
    match RuleSet::compile(&sources) {
        Ok(set) => Arc::new(set),
        Err(faults) => panic!("{}", crate::rules::render(&faults)),
    }
}
