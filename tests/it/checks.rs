//! What the static checks say about wrong rule files, and that they say nothing about right ones.

use crate::kit::desk::sources;
use crate::kit::{self, Folder};
use onscene::rules::{CheckOptions, Diagnostic, Sources, check, render};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod sound;

/// The day on which everything is checked.
fn options() -> CheckOptions {
    CheckOptions {
        today: Some(jiff::civil::date(2026, 11, 22)),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a wrong example: one file, or a folder of them.
fn example(path: &Path) -> Sources {
    if path.is_dir() {
        return Sources::read(path).unwrap();
    }
    let name = path.file_name().unwrap().to_str().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let file = match name.split_once('-') {
        Some(("schema", _)) => "schema.toml",
        Some(("lib", _)) => "lib/helper.rhai",
        _ => name,
    };
    sources(&[(file, &text)])
}

/// Every example of something wrong, by name.
fn examples() -> BTreeMap<String, Sources> {
    let folder = root().join("tests/it/golden/diagnostics");
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let wrong = |path: &PathBuf| path.extension().is_none_or(|e| e == "rhai" || e == "toml");
    paths
        .filter(wrong)
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, example(&path))
        })
        .collect()
}

#[test]
fn what_is_wrong_is_shown_with_line_caret_and_hint() {
    let folder = root().join("tests/it/golden/diagnostics");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let examples = examples();
    assert!(
        examples.len() >= 50,
        "only {} wrong examples",
        examples.len()
    );
    let mut different = Vec::new();
    for (name, sources) in examples {
        let found = check(&sources, options());
        let shown = render(&found);
        let golden = folder.join(&name).with_extension("txt");
        if found.is_empty() {
            different.push(format!("nothing was found in {name}"));
        }
        if update {
            std::fs::write(&golden, &shown).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != shown {
            different.push(format!("{name} is now shown as:\n{shown}"));
        }
    }
    assert!(
        different.is_empty(),
        "{}\nUPDATE_GOLDEN=1 takes it over",
        different.join("\n")
    );
}

#[test]
fn every_finding_has_a_hint_and_lies_in_its_file() {
    for (name, sources) in examples() {
        for found in check(&sources, options()) {
            assert!(found.hint.is_some(), "{name}: {}", found.message);
            lies_in_its_file(&name, &found);
        }
    }
}

fn lies_in_its_file(name: &str, found: &Diagnostic) {
    if found.line.is_none() {
        return;
    }
    let span = found.span().unwrap();
    assert!(found.text.get(span.clone()).is_some(), "{name}: {found:?}");
    let (line, column) = found.end().unwrap();
    assert!((line, column) >= (found.line.unwrap(), found.column.unwrap()));
}

#[test]
fn files_are_checked_one_by_one_so_that_none_hides_another() {
    let sources = example(&root().join("tests/it/golden/diagnostics/two-files-at-once"));
    let found = check(&sources, options());
    let files: Vec<&str> = found.iter().map(|found| &*found.file).collect();
    assert_eq!(files, ["a.rhai", "b.rhai"]);
}

#[test]
fn shipped_rules_and_those_of_the_tests_and_documents_are_clean() {
    for folder in ["rules", "tests/examples/rules", "tests/real_year/rules"] {
        let found = check(&Sources::read(&root().join(folder)).unwrap(), options());
        assert!(found.is_empty(), "{folder}:\n{}", render(&found));
    }
    for document in ["README.md", "docs/rules.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let examples = text.split("```rhai\n").skip(1);
        for example in examples.map(|part| part.split("```").next().unwrap()) {
            if example.contains("const RULE") {
                let found = check(&sources(&[("example.rhai", example)]), options());
                assert!(found.is_empty(), "{document}:\n{}", render(&found));
            }
        }
    }
}

#[test]
fn a_warning_that_is_meant_so_is_silenced_by_its_code_and_an_error_is_not() {
    let rule = |comment: &str, when: &str| {
        format!(
            "{comment}\nconst RULE = #{{ on: \"merchant.checkout\", channels: [\"push\"] }};\n\
             fn when(event, customer) {{ {when} }}\n\
             fn action(event, customer) {{ #{{ kind: \"offer\", text: #{{ en: \"Hello.\" }} }} }}\n"
        )
    };
    let count = |text: &str| check(&sources(&[("a.rhai", text)]), options()).len();
    assert_eq!(count(&rule("// all of them", "true")), 1);
    assert_eq!(
        count(&rule("// allow(always-true): all of them", "true")),
        0
    );
    assert_eq!(count(&rule("// allow(never-true)", "event.amount < 0")), 1);
}

#[test]
fn machines_read_place_severity_code_message_and_hint() {
    let text = "const RULE = #{ on: \"merchant.checkout\", channels: [\"push\"] };\n\
                fn when(event, customer) { event.amout >= 100 }\n\
                fn action(event, customer) { #{ kind: \"offer\", text: #{ en: \"Hello.\" } } }\n";
    let found = check(&sources(&[("a.rhai", text)]), options());
    assert_eq!(
        serde_json::to_value(&found).unwrap(),
        serde_json::json!([{
            "file": "a.rhai", "line": 2, "column": 34, "end": { "line": 2, "column": 39 },
            "severity": "error", "code": "unknown-field",
            "message": "`event.amout`: \"merchant.checkout\" has no field `amout`",
            "hint": "did you mean `amount`?",
        }])
    );
}

/// What `onscene check` answers about a folder: its exit code and its output.
fn command(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_onscene"))
        .arg("check")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn the_command_checks_a_folder_or_one_file_of_it() {
    let folder = Folder::new();
    let rule = |when: &str| {
        format!(
            "const RULE = #{{ on: \"merchant.checkout\", channels: [\"push\"] }};\n\
             fn when(event, customer) {{ {when} }}\n\
             fn action(event, customer) {{ #{{ kind: \"offer\", text: #{{ en: \"Hello.\" }} }} }}\n"
        )
    };
    let at = folder.path();
    for inner in ["rules/lib", "rules/checkout"] {
        std::fs::create_dir_all(at.join(inner)).unwrap();
    }
    kit::save(
        at,
        "rules/lib/till.rhai",
        "fn is_large(event) { event.amount >= 500 }\n",
    );
    kit::save(at, "rules/good.rhai", &rule("till::is_large(event)"));
    assert_eq!(command(at, &[]).0, 0);
    assert!(command(at, &[]).1.starts_with("1 rule, generation "));

    kit::save(at, "rules/all.rhai", &rule("true"));
    let (code, text) = command(at, &["rules"]);
    assert!(code == 0 && text.contains("always-true"), "{text}");
    assert_eq!(command(at, &["--deny-warnings"]).0, 1);

    kit::save(at, "rules/checkout/bad.rhai", &rule("event.amout >= 5"));
    let (code, text) = command(at, &[]);
    assert!(
        code == 1 && text.ends_with("1 error, 1 warning\n"),
        "{text}"
    );
    // Of one file only its own findings are shown; it is looked at in its folder all the same.
    let (code, text) = command(at, &["rules/checkout/bad.rhai"]);
    assert!(code == 1 && text.ends_with("\n1 error\n"), "{text}");
    assert!(text.contains("checkout/bad.rhai:2:"), "{text}");
    assert_eq!(
        command(at, &["rules/good.rhai"]).1,
        "good.rhai: nothing is wrong\n"
    );

    let (code, text) = command(at, &["--format", "json"]);
    let found: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let codes: Vec<_> = found
        .iter()
        .map(|found| found["code"].as_str().unwrap())
        .collect();
    assert_eq!((code, codes), (1, vec!["always-true", "unknown-field"]));
    assert_eq!(command(at, &["nowhere"]).0, 1);
    assert_eq!(command(at, &["--fromat"]).0, 2);
}
