//! The files of `lib/`: functions that all rules may call.

use super::analysis::{self, FileView, FunctionView};
use super::diagnostic::Diagnostic;
use super::parse;
use super::sources::Source;
use rhai::{Engine, Module, Scope};
use std::collections::BTreeMap;

/// The functions of library files, by the names of the files.
pub(super) fn library_functions(views: &[FileView<'_>]) -> BTreeMap<String, Vec<FunctionView>> {
    let named = |view: &FileView<'_>| {
        let name = analysis::library_name(&view.source.path).to_owned();
        (name, view.functions.clone())
    };
    views.iter().map(named).collect()
}

/// Each library file becomes a module by its name: `lib/outflow.rhai` is called as `outflow::…`.
pub(super) fn library<'a>(
    engine: &mut Engine,
    sources: &'a [Source],
    faults: &mut Vec<Diagnostic>,
) -> Vec<FileView<'a>> {
    let mut modules = BTreeMap::new();
    let mut views = Vec::with_capacity(sources.len());
    for source in sources {
        let name = analysis::library_name(&source.path).to_owned();
        let module = match parse::parse(engine, source) {
            Err(unread) => {
                views.extend(unread.view);
                Err(unread.fault)
            }
            Ok(parsed) => {
                views.push(parsed.view);
                Module::eval_ast_as_new(Scope::new(), &parsed.tree, engine).map_err(|error| {
                    let at = error.position();
                    Diagnostic::whole(&source.path, &source.text, error.to_string())
                        .at(at.line().zip(at.position()))
                })
            }
        };
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
    views
}
