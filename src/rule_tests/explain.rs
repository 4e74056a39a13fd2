//! Why the engine did what it did at one moment of a test: the test is played once more with its
//! conditions watched.

use super::compare;
use super::model::{Expected, Step, Test};
use super::play::{Found, play};
use super::suite::{Prepared, Ready, Workplace};
use crate::action::Verdict;
use crate::clock::Millis;
use crate::rules::{Function, Mark, Probes, Rule};
use crate::state::Window;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reason {
    /// A sentence.
    pub text: String,
    /// The file that it is about.
    pub file: Option<Arc<str>>,
    /// The line in it, from 1.
    pub line: Option<usize>,
}

impl Reason {
    fn of_rule(rule: &Rule, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            file: Some(rule.file.clone()),
            line: None,
        }
    }
}

/// Why a step came out as it did.
pub(super) fn reasons(
    prepared: &Prepared<'_>,
    ready: &Ready<'_>,
    workplace: Workplace<'_>,
    wanted: Option<usize>,
) -> Vec<Reason> {
    let base = &prepared.bases[ready.base];
    let (Ok(script), Some(rule)) = (&ready.script, base.rule(&prepared.file.rule)) else {
        return Vec::new();
    };
    let (set, probes) = base.probed(workplace.sources, &rule.file);
    let mut reasons = Vec::new();
    play(
        script,
        set,
        &prepared.file.rule,
        prepared.environment,
        |step, found| {
            let marks = probes.take();
            if step != wanted {
                return true;
            }
            let rows = compare::judged(ready.test, wanted, &found);
            let mut differing = rows.iter().filter(|row| !row.agrees);
            let differs = differing.any(|row| row.what == "verdict");
            let case = Case {
                rule,
                test: ready.test,
                step: wanted.map(|step| &ready.test.steps[step]),
                zone: &prepared.environment.zone,
                probes: &probes,
                marks,
                differs,
                found,
            };
            reasons = case.reasons();
            false
        },
    );
    reasons
}

struct Case<'a> {
    rule: &'a Rule,
    test: &'a Test,
    /// `None` for what came before the first.
    step: Option<&'a Step>,
    zone: &'a TimeZone,
    probes: &'a Probes,
    marks: Vec<Mark>,
    /// Whether it is the verdict that is not as expected.
    differs: bool,
    found: Found,
}

impl Case<'_> {
    fn reasons(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = Vec::new();
        for error in &self.found.errors {
            reasons.push(Reason {
                text: format!("`{}` failed: {}", error.function, error.message),
                file: Some(error.file.clone()),
                line: error.line,
            });
        }
        let Some(step) = self.step else {
            return reasons;
        };
        if let Some((expected, _)) = &step.converted {
            match (expected, self.found.conversions > 0) {
                (true, false) => reasons.extend(self.denied(Function::Converted)),
                (false, true) => reasons.extend(self.held(Function::Converted)),
                _ => {}
            }
        }
        if !self.differs {
            return reasons;
        }
        let silence_expected = step.expect.as_ref().is_some_and(|expectation| {
            matches!(expectation.what, Expected::Nothing | Expected::Silence(_))
        });
        if !self.found.decisions.is_empty() {
            if silence_expected {
                reasons.extend(self.said());
                reasons.extend(self.held(Function::When));
            }
            return reasons;
        }
        if self.found.verdicts.is_empty() {
            reasons.push(Reason::of_rule(self.rule, self.not_asked()));
        }
        for verdict in self.found.verdicts.keys() {
            match verdict {
                Verdict::Condition => reasons.extend(self.denied(Function::When)),
                Verdict::Still => reasons.extend(self.denied(Function::Still)),
                Verdict::Error | Verdict::Sent | Verdict::Holdout | Verdict::Shadow => {}
                other => reasons.push(Reason::of_rule(self.rule, self.sentence(*other))),
            }
        }
        reasons
    }

    fn said(&self) -> Vec<Reason> {
        let said = self.found.decisions.iter().map(|decision| {
            let body = serde_json::to_string(&decision.body.fields).unwrap_or_default();
            let text = format!("it said by {}: {body}", decision.channel);
            Reason::of_rule(self.rule, text)
        });
        said.collect()
    }

    /// The marks of the last time that a function was asked.
    fn last_asked(&self, function: usize) -> &[Mark] {
        let mut marks = self.marks.iter();
        let began = marks.rposition(|mark| *mark == Mark::Began(function));
        began.map_or(&[], |at| &self.marks[at..])
    }

    /// Which part of a condition said no, and what in the functions that it called did.
    fn denied(&self, name: Function) -> Vec<Reason> {
        let Some(function) = self.probes.function(&self.rule.file, name.name()) else {
            return Vec::new();
        };
        let marks = self.last_asked(function);
        let own = |mark: &&Mark| matches!(mark, Mark::Held(site, false) if self.probes.sites[*site].function == function);
        let Some(end) = marks.iter().position(|mark| own(&mark)) else {
            let text = if marks.is_empty() {
                "it was not asked"
            } else {
                "it returned before its last line"
            };
            return vec![Reason::of_rule(
                self.rule,
                format!("`{}`: {text}", name.name()),
            )];
        };
        let is_own_yes = |mark: &Mark| matches!(mark, Mark::Held(site, true) if self.probes.sites[*site].function == function);
        let start = marks[..end]
            .iter()
            .rposition(is_own_yes)
            .map_or(0, |at| at + 1);
        let mut reasons = vec![self.no(&marks[end], &marks[start..end])];
        for (at, mark) in marks[start..end].iter().enumerate() {
            if matches!(mark, Mark::Held(_, false)) {
                reasons.push(self.no(mark, &marks[start..start + at]));
            }
        }
        reasons
    }

    fn no(&self, mark: &Mark, before: &[Mark]) -> Reason {
        let Mark::Held(site, _) = mark else {
            return Reason::of_rule(self.rule, "a condition said no");
        };
        let place = &self.probes.sites[*site];
        let function = &self.probes.functions[place.function];
        let was = self.probes.with_values(*site, before);
        let was = was.map_or_else(|| "was false".to_owned(), |was| format!("was {was}"));
        Reason {
            text: format!("`{}` said no: {}  {was}", function.name, place.one_line()),
            file: Some(function.file.clone()),
            line: Some(place.line),
        }
    }

    /// Every part of a condition that held, with what it saw.
    fn held(&self, function: Function) -> Vec<Reason> {
        let Some(at) = self.probes.function(&self.rule.file, function.name()) else {
            return Vec::new();
        };
        let marks = self.last_asked(at);
        let mut reasons = Vec::new();
        for site in &self.probes.functions[at].conjuncts {
            if marks.contains(&Mark::Held(*site, true)) {
                let place = &self.probes.sites[*site];
                let was = self.probes.with_values(*site, marks);
                let was = was.map_or_else(|| "was true".to_owned(), |was| format!("was {was}"));
                reasons.push(Reason {
                    text: format!(
                        "`{}` said yes: {}  {was}",
                        function.name(),
                        place.one_line()
                    ),
                    file: Some(self.rule.file.clone()),
                    line: Some(place.line),
                });
            }
        }
        reasons
    }

    fn at(&self) -> Millis {
        let after = self.step.map_or(0, |step| step.after);
        self.test.now.saturating_add(after)
    }

    fn local_time(&self) -> String {
        let zone = self.test.customer.profile.get("time_zone");
        let zone = zone.and_then(serde_json::Value::as_str);
        let zone = zone.and_then(|name| TimeZone::get(name).ok());
        let zone = zone.unwrap_or_else(|| self.zone.clone());
        Timestamp::from_millisecond(self.at()).map_or_else(
            |_| String::new(),
            |at| {
                at.to_zoned(zone)
                    .strftime("%a %Y-%m-%d %H:%M in %Q")
                    .to_string()
            },
        )
    }

    /// Why a rule had no verdict at all.
    fn not_asked(&self) -> String {
        let terms = &self.rule.terms;
        let listens = terms.on.join(", ");
        match self.step.and_then(|step| step.event.as_ref()) {
            Some(event) if !terms.on.contains(&event.kind.as_str().into()) => {
                format!("the rule listens to {listens}, not to {}", event.kind)
            }
            _ if terms.daily_at().is_some() => format!(
                "nothing was due: it is asked once a day at {}, and it was {}",
                terms
                    .daily_at()
                    .map_or_else(String::new, |at| at.strftime("%H:%M").to_string()),
                self.local_time()
            ),
            Some(_) if terms.delay.is_some() => format!(
                "it waits for {} (`delay`) before it speaks: expect that in a follow-up",
                length(terms.delay.unwrap_or_default())
            ),
            Some(_) if !terms.steps.is_empty() => {
                "none of its `steps` was due: expect them in follow-ups".to_owned()
            }
            _ => "nothing was due at this moment".to_owned(),
        }
    }

    fn sentence(&self, verdict: Verdict) -> String {
        let terms = &self.rule.terms;
        match verdict {
            Verdict::Schedule => format!(
                "outside of its `starts`, `ends`, `hours` or `days`: it was {}",
                self.local_time()
            ),
            Verdict::Audience => {
                let segments = &self.test.customer.profile["segments"]["add"];
                format!(
                    "`audience` is {}, and the customer is in {segments}",
                    serde_json::json!(terms.audience)
                )
            }
            Verdict::Rollout => format!(
                "`rollout` is {} %, and the customer is not among them",
                terms.rollout
            ),
            Verdict::Stale => format!("it came later than `fresh` allows, {}", length(terms.fresh)),
            Verdict::Cooldown => format!(
                "it spoke to this customer within its `cooldown`, {}",
                terms
                    .cooldown
                    .map_or_else(String::new, |window| window.to_string())
            ),
            Verdict::Cap => "it spoke to this customer as often as its `cap` allows".to_owned(),
            Verdict::Excluded => "the customer is excluded, or not to be disturbed".to_owned(),
            Verdict::PolicyCap => {
                "the contact policy's caps or cooldowns stand in the way".to_owned()
            }
            Verdict::Paused => "it is switched off".to_owned(),
            Verdict::Consent => {
                "the customer has not consented to its channels or its purpose".to_owned()
            }
            Verdict::Unreachable => "the customer is out of reach on its channels".to_owned(),
            Verdict::QuietHours | Verdict::Deferred => {
                format!(
                    "the contact policy keeps this hour quiet: it was {}",
                    self.local_time()
                )
            }
            Verdict::Budget => "its `budget` does not cover it".to_owned(),
            Verdict::Arbitration => match &terms.group {
                Some(group) => format!("another rule of its group \"{group}\" won"),
                None => "as many rules as may speak at one event spoke before it".to_owned(),
            },
            Verdict::None => "`action` returned (), so there was nothing to say".to_owned(),
            other => format!("its verdict was {}", other.word()),
        }
    }
}

fn length(millis: Millis) -> String {
    Window::from_millis(millis).to_string()
}
