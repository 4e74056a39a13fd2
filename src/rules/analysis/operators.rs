//! Comparisons and sums: whether both sides are of a kind.

use super::findings::Fault;
use super::kind::{Kind, Type};
use super::text::is_membership;
use super::walk::Walker;
use crate::rules::diagnostic::did_you_mean;
use rhai::{Expr, FnCallExpr};
use rust_decimal::Decimal;

impl Walker<'_, '_> {
    pub(super) fn operator(&mut self, call: &FnCallExpr, expr: &Expr) -> Type {
        let name = call.name.as_str();
        if is_membership(call) {
            let kinds: Vec<Type> = call.args.iter().map(|arg| self.expr(arg)).collect();
            self.membership(&call.args[0], &kinds[0], &call.args[1], &kinds[1], expr);
            return Type::BOOLEAN;
        }
        if let [one] = call.args.as_slice() {
            if name == "!" {
                self.condition(one);
                return Type::BOOLEAN;
            }
            let found = self.expr(one);
            self.number(one, &found, name);
            return match found.kind {
                Kind::Number(low, high) if name == "-" => {
                    Type::of(Kind::Number(high.map(|n| -n), low.map(|n| -n)))
                }
                _ => Type::NUMBER,
            };
        }
        let [left, right] = call.args.as_slice() else {
            return Type::ANY;
        };
        let (a, b) = (self.expr(left), self.expr(right));
        match name {
            "==" | "!=" | "<" | "<=" | ">" | ">=" => {
                self.comparison(name, (left, &a), (right, &b), expr);
                Type::BOOLEAN
            }
            "&" | "|" if a.kind == Kind::Boolean || b.kind == Kind::Boolean => {
                self.single(name, expr);
                Type::BOOLEAN
            }
            "+" if a.is_text() || b.is_text() => Type::TEXT,
            "+" if a.kind == Kind::Any || b.kind == Kind::Any => Type::ANY,
            "+" | "-" | "*" | "/" | "%" | "**" => {
                // Lists and maps may be added to.
                let more = |kind: &Type| matches!(kind.kind, Kind::List | Kind::Map(_));
                if more(&a) || more(&b) {
                    return Type::ANY;
                }
                self.number(left, &a, name);
                self.number(right, &b, name);
                self.whole_division(name, left, right, expr);
                computed(name, &a, &b)
            }
            _ => Type::ANY,
        }
    }

    /// `a & b` asks `b` even if `a` has decided, and is mostly a slip.
    fn single(&mut self, name: &str, expr: &Expr) {
        let at = self.file.marks().token(expr.position());
        let meaning = if name == "&" { "and" } else { "or" };
        self.warning(
            at,
            Fault::new(
                "single-operator",
                format!("`{name}` is meant for numbers"),
                "once",
                format!("write `{name}{name}` for \"{meaning}\""),
            ),
        );
    }

    /// Something that must be a number, since it is calculated with.
    pub(super) fn number(&mut self, expr: &Expr, found: &Type, operator: &str) {
        if matches!(found.kind, Kind::Any | Kind::Never | Kind::Number(..)) {
            return;
        }
        let text = self.written(expr);
        let hint = match (&found.kind, expr) {
            (Kind::Text(_), Expr::StringConstant(word, _)) if word.parse::<Decimal>().is_ok() => {
                format!("write it without quotes: {word}")
            }
            (Kind::Object(_), _) => format!("name a field of it that is a number: `{text}.…`"),
            (Kind::Text(_), _) => {
                "texts are put together in back quotes: `${event.merchant.name}: …`".to_owned()
            }
            _ => "calculate with a number".to_owned(),
        };
        let span = self.span(expr);
        self.error(
            span,
            Fault::new(
                "wrong-type",
                format!(
                    "`{operator}` needs numbers, but `{text}` is {}",
                    found.name()
                ),
                format!("this is {}", found.name()),
                hint,
            ),
        );
    }

    /// `1 / 10` is 0, since both are whole.
    fn whole_division(&mut self, name: &str, left: &Expr, right: &Expr, expr: &Expr) {
        if let (Expr::IntegerConstant(a, _), Expr::IntegerConstant(b, _), "/") = (left, right, name)
            && a.checked_rem(*b).is_some_and(|rest| rest != 0)
        {
            let span = self.span(expr);
            self.warning(
                span,
                Fault::new(
                    "whole-division",
                    format!("{a} / {b} is {}: both are whole numbers", a / b),
                    "the rest is lost",
                    format!("write {a}.0 / {b}"),
                ),
            );
        }
    }

    fn comparison(&mut self, name: &str, a: (&Expr, &Type), b: (&Expr, &Type), expr: &Expr) {
        let (left, a) = a;
        let (right, b) = b;
        if matches!(left, Expr::Dot(..)) && self.written(left) == self.written(right) {
            return self.with_itself(name, left, expr);
        }
        let unsure = |kind: &Type| matches!(kind.kind, Kind::Any | Kind::Unit | Kind::Never);
        if unsure(a) || unsure(b) {
            return;
        }
        let equality = name == "==" || name == "!=";
        let alike = match (&a.kind, &b.kind) {
            (Kind::Number(..), Kind::Number(..)) => true,
            (Kind::Text(_), Kind::Text(_)) => {
                if equality {
                    self.word(|walker| walker.written(left), a, right);
                    self.word(|walker| walker.written(right), b, left);
                }
                true
            }
            (Kind::Boolean, Kind::Boolean)
            | (Kind::List, Kind::List)
            | (Kind::Map(_), Kind::Map(_))
            | (Kind::Object(_), Kind::Object(_)) => equality,
            _ => false,
        };
        if alike {
            return;
        }
        let (l, r) = (self.written(left), self.written(right));
        if let (Expr::FnCall(inner, _), Kind::Boolean, Kind::Number(..)) = (left, &a.kind, &b.kind)
            && ["<", "<=", ">", ">="].contains(&inner.name.as_str())
            && let Some(middle) = inner.args.get(1)
        {
            let middle = self.written(middle);
            let span = self.span(expr);
            return self.error(
                span,
                Fault::new(
                    "wrong-type",
                    format!("`{name}` compares two things, not three"),
                    "two comparisons in one",
                    format!("write `{l} && {middle} {name} {r}`"),
                ),
            );
        }
        let outcome = if name == "!=" {
            "always true"
        } else {
            "never true"
        };
        let message = if std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind) {
            format!(
                "`{name}` cannot order {}: only numbers and texts are more or less",
                a.name()
            )
        } else {
            format!(
                "`{l}` is {} and `{r}` is {}: this is {outcome}",
                a.name(),
                b.name()
            )
        };
        let hint = in_list(name, &l, right, &r)
            .unwrap_or_else(|| self.comparable((left, a, &l), (right, b, &r)));
        let span = self.span(expr);
        self.error(span, Fault::new("wrong-type", message, outcome, hint));
    }

    /// `event.city == event.city`.
    fn with_itself(&mut self, name: &str, side: &Expr, expr: &Expr) {
        let always = ["==", "<=", ">="].contains(&name);
        let text = self.written(side);
        let span = self.span(expr);
        self.warning(
            span,
            Fault::new(
                "compared-with-itself",
                format!("`{text}` is compared with itself: this is always {always}"),
                "both sides are the same",
                "write on one side what it is to be compared with, such as something of `customer`",
            ),
        );
    }

    /// How two sides can be made alike.
    fn comparable(
        &self,
        (left, a, l): (&Expr, &Type, &str),
        (right, b, r): (&Expr, &Type, &str),
    ) -> String {
        if let Kind::Object(object) = &a.kind {
            let wanted =
                |kind: &Type| std::mem::discriminant(&kind.kind) == std::mem::discriminant(&b.kind);
            let fields = object.fields.iter().filter(|(_, kind)| wanted(kind));
            let names: Vec<String> = fields.map(|(field, _)| format!("`{l}.{field}`")).collect();
            let all = object.fields.keys();
            let all: Vec<String> = all.map(|field| format!("`{l}.{field}`")).collect();
            let names = if names.is_empty() { all } else { names };
            return format!("compare a field of it: {}", names.join(", "));
        }
        if matches!(b.kind, Kind::Object(_)) {
            return self.comparable((right, b, r), (left, a, l));
        }
        if a.kind == Kind::Customer || b.kind == Kind::Customer {
            return "ask the customer for something: `customer.balance`, `customer.spend(\"30d\")`"
                .to_owned();
        }
        for (kind, other) in [(a, right), (b, left)] {
            let Expr::StringConstant(word, _) = other else {
                continue;
            };
            match kind.kind {
                Kind::Number(..) if word.parse::<Decimal>().is_ok() => {
                    return format!("write the number without quotes: {word}");
                }
                Kind::Number(..) if word.starts_with("20") && word.contains('-') => {
                    return "times are in seconds; days are limited by `starts`, `ends`, `days` and `hours` of `RULE`".to_owned();
                }
                Kind::Boolean if ["true", "false"].contains(&word.as_str()) => {
                    return format!("write it without quotes: {word}");
                }
                _ => {}
            }
        }
        for (kind, other, text) in [(a, right, r), (b, left, l)] {
            match (&kind.kind, other) {
                (Kind::Text(Some(words)), _) => {
                    return format!("it is one of {}", super::listed(words));
                }
                (Kind::Text(None), Expr::IntegerConstant(..) | Expr::DynamicConstant(..)) => {
                    return format!("if it is text, put it in double quotes: \"{text}\"");
                }
                (Kind::Boolean, _) => return "compare it with true or false".to_owned(),
                (Kind::List, _) => return "ask for its length: `.len`".to_owned(),
                _ => {}
            }
        }
        "compare it with something of the same kind".to_owned()
    }

    /// A word that a text is compared with must be one that it can be.
    pub(super) fn word(&mut self, what: impl FnOnce(&Self) -> String, text: &Type, expr: &Expr) {
        let (Kind::Text(Some(words)), Expr::StringConstant(word, _)) = (&text.kind, expr) else {
            return;
        };
        if words.iter().any(|known| **known == **word) {
            return;
        }
        let hint = match did_you_mean(word, words.iter().map(|w| &**w)) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("it is one of {}", super::listed(words)),
        };
        let (span, what) = (self.span(expr), what(self));
        self.error(
            span,
            Fault::new(
                "unknown-word",
                format!("`{what}` is never \"{word}\""),
                "no such word",
                hint,
            ),
        );
    }

    fn membership(
        &mut self,
        haystack: &Expr,
        within: &Type,
        needle: &Expr,
        found: &Type,
        expr: &Expr,
    ) {
        if let Expr::Array(items, _) = haystack {
            for item in items {
                let kind = self.kind_of(item);
                self.member_of(needle, found, item, &kind);
            }
            return;
        }
        let wrong = match &within.kind {
            Kind::Text(_) => !matches!(found.kind, Kind::Text(_) | Kind::Any | Kind::Never),
            Kind::Number(..) | Kind::Boolean | Kind::Customer => true,
            _ => false,
        };
        if !wrong {
            return;
        }
        let (text, inside) = (self.written(needle), self.written(haystack));
        let span = self.span(expr);
        self.error(
            span,
            Fault::new(
                "wrong-type",
                format!(
                    "`in` looks into a list, but `{inside}` is {}",
                    within.name()
                ),
                "never true",
                format!("write a list in square brackets: `{text} in [{inside}]`"),
            ),
        );
    }

    fn member_of(&mut self, needle: &Expr, found: &Type, item: &Expr, kind: &Type) {
        let unsure = |kind: &Type| matches!(kind.kind, Kind::Any | Kind::Unit | Kind::Never);
        if unsure(found) || unsure(kind) {
            return;
        }
        if std::mem::discriminant(&found.kind) == std::mem::discriminant(&kind.kind) {
            return self.word(|walker| walker.written(needle), found, item);
        }
        let (text, wrong) = (self.written(needle), self.written(item));
        let hint = self.comparable((needle, found, &text), (item, kind, &wrong));
        let span = self.span(item);
        self.error(
            span,
            Fault::new(
                "wrong-type",
                format!(
                    "`{text}` is {} and `{wrong}` is {}: they are never the same",
                    found.name(),
                    kind.name()
                ),
                format!("this is {}", kind.name()),
                hint,
            ),
        );
    }
}

/// `x == ["a", "b"]` where `in` is meant.
fn in_list(name: &str, left: &str, right: &Expr, list: &str) -> Option<String> {
    match (name, right) {
        ("==", Expr::Array(..)) => Some(format!("write `{left} in {list}`")),
        ("!=", Expr::Array(..)) => Some(format!("write `!({left} in {list})`")),
        _ => None,
    }
}

/// The bounds of what is calculated, as far as they are simple.
fn computed(name: &str, a: &Type, b: &Type) -> Type {
    let (Kind::Number(a0, a1), Kind::Number(b0, b1)) = (&a.kind, &b.kind) else {
        return Type::NUMBER;
    };
    let kind = match name {
        "+" => Kind::Number(add(*a0, *b0), add(*a1, *b1)),
        "-" => Kind::Number(add(*a0, b1.map(|n| -n)), add(*a1, b0.map(|n| -n))),
        "*" => match (at_least_zero(*a0), at_least_zero(*b0)) {
            (Some(a0), Some(b0)) => Kind::Number(
                a0.checked_mul(b0),
                a1.zip(*b1).and_then(|(a, b)| a.checked_mul(b)),
            ),
            _ => Kind::Number(None, None),
        },
        "/" if a0.is_some_and(|n| n >= Decimal::ZERO) && b0.is_some_and(|n| n > Decimal::ZERO) => {
            Kind::Number(Some(Decimal::ZERO), None)
        }
        _ => Kind::Number(None, None),
    };
    Type::of(kind)
}

fn add(a: Option<Decimal>, b: Option<Decimal>) -> Option<Decimal> {
    a.zip(b).and_then(|(a, b)| a.checked_add(b))
}

fn at_least_zero(n: Option<Decimal>) -> Option<Decimal> {
    n.filter(|n| *n >= Decimal::ZERO)
}

/// The smaller or the larger of two.
pub(super) fn extreme(name: &str, a: &Type, b: &Type) -> Type {
    let (Kind::Number(a0, a1), Kind::Number(b0, b1)) = (&a.kind, &b.kind) else {
        return Type::NUMBER;
    };
    let both = |a: &Option<Decimal>, b: &Option<Decimal>, pick: fn(Decimal, Decimal) -> Decimal| {
        a.zip(*b).map(|(a, b)| pick(a, b))
    };
    // The bound of either holds for one of the sides.
    let any = |a: &Option<Decimal>, b: &Option<Decimal>, pick: fn(Decimal, Decimal) -> Decimal| {
        both(a, b, pick).or(*a).or(*b)
    };
    Type::of(if name == "min" {
        Kind::Number(both(a0, b0, Decimal::min), any(a1, b1, Decimal::min))
    } else {
        Kind::Number(any(a0, b0, Decimal::max), both(a1, b1, Decimal::max))
    })
}
