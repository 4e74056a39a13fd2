//! `onscene test`

mod mutants;
mod print;

use super::check::Format;
use super::place::Place;
use super::settings::Settings;
use crate::registry::Watcher;
use crate::rule_tests::{self, Coverage, Environment, Mutation, TestResult, Workplace};
use crate::rules::{Diagnostic, RuleSet, Sources};
use clap::Args;
use mutants::Mutants;
use print::Printer;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run the tests of rules.
///
/// The tests of a rule stand beside it, in `<rule>.test.toml`: who the customer is, what happened
/// before, the event, and what is expected. They run through the engine itself, without NATS. Exits
/// with 1 when a test failed, a file is faulty, or no test was run at all.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  onscene test                                 all tests of the folder `rules`
  onscene test rules/coffee                    those below a folder
  onscene test rules/coffee/third-visit.rhai   those of one rule
  onscene test --filter \"third visit\"          those with this in the rule's or the test's name
  onscene test --watch                         again whenever a file is saved
  onscene test --coverage                      and which parts of conditions they decide by
  onscene test --mutants --min-score 90        and whether they notice when a condition changes")]
pub(super) struct Test {
    /// Folder with rule files, or one rule or test file.
    #[arg(default_value = "rules")]
    path: PathBuf,
    /// Run only tests that have this text in `<rule> <name>`, in capitals or not.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Also say which parts of conditions the tests decide by, and which they do not.
    #[arg(long)]
    coverage: bool,
    /// Also alter each condition, word by word, and say which alterations no test notices.
    #[arg(long)]
    mutants: bool,
    /// Fail if the tests notice fewer than so many percent of the alterations.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100), requires = "mutants")]
    min_score: Option<u32>,
    /// Stay, and run again whenever a file is saved.
    #[arg(long)]
    watch: bool,
    /// How results are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Configuration file, for exchange rates and the time zone [default: onscene.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "ONSCENE_CONFIG")]
    config: Option<PathBuf>,
}

/// What one run found.
#[derive(Debug, Default)]
struct Outcome {
    /// What is wrong with files.
    faults: Vec<Diagnostic>,
    tests: Vec<TestResult>,
    /// Rules without tests.
    untested: Vec<String>,
    coverage: Option<Vec<Coverage>>,
    mutants: Option<Mutants>,
    /// They were asked for, but tests failed without them.
    mutants_skipped: bool,
}

impl Outcome {
    fn failed(&self) -> usize {
        self.tests
            .iter()
            .filter(|test| test.failure.is_some())
            .count()
    }

    fn is_good(&self) -> bool {
        let enough = self.mutants.as_ref().is_none_or(Mutants::is_good);
        self.faults.is_empty() && !self.tests.is_empty() && self.failed() == 0 && enough
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
        if self.watch {
            return self.keep_running(&place, &environment);
        }
        let sources = place.sources()?;
        let good = self.once(&place, &environment, &sources)?;
        Ok(ExitCode::from(u8::from(!good)))
    }

    /// Runs again whenever a file has changed, until somebody stops it.
    fn keep_running(&self, place: &Place, environment: &Environment) -> anyhow::Result<ExitCode> {
        let (tell, told) = std::sync::mpsc::channel();
        let _watcher = Watcher::start(&place.root, move || {
            // The receiver is gone only when we are stopping.
            let _ = tell.send(());
        })?;
        let mut seen = None;
        loop {
            match place.sources() {
                Ok(sources) if seen.as_ref() == Some(&sources) => {}
                Ok(sources) => {
                    self.once(place, environment, &sources)?;
                    seen = Some(sources);
                    eprintln!("\nwatching {} for changes", place.root.display());
                }
                // Files come and go while others save them.
                Err(error) => eprintln!("{error:#}"),
            }
            told.recv()?;
        }
    }

    /// Runs and prints everything once. Returns whether all is well.
    fn once(
        &self,
        place: &Place,
        environment: &Environment,
        sources: &Sources,
    ) -> anyhow::Result<bool> {
        let mut printer = Printer::new(self.format);
        let outcome = self.outcome(place, environment, sources, &mut printer);
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
        let filter = self.filter.as_ref().map(|text| text.to_lowercase());
        let wanted = |rule: &str, name: &str| {
            let filter = filter.as_deref();
            filter.is_none_or(|text| format!("{rule} {name}").to_lowercase().contains(text))
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
        let covered = files.iter().filter(|file| place.covers(&file.rule));
        if self.coverage {
            let all = covered.flat_map(|file| rule_tests::coverage(file, workplace));
            outcome.coverage = Some(all.collect());
        }
        // Alterations are told from the rules only by tests that pass on the rules.
        outcome.mutants_skipped = self.mutants && !outcome.is_good();
        if self.mutants && !outcome.mutants_skipped {
            let covers = |rule: &str| place.covers(rule);
            let mutation = Mutation::new(&files, workplace, covers);
            outcome.mutants = Some(Mutants::run(&mutation, self.min_score));
        }
        outcome
    }
}
