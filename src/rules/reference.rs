//! The tables of `docs/rules.md`, made from the catalogue that the checks read, so that they cannot drift.

use super::catalogue::{
    ACTION_KEYS, CHANNELS, CUSTOMER_FUNCTIONS, CUSTOMER_PROPERTIES, DECISION_FIELDS,
    EVENT_PROPERTIES, FILTER_FIELDS, Function, HELPERS, Named, RULE_FIELDS, RULE_FUNCTIONS,
    TEXT_FUNCTIONS,
};

/// Each generated section of the reference: the name of its markers, and its table.
#[must_use]
pub fn reference_markdown() -> Vec<(&'static str, String)> {
    vec![
        ("fields", fields()),
        ("functions", functions()),
        ("action", named("key", ACTION_KEYS)),
        ("event", named("field", EVENT_PROPERTIES)),
        ("customer", customer()),
        ("filters", filters()),
        ("helpers", calls(HELPERS, "")),
        ("texts", named("ask", TEXT_FUNCTIONS)),
        ("decision", named("field", DECISION_FIELDS)),
        ("channels", named("channel", CHANNELS)),
    ]
}

/// A bar inside of a cell would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = format!("| {} |\n", head.join(" | "));
    out.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

fn code(text: &str) -> String {
    // Back quotes inside want two around.
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

fn fields() -> String {
    let row = |field: &Named| {
        let name = code(field.name);
        let default = field.default.to_owned();
        vec![name, default, field.meaning.to_owned(), code(field.example)]
    };
    let head = ["field", "default", "meaning", "example"];
    table(&head, RULE_FIELDS.iter().map(row))
}

fn functions() -> String {
    let row = |function: &Named| {
        let needed = match function.default {
            "required" => "required",
            _ => "may be left out",
        };
        let meaning = function.meaning.to_owned();
        vec![code(function.example), needed.to_owned(), meaning]
    };
    table(&["function", "", "meaning"], RULE_FUNCTIONS.iter().map(row))
}

fn named(what: &str, rows: &[Named]) -> String {
    let with_example = rows.iter().any(|row| !row.example.is_empty());
    let row = |row: &Named| {
        let mut cells = vec![code(row.name), row.meaning.to_owned()];
        if with_example {
            cells.push(code(row.example));
        }
        cells
    };
    let mut head = vec![what, "meaning"];
    if with_example {
        head.push("example");
    }
    table(&head, rows.iter().map(row))
}

fn customer() -> String {
    let attribute = vec![
        "`customer.<attribute>`".to_owned(),
        "a profile attribute that `schema.toml` declares; `()` if the customer has none".to_owned(),
        "`customer.tier == \"gold\"`".to_owned(),
    ];
    let property = |property: &Named| {
        vec![
            code(&format!("customer.{}", property.name)),
            property.meaning.to_owned(),
            code(property.example),
        ]
    };
    let rows = std::iter::once(attribute).chain(CUSTOMER_PROPERTIES.iter().map(property));
    table(&["ask", "answer", "example"], rows) + calls(CUSTOMER_FUNCTIONS, "rows").as_str()
}

/// Functions as a table, or as more rows of one.
fn calls(functions: &[Function], part: &str) -> String {
    let row = |function: &Function| {
        let forms: Vec<String> = function.forms().iter().map(|form| code(form)).collect();
        vec![
            forms.join(", "),
            function.answer.to_owned(),
            code(function.example),
        ]
    };
    let whole = table(&["call", "answer", "example"], functions.iter().map(row));
    match part {
        "rows" => whole
            .lines()
            .skip(2)
            .map(|line| format!("{line}\n"))
            .collect(),
        _ => whole,
    }
}

fn filters() -> String {
    let row = |(name, fields): &(&str, &[&str])| {
        let fields: Vec<String> = fields
            .iter()
            .map(|field| match *field {
                "merchant" => "`merchant` (its id)".to_owned(),
                "counterparty" => "`counterparty` (its name)".to_owned(),
                field => code(field),
            })
            .collect();
        vec![code(name), fields.join(", ")]
    };
    let more = [
        vec![
            "a type of `schema.toml`".to_owned(),
            "the fields with `keep = true`".to_owned(),
        ],
        vec!["others".to_owned(), "none".to_owned()],
    ];
    table(
        &["type", "fields for filters"],
        FILTER_FIELDS.iter().map(row).chain(more),
    )
}
