//! Rule files: the only place that knows Rhai. Files are read ([`sources`]), compiled in a sandbox
//! ([`sandbox`], [`api`]), their `RULE` maps checked ([`header`]), and put together as one immutable
//! [`RuleSet`]; whatever is wrong comes out as [`Diagnostic`]s.

mod analysis;
mod api;
mod asked;
mod catalogue;
mod diagnostic;
mod functions;
mod header;
mod library;
mod moment;
mod mutants;
mod native;
mod numbers;
mod parse;
mod policy_file;
mod probes;
mod record;
mod reference;
mod rule;
mod sandbox;
mod set;
mod slips;
mod sources;
mod subset;
mod tokens;
mod waiting;
mod windows;

pub use analysis::CheckOptions;
pub use asked::{Asked, Recorder};
pub use diagnostic::{Diagnostic, Severity, did_you_mean, render};
pub use moment::{EventView, Moment, PastDecision, Standing, Subject};
pub use mutants::Mutant;
pub use native::{Bits, Extent, Gates, Group, Index, Sifted, Tally};
pub use probes::{Mark, ProbedFunction, Probes, Site};
pub use reference::reference_markdown;
pub use rule::{Function, Rule, RuleError};
pub use set::RuleSet;
pub use sources::{Source, Sources, SourcesError};

/// Everything that can be said about rule files without running them: errors and warnings, by file and
/// place. No errors means that [`RuleSet::compile`] accepts them.
#[must_use]
pub fn check(sources: &Sources, options: CheckOptions) -> Vec<Diagnostic> {
    RuleSet::build(sources, options).1
}
