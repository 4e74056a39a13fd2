//! Text to syntax tree: once as it is written, for the checks, and once made quick, for running.

use super::analysis::FileView;
use super::diagnostic::Diagnostic;
use super::sandbox;
use super::slips;
use super::sources::Source;
use rhai::{AST, Engine, OptimizationLevel, ParseErrorType, Scope};

/// A file that could be read.
pub(super) struct Parsed<'a> {
    /// For running.
    pub(super) tree: AST,
    /// As it is written.
    pub(super) view: FileView<'a>,
}

/// A file that could not: why, and what of it can be looked at all the same.
pub(super) struct Unread<'a> {
    pub(super) fault: Diagnostic,
    pub(super) view: Option<FileView<'a>>,
}

/// Makes an engine keep syntax trees as they are written.
pub(super) fn keep_as_written(engine: &mut Engine) {
    engine.set_optimization_level(OptimizationLevel::None);
}

/// Reads a file.
pub(super) fn parse<'a>(
    engine: &Engine,
    source: &'a Source,
) -> Result<Parsed<'a>, Box<Unread<'a>>> {
    match engine.compile(&*source.text) {
        Ok(written) => {
            let view = FileView::new(source, &written);
            let tree = engine.optimize_ast(&Scope::new(), written, OptimizationLevel::Simple);
            Ok(Parsed { tree, view })
        }
        Err(error) => {
            // A name that nobody knows ends the reading at the first; the checks find them all.
            let unknown = matches!(
                error.err_type(),
                ParseErrorType::VariableUndefined(_) | ParseErrorType::ModuleUndefined(_)
            );
            let view = unknown.then(|| lenient(source)).flatten();
            let fault = slips::explain(source, &error);
            Err(Unread { fault, view }.into())
        }
    }
}

fn lenient(source: &Source) -> Option<FileView<'_>> {
    let mut engine = sandbox::engine();
    keep_as_written(&mut engine);
    engine.set_strict_variables(false);
    let written = engine.compile(&*source.text).ok()?;
    Some(FileView::new(source, &written))
}
