//! Playing a test: the engine itself, fed with what the script says.

use super::document::Span;
use super::model::Happening;
use super::script::{Act, Environment, Script, cloudevent};
use crate::action::{Decision, Verdict};
use crate::decode::Rejection;
use crate::replay::{Line, Replay};
use crate::rules::{RuleError, RuleSet};
use std::collections::BTreeMap;

/// What one rule did at one step.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What it said, in order.
    pub(super) decisions: Vec<Decision>,
    /// How often it got each verdict.
    pub(super) verdicts: BTreeMap<Verdict, u64>,
    /// How many of its earlier decisions the events were what they were for.
    pub(super) conversions: usize,
    /// What it failed with.
    pub(super) errors: Vec<RuleError>,
    /// Events of the test that were refused, and where they stand.
    pub(super) refused: Vec<(Span, Rejection)>,
    /// An outcome was to be published, but there was no action before it.
    pub(super) no_action: bool,
}

/// Plays a script and calls `after` with what came of each step: the first call is for what came
/// before the first step. It ends when `after` returns false.
pub(super) fn play(
    script: &Script,
    set: RuleSet,
    rule: &str,
    environment: &Environment,
    mut after: impl FnMut(Option<usize>, Found) -> bool,
) {
    let mut player = Player {
        replay: Replay::new(
            script.decoder.clone(),
            set,
            environment.journal,
            environment.zone.clone(),
            true,
        ),
        script,
        rule,
        sequence: 0,
        last: None,
    };
    let found = player.acts(&script.before);
    if !after(None, found) {
        return;
    }
    for (number, acts) in script.steps.iter().enumerate() {
        let found = player.acts(acts);
        if !after(Some(number), found) {
            return;
        }
    }
}

struct Player<'a> {
    replay: Replay,
    script: &'a Script,
    rule: &'a str,
    sequence: u64,
    /// The id of the last action.
    last: Option<String>,
}

impl Player<'_> {
    fn acts(&mut self, acts: &[Act]) -> Found {
        let mut found = Found::default();
        for act in acts {
            match act {
                Act::Advance(to) => {
                    let line = self.replay.advance(*to);
                    self.take(line, None, &mut found);
                }
                Act::Event { json, span } => self.line(json, Some(span), &mut found),
                Act::Outcome { word, time } => {
                    let Some(action) = self.last.clone() else {
                        found.no_action = true;
                        continue;
                    };
                    let number = usize::try_from(self.sequence).unwrap_or(usize::MAX);
                    let event = Happening {
                        time: *time,
                        kind: format!("offer.{word}"),
                        data: serde_json::json!({ "action": action }),
                        id: Some(format!("outcome-{number}")),
                        source: None,
                        span: 0..0,
                    };
                    let json = cloudevent(Some(&self.script.customer), number, &event);
                    self.line(&json, None, &mut found);
                }
            }
        }
        found
    }

    fn line(&mut self, json: &[u8], span: Option<&Span>, found: &mut Found) {
        self.sequence += 1;
        let line = self.replay.line(self.sequence, json);
        self.take(line, span, found);
    }

    fn take(&mut self, mut line: Line, span: Option<&Span>, found: &mut Found) {
        if let Some(rejection) = line.rejection.take() {
            found
                .refused
                .push((span.cloned().unwrap_or(0..0), rejection));
        }
        for ((rule, verdict), count) in line.verdicts() {
            if **rule == *self.rule {
                *found.verdicts.entry(*verdict).or_default() += count;
            }
        }
        let errors = line
            .errors
            .into_iter()
            .filter(|(rule, _)| **rule == *self.rule);
        found.errors.extend(errors.map(|(_, error)| error));
        let conversions = line.conversions.iter();
        found.conversions += conversions.filter(|rule| ***rule == *self.rule).count();
        for decision in line.decisions {
            if *decision.rule == *self.rule {
                self.last = Some(decision.id.to_string());
                found.decisions.push(decision);
            }
        }
    }
}
