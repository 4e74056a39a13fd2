//! Settings by dotted key, with where each came from.

use std::collections::BTreeMap;
use std::fmt;

/// The prefix of environment variables that configure the engine.
const ENVIRONMENT_PREFIX: &str = "ONSCENE_";
/// Variables with the prefix that are not settings.
const ENVIRONMENT_OTHERS: [&str; 2] = ["ONSCENE_CONFIG", "ONSCENE_TOOLS"];

/// One value and where it came from.
#[derive(Clone, Debug)]
pub struct Setting {
    origin: String,
    key: String,
    value: toml::Value,
}

impl Setting {
    /// A value given by a flag.
    #[must_use]
    pub fn flag(flag: &str, key: &str, value: &str) -> Self {
        Self {
            origin: flag.to_owned(),
            key: key.to_owned(),
            value: toml::Value::String(value.to_owned()),
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} fault(s)", self.0.len())?;
        for fault in &self.0 {
            write!(f, "\n  - {fault}")?;
        }
        Ok(())
    }
}

pub(super) struct Reader {
    settings: BTreeMap<String, Setting>,
    known: Vec<String>,
    faults: Vec<String>,
}

impl Reader {
    pub(super) fn new(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: Vec<Setting>,
    ) -> Self {
        let mut reader = Self {
            settings: BTreeMap::new(),
            known: Vec::new(),
            faults: Vec::new(),
        };
        if let Some((name, text)) = file {
            match text.parse::<toml::Table>() {
                Ok(table) => reader.flatten(name, "", table),
                Err(error) => reader.faults.push(format!("{name}: {error}")),
            }
        }
        for (variable, value) in environment {
            let Some(rest) = variable.strip_prefix(ENVIRONMENT_PREFIX) else {
                continue;
            };
            if ENVIRONMENT_OTHERS.contains(&&*variable) {
                continue;
            }
            // ONSCENE_MONEY_RATES_USD is money.rates.USD; otherwise the first part is the section.
            let key = match rest.strip_prefix("MONEY_RATES_") {
                Some(currency) => format!("money.rates.{currency}"),
                None => rest.to_lowercase().replacen('_', ".", 1),
            };
            reader.put(Setting {
                key: key.replacen("dead.letters_", "dead_letters.", 1),
                origin: variable,
                value: toml::Value::String(value),
            });
        }
        for flag in flags {
            reader.put(flag);
        }
        reader
    }

    fn flatten(&mut self, file: &str, prefix: &str, table: toml::Table) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}.{name}")
            };
            match value {
                toml::Value::Table(inner) => self.flatten(file, &key, inner),
                value => self.put(Setting {
                    origin: format!("{file}: {key}"),
                    key,
                    value,
                }),
            }
        }
    }

    fn put(&mut self, setting: Setting) {
        self.settings.insert(setting.key.clone(), setting);
    }

    /// The names of keys below a table.
    pub(super) fn keys_below(&self, table: &str) -> Vec<String> {
        self.settings
            .keys()
            .filter_map(|key| key.strip_prefix(table)?.strip_prefix('.'))
            .map(str::to_owned)
            .collect()
    }

    /// Notes a fault of a key, told with where its value came from.
    pub(super) fn fault(&mut self, key: &str, what: &str) {
        let origin = self
            .settings
            .get(key)
            .map_or_else(|| key.to_owned(), |setting| setting.origin.clone());
        self.faults.push(format!("{origin} {what}"));
    }

    fn take(&mut self, key: &str) -> Option<toml::Value> {
        self.known.push(key.to_owned());
        self.settings.get(key).map(|setting| setting.value.clone())
    }

    pub(super) fn text(&mut self, key: &str, default: &str) -> String {
        match self.take(key) {
            None => default.to_owned(),
            Some(toml::Value::String(text)) if !text.is_empty() => text,
            Some(_) => {
                self.fault(key, "must be text");
                default.to_owned()
            }
        }
    }

    pub(super) fn whole(&mut self, key: &str, default: i64, min: i64, max: i64) -> i64 {
        let number = match self.take(key) {
            None => return default,
            Some(toml::Value::Integer(number)) => Some(number),
            Some(toml::Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        match number.filter(|n| (min..=max).contains(n)) {
            Some(number) => number,
            None => {
                self.fault(key, &format!("must be a whole number from {min} to {max}"));
                default
            }
        }
    }

    pub(super) fn boolean(&mut self, key: &str, default: bool) -> bool {
        let value = match self.take(key) {
            None => return default,
            Some(toml::Value::Boolean(value)) => Some(value),
            Some(toml::Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        value.unwrap_or_else(|| {
            self.fault(key, "must be true or false");
            default
        })
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = match self.take(key)? {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            other => other.type_str().to_owned(),
        };
        let parsed = parse(&text);
        if parsed.is_none() {
            self.fault(key, &format!("is \"{text}\": write {wanted}"));
        }
        parsed
    }

    /// Reports all faults, unknown keys among them.
    pub(super) fn finish(mut self) -> Result<(), ConfigError> {
        for (key, setting) in &self.settings {
            if self.known.contains(key) {
                continue;
            }
            let meant = self
                .known
                .iter()
                .map(|known| (strsim::damerau_levenshtein(key, known), known))
                .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
                .min();
            self.faults.push(match meant {
                Some((_, meant)) => format!(
                    "{}: there is no setting `{key}`: did you mean `{meant}`?",
                    setting.origin
                ),
                None => format!("{}: there is no setting `{key}`", setting.origin),
            });
        }
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(self.faults))
        }
    }
}
