//! What the customer's functions are handed: windows, categories, event types, filters and the like.

use super::findings::Fault;
use super::kind::{self, Kind, Type};
use super::walk::Walker;
use crate::event::{EventType, Field};
use crate::rules::catalogue::{
    CHANNELS, DISTINCT, FILTER_FIELDS, Function, Parameter, Returns, names,
};
use crate::rules::diagnostic::{did_you_mean, meant_type};
use crate::state::Window;
use rhai::{Expr, Position};
use std::sync::Arc;

impl Walker<'_, '_> {
    /// A function of the customer with arguments that have been walked.
    pub(super) fn customer_call(
        &mut self,
        function: &Function,
        arguments: &[Expr],
        (at, root): (Position, Option<&Expr>),
    ) -> Type {
        let fits = |signature: &&&[Parameter]| signature.len() == arguments.len();
        let Some(signature) = function.signatures.iter().find(fits) else {
            let wanted: Vec<usize> = function.signatures.iter().map(|s| s.len()).collect();
            let mut fault = arity(function.name, &wanted, arguments.len());
            fault.hint = format!("for example `{}`", function.example);
            let name = self.file.marks().token(at);
            let whole = name.map(|name| {
                let start = root.map_or(name.start, |root| self.start(root));
                start..self.file.marks().call_end(&name)
            });
            self.error(whole, fault);
            return self.answer(function, None);
        };
        let declared = match (signature.first(), arguments.first()) {
            (Some(Parameter::EventType), Some(Expr::StringConstant(name, _))) => {
                self.world.schema.event_type(name).cloned()
            }
            _ => None,
        };
        for (parameter, argument) in signature.iter().zip(arguments) {
            let found = self.kind_of(argument);
            self.argument(function, *parameter, argument, &found, declared.as_ref());
        }
        self.answer(function, declared.as_ref())
    }

    fn answer(&self, function: &Function, declared: Option<&Arc<EventType>>) -> Type {
        match (function.returns, declared) {
            (Returns::EventOrNone, Some(declared)) => kind::last(declared, self.world.schema),
            (returns, _) => Type::returned(returns, &|name| {
                self.world.schema.words(name).map(kind::shared)
            }),
        }
    }

    fn argument(
        &mut self,
        function: &Function,
        parameter: Parameter,
        expr: &Expr,
        found: &Type,
        declared: Option<&Arc<EventType>>,
    ) {
        let fits = match (parameter, &found.kind) {
            (_, Kind::Any | Kind::Never) => return,
            (Parameter::Filter, Kind::Map(_)) => {
                return self.filter(expr, declared);
            }
            (Parameter::Filter, _) => false,
            (Parameter::Number | Parameter::Whole, kind) => matches!(kind, Kind::Number(..)),
            (_, kind) => matches!(kind, Kind::Text(_)),
        };
        if !fits {
            let text = self.written(expr);
            let hint = match (parameter, expr) {
                (Parameter::Window, Expr::IntegerConstant(n, _)) => {
                    format!("write the length with its unit in double quotes: \"{n}d\"")
                }
                _ => format!("for example `{}`", function.example),
            };
            let span = self.span(expr);
            return self.error(
                span,
                Fault::new(
                    "wrong-argument",
                    format!(
                        "`{}` wants {} here, but `{text}` is {}",
                        function.name,
                        parameter.wanted(),
                        found.name()
                    ),
                    format!("this is {}", found.name()),
                    hint,
                ),
            );
        }
        if let Expr::StringConstant(word, _) = expr {
            self.literal(function, parameter, expr, word);
        }
    }

    fn literal(&mut self, function: &Function, parameter: Parameter, expr: &Expr, word: &str) {
        let schema = self.world.schema;
        let fault = match parameter {
            Parameter::Window if schema.event_type(word).is_some() => Some(Fault::new(
                "unknown-window",
                format!("\"{word}\" is an event type, but the window stands here"),
                "the window stands here",
                format!("for example `{}`", function.example),
            )),
            Parameter::Window => window_fault(function, word),
            Parameter::Category if Window::parse(word).is_some() => Some(Fault::new(
                "unknown-word",
                format!("\"{word}\" is a window, but the category comes first"),
                "the category stands here",
                format!("for example `{}`", function.example),
            )),
            Parameter::Category => unknown("category", word, schema.words("category")),
            Parameter::Segment => unknown("segment", word, schema.words("segment")),
            Parameter::EventType => self.event_type_fault(function, word),
            Parameter::DistinctWhat => {
                let known: Vec<Box<str>> = DISTINCT.iter().map(|w| (*w).into()).collect();
                unknown("word", word, Some(&known)).map(|fault| Fault {
                    message: format!("`distinct` does not count \"{word}\""),
                    ..fault
                })
            }
            Parameter::Channel => self.world.channel_fault(word),
            _ => None,
        };
        if let Some(fault) = fault {
            let span = self.span(expr);
            return self.error(span, fault);
        }
        let (code, message, hint) = match parameter {
            Parameter::RuleName if !self.world.rules.contains(word) => {
                let known = self.world.rules.iter().map(|name| &**name);
                let hint = did_you_mean(word, known).map_or_else(
                    || "a rule's name is its path in the folder without `.rhai`; the name of one that is gone is right if its offers still count".to_owned(),
                    |meant| format!("did you mean \"{meant}\"?"),
                );
                ("unknown-rule", format!("there is no rule \"{word}\""), hint)
            }
            Parameter::Code if !self.world.mentions_code(word) => (
                "unknown-code",
                format!("no action has the code \"{word}\", so nobody ever accepted it"),
                "compare it with `code` in the action that is meant".to_owned(),
            ),
            _ => return,
        };
        let span = self.span(expr);
        self.warning(span, Fault::new(code, message, "unknown", hint));
    }

    fn event_type_fault(&self, function: &Function, word: &str) -> Option<Fault> {
        let schema = self.world.schema;
        if schema.event_type(word).is_some() {
            return None;
        }
        if Window::parse(word).is_some() {
            return Some(Fault::new(
                "unknown-event-type",
                format!("\"{word}\" is a window, but the event type comes first"),
                "the event type stands here",
                format!("for example `{}`", function.example),
            ));
        }
        let known = schema.event_types().map(|declared| &*declared.name);
        let hint = meant_type(word, known).map_or_else(
            || format!("declare it in schema.toml: [events.\"{word}\"]"),
            |meant| format!("did you mean \"{meant}\"?"),
        );
        Some(Fault::new(
            "unknown-event-type",
            format!("no event type \"{word}\" is declared"),
            "unknown event type",
            hint,
        ))
    }

    /// `#{ field: value }`: fields that the journal keeps, and values that they can have.
    fn filter(&mut self, expr: &Expr, declared: Option<&Arc<EventType>>) {
        let (Expr::Map(members, _), Some(declared)) = (expr, declared) else {
            return;
        };
        let known = filter_fields(declared);
        for (name, value) in &members.0 {
            let Some(kind) = self.filter_kind(declared, &name.name, &known) else {
                let hint = did_you_mean(&name.name, known.iter().copied()).map_or_else(
                    || {
                        if known.is_empty() {
                            format!("declare the field in schema.toml with keep = true; `{}` keeps none", declared.name)
                        } else {
                            format!("it keeps {}", known.join(", "))
                        }
                    },
                    |meant| format!("did you mean `{meant}`?"),
                );
                let span = self.file.marks().token(name.pos);
                self.error(
                    span,
                    Fault::new(
                        "unknown-filter-field",
                        format!(
                            "the journal keeps no field `{}` of \"{}\" for filters",
                            name.name, declared.name
                        ),
                        "unknown field",
                        hint,
                    ),
                );
                continue;
            };
            let found = self.kind_of(value);
            self.filter_value(&name.name, &kind, value, &found);
        }
    }

    fn filter_kind(&self, declared: &EventType, name: &str, known: &[&str]) -> Option<Type> {
        if !known.contains(&name) {
            return None;
        }
        let schema = self.world.schema;
        let own = declared.fields.iter().find(|field| *field.name == *name);
        let inner = |record: &str| {
            let record = declared
                .fields
                .iter()
                .find(|field| *field.name == *record)?;
            let crate::event::FieldKind::Record(inner) = &record.kind else {
                return None;
            };
            inner.iter().find(|field| *field.name == *name)
        };
        let of = |field: &Field| kind::of_field(field, schema);
        Some(match name {
            // Their name or id, not the object.
            "merchant" | "counterparty" => Type::TEXT,
            _ => own
                .or_else(|| inner("merchant"))
                .or_else(|| inner("counterparty"))
                .map_or(Type::ANY, of),
        })
    }

    fn filter_value(&mut self, name: &str, kind: &Type, value: &Expr, found: &Type) {
        let unsure = |kind: &Type| matches!(kind.kind, Kind::Any | Kind::Never);
        if unsure(kind) || unsure(found) {
            return;
        }
        if std::mem::discriminant(&kind.kind) == std::mem::discriminant(&found.kind) {
            return self.word(|_| name.to_owned(), kind, value);
        }
        let span = self.span(value);
        let hint = match &found.kind {
            Kind::List => "a filter wants one value: count each and add them up".to_owned(),
            Kind::Unit => "a filter cannot ask for what is missing: leave the field out".to_owned(),
            _ => format!("write {} there", kind.name()),
        };
        self.error(
            span,
            Fault::new(
                "wrong-type",
                format!(
                    "`{name}` is {}, and is compared with {}: nothing fits",
                    kind.name(),
                    found.name()
                ),
                format!("this is {}", found.name()),
                hint,
            ),
        );
    }
}

/// The fields of an event type that filters may name.
pub(super) fn filter_fields(declared: &EventType) -> Vec<&str> {
    let fixed = FILTER_FIELDS
        .iter()
        .find(|(name, _)| *name == &*declared.name);
    let kept = declared.fields.iter().filter(|field| field.keep);
    let fixed = fixed.map_or(&[] as &[&str], |(_, fields)| fields).iter();
    fixed.copied().chain(kept.map(|f| &*f.name)).collect()
}

/// A word that is none of the known ones.
pub(super) fn unknown(what: &str, word: &str, known: Option<&[Box<str>]>) -> Option<Fault> {
    let known = known?;
    if known.iter().any(|known| **known == *word) {
        return None;
    }
    let hint = match did_you_mean(word, known.iter().map(|known| &**known)) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("it is one of {}", super::listed(known)),
    };
    Some(Fault::new(
        "unknown-word",
        format!("there is no {what} \"{word}\""),
        format!("unknown {}", what.split(' ').next().unwrap_or(what)),
        hint,
    ))
}

/// What is wrong with a window.
fn window_fault(function: &Function, word: &str) -> Option<Fault> {
    if Window::parse(word).is_some() {
        return None;
    }
    let takes_category = function
        .signatures
        .iter()
        .any(|s| s.contains(&Parameter::Category));
    let hint = match meant_window(word) {
        Some(meant) => format!("write \"{meant}\""),
        None if takes_category && !word.contains(|c: char| c.is_ascii_digit()) => format!(
            "after a category, say how far to look back: `{}(\"{word}\", \"30d\")`",
            function.name
        ),
        None => {
            "write a whole number and s, m, h or d: \"90s\", \"10m\", \"24h\", \"30d\"".to_owned()
        }
    };
    Some(Fault::new(
        "unknown-window",
        format!("\"{word}\" is not a window"),
        "no window",
        hint,
    ))
}

/// The window that was meant by a text such as `30 days` or `2w`.
pub(super) fn meant_window(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok().filter(|n| *n > 0)?;
    let unit = text[digits..].trim().trim_end_matches('.');
    Some(match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => format!("{number}s"),
        "m" | "min" | "mins" | "minute" | "minutes" => format!("{number}m"),
        "h" | "hr" | "hrs" | "hour" | "hours" => format!("{number}h"),
        "d" | "day" | "days" => format!("{number}d"),
        "w" | "week" | "weeks" => format!("{}d", number * 7),
        "month" | "months" | "mo" => format!("{}d", number * 30),
        "y" | "year" | "years" => format!("{}d", number * 365),
        _ => return None,
    })
}

/// A call with too many or too few arguments; how it is written belongs into the hint.
pub(super) fn arity(name: &str, wanted: &[usize], found: usize) -> Fault {
    let counts: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let things = if wanted == [1] { "thing" } else { "things" };
    Fault::new(
        "wrong-arguments",
        format!(
            "`{name}` wants {} {things} in its brackets, not {found}",
            counts.join(" or ")
        ),
        format!("{found} here"),
        String::new(),
    )
}

/// Channels that adapters know without being told.
pub(super) fn built_in_channels<'a>() -> impl Iterator<Item = &'a str> + Clone {
    names(CHANNELS)
}
