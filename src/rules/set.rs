//! All rules, compiled and immutable: one generation.

use super::api;
use super::diagnostic::Diagnostic;
use super::header;
use super::moment::{Moment, PastDecision, Standing, Subject};
use super::rule::{Function, Rule, RuleError};
use super::sandbox;
use super::sources::{Source, Sources};
use crate::event::{Schema, Value};
use crate::terms::{ContactPolicy, DAILY, Quiet, Terms};
use jiff::civil::Time;
use rhai::{AST, Engine, Module, ParseError, ParseErrorType, Scope};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};
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
        let mut faults = Vec::new();
        let schema = Arc::new(schema(sources, &mut faults));
        let policy = policy(sources, &mut faults);
        let mut engine = sandbox::engine();
        api::register_properties(&mut engine, &schema);
        library(&mut engine, &sources.library, &mut faults);
        let mut rules = Vec::with_capacity(sources.rules.len());
        let shared = sources.shared_digest();
        for source in &sources.rules {
            match rule(&engine, source, &schema) {
                Ok(mut rule) => {
                    rule.digest = shared ^ source.digest();
                    rules.push(Arc::new(rule));
                }
                Err(found) => faults.extend(found),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            generation: sources.generation(),
            schema,
            policy,
            engine: Arc::new(engine),
            by_type: by_type(&rules),
            by_name: by_name(&rules),
            rules,
        })
    }

    /// The same with other rules, which are in order of their names.
    pub(super) fn holding(&self, rules: Vec<Arc<Rule>>) -> Self {
        Self {
            generation: self.generation.clone(),
            schema: self.schema.clone(),
            policy: self.policy.clone(),
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
        Moment::new(subject, standing, &self.schema)
    }

    /// Whether a rule's condition holds.
    ///
    /// # Errors
    /// When the rule threw, or went over a limit of the sandbox.
    pub fn when(&self, rule: &Rule, moment: &Moment<'_>) -> Result<bool, RuleError> {
        rule.holds(&self.engine, Function::When, moment, None)
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
    Schema::parse(&source.text).unwrap_or_else(|error| {
        let fault = Diagnostic::whole(&source.path, &source.text, error.message);
        faults.push(match error.span {
            Some(span) => fault.at_byte(span.start),
            None => fault,
        });
        Schema::default()
    })
}

fn policy(sources: &Sources, faults: &mut Vec<Diagnostic>) -> ContactPolicy {
    let Some(source) = &sources.policy else {
        return ContactPolicy::default();
    };
    ContactPolicy::parse(&source.text).unwrap_or_else(|error| {
        let fault = Diagnostic::whole(&source.path, &source.text, error.message);
        faults.push(match error.span {
            Some(span) => fault.at_byte(span.start),
            None => fault,
        });
        ContactPolicy::default()
    })
}

/// Each library file becomes a module by its name: `lib/outflow.rhai` is called as `outflow::…`.
pub(super) fn library(engine: &mut Engine, sources: &[Source], faults: &mut Vec<Diagnostic>) {
    let mut modules = BTreeMap::new();
    for source in sources {
        let name = source
            .path
            .rsplit('/')
            .next()
            .and_then(|file| file.strip_suffix(".rhai"))
            .unwrap_or(&source.path)
            .to_owned();
        let module = engine
            .compile(&*source.text)
            .map_err(|error| parse_fault(source, &error))
            .and_then(|ast| {
                Module::eval_ast_as_new(Scope::new(), &ast, engine).map_err(|error| {
                    let at = error.position();
                    Diagnostic::whole(&source.path, &source.text, error.to_string())
                        .at(at.line().zip(at.position()))
                })
            });
        match module {
            Err(fault) => faults.push(fault),
            Ok(module) => {
                if modules.insert(name.clone(), module).is_some() {
                    faults.push(
                        Diagnostic::whole(
                            &source.path,
                            &source.text,
                            format!("two library files are called `{name}`"),
                        )
                        .hint("rename one of them"),
                    );
                }
            }
        }
    }
    for (name, module) in modules {
        engine.register_static_module(name, module.into());
    }
}

fn rule(engine: &Engine, source: &Source, schema: &Schema) -> Result<Rule, Vec<Diagnostic>> {
    let ast = engine
        .compile(&*source.text)
        .map_err(|error| vec![parse_fault(source, &error)])?;
    let mut faults = Vec::new();
    let terms = header::read(engine, source, &ast, schema).map_err(|found| faults.extend(found));
    let mut parameters = [0; 5];
    for function in Function::ALL {
        let found = ast.iter_functions().find(|f| f.name == function.name());
        let fault = |message: String| Diagnostic::whole(&source.path, &source.text, message);
        match found.map(|f| f.params.len()) {
            Some(n) if function.parameters().contains(&n) => parameters[function as usize] = n,
            Some(n) => faults.push(
                fault(format!("`{}` takes {n} parameters", function.name()))
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
        faults.extend(waiting_fault(source, terms, &parameters));
    }
    match terms {
        Ok(terms) if faults.is_empty() => Ok(Rule {
            terms,
            file: source.path.clone(),
            digest: 0,
            functions: functions(&ast, &source.path),
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

fn parse_fault(source: &Source, error: &ParseError) -> Diagnostic {
    let at = error.position();
    let message = error.err_type().to_string();
    let forbidden = ["import", "export", "eval"]
        .iter()
        .any(|word| message.contains(&format!("'{word}'")));
    let hint = match error.err_type() {
        _ if forbidden => {
            "a rule cannot load or make code: functions that several rules share stand in lib/<file>.rhai and are called as <file>::<function>(…)".to_owned()
        }
        ParseErrorType::VariableUndefined(name) => {
            format!("a function sees only what it is given: is `event.{name}` or `customer.{name}` meant?")
        }
        ParseErrorType::ExprTooDeep => "take it apart into functions of its own".to_owned(),
        _ => "this is not Rhai; the place is where reading stopped, the slip is there or just before"
            .to_owned(),
    };
    Diagnostic::whole(&source.path, &source.text, message)
        .at(at.line().zip(at.position()))
        .hint(hint)
}
