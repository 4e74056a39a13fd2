//! The law of imports: which module may know which. Stages do not know their neighbours; they share
//! the vocabulary, and only those that compose them know several.

use super::Faults;
use super::source::Source;
use std::collections::BTreeSet;

/// The words all share: these may name one another, and nothing else of the crate.
const VOCABULARY: &[&str] = &[
    "action",
    "clock",
    "event",
    "money",
    "partitioning",
    "state",
    "terms",
];

/// What each module may name beside the vocabulary (and itself).
const MAY_NAME: &[(&str, &[&str])] = &[
    // Pure stages.
    ("decode", &[]),
    ("policy", &[]),
    ("rules", &[]),
    ("statistics", &[]),
    // `partition` composes the pure stages; it takes the reason of a rejection from `decode`.
    ("partition", &["decode", "policy", "rules"]),
    ("replay", &["decode", "partition", "rules"]),
    // Plays tests through `replay`, with what the configuration says, for customers whom `policy` draws.
    (
        "rule_tests",
        &["config", "decode", "policy", "replay", "rules"],
    ),
    // Stages that move bytes.
    ("config", &[]),
    ("nats", &[]),
    ("telemetry", &["decode", "rules"]),
    ("registry", &["rule_tests", "rules", "telemetry"]),
    ("durable", &["partition"]),
    // Adds up what the log says; a pure fold, recomputed for any period.
    ("report", &["durable", "partition", "policy", "statistics"]),
    // Reads what `report` is made of, for the command line and for HTTP.
    ("measurement", &["durable", "nats", "report", "rules"]),
    // Keeps in `SCENE_RULES` what the others obey.
    (
        "governance",
        &[
            "durable",
            "nats",
            "policy",
            "registry",
            "rules",
            "telemetry",
        ],
    ),
    // What is shown by `http` and kept by `engine`, so that the two need not know each other.
    ("health", &["nats", "rules"]),
    // Puts the past together again with what recovers a partition, and reads it itself.
    (
        "explain",
        &[
            "decode",
            "durable",
            "governance",
            "nats",
            "partition",
            "policy",
            "rules",
        ],
    ),
    (
        "http",
        &[
            "governance",
            "explain",
            "health",
            "measurement",
            "policy",
            "registry",
            "report",
            "rules",
            "telemetry",
        ],
    ),
    ("simulate", &["decode"]),
    // Looks at the messages of the log as they are stored.
    ("audit", &["durable", "nats"]),
    // Takes history through `partition` as an engine would, and compares with the log.
    (
        "backtest",
        &["decode", "durable", "nats", "partition", "policy", "rules"],
    ),
    // Describes what goes over the wire, so it names those who write and read it.
    ("schema", &["decode", "nats"]),
    // Those that put all together.
    ("engine", EVERYTHING),
    ("demo", EVERYTHING),
    ("cli", EVERYTHING),
    ("lib", EVERYTHING),
    ("main", EVERYTHING),
];

const EVERYTHING: &[&str] = &["*"];

/// Modules that are functions of what they are given: no tasks, no files, no network, no clock.
const PURE: &[&str] = &[
    "action",
    "audit",
    "decode",
    "event",
    "money",
    "partition",
    "partitioning",
    "policy",
    "replay",
    "report",
    "rule_tests",
    "rules",
    "state",
    "statistics",
    "terms",
];

/// Files of pure modules that may read files, and why.
const MAY_READ_FILES: &[(&str, &str)] = &[(
    "src/rules/sources.rs",
    "reads the rules folder, once, before anything is compiled",
)];

/// The part of the crate that a file belongs to.
fn module(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The modules that code names by `crate::…`, also inside of `use crate::{…}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    for (at, _) in code.match_indices("crate::") {
        if at > 0 && code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + 7..];
        match rest.strip_prefix('{') {
            None => {
                found.insert(word(rest));
            }
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && c.is_alphanumeric() => {
                            found.insert(word(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn sources() -> Vec<Source> {
    let mut all = Source::all();
    all.retain(|source| source.path.starts_with("src/"));
    all
}

#[test]
fn modules_name_only_what_the_law_of_imports_allows() {
    let mut faults = Faults::default();
    for source in sources() {
        let module = module(&source.path);
        let allowed: &[&str] = if VOCABULARY.contains(&module) {
            &[]
        } else {
            match MAY_NAME.iter().find(|(name, _)| *name == module) {
                Some((_, allowed)) => allowed,
                None => {
                    faults.add(
                        &source.path,
                        format!("`{module}` is not in the table MAY_NAME"),
                    );
                    continue;
                }
            }
        };
        for name in named(&source.code()) {
            // Macros of the crate's root, and types at the root, start otherwise than modules.
            let is_module = name.starts_with(|c: char| c.is_ascii_lowercase());
            let fine = name == module
                || allowed == EVERYTHING
                || VOCABULARY.contains(&&*name)
                || allowed.contains(&&*name);
            if is_module && !fine {
                faults.add(&source.path, format!("`{module}` must not name `{name}`"));
            }
        }
    }
    faults.none("stages share the vocabulary and know no neighbour (tests/it/tidy/laws.rs)");
}

#[test]
fn a_library_at_the_edge_is_named_by_one_module_only() {
    let mut faults = Faults::default();
    for (library, owner) in [
        ("rhai", "rules"),
        ("async_nats", "nats"),
        ("axum", "http"),
        ("clap", "cli"),
        ("anyhow", "cli"),
        ("notify", "registry"),
        ("prometheus", "telemetry"),
    ] {
        for source in sources() {
            let names = source
                .code()
                .match_indices(&format!("{library}::"))
                .any(|(at, _)| {
                    !source.code()[..at]
                        .ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                });
            if names && module(&source.path) != owner {
                faults.add(&source.path, format!("`{library}` is for `{owner}` alone"));
            }
        }
    }
    faults.none("a library at the edge can be replaced by changing one module");
}

#[test]
fn the_pure_core_has_no_tasks_no_files_no_network_and_no_clock() {
    let mut faults = Faults::default();
    for source in sources() {
        if !PURE.contains(&module(&source.path)) {
            continue;
        }
        let code = source.code();
        let reads_files = MAY_READ_FILES.iter().any(|(path, _)| *path == source.path);
        let mut banned = vec![
            "tokio",
            "std::net",
            "std::process",
            "std::thread",
            "std::env",
            "SystemTime",
            "Instant",
            "now_ms",
            "monotonic_now",
            "async fn",
            ".await",
            "static mut",
            "thread_local!",
            "println!",
            "eprintln!",
        ];
        if !reads_files {
            banned.extend(["std::fs", "File::"]);
        }
        for word in banned {
            let found = code.match_indices(word).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                let after = code[at + word.len()..].chars().next();
                let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                !joins(before) && !joins(after.filter(|_| word.ends_with(char::is_alphanumeric)))
            });
            if found {
                faults.add(&source.path, format!("`{word}`"));
            }
        }
    }
    faults.none("what decides is a function of what it is given: state, rules, events, a time");
}

#[test]
fn there_is_no_global_mutable_state() {
    let mut faults = Faults::default();
    for source in sources() {
        for (number, masked, _) in source.lines_of_code() {
            let line = masked.trim_start();
            let item = line
                .split_once("static ")
                .filter(|(before, _)| before.is_empty() || before.starts_with("pub"));
            let changes = [
                "mut ", "Mutex", "RwLock", "Atomic", "OnceLock", "LazyLock", "Cell",
            ];
            if item.is_some_and(|(_, item)| changes.iter().any(|word| item.contains(word))) {
                faults.add(format!("{}:{number}", source.path), line);
            }
        }
    }
    faults.none("no `static` that can change: what several parts need is handed to them");
}

#[test]
fn grouped_paths_are_seen_as_well() {
    let code = "use crate::{action::{Body, Verdict}, clock::Millis, nats};\nlet x = crate::rules::y(); $crate::z";
    let named: Vec<String> = named(code).into_iter().collect();
    assert_eq!(named, ["action", "clock", "nats", "rules", "z"]);
}
