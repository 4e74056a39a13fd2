//! The `RULE` map of a file to [`Terms`], with every fault at once.

use super::analysis::{FileView, UNKNOWN_FIELD};
use super::catalogue::{RULE_FIELDS, names};
use super::diagnostic::{Diagnostic, did_you_mean, meant_type};
use super::sources::Source;
use super::waiting;
use crate::event::Schema;
use crate::state::Window;
use crate::terms::{
    BROADCAST_PREFIX, Cap, DAILY, Days, FRESH_DEFAULT, Hours, PRIORITY_DEFAULT, Percent, Quiet,
    Terms, WITHIN_DEFAULT,
};
use rhai::{AST, Dynamic, Engine, Map, Scope};
use rust_decimal::Decimal;
use std::sync::Arc;

/// Reads a rule's terms.
pub(super) fn read(
    engine: &Engine,
    source: &Source,
    ast: &AST,
    schema: &Schema,
    view: &FileView<'_>,
) -> Result<Terms, Vec<Diagnostic>> {
    let mut header = Header {
        source,
        faults: Vec::new(),
        map: Map::new(),
    };
    header.map = rule_map(engine, source, ast).map_err(|fault| vec![*fault])?;
    header.unknown_fields();
    let terms = header.terms(schema);
    if header.faults.is_empty() {
        return Ok(terms);
    }
    let faults = header.faults.into_iter();
    Err(faults
        .map(|(field, fault)| view.at_field(&field, fault))
        .collect())
}

fn rule_map(engine: &Engine, source: &Source, ast: &AST) -> Result<Map, Box<Diagnostic>> {
    let fault = |message: String| Diagnostic::whole(&source.path, &source.text, message);
    let example =
        "begin the file with `const RULE = #{ on: \"merchant.checkout\", channels: [\"push\"] };`";
    let mut scope = Scope::new();
    engine
        .run_ast_with_scope(&mut scope, &ast.clone_statements_only())
        .map_err(|mut error| {
            let at = error.take_position();
            let fault = fault(format!("`RULE` could not be evaluated: {error}"));
            Box::new(
                fault
                    .at(at.line().zip(at.position()))
                    .hint("outside of functions, write only constants"),
            )
        })?;
    scope
        .get_value::<Dynamic>("RULE")
        .ok_or_else(|| Box::new(fault("there is no `RULE`".to_owned()).hint(example)))?
        .try_cast::<Map>()
        .ok_or_else(|| Box::new(fault("`RULE` is not a map `#{ … }`".to_owned()).hint(example)))
}

pub(super) struct Header<'a> {
    source: &'a Source,
    /// With the field that each is about.
    faults: Vec<(Box<str>, Diagnostic)>,
    pub(super) map: Map,
}

impl Header<'_> {
    pub(super) fn fault(
        &mut self,
        field: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let fault = Diagnostic::whole(&self.source.path, &self.source.text, message).hint(hint);
        self.faults.push((field.into(), fault));
    }

    /// A field, or one within a field, that there is not.
    pub(super) fn unknown<'a>(
        &mut self,
        place: &str,
        message: impl Into<String>,
        known: impl Iterator<Item = &'a str> + Clone,
    ) {
        let name = place.rsplit('.').next().unwrap_or(place);
        let hint = did_you_mean(name, known.clone()).map_or_else(
            || {
                format!(
                    "it has these fields: {}",
                    known.collect::<Vec<_>>().join(", ")
                )
            },
            |meant| format!("did you mean `{meant}`?"),
        );
        self.fault(place, message, hint);
        if let Some((_, fault)) = self.faults.last_mut() {
            fault.code = UNKNOWN_FIELD;
        }
    }

    fn unknown_fields(&mut self) {
        let found: Vec<String> = self.map.keys().map(ToString::to_string).collect();
        for name in found {
            if !names(RULE_FIELDS).any(|known| known == name) {
                let message = format!("`RULE` has no field `{name}`");
                self.unknown(&name, message, names(RULE_FIELDS));
            }
        }
    }

    fn terms(&mut self, schema: &Schema) -> Terms {
        let name: Arc<str> = self
            .source
            .path
            .strip_suffix(".rhai")
            .unwrap_or(&self.source.path)
            .into();
        let on = self.on(schema);
        Terms {
            name,
            scene: self.text("scene").map(Into::into),
            starts: self.parsed("starts", "a date such as \"2026-11-01\"", |t| {
                t.parse().ok()
            }),
            ends: self.parsed("ends", "a date such as \"2027-01-01\"", |t| t.parse().ok()),
            hours: self.parsed("hours", "hours such as \"10:00-22:00\"", Hours::parse),
            days: self
                .parsed(
                    "days",
                    "days such as \"mon-fri\" or \"sat,sun\"",
                    Days::parse,
                )
                .unwrap_or(Days::ALL),
            audience: self.texts("audience"),
            channels: self.channels(),
            purpose: self.text("purpose").map(Into::into),
            priority: self.priority(),
            group: self.text("group").map(Into::into),
            cooldown: self.parsed("cooldown", "a length such as \"7d\"", Window::parse),
            cap: self.parsed("cap", "a cap such as \"3 per 30d\"", Cap::parse),
            holdout: self.percent("holdout", Percent::NONE),
            rollout: self.percent("rollout", Percent::ALL),
            salt: self.text("salt").map(Into::into),
            variants: self.variants(),
            fresh: self
                .parsed("fresh", "a length such as \"60s\"", Window::parse)
                .map_or(FRESH_DEFAULT, Window::millis),
            budget: waiting::budget(self),
            quiet: self
                .parsed("quiet", "\"drop\" or \"defer\"", |text| match text {
                    "drop" => Some(Quiet::Drop),
                    "defer" => Some(Quiet::Defer),
                    _ => None,
                })
                .unwrap_or_default(),
            within: self
                .parsed("within", "a length such as \"2h\"", Window::parse)
                .map_or(WITHIN_DEFAULT, Window::millis),
            delay: self
                .parsed("delay", "a length such as \"10m\"", Window::parse)
                .map(Window::millis),
            steps: waiting::steps(self, &on, schema),
            approval: self.flag("approval"),
            on,
        }
    }

    fn on(&mut self, schema: &Schema) -> Vec<Arc<str>> {
        if !self.map.contains_key("on") {
            self.fault(
                "on",
                "`RULE` does not say which event it is for",
                "add `on: \"merchant.checkout\"`",
            );
        }
        let mut on = Vec::new();
        for kind in self.texts("on") {
            match schema.event_type(&kind) {
                Some(declared) => on.push(declared.name.clone()),
                None if &*kind == DAILY => on.push(DAILY.into()),
                None if kind.starts_with("timer.") => self.fault(
                    "on",
                    format!("there is no timer `{kind}`"),
                    "write \"timer.daily\": once a day for each customer, when the rule's `hours` begin",
                ),
                None if kind.starts_with(BROADCAST_PREFIX) => self.fault(
                    "on",
                    format!("no broadcast `{kind}` is declared"),
                    format!("declare it in schema.toml as [events.\"{kind}\"] with its fields"),
                ),
                None => {
                    let known = schema.event_types().map(|t| &*t.name);
                    let hint = meant_type(&kind, known).map_or_else(
                        || "declare it under [events] in schema.toml".to_owned(),
                        |meant| format!("did you mean \"{meant}\"?"),
                    );
                    self.fault("on", format!("no event type `{kind}` is declared"), hint);
                }
            }
        }
        if on.len() > 1 && on.iter().any(|kind| &**kind == DAILY) {
            self.fault(
                "on",
                "a rule for \"timer.daily\" listens to nothing else",
                "make two rules of it; what they share goes into lib/",
            );
        }
        on
    }

    fn channels(&mut self) -> Vec<Box<str>> {
        let channels = self.texts("channels");
        if channels.is_empty() {
            self.fault(
                "channels",
                "`RULE` names no channel",
                "add `channels: [\"push\"]`, the preferred one first",
            );
        }
        for channel in &channels {
            let plain = channel
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !plain || channel.is_empty() {
                self.fault(
                    "channels",
                    format!("\"{channel}\" is not a channel"),
                    "a channel is a word such as \"push\", \"im\", \"sms\", \"call\" or \"inapp\"",
                );
            }
        }
        channels
    }

    fn text(&mut self, field: &str) -> Option<String> {
        let value = self.map.get(field)?;
        match value.clone().into_string() {
            Ok(text) => Some(text),
            Err(_) => {
                let found = called(value);
                let hint = match (field, value.as_int()) {
                    ("cap", Ok(n)) => format!("write `cap: \"{n} per 30d\"`"),
                    ("cooldown" | "fresh" | "within" | "delay", Ok(n)) => {
                        let unit = if field == "cooldown" { 'd' } else { 'm' };
                        format!("write it with its unit: `{field}: \"{n}{unit}\"`")
                    }
                    _ => "put it in double quotes".to_owned(),
                };
                self.fault(field, format!("`{field}` must be text, not {found}"), hint);
                None
            }
        }
    }

    /// A text or a list of texts.
    fn texts(&mut self, field: &str) -> Vec<Box<str>> {
        let Some(value) = self.map.get(field).cloned() else {
            return Vec::new();
        };
        let items = match value.into_typed_array::<String>() {
            Ok(items) => Some(items),
            Err(_) => self
                .map
                .get(field)
                .and_then(|value| value.clone().into_string().ok())
                .map(|text| vec![text]),
        };
        items.map_or_else(
            || {
                self.fault(
                    field,
                    format!("`{field}` must be text or a list of texts"),
                    format!("write `{field}: [\"…\", \"…\"]`"),
                );
                Vec::new()
            },
            |items| items.into_iter().map(Into::into).collect(),
        )
    }

    fn parsed<T>(
        &mut self,
        field: &str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(field)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.fault(
                field,
                format!("`{field}` is \"{text}\""),
                format!("write {wanted}"),
            );
        }
        parsed
    }

    fn priority(&mut self) -> i64 {
        let Some(value) = self.map.get("priority") else {
            return PRIORITY_DEFAULT;
        };
        match value.as_int() {
            Ok(priority) => priority,
            Err(_) => {
                let found = called(value);
                self.fault(
                    "priority",
                    format!("`priority` must be a whole number, not {found}"),
                    "higher goes first; 50 is the default",
                );
                PRIORITY_DEFAULT
            }
        }
    }

    fn flag(&mut self, field: &str) -> bool {
        let Some(value) = self.map.get(field) else {
            return false;
        };
        match value.as_bool() {
            Ok(flag) => flag,
            Err(_) => {
                let found = called(value);
                let message = format!("`{field}` must be true or false, not {found}");
                self.fault(field, message, format!("write `{field}: true`"));
                false
            }
        }
    }

    fn percent(&mut self, field: &str, default: Percent) -> Percent {
        let Some(value) = self.map.get(field) else {
            return default;
        };
        let whole = value.as_int().ok().map(Decimal::from);
        let decimal = whole.or_else(|| value.as_decimal().ok());
        decimal.and_then(Percent::exact).unwrap_or_else(|| {
            self.fault(
                field,
                format!("`{field}` must be a percentage with at most four decimals"),
                "write a number from 0 to 100, such as 10 or 2.5",
            );
            default
        })
    }

    fn variants(&mut self) -> Vec<(Box<str>, u32)> {
        let default = || vec![("default".into(), 1)];
        let Some(value) = self.map.get("variants") else {
            return default();
        };
        let weights = value.clone().try_cast::<Map>().and_then(|map| {
            map.iter()
                .map(|(name, weight)| {
                    let weight = weight.as_int().ok().and_then(|n| u32::try_from(n).ok())?;
                    Some((name.as_str().into(), weight))
                })
                .collect::<Option<Vec<(Box<str>, u32)>>>()
        });
        match weights {
            Some(weights) if weights.iter().any(|(_, weight)| *weight > 0) => weights,
            _ => {
                self.fault(
                    "variants",
                    "`variants` must be a map of names and weights",
                    "write `variants: #{ plain: 50, rich: 50 }`",
                );
                default()
            }
        }
    }
}

/// What a value is, in the words of a marketer.
pub(super) fn called(value: &Dynamic) -> &'static str {
    if value.is_string() {
        "text"
    } else if value.is_int() || value.is_decimal() {
        "a number"
    } else if value.is_bool() {
        "true/false"
    } else if value.is_array() {
        "a list"
    } else if value.is_map() {
        "a map"
    } else {
        "nothing"
    }
}
