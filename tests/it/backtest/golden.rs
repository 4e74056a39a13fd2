//! What a person reads.

use std::path::Path;

use serde_json::json;

use super::{backtest, rule, write};
use crate::kit::Folder;
use crate::kit::desk::{NOON, event, time};

/// Checkouts of three customers over two weeks.
fn history() -> String {
    let mut lines = Vec::new();
    for (number, hours) in [0, 1, 30, 31, 55, 170, 171, 200, 260, 300]
        .iter()
        .enumerate()
    {
        let at = time(NOON) + hours * 3_600_000;
        let customer = ["C1", "C2", "C1", "C3"][number % 4];
        let amount = 40 + 10 * number;
        let data = json!({
            "stage": "paid", "amount": amount.to_string(), "currency": "CNY",
            "merchant": {"id": "M7", "category": "dining"},
        });
        lines.push(event("merchant.checkout", &number.to_string(), customer, at, data).to_string());
    }
    lines.join("\n") + "\n"
}

fn golden(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/golden/backtest")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, shown).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(shown, known, "UPDATE_GOLDEN=1 takes it over");
}

#[test]
fn the_findings_are_read_as_a_table_and_as_json() {
    let folder = Folder::new();
    let old = rule("budget: #{ total: 25 }", "event.amount >= 60", "DINE", "5");
    let dearer = rule("budget: #{ total: 25 }", "event.amount >= 50", "DINE", "6");
    let new = rule(
        "cap: \"1 per 7d\", holdout: 50",
        "event.amount < 100",
        "HELLO",
        "0",
    );
    write(
        folder.path(),
        &[
            ("old/dine.rhai", old),
            ("new/dine.rhai", dearer),
            ("new/hello.rhai", new),
            ("history.ndjson", history()),
        ],
    );
    let arguments = ["--rules", "new", "--against", "old", "history.ndjson"];
    let shown = |more: &[&str]| {
        let output = backtest(folder.path(), &[&arguments, more].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{errors}");
        assert!(errors.contains("10 events in "), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let json = shown(&["--format", "json", "--report", "findings.json"]);
    let kept = std::fs::read_to_string(folder.path().join("findings.json")).unwrap();
    assert_eq!(json, kept);
    // What the rules are called depends on their bytes, which is not what is shown here.
    let findings: serde_json::Value = serde_json::from_str(&json).unwrap();
    let new = findings["generation"].as_str().unwrap();
    let old = findings["before"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap();
    let without_names = |text: &str| text.replace(new, "<new>").replace(&**old, "<old>");
    golden("findings.json", &without_names(&json));
    golden("findings.txt", &without_names(&shown(&[])));
    let output = backtest(
        folder.path(),
        &[&arguments[..], &["--fail-on-difference"]].concat(),
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_period_that_ends_before_it_begins_is_refused() {
    let folder = Folder::new();
    write(
        folder.path(),
        &[("rules/a.rhai", rule("", "true", "A", "0"))],
    );
    let arguments = [
        "--from",
        "2026-11-02T00:00:00Z",
        "--to",
        "2026-11-01T00:00:00Z",
        "-",
    ];
    let output = backtest(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--from is not before --to"), "{errors}");
}
