//! `onscene new`

mod sample;

use crate::event::Schema;
use crate::rules::did_you_mean;
use crate::terms::{BROADCAST_PREFIX, DAILY};
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What kind of rule it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// It answers an event at once.
    Event,
    /// It waits, and speaks if something did not happen meanwhile.
    Absence,
    /// It speaks several times.
    Journey,
    /// It looks at each customer once a day.
    Daily,
    /// It answers an event without a customer, for many.
    Broadcast,
}

impl Kind {
    fn templates(self) -> (&'static str, &'static str) {
        match self {
            Self::Event => (
                include_str!("new/event.rhai"),
                include_str!("new/event.test.toml"),
            ),
            Self::Absence => (
                include_str!("new/absence.rhai"),
                include_str!("new/absence.test.toml"),
            ),
            Self::Journey => (
                include_str!("new/journey.rhai"),
                include_str!("new/journey.test.toml"),
            ),
            Self::Daily => (
                include_str!("new/daily.rhai"),
                include_str!("new/daily.test.toml"),
            ),
            Self::Broadcast => (
                include_str!("new/broadcast.rhai"),
                include_str!("new/broadcast.test.toml"),
            ),
        }
    }
}

/// Write a new rule with its tests, to begin from.
///
/// The files pass `onscene check` and `onscene test` as they are, and say what may be changed.
/// Nothing is overwritten.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  onscene new coffee/third-visit                          on checkouts
  onscene new savings/idle-salary --on account.movement   on another event type
  onscene new basket/second-chance --kind absence         if something did not happen
  onscene new goal/flash-offer --kind broadcast --on broadcast.goal")]
pub(super) struct New {
    /// Its name: a path in the rules folder, such as `coffee/third-visit`.
    rule: String,
    /// The event type that it answers [default: merchant.checkout]
    #[arg(long, value_name = "TYPE")]
    on: Option<String>,
    /// What kind of rule it is to be [default: by the event type]
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The rules folder; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "rules")]
    rules: PathBuf,
}

impl New {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let name = checked(&self.rule)?;
        let kind = self.kind();
        let schema_file = self.schema_file();
        let schema_text = match std::fs::read_to_string(&schema_file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.first_schema(),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("could not read {}", schema_file.display()));
            }
        };
        let Ok(schema) = Schema::parse(&schema_text) else {
            bail!("{} is faulty: run `onscene check`", schema_file.display());
        };
        let on = self.event_type(kind, &schema)?;
        let filled = |template: &str| sample::fill(template, &name, &on, &schema);
        let (rule, tests) = kind.templates();
        let (rule, tests) = (filled(rule), filled(tests));
        let path = |end: &str| self.rules.join(format!("{name}{end}"));
        let (rule_file, test_file) = (path(".rhai"), path(".test.toml"));
        for file in [&rule_file, &test_file] {
            if file.exists() {
                bail!(
                    "{} is there already, and is left as it is: choose another name",
                    file.display()
                );
            }
        }
        let is_declared_here = !schema_file.exists() && schema_text != sample::SCHEMA;
        if !schema_file.exists() {
            write(&schema_file, &schema_text)?;
        }
        write(&rule_file, &rule)?;
        write(&test_file, &tests)?;
        let (rules, rule_file) = (self.rules.display(), rule_file.display());
        println!("\nNext:\n  edit {rule_file} and {}", test_file.display());
        if is_declared_here {
            println!("  say in {} which fields {on} has", schema_file.display());
        }
        println!("  onscene check {rules}");
        println!("  onscene test {rule_file} --watch");
        Ok(ExitCode::SUCCESS)
    }

    fn kind(&self) -> Kind {
        self.kind.unwrap_or_else(|| match self.on.as_deref() {
            Some(DAILY) => Kind::Daily,
            Some(on) if on.starts_with(BROADCAST_PREFIX) => Kind::Broadcast,
            _ => Kind::Event,
        })
    }

    /// The event type, which the kind may lay down.
    fn event_type(&self, kind: Kind, schema: &Schema) -> anyhow::Result<String> {
        let fixed = match kind {
            Kind::Absence | Kind::Journey => Some("merchant.checkout"),
            Kind::Daily => Some(DAILY),
            Kind::Event | Kind::Broadcast => None,
        };
        match (fixed, self.on.as_deref()) {
            (Some(fixed), Some(on)) if on != fixed => {
                bail!(
                    "a rule of this kind begins with {fixed}: leave `--on {on}` out, and change the files"
                )
            }
            (Some(fixed), _) => return Ok(fixed.to_owned()),
            _ => {}
        }
        let Some(on) = self.on.as_deref() else {
            let mut broadcasts = schema.event_types().filter(|t| is_broadcast(&t.name));
            return match (kind, broadcasts.next()) {
                (Kind::Broadcast, Some(declared)) => Ok(declared.name.to_string()),
                (Kind::Broadcast, None) => bail!(
                    "no broadcast is declared: add this to {}\n{}",
                    self.schema_file().display(),
                    sample::declaration("broadcast.goal")
                ),
                _ => Ok("merchant.checkout".to_owned()),
            };
        };
        if on != DAILY && schema.event_type(on).is_none() {
            let hint = meant(on, schema).map_or_else(String::new, |meant| {
                format!("did you mean {meant}? If not, ")
            });
            bail!(
                "no event type {on} is declared: {hint}add this to {}, with its fields\n{}",
                self.schema_file().display(),
                sample::declaration(on)
            );
        }
        match kind {
            Kind::Broadcast if !is_broadcast(on) => bail!(
                "{on} is for one customer, and a broadcast for many: leave `--kind broadcast` out, or name a type such as broadcast.goal"
            ),
            Kind::Event if on == DAILY => {
                bail!("{DAILY} is for rules of `--kind daily`: leave `--kind event` out")
            }
            Kind::Event if is_broadcast(on) => {
                bail!("{on} is for rules of `--kind broadcast`: leave `--kind event` out")
            }
            _ => Ok(on.to_owned()),
        }
    }

    fn schema_file(&self) -> PathBuf {
        self.rules.join("schema.toml")
    }

    /// The declarations to begin with, with a type that nobody could have declared yet.
    fn first_schema(&self) -> String {
        let text = sample::SCHEMA.to_owned();
        let Some(on) = self.on.as_deref().filter(|on| *on != DAILY) else {
            return text;
        };
        let more = format!("{text}{}", sample::declaration(on));
        match (Schema::parse(&text), Schema::parse(&more)) {
            (Ok(known), Ok(_)) if meant(on, &known).is_none() => more,
            _ => text,
        }
    }
}

fn is_broadcast(on: &str) -> bool {
    on.starts_with(BROADCAST_PREFIX)
}

/// The event type that was probably meant: one that is written alike, or that ends alike.
fn meant<'a>(on: &str, schema: &'a Schema) -> Option<&'a str> {
    let known = || schema.event_types().map(|t| &*t.name).chain([DAILY]);
    let end = |name: &'a str| name.rsplit('.').next().unwrap_or(name);
    did_you_mean(on, known()).or_else(|| {
        let last = did_you_mean(on, known().map(end))?;
        known().find(|name| end(name) == last)
    })
}

/// The name of a rule, if it can be one.
fn checked(name: &str) -> anyhow::Result<String> {
    let name = name.strip_suffix(".rhai").unwrap_or(name);
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || "-_".contains(c))
            && part.starts_with(char::is_alphanumeric)
    };
    if !name.split('/').all(plain) {
        bail!(
            "\"{name}\" cannot be the name of a rule: write words of letters, digits, `-` and `_`, with `/` between folders, such as coffee/third-visit"
        );
    }
    if name == "lib" || name.starts_with("lib/") {
        bail!("rules cannot stand in lib/, which is for the functions that they share");
    }
    Ok(name.to_owned())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let failed = || format!("could not write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(failed)?;
    }
    let mut file = std::fs::File::create_new(path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    println!("wrote {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_words_with_slashes_between() {
        for right in ["third-visit", "coffee/third_visit", "咖啡/第三次", "a/b/c"] {
            assert_eq!(checked(right).unwrap(), right);
        }
        assert_eq!(checked("a/b.rhai").unwrap(), "a/b");
        for wrong in [
            "", "/a", "a/", "a//b", "../a", "a b", "a.b", "lib/a", "-a", "C:\\a",
        ] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }
}
