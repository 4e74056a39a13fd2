//! `onscene test`

mod place;
mod print;

use super::check::Format;
use super::settings::Settings;
use crate::rule_tests::{self, Environment, TestResult, Workplace};
use crate::rules::{Diagnostic, RuleSet, Sources};
use anyhow::Context as _;
use clap::Args;
use place::Place;
use print::Printer;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run the tests of rules.
///
/// The tests of a rule stand beside it, in `<rule>.test.toml`: who the customer is, what happened
/// before, the event, and what is expected. They run through the engine itself, without NATS. Exits
/// with 1 when a test failed, or a file is faulty.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  onscene test                                 all tests of the folder `rules`
  onscene test rules/coffee                    those below a folder
  onscene test rules/coffee/third-visit.rhai   those of one rule
  onscene test --filter \"third visit\"          those with this in the rule's or the test's name")]
pub(super) struct Test {
    /// Folder with rule files, or one rule or test file.
    #[arg(default_value = "rules")]
    path: PathBuf,
    /// Run only tests that have this text in `<rule> <name>`.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How results are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Configuration file, for exchange rates and the time zone [default: onscene.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "ONSCENE_CONFIG")]
    config: Option<PathBuf>,
}

/// What one run found.
#[derive(Debug, Default, serde::Serialize)]
struct Outcome {
    /// What is wrong with files.
    faults: Vec<Diagnostic>,
    tests: Vec<TestResult>,
    /// Rules without tests.
    untested: Vec<String>,
}

impl Outcome {
    fn failed(&self) -> usize {
        self.tests
            .iter()
            .filter(|test| test.failure.is_some())
            .count()
    }

    fn is_good(&self) -> bool {
        self.faults.is_empty() && self.failed() == 0
    }
}

impl Test {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let settings = Settings {
            config: self.config.clone(),
            rules: None,
        };
        let environment = Environment::of(&settings.load(&[])?);
        let place = Place::find(&self.path)?;
        let good = self.once(&place, &environment)?;
        Ok(ExitCode::from(u8::from(!good)))
    }

    /// Reads, runs and prints everything once. Returns whether all is well.
    fn once(&self, place: &Place, environment: &Environment) -> anyhow::Result<bool> {
        let sources = Sources::read(&place.root)
            .with_context(|| format!("could not load the rules in {}", place.root.display()))?;
        let mut printer = Printer::new(self.format);
        let outcome = self.outcome(place, environment, &sources, &mut printer);
        printer.finish(&outcome)?;
        Ok(outcome.is_good())
    }

    fn outcome(
        &self,
        place: &Place,
        environment: &Environment,
        sources: &Sources,
        printer: &mut Printer,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let set = match RuleSet::compile(sources) {
            Ok(set) => set,
            Err(faults) => {
                outcome.faults = faults;
                return outcome;
            }
        };
        let (files, faults) = rule_tests::read(sources, &set);
        outcome.faults = faults;
        let workplace = Workplace {
            sources,
            set: &set,
            environment,
        };
        let wanted = |rule: &str, name: &str| {
            let filter = self.filter.as_deref();
            filter.is_none_or(|text| format!("{rule} {name}").contains(text))
        };
        for file in files.iter().filter(|file| place.covers(&file.rule)) {
            for test in &file.tests {
                if !wanted(&file.rule, &test.name) {
                    continue;
                }
                let started = crate::clock::monotonic_now();
                let this = |other: &rule_tests::Test| other.name == test.name;
                for result in rule_tests::run(file, workplace, this) {
                    printer.test(&result, started.elapsed());
                    outcome.tests.push(result);
                }
            }
        }
        let tested = sources
            .tests
            .iter()
            .map(|source| rule_tests::rule_of(&source.path));
        let tested: BTreeSet<_> = tested.collect();
        let rules = set.rules().iter().map(|rule| &rule.terms.name);
        outcome.untested = rules
            .filter(|name| place.covers(name) && !tested.contains(*name))
            .map(ToString::to_string)
            .collect();
        outcome
    }
}
