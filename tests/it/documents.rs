//! What the README says is what the code does.

use onscene::action::Verdict;
use onscene::config::{Config, Setting};
use onscene::decode::Reason;
use std::collections::BTreeSet;

const README: &str = include_str!("../../README.md");
const CONFIG: &str = include_str!("../../src/config.rs");

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let parts = text.split(&*fence).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap())
        .collect()
}

/// The cells of a table, found by its head.
fn table<'a>(text: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let (_, rest) = text.split_once(head).expect("the table is there");
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// The words of a table's first column.
fn words(head: &str) -> Vec<&'static str> {
    let rows = table(README, head).into_iter();
    rows.map(|row| row[0].trim_matches('`')).collect()
}

/// What stands in double quotes in a source, before its tests.
fn quoted(source: &str) -> impl Iterator<Item = &str> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    code.split('"').skip(1).step_by(2)
}

#[test]
fn the_examples_in_the_readme_are_the_files_that_are_tested() {
    for (language, file) in [
        ("python", include_str!("../examples/producer.py")),
        ("js", include_str!("../examples/producer.mjs")),
        ("rust", include_str!("../examples/producer.rs")),
        (
            "rhai",
            include_str!("../examples/rules/win-the-payment/checkout.rhai"),
        ),
    ] {
        assert_eq!(blocks(README, language), [file], "{language}");
    }
    let shell = include_str!("../examples/producer.sh");
    assert!(blocks(README, "sh").contains(&shell));
    for six in ["python", "js", "rust"] {
        assert_eq!(blocks(README, six)[0].lines().count(), 6, "{six}");
    }
    assert!(shell.lines().count() <= 6);
}

#[test]
fn the_readme_names_every_reason_and_every_verdict() {
    assert_eq!(
        words("| reason | what it means |"),
        Reason::ALL.map(Reason::word)
    );
    let named: BTreeSet<_> = words("| verdict | what became of the rule |")
        .into_iter()
        .collect();
    let all: BTreeSet<_> = Verdict::ALL.into_iter().map(Verdict::word).collect();
    assert_eq!(named, all);
}

#[test]
fn the_readme_names_every_setting_with_its_default() {
    let rows = table(README, "| key | default | what it is |");
    let named: BTreeSet<_> = rows
        .iter()
        .map(|row| row[0].trim_matches('`'))
        .filter(|key| *key != "money.rates.<currency>")
        .collect();
    let is_key = |text: &&str| {
        let parts: Vec<_> = text.split('.').collect();
        let plain = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        parts.len() == 2 && parts.iter().all(plain) && *text != "money.rates"
    };
    let known: BTreeSet<_> = quoted(CONFIG).filter(is_key).collect();
    assert_eq!(named, known);
    let defaults = |key: &&Vec<&str>| !key[0].contains('<');
    let flags = rows.iter().filter(defaults);
    let flags = flags
        .map(|row| Setting::flag("README", row[0].trim_matches('`'), row[1].trim_matches('`')));
    let said = Config::load(None, [], flags.collect()).unwrap();
    let default = Config::load(None, [], Vec::new()).unwrap();
    assert_eq!(format!("{said:?}"), format!("{default:?}"));
}

#[test]
fn the_tables_of_the_rules_reference_are_those_of_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
    let before = std::fs::read_to_string(path).unwrap();
    let mut text = before.clone();
    for (name, table) in onscene::rules::reference_markdown() {
        let open = format!("<!-- generated: {name} -->\n");
        let start = text.find(&open).expect(name) + open.len();
        let end = start + text[start..].find("<!-- end -->").expect(name);
        text.replace_range(start..end, &table);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).unwrap();
    } else {
        assert!(
            text == before,
            "docs/rules.md has other tables than the catalogue; UPDATE_GOLDEN=1 takes them over"
        );
    }
}
