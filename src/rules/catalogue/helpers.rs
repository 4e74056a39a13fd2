//! Functions that need no customer: ours, and the names of those that Rhai brings.

use super::Parameter::{Number, Whole};
use super::{Function, Returns};

/// Helper functions.
pub(in crate::rules) const HELPERS: &[Function] = &[
    Function {
        name: "min",
        signatures: &[&[Number, Number]],
        returns: Returns::Number,
        answer: "the smaller; whole numbers and decimals mix",
        example: "min(event.amount * 0.1, 30)",
    },
    Function {
        name: "max",
        signatures: &[&[Number, Number]],
        returns: Returns::Number,
        answer: "the larger; whole numbers and decimals mix",
        example: "max(event.amount, 5)",
    },
    Function {
        name: "abs",
        signatures: &[&[Number]],
        returns: Returns::Positive,
        answer: "without its sign",
        example: "abs(customer.balance_change(\"30d\"))",
    },
    Function {
        name: "round",
        signatures: &[&[Number, Whole]],
        returns: Returns::Number,
        answer: "rounded half to even: `round(2.5, 0)` is 2",
        example: "round(event.amount * 0.08, 2)",
    },
    Function {
        name: "money",
        signatures: &[&[Number]],
        returns: Returns::Text,
        answer: "text with two decimals: `money(3)` is `3.00`",
        example: "`${money(value)}`",
    },
];

/// Names of functions that Rhai has of itself: to call one of them is not a slip. Not documented
/// further, since rules seldom need them.
pub(in crate::rules) const STANDARD: &[&str] = &[
    "abs", "all", "append", "bytes", "call", "ceiling", "chop", "chunk", "clear", "contains",
    "crop", "curry", "debug", "dedup", "drain", "ends_with", "exp", "extract", "fill_with",
    "filter", "find", "find_map", "floor", "for_each", "fraction", "get", "index_of", "insert",
    "int", "is_decimal", "is_empty", "is_even", "is_float", "is_int", "is_numeric", "is_odd",
    "is_shared", "is_zero", "is_def_fn", "is_def_var", "keys", "len", "ln", "log", "make_lower",
    "make_upper", "map", "max", "min", "mixin", "name", "order", "pad", "parse_decimal",
    "parse_float", "parse_int", "pop", "print", "push", "range", "reduce", "reduce_rev", "remove",
    "replace", "retain", "reverse", "round", "round_down", "round_half_down", "round_half_up",
    "round_up", "set", "shift", "sign", "some", "sort", "sort_by", "sort_desc", "splice", "split",
    "split_rev", "sqrt", "starts_with", "sub_string", "to_array", "to_binary", "to_blob",
    "to_chars", "to_debug", "to_decimal", "to_hex", "to_int", "to_json", "to_lower", "to_octal",
    "to_string", "to_upper", "trim", "truncate", "type_of", "values", "zip", "Fn", "char_at",
    "index_of_char", "parse_json", "drain_range", "is_fraction", "sin", "cos", "tan", "exit",
    "+", "-", "*", "/", "%", "**", "set_tag", "tag", "exit", "fill", "is_anonymous", "to_float",
    "get_bit", "set_bit", "bits", "get_bits", "start", "end", "is_inclusive", "is_exclusive",
    "to_degrees", "to_radians", "hypot",
];
