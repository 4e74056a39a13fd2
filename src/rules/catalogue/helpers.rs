//! Functions that need no customer: ours, and the names of those that Rhai brings.

use super::Parameter::{Number, Whole};
use super::{Function, Named, Returns};

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

/// What a text is asked for without brackets.
pub(in crate::rules) const TEXT_PROPERTIES: &[&str] = &["len", "is_empty", "chars", "bytes", "tag"];

/// What a text is asked for. Rhai has them of itself; those that change a text in place are left out.
pub(in crate::rules) const TEXT_FUNCTIONS: &[Named] = &[
    text(
        "text.len",
        "how many letters it has",
        "event.merchant.name.len <= 20",
    ),
    text(
        "text.contains(part)",
        "whether the part is somewhere in it; `part in text` is the same",
        "event.merchant.name.contains(\"Mei\")",
    ),
    text(
        "text.starts_with(part)",
        "whether it begins so",
        "event.date.starts_with(\"2026-\")",
    ),
    text(
        "text.ends_with(part)",
        "whether it ends so",
        "event.date.ends_with(\"-22\")",
    ),
    text(
        "text.sub_string(from, count)",
        "so many letters of it; the first is 0",
        "event.date.sub_string(5, 2) == \"11\"",
    ),
    text(
        "text.to_lower()",
        "in small letters",
        "event.merchant.name.to_lower() == \"mei\"",
    ),
    text(
        "text.to_upper()",
        "in capital letters",
        "event.merchant.name.to_upper() == \"MEI\"",
    ),
    text(
        "text.split(sign)",
        "a list of what stands between the signs",
        "event.date.split(\"-\")[1] == \"11\"",
    ),
    text(
        "parse_int(text)",
        "the whole number that it is; it must be one",
        "parse_int(event.date.sub_string(8, 2)) >= 20",
    ),
];

const fn text(name: &'static str, meaning: &'static str, example: &'static str) -> Named {
    Named {
        name,
        meaning,
        default: "",
        example,
    }
}

/// Names of functions that Rhai has of itself: to call one of them is not a slip. Not documented
/// further, since rules seldom need them.
pub(in crate::rules) fn is_standard(name: &str) -> bool {
    STANDARD.split_ascii_whitespace().any(|known| known == name)
}

const STANDARD: &str = "\
    abs acos acosh add all append as_string asin asinh atan atanh bits blob bytes call ceiling \
    chars chop clear contains cos cosh crop curry debug dedup divide drain E end ends_with eq exit \
    exp extract fill_with filter find find_map floor Fn for_each format_array format_map fraction \
    get get_bit get_bits get_fn_metadata_list gt gte hypot index_of insert int is_anonymous \
    is_def_fn is_def_var is_empty is_exclusive is_finite is_inclusive is_infinite is_nan is_shared \
    is_zero keys len ln log lt lte make_lower make_upper map max min mixin modulo multiply name ne \
    order order_by order_desc pad parse_be_float parse_be_int parse_decimal parse_float parse_int \
    parse_json parse_le_float parse_le_int PI pop power print push range reduce reduce_rev remove \
    replace retain reverse round round_down round_half_down round_half_up round_up set set_bit \
    set_bits set_tag shift sign sin sinh sleep some sort sort_by sort_desc splice split split_rev \
    sqrt start starts_with sub_string subtract tag take tan tanh to_array to_binary to_blob \
    to_chars to_debug to_decimal to_degrees to_float to_hex to_int to_json to_lower to_octal \
    to_radians to_string to_upper trim truncate type_of values write_ascii write_be write_le \
    write_utf8 zip";
