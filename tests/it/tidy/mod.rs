//! The house rules that a machine can hold: CONTRIBUTING.md gives the reasons.

mod laws;
mod source;

use source::{Source, text_files};
use std::fmt::Write as _;

/// Lines a function may have.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines a file may have, without its tests.
const FILE_LINES_MAX: usize = 500;

/// Functions that are longer, as `path::function`, and why that is clearer.
const LONG_FUNCTIONS: &[(&str, &str)] = &[
    (
        "src/telemetry/metrics.rs::new",
        "a table: the catalogue of metrics, each with its help",
    ),
    (
        "tests/it/nats_layer.rs::a_rejected_event_is_kept_listed_retried_and_then_gone",
        "one story, told in its order",
    ),
];

/// Files that are longer, and why that is clearer.
const LONG_FILES: &[(&str, &str)] = &[];

/// What may lie at the top, beside dotfiles.
const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "benches",
    ".clippy.toml",
    "dashboards",
    ".deny.toml",
    "deploy",
    "docs",
    "rules",
    ".rustfmt.toml",
    "src",
    "tests",
];

/// Collects what breaks a rule, and fails with all of it at once.
#[derive(Default)]
struct Faults(String);

impl Faults {
    fn add(&mut self, place: impl std::fmt::Display, what: impl std::fmt::Display) {
        writeln!(self.0, "  {place}: {what}").unwrap();
    }

    #[track_caller]
    fn none(self, rule: &str) {
        assert!(self.0.is_empty(), "{rule}\n{}", self.0);
    }
}

#[test]
fn functions_fit_a_screen() {
    let mut faults = Faults::default();
    let mut excused = 0;
    for source in Source::all() {
        for function in source.functions() {
            let name = format!("{}::{}", source.path, function.name);
            if function.lines <= FUNCTION_LINES_MAX {
                continue;
            }
            if LONG_FUNCTIONS.iter().any(|(known, _)| *known == name) {
                excused += 1;
            } else {
                let place = format!("{}:{}", source.path, function.line);
                let what = format!("`{}` has {} lines", function.name, function.lines);
                faults.add(place, what);
            }
        }
    }
    faults.none("functions have at most 70 lines; a longer one is listed in LONG_FUNCTIONS");
    assert_eq!(
        excused,
        LONG_FUNCTIONS.len(),
        "an entry of LONG_FUNCTIONS is no longer needed"
    );
}

#[test]
fn files_stay_short_without_their_tests() {
    let mut faults = Faults::default();
    for source in Source::all() {
        if source.path.starts_with("tests/it/") && !source.path.starts_with("tests/it/kit/") {
            continue;
        }
        let lines = source.lines_without_tests();
        let excused = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        match (lines > FILE_LINES_MAX, excused) {
            (true, false) => faults.add(&source.path, format!("{lines} lines")),
            (false, true) => faults.add(&source.path, "is no longer a long file: unlist it"),
            _ => {}
        }
    }
    faults.none("files have at most 500 lines without tests; a longer one is listed in LONG_FILES");
}

#[test]
fn nothing_panics_by_surprise_outside_of_tests() {
    let mut faults = Faults::default();
    for source in Source::all() {
        if !source.path.starts_with("src/") {
            continue;
        }
        for (number, masked, original) in source.lines_of_code() {
            let place = format!("{}:{number}", source.path);
            for banned in [".unwrap()", "todo!", "unimplemented!", "panic!(", "dbg!("] {
                if masked.contains(banned) {
                    faults.add(&place, format!("`{banned}`"));
                }
            }
            let message = masked.find(".expect(").map(|at| &original[at + 8..]);
            if message.is_some_and(|message| !is_invariant(message, &source)) {
                faults.add(&place, "`expect` without a named invariant");
            }
        }
    }
    faults.none("outside of tests, only `expect(\"invariant: …\")` may panic");
}

/// Whether what stands behind `expect(` names an invariant: as text, as a constant, or on the next line.
fn is_invariant(message: &str, source: &Source) -> bool {
    let constant = message.split(')').next().unwrap_or_default();
    message.is_empty()
        || message.starts_with("\"invariant: ")
        || source.has(&format!("const {constant}: &str = \"invariant: "))
}

#[test]
fn a_lint_is_silenced_only_with_a_reason() {
    let mut faults = Faults::default();
    for source in Source::all() {
        for (number, line) in source.masked.lines().enumerate() {
            if line.contains("#[allow(") || line.contains("#![allow(") {
                let place = format!("{}:{}", source.path, number + 1);
                faults.add(place, "`allow`: use `#[expect(lint, reason = \"…\")]`");
            }
        }
    }
    faults.none("a lint is silenced by `#[expect(lint, reason = \"…\")]`");
}

#[test]
fn every_text_file_ends_in_one_newline_and_no_line_in_blanks() {
    let mut faults = Faults::default();
    for (path, text) in text_files() {
        if path.starts_with("tests/it/golden/") || text.is_empty() {
            continue;
        }
        if !text.ends_with('\n') || text.ends_with("\n\n") {
            faults.add(&path, "does not end in exactly one newline");
        }
        let blanks = text
            .lines()
            .position(|l| l.ends_with([' ', '\t']) || l.contains('\r'));
        if let Some(line) = blanks {
            faults.add(format!("{path}:{}", line + 1), "ends in blanks");
        }
    }
    faults.none("files end in one newline, lines not in blanks");
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    let mut faults = Faults::default();
    let mut seen = std::collections::BTreeSet::new();
    for path in source::tracked() {
        let top = path.split('/').next().unwrap().to_owned();
        if !top.starts_with('.') && !TOP_LEVEL.contains(&&*top) && seen.insert(top.clone()) {
            faults.add(top, "does not belong at the top");
        }
    }
    faults.none("the top level is for what every reader looks for first");
}

/// Built from pieces, so that this file does not break its own rule.
fn machine_words() -> Vec<String> {
    let host = |parts: &[&str]| parts.join(".");
    vec![
        host(&["pypi", "org"]),
        host(&["pythonhosted", "org"]),
        host(&["index", "crates", "io"]),
        host(&["static", "crates", "io"]),
        host(&["registry", "npmjs", "org"]),
        host(&["deb", "debian", "org"]),
        ["/", "root", "/"].concat(),
        ["/", "work", "/"].concat(),
        ["/", "home", "/"].concat(),
        ["/", "Users", "/"].concat(),
    ]
}

#[test]
fn no_file_names_a_machine_or_a_registrys_host() {
    let mut faults = Faults::default();
    let words = machine_words();
    for (path, text) in text_files() {
        // Lock files name where packages came from, by their format.
        if path.ends_with(".lock") || path.ends_with("-lock.json") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                // A folder of that name within a relative path or a URL is no absolute path.
                let at = line.find(word.as_str()).unwrap();
                let inside = word.starts_with('/')
                    && line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}$".contains(c));
                if !inside {
                    faults.add(format!("{path}:{}", number + 1), format!("`{word}`"));
                }
            }
        }
    }
    faults.none("files say what is needed by name, not where one machine has it");
}
