//! What `RULE` says, beyond that each field can be read: whether the rule can ever speak, and whether
//! its fields go together.

use super::arguments::{built_in_channels, unknown};
use super::findings::{Fault, Findings};
use super::{RuleView, World};
use crate::event::EventType;
use crate::rules::diagnostic::did_you_mean;
use crate::terms::{Percent, Terms};
use jiff::ToSpan as _;
use rhai::Expr;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

pub(super) fn check(
    world: &World<'_>,
    rule: &RuleView<'_>,
    _on: &[Arc<EventType>],
    findings: &mut Findings,
) {
    let mut checker = Checker {
        world,
        rule,
        findings,
    };
    checker.words();
    checker.twice();
    if let Some(terms) = &rule.terms {
        checker.season(terms);
        checker.shares(terms);
        checker.limits(terms);
        checker.order(terms);
    }
}

struct Checker<'c, 'a> {
    world: &'c World<'a>,
    rule: &'c RuleView<'a>,
    findings: &'c mut Findings,
}

impl Checker<'_, '_> {
    /// Where a field's value stands.
    fn place(&self, field: &str) -> Option<Range<usize>> {
        let file = &self.rule.file;
        file.field(field).and_then(|value| file.marks().span(value))
    }

    fn error(&mut self, field: &str, fault: Fault) {
        let place = self.place(field);
        self.findings.error(&self.rule.file, place, fault);
    }

    fn warning(&mut self, field: &str, fault: Fault) {
        let place = self.place(field);
        self.findings.warning(&self.rule.file, place, fault);
    }

    fn words(&mut self) {
        let file = &self.rule.file;
        for (segment, at) in file.texts("audience") {
            let known = self.world.schema.words("segment");
            if let Some(fault) = unknown("segment", segment, known) {
                let span = file.marks().span(at);
                self.findings.error(file, span, fault);
            }
        }
        for (channel, at) in file.texts("channels") {
            let span = || file.marks().span(at);
            if let Some(fault) = self.world.channel_fault(channel) {
                self.findings.error(file, span(), fault);
                continue;
            }
            let known = built_in_channels();
            let undeclared = self.world.schema.channels().is_none();
            if !undeclared || known.clone().any(|name| name == channel) {
                continue;
            }
            if let Some(meant) = did_you_mean(channel, known) {
                let fault = Fault::new(
                    "unknown-channel",
                    format!("\"{channel}\" is none of the usual channels"),
                    "perhaps misspelt",
                    format!(
                        "did you mean \"{meant}\"? Else declare it in schema.toml: [channels.{channel}]"
                    ),
                );
                self.findings.warning(file, span(), fault);
            }
        }
    }

    fn twice(&mut self) {
        let file = &self.rule.file;
        for field in ["on", "channels", "audience"] {
            let mut seen = HashSet::new();
            for (word, at) in file.texts(field) {
                if !seen.insert(word) {
                    let fault = Fault::new(
                        "named-twice",
                        format!("`{field}` names \"{word}\" twice"),
                        "again",
                        "take one of them out",
                    );
                    self.findings.warning(file, file.marks().span(at), fault);
                }
            }
        }
    }

    fn season(&mut self, terms: &Terms) {
        let (starts, ends) = (terms.starts, terms.ends);
        if let (Some(starts), Some(ends)) = (starts, ends) {
            if ends <= starts {
                return self.error(
                    "ends",
                    Fault::new(
                        "never-in-season",
                        format!(
                            "the rule ends on {ends}, before it starts on {starts}: it never speaks"
                        ),
                        format!("not after {starts}"),
                        "`ends` is the first day on which it no longer speaks: write a later one",
                    ),
                );
            }
            let days = |n: i32| starts.checked_add(n.days()).ok();
            let mut week = (0..7).filter_map(days).filter(|day| *day < ends);
            if !week.any(|day| terms.days.contain(day.weekday().to_monday_zero_offset())) {
                return self.error(
                    "days",
                    Fault::new(
                        "never-in-season",
                        format!("from {starts} until {ends} there is none of these days: it never speaks"),
                        "none of them in the season",
                        "write other `days`, or a later `ends`",
                    ),
                );
            }
        }
        if let (Some(ends), Some(today)) = (ends, self.world.options.today)
            && ends <= today
        {
            self.warning(
                "ends",
                Fault::new(
                    "season-over",
                    format!("the rule ended on {ends}: it speaks no more"),
                    "over",
                    "write a later day, or take the file out",
                ),
            );
        }
    }

    fn shares(&mut self, terms: &Terms) {
        if terms.rollout == Percent::NONE {
            self.warning(
                "rollout",
                Fault::new(
                    "never-rolled-out",
                    "`rollout: 0` means nobody: the rule never speaks",
                    "nobody",
                    "write the percentage of customers who are to get it; 100 is all",
                ),
            );
        }
        if terms.holdout == Percent::ALL {
            self.warning(
                "holdout",
                Fault::new(
                    "all-held-out",
                    "`holdout: 100` makes everybody the control group: nothing is ever sent",
                    "everybody",
                    "10 is usual: it leaves enough to compare with",
                ),
            );
        }
        let weightless = terms.variants.iter().find(|(_, weight)| *weight == 0);
        if let Some((name, _)) = weightless {
            self.warning(
                "variants",
                Fault::new(
                    "variant-never-drawn",
                    format!("the variant `{name}` has the weight 0: nobody ever draws it"),
                    "never drawn",
                    "give it a weight, or take it out",
                ),
            );
        }
    }

    fn limits(&mut self, terms: &Terms) {
        if let (Some(cooldown), Some(cap)) = (terms.cooldown, terms.cap) {
            let reached = cooldown.millis().saturating_mul(cap.count.into());
            if reached >= cap.window.millis() {
                self.warning(
                    "cap",
                    Fault::new(
                        "needless-cap",
                        "the cap is never reached: `cooldown` alone keeps it from that",
                        "never reached",
                        "shorten `cooldown`, or take `cap` out",
                    ),
                );
            }
        }
        let budget = terms.budget.as_ref();
        let limits = budget.and_then(|budget| budget.total.zip(budget.daily));
        if let Some((total, daily)) = limits
            && daily > total
        {
            self.warning(
                "budget",
                Fault::new(
                    "needless-budget",
                    "the daily budget is larger than the total one, so it is never reached",
                    "daily above total",
                    "lower `daily`, raise `total`, or take `daily` out",
                ),
            );
        }
    }

    fn order(&mut self, _terms: &Terms) {
        let scores = self.rule.file.function("score").is_some();
        if scores
            && matches!(
                self.rule.file.field("priority"),
                Some(Expr::IntegerConstant(..))
            )
        {
            self.warning(
                "priority",
                Fault::new(
                    "needless-priority",
                    "`priority` is not looked at, since the rule has `fn score`",
                    "not looked at",
                    "take it out, or take `fn score` out",
                ),
            );
        }
    }
}
