//! All rules, compiled and immutable: one generation.

use super::analysis::{CheckOptions, Checker, FileView, RuleView, World};
use super::api;
use super::diagnostic::{self, Diagnostic};
use super::header;
use super::library::{library, library_functions};
use super::moment::{Moment, PastDecision, Standing, Subject};
use super::native::{Bits, Compiler, Extent, Index, Native, Sifted};
use super::parse;
use super::policy_file;
use super::rule::{Function, Rule, RuleError};
use super::sandbox;
use super::sources::{Source, Sources};
use crate::event::{Schema, Value};
use crate::terms::{ContactPolicy, DAILY, Quiet, Terms};
use jiff::civil::Time;
use rhai::{AST, Engine};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::sync::Arc;

/// A compiled rule set.
#[derive(Clone)]
pub struct RuleSet {
    pub(super) generation: Arc<str>,
    pub(super) schema: Arc<Schema>,
    pub(super) policy: ContactPolicy,
    /// Shared with sets made from this one.
    pub(super) engine: Arc<Engine>,
    pub(super) rules: Vec<Arc<Rule>>,
    pub(super) by_type: HashMap<Arc<str>, Vec<Arc<Rule>>>,
    pub(super) by_name: HashMap<Arc<str>, Arc<Rule>>,
    pub(super) warnings: Arc<[Diagnostic]>,
    /// The conditions as native code; `None` where Rhai is always asked.
    pub(super) native: Option<Arc<Native>>,
    /// By type of event; none where Rhai is always asked.
    pub(super) indexes: HashMap<Arc<str>, Arc<Index>>,
}

impl std::fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleSet")
            .field("generation", &self.generation)
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

impl RuleSet {
    /// Compiles and checks all files.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn compile(sources: &Sources) -> Result<Self, Vec<Diagnostic>> {
        match Self::build(sources, CheckOptions::default()) {
            (Some(set), _) => Ok(set),
            (None, mut found) => {
                found.retain(Diagnostic::is_error);
                Err(found)
            }
        }
    }

    /// Compiles and checks all files: the rule set, unless something is an error, and all that was found.
    #[must_use]
    pub fn build(sources: &Sources, options: CheckOptions) -> (Option<Self>, Vec<Diagnostic>) {
        let mut faults = Vec::new();
        let schema = Arc::new(schema(sources, &mut faults));
        let (policy, mentions) = policy_file::read(sources, &schema, &mut faults);
        if faults.iter().any(|fault| fault.code == "schema") {
            // Without its declarations every rule would look wrong, and bury the one cause.
            return (None, faults);
        }
        let mut engine = sandbox::engine();
        parse::keep_as_written(&mut engine);
        api::register_properties(&mut engine, &schema);
        let libraries = library(&mut engine, &sources.library, &mut faults);
        let functions = library_functions(&libraries);
        let mut native = Compiler::new(&functions, &schema);
        let world = World::new(sources, &schema, libraries, options);
        let mut checker = Checker::new(&world);
        let readers = (&mut checker, &mut native);
        let rules = read_rules(&engine, sources, &schema, &mut faults, readers);
        diagnostic::merge(&mut faults, checker.finish());
        drop(world);
        if faults.iter().any(Diagnostic::is_error) {
            return (None, faults);
        }
        let mentions = (&policy, &mentions[..]);
        faults.extend(policy_file::unknown(sources, mentions, &rules, &schema));
        let native = native.finish();
        let by_type = by_type(&rules);
        let set = Self {
            generation: sources.generation(),
            schema,
            policy,
            engine: Arc::new(engine),
            indexes: indexes(&by_type, &native),
            by_type,
            by_name: by_name(&rules),
            rules,
            warnings: faults.clone().into(),
            native: Some(native.into()),
        };
        (Some(set), faults)
    }

    /// What is sound, but probably not as meant.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The same with other rules, which are in order of their names.
    pub(super) fn holding(&self, rules: Vec<Arc<Rule>>) -> Self {
        Self {
            // Their functions may be others.
            native: None,
            indexes: HashMap::new(),
            generation: self.generation.clone(),
            schema: self.schema.clone(),
            policy: self.policy.clone(),
            warnings: self.warnings.clone(),
            engine: self.engine.clone(),
            by_type: by_type(&rules),
            by_name: by_name(&rules),
            rules,
        }
    }

    /// The content hash of the files.
    #[must_use]
    pub fn generation(&self) -> &Arc<str> {
        &self.generation
    }

    /// The declared event types and attributes.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// What stands between every rule and a customer.
    #[must_use]
    pub fn policy(&self) -> &ContactPolicy {
        &self.policy
    }

    /// A rule by its name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Arc<Rule>> {
        self.by_name.get(name)
    }

    /// All rules, by name.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The rules that listen to an event type, by name.
    #[must_use]
    pub fn listening(&self, kind: &str) -> &[Arc<Rule>] {
        self.by_type.get(kind).map_or(&[], Vec::as_slice)
    }

    /// The local times at which rules for [`DAILY`] are tried.
    pub fn daily_times(&self) -> impl Iterator<Item = Time> {
        let rules = self.listening(DAILY).iter();
        rules.filter_map(|rule| rule.terms.daily_at())
    }

    /// What rules are shown.
    #[must_use]
    pub fn moment<'a>(&'a self, subject: Subject<'a>, standing: Standing<'a>) -> Moment<'a> {
        Moment::new(subject, standing, &self.schema, self.native.as_deref())
    }

    /// Whether a rule's condition holds.
    ///
    /// # Errors
    /// When the rule threw, or went over a limit of the sandbox.
    pub fn when(&self, rule: &Rule, moment: &Moment<'_>) -> Result<bool, RuleError> {
        if let Some(held) = self.native_holds(rule, moment) {
            return Ok(held);
        }
        rule.holds(&self.engine, Function::When, moment, None)
    }

    /// What the native condition says; `None` if Rhai must be asked.
    fn native_holds(&self, rule: &Rule, moment: &Moment<'_>) -> Option<bool> {
        let native = self.native.as_deref()?;
        let asked = moment.native()?;
        // What is asked is numbered for the set that made the moment.
        std::ptr::eq(native, asked)
            .then(|| native.holds(rule, moment))
            .flatten()
    }

    /// The same set without native conditions: Rhai is asked for everything.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.native = None;
        self.indexes.clear();
        self
    }

    /// The index over the rules that listen to an event type, if there is one.
    #[must_use]
    pub fn index(&self, kind: &str) -> Option<&Arc<Index>> {
        self.indexes.get(kind)
    }

    /// Which of the rules of an index hold, of those that are open; `None` if each must be asked.
    #[must_use]
    pub fn sift(&self, index: &Index, moment: &Moment<'_>, open: Bits) -> Option<Sifted> {
        let native = self.native.as_deref()?;
        let asked = moment.native()?;
        std::ptr::eq(native, asked).then(|| native.sift(index, moment, open))
    }

    /// How much of a rule's condition is evaluated without Rhai.
    #[must_use]
    pub fn extent(&self, rule: &Rule) -> Extent {
        let native = self.native.as_deref();
        native.map_or(Extent::None, |native| native.extent(rule))
    }

    /// Whether a rule still wants to speak; true if it does not care.
    ///
    /// # Errors
    /// As for [`RuleSet::when`].
    pub fn still(&self, rule: &Rule, moment: &Moment<'_>) -> Result<bool, RuleError> {
        if !rule.has(Function::Still) {
            return Ok(true);
        }
        rule.holds(&self.engine, Function::Still, moment, None)
    }

    /// Whether one conjunct of `when` or `still` holds, whatever the others say; the set must be
    /// [taken apart](RuleSet::taken_apart).
    ///
    /// # Errors
    /// As for [`RuleSet::when`].
    pub fn conjunct(
        &self,
        rule: &Rule,
        function: Function,
        number: usize,
        moment: &Moment<'_>,
    ) -> Result<bool, RuleError> {
        let name = super::probes::conjunct_name(function.name(), number);
        rule.holds_as(&self.engine, (function, &name), moment, None)
    }

    /// Whether an event is what an earlier decision of the rule was for.
    ///
    /// # Errors
    /// As for [`RuleSet::when`].
    pub fn converted(
        &self,
        rule: &Rule,
        moment: &Moment<'_>,
        decision: &PastDecision,
    ) -> Result<bool, RuleError> {
        rule.holds(&self.engine, Function::Converted, moment, Some(decision))
    }

    /// What a rule goes by when several want to speak: its score, or else its priority.
    ///
    /// # Errors
    /// As for [`RuleSet::when`].
    pub fn score(&self, rule: &Rule, moment: &Moment<'_>) -> Result<Decimal, RuleError> {
        if rule.has(Function::Score) {
            rule.score(&self.engine, moment)
        } else {
            Ok(rule.terms.priority.into())
        }
    }

    /// What a rule says at a step; `None` for nothing.
    ///
    /// # Errors
    /// When the rule threw, went over a limit of the sandbox, or returned no map.
    pub fn action(
        &self,
        rule: &Rule,
        moment: &Moment<'_>,
        variant: &str,
        step: u32,
    ) -> Result<Option<Value>, RuleError> {
        rule.action(&self.engine, moment, variant, step)
    }
}

fn by_type(rules: &[Arc<Rule>]) -> HashMap<Arc<str>, Vec<Arc<Rule>>> {
    let mut by_type: HashMap<Arc<str>, Vec<Arc<Rule>>> = HashMap::new();
    for rule in rules {
        for kind in &rule.terms.on {
            by_type.entry(kind.clone()).or_default().push(rule.clone());
        }
    }
    by_type
}

/// An index for each type.
pub(super) fn indexes(
    by_type: &HashMap<Arc<str>, Vec<Arc<Rule>>>,
    native: &Native,
) -> HashMap<Arc<str>, Arc<Index>> {
    let index =
        |(kind, rules): (&Arc<str>, &Vec<Arc<Rule>>)| (kind.clone(), native.index(rules).into());
    by_type.iter().map(index).collect()
}

fn by_name(rules: &[Arc<Rule>]) -> HashMap<Arc<str>, Arc<Rule>> {
    let names = rules.iter();
    names
        .map(|rule| (rule.terms.name.clone(), rule.clone()))
        .collect()
}

fn schema(sources: &Sources, faults: &mut Vec<Diagnostic>) -> Schema {
    let Some(source) = &sources.schema else {
        return Schema::default();
    };
    Schema::parse(&source.text).unwrap_or_else(|errors| {
        faults.extend(Diagnostic::of_schema(source, errors));
        Schema::default()
    })
}

/// Every rule that is sound by itself; every file that can be looked at is checked.
fn read_rules<'a>(
    engine: &Engine,
    sources: &'a Sources,
    schema: &Schema,
    faults: &mut Vec<Diagnostic>,
    (checker, native): (&mut Checker<'_, 'a>, &mut Compiler<'_>),
) -> Vec<Arc<Rule>> {
    let mut rules = Vec::with_capacity(sources.rules.len());
    let shared = sources.shared_digest();
    for source in &sources.rules {
        match parse::parse(engine, source) {
            Ok(parsed) => {
                let rule = rule(engine, source, &parsed.tree, schema, &parsed.view);
                let rule = rule.map(|mut rule| {
                    rule.number = native.rule(&parsed.view.functions);
                    rule
                });
                checker.rule(RuleView {
                    file: parsed.view,
                    terms: rule.as_ref().ok().map(|rule| rule.terms.clone()),
                });
                match rule {
                    Ok(mut rule) => {
                        rule.digest = shared ^ source.digest();
                        rules.push(Arc::new(rule));
                    }
                    Err(found) => faults.extend(found),
                }
            }
            Err(unread) => {
                faults.push(unread.fault);
                if let Some(file) = unread.view {
                    checker.rule(RuleView { file, terms: None });
                }
            }
        }
    }
    rules
}

fn rule(
    engine: &Engine,
    source: &Source,
    ast: &AST,
    schema: &Schema,
    view: &FileView<'_>,
) -> Result<Rule, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let terms =
        header::read(engine, source, ast, schema, view).map_err(|found| faults.extend(found));
    let mut parameters = [0; 5];
    for function in Function::ALL {
        let found = ast.iter_functions().find(|f| f.name == function.name());
        let fault = |message: String| Diagnostic::whole(&source.path, &source.text, message);
        match found.map(|f| f.params.len()) {
            Some(n) if function.parameters().contains(&n) => parameters[function as usize] = n,
            Some(n) => faults.push(
                fault(format!(
                    "`{}` has {n} parameter{}, and that does not fit",
                    function.name(),
                    if n == 1 { "" } else { "s" }
                ))
                .at(place_of_function(&source.text, function.name()))
                .hint(format!("write `{}`", function.example())),
            ),
            None if function.is_required() => faults.push(
                fault(format!("there is no function `{}`", function.name()))
                    .hint(format!("add `{}`", function.example())),
            ),
            None => {}
        }
    }
    if let Ok(terms) = &terms {
        let waiting = waiting_fault(source, terms, &parameters);
        faults.extend(waiting.map(|fault| match fault.line {
            Some(_) => fault,
            None => view.at_field("delay", fault),
        }));
    }
    match terms {
        Ok(terms) if faults.is_empty() => Ok(Rule {
            terms,
            file: source.path.clone(),
            digest: 0,
            number: 0,
            functions: functions(ast, &source.path),
            parameters,
            places: Function::ALL.map(|f| place_of_function(&source.text, f.name())),
        }),
        _ => Err(faults),
    }
}

/// `delay` and `still` need one another.
fn waiting_fault(source: &Source, terms: &Terms, parameters: &[usize; 5]) -> Option<Diagnostic> {
    let fault = |message: &str| Diagnostic::whole(&source.path, &source.text, message);
    let still = parameters[Function::Still as usize] > 0;
    if terms.delay.is_some() && !still {
        return Some(
            fault("`delay` waits, but there is no `fn still` to ask afterwards").hint(
                "add `fn still(event, customer) { … }`: whether to speak after all; or write `steps: [#{ after: \"10m\" }]` to speak in any case",
            ),
        );
    }
    if still && !terms.waits() && terms.quiet == Quiet::Drop {
        return Some(
            fault("`fn still` is never asked: the rule does not wait")
                .at(place_of_function(&source.text, Function::Still.name()))
                .hint("add `delay: \"10m\"` to `RULE`, or put the condition into `when`"),
        );
    }
    None
}

pub(super) fn functions(ast: &AST, path: &Arc<str>) -> AST {
    let mut functions = ast.clone_functions_only();
    functions.set_source(path.to_string());
    functions
}

fn place_of_function(text: &str, name: &str) -> Option<(usize, usize)> {
    text.lines().enumerate().find_map(|(at, line)| {
        let rest = line.trim_start().strip_prefix("fn ")?.trim_start();
        let rest = rest.strip_prefix(name)?;
        rest.trim_start().starts_with('(').then(|| {
            (
                at + 1,
                line.chars().count() - line.trim_start().chars().count() + 4,
            )
        })
    })
}
