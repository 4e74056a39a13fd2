//! The Rhai engine that rules run in: limited, without I/O, without time of its own.

use rhai::module_resolvers::DummyModuleResolver;
use rhai::{Engine, EvalAltResult, OptimizationLevel};

/// Operations one call of a rule's function may take (about a millisecond).
const OPERATIONS_MAX: u64 = 50_000;
/// Depth of calls.
const CALL_LEVELS_MAX: usize = 32;
/// Depth of expressions, outside of functions and inside.
const EXPRESSION_DEPTH_MAX: (usize, usize) = (64, 48);
/// Length of a string in bytes.
const STRING_BYTES_MAX: usize = 16 << 10;
/// Items of an array.
const ARRAY_ITEMS_MAX: usize = 1_024;
/// Members of a map.
const MAP_MEMBERS_MAX: usize = 256;
/// Variables in scope.
const VARIABLES_MAX: usize = 128;
/// Functions in one file.
const FUNCTIONS_MAX: usize = 128;

/// A fresh engine with every limit set. Rhai's defaults differ between debug and release builds, so
/// none is left to it.
pub(super) fn engine() -> Engine {
    let mut engine = Engine::new();
    engine
        .set_max_operations(OPERATIONS_MAX)
        .set_max_call_levels(CALL_LEVELS_MAX)
        .set_max_expr_depths(EXPRESSION_DEPTH_MAX.0, EXPRESSION_DEPTH_MAX.1)
        .set_max_string_size(STRING_BYTES_MAX)
        .set_max_array_size(ARRAY_ITEMS_MAX)
        .set_max_map_size(MAP_MEMBERS_MAX)
        .set_max_variables(VARIABLES_MAX)
        .set_max_functions(FUNCTIONS_MAX)
        .set_max_modules(0)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_optimization_level(OptimizationLevel::Simple)
        .set_module_resolver(DummyModuleResolver::new());
    for word in ["eval", "import", "export"] {
        engine.disable_symbol(word);
    }
    engine.on_print(|_| {}).on_debug(|_, _, _| {});
    // Rhai's own `sleep` would hold up every rule of the partition.
    engine.register_fn("sleep", |_: i64| -> Result<(), Box<EvalAltResult>> {
        Err("a rule cannot sleep".into())
    });
    super::api::register(&mut engine);
    engine
}
