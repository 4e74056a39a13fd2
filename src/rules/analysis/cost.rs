//! What an action says that is counted: its `cost`, its `value`, and the `code` that both are known by.

use super::action::Said;
use super::findings::Fault;
use super::kind::Kind;
use crate::terms::Terms;
use rhai::Expr;
use rust_decimal::Decimal;

impl Said<'_, '_, '_> {
    /// With a budget the cost must be said, and lie within it.
    pub(super) fn cost(&mut self) {
        let limit = self.rule.terms.as_ref().and_then(limit_of);
        let Some(value) = self.get("cost") else {
            if self.rule.file.field("budget").is_some() {
                self.missing(
                    "cost",
                    "the rule has a `budget`, but this action does not say its `cost`".to_owned(),
                    "add `cost: …`: what it costs when it is taken; 0 if nothing".to_owned(),
                    true,
                );
            }
            return self.per_key();
        };
        let Kind::Number(low, high) = self.kind("cost").kind else {
            self.cost_is_a_number(value);
            return self.per_key();
        };
        if high.is_some_and(|high| high.is_sign_negative() && !high.is_zero()) {
            let (span, text) = (self.walker.span(value), self.walker.written(value));
            return self.walker.error(
                span,
                Fault::new(
                    "negative-cost",
                    format!("the cost `{text}` is below zero"),
                    "below zero",
                    "write what the bank pays as a number from 0",
                ),
            );
        }
        if let (Some(low), Some((name, limit))) = (low, limit)
            && low > limit
        {
            let span = self.walker.span(value);
            self.walker.error(
                span,
                Fault::new(
                    "cost-above-budget",
                    format!("one action costs at least {low}, but the {name} budget is {limit}: it is never sent"),
                    format!("at least {low}"),
                    "lower the cost, or raise `budget`",
                ),
            );
        }
        self.per_key();
    }

    /// What is drawn from a budget is counted.
    fn cost_is_a_number(&mut self, value: &Expr) {
        let found = self.kind("cost");
        let unsure = matches!(found.kind, Kind::Any | Kind::Never);
        if unsure || self.rule.file.field("budget").is_none() {
            return;
        }
        let span = self.walker.span(value);
        let hint = without_quotes(value).unwrap_or_else(|| {
            "write the number alone: `money(…)` and texts are for people".to_owned()
        });
        self.walker.error(
            span,
            Fault::new(
                "wrong-type",
                format!(
                    "the cost is {}, but a `budget` counts numbers",
                    found.name()
                ),
                format!("this is {}", found.name()),
                hint,
            ),
        );
    }

    /// The key by whose values the budget is split.
    fn per_key(&mut self) {
        let terms = self.rule.terms.as_ref();
        let budget = terms.and_then(|terms| terms.budget.as_ref());
        let Some(per) = budget.and_then(|budget| budget.per.clone()) else {
            return;
        };
        if self.get(&per).is_none() {
            self.missing(
                &per,
                format!("the budget is kept per `{per}`, but this action does not say it"),
                format!("add `{per}: …`, or take `per` out of `budget`"),
                true,
            );
        }
    }

    /// Amounts are numbers, and codes are texts, whether there is a budget or not.
    pub(super) fn counted(&mut self) {
        for key in ["cost", "value", "code"] {
            let Some(value) = self.get(key) else {
                continue;
            };
            let found = self.kind(key);
            let literal = matches!(value, Expr::StringConstant(..));
            let wrong = match (key, &found.kind) {
                // What it is worth may be said to people, as `money(…)`.
                ("value", Kind::Text(_)) => literal,
                ("code", kind) => matches!(kind, Kind::Number(..) | Kind::Boolean),
                (_, kind) => matches!(kind, Kind::Text(_) | Kind::Boolean),
            };
            if !wrong {
                continue;
            }
            let hint = match key {
                "code" => format!("write \"{}\", in double quotes", self.walker.written(value)),
                _ => without_quotes(value).unwrap_or_else(|| {
                    format!("write the amount as a number, such as `{key}: 10`; percentages belong into `text`")
                }),
            };
            let span = self.walker.span(value);
            let label = format!("this is {}", found.name());
            if key == "value" {
                // It is carried as it is, so it may be meant.
                let message = format!("`value` is {}, which is not counted", found.name());
                let fault = Fault::new("value-not-counted", message, label, hint);
                self.walker.warning(span, fault);
                continue;
            }
            let wanted = if key == "code" { "text" } else { "a number" };
            let message = format!("`{key}` must be {wanted}, but this is {}", found.name());
            let fault = Fault::new("wrong-type", message, label, hint);
            self.walker.error(span, fault);
        }
    }
}

/// For a number in quotes: how it is written.
fn without_quotes(value: &Expr) -> Option<String> {
    let Expr::StringConstant(word, _) = value else {
        return None;
    };
    let number: Decimal = word.trim().parse().ok()?;
    Some(format!("write {number} without quotes"))
}

/// The tighter of a budget's limits, with its name.
fn limit_of(terms: &Terms) -> Option<(&'static str, Decimal)> {
    let budget = terms.budget.as_ref()?;
    let limits = [("total", budget.total), ("daily", budget.daily)];
    let limits = limits.into_iter();
    limits
        .filter_map(|(name, limit)| Some((name, limit?.to_decimal())))
        .min_by_key(|(_, limit)| *limit)
}
