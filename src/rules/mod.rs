//! Rule files: the only place that knows Rhai. Files are read ([`sources`]), compiled in a sandbox
//! ([`sandbox`], [`api`]), their `RULE` maps checked ([`header`]), and put together as one immutable
//! [`RuleSet`]; whatever is wrong comes out as [`Diagnostic`]s.

mod api;
mod diagnostic;
mod functions;
mod header;
mod moment;
mod mutants;
mod probes;
mod record;
mod rule;
mod sandbox;
mod set;
mod sources;
mod subset;
mod tokens;
mod waiting;

pub use diagnostic::{Diagnostic, did_you_mean, render};
pub use moment::{EventView, Moment, PastDecision, Standing, Subject};
pub use mutants::Mutant;
pub use probes::{Mark, ProbedFunction, Probes, Site};
pub use rule::{Function, Rule, RuleError};
pub use set::RuleSet;
pub use sources::{Source, Sources, SourcesError};
