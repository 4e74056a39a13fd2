//! What is said about a `policy.toml` that is wrong: all of it at once, with its places.

use crate::kit::desk::{compile, rule, rule_when};
use onscene::rules::{CheckOptions, RuleSet, render};

const WRONG: &str = r#"quite_hours = "22:00-08:00"
household = "tier"
quiet_hours = "22:00-08:00"

[[cap]]
count = 0
per = "fortnight"
chanel = "sms"

[[cap]]
per = "500d"
household = true

[[cooldown]]
length = "half an hour"
"#;

const WRONG_TOO: &str = r#"[consent]
default = "maybe"
[consent.purposes]
credit = true

[exclusions]
segments = "vip"
attributes = ["dnb", "tier"]
lists = ["morning"]

[channels]
order = ["push", 5]
prefer_reachable = "yes"

[[quiet_hours]]
hours = "late"
days = "someday"
[[quiet_hours]]
channels = ["sms"]

[household]
atribute = "tier"

[arbitration]
per_event = 1.5
"#;

const SCHEMA: &str = "[attributes]\ndnd = \"boolean\"\ntier = \"text\"\n";

fn faults(policy: &str) -> String {
    let files = [
        ("policy.toml", policy),
        ("schema.toml", SCHEMA),
        ("lists/mourning.txt", "C1\n"),
        ("r.rhai", &rule("")),
    ];
    let found = compile(&files).unwrap_err();
    render(&found)
}

/// What is sound, and stands in nobody's way.
fn warnings() -> String {
    let policy = "[[cap]]\ncount = 1\nper = \"day\"\nscene = \"lunhc\"\nchannel = \"fax\"\n[[cooldown]]\nlength = \"1d\"\nrule = \"q\"\n[consent.purposes]\ncredit = \"allow\"\n";
    let sources = crate::kit::desk::sources(&[
        ("policy.toml", policy),
        ("lists/mourning.txt", "C1\n"),
        ("r.rhai", &rule("scene: \"lunch\"")),
    ]);
    let (set, found) = RuleSet::build(&sources, CheckOptions::default());
    assert!(set.is_some());
    render(&found)
}

#[test]
fn every_fault_is_shown_with_its_line_its_place_and_a_hint() {
    let long = "x".repeat(65);
    let list = format!("C1\n{long}\n");
    let files = [("lists/bad.txt", &*list), ("r.rhai", &rule(""))];
    let shown = [
        faults(WRONG),
        faults(WRONG_TOO),
        faults("[[cap]\ncount = \n"),
        render(&compile(&files).unwrap_err()),
        warnings(),
    ]
    .join("\n----\n\n");
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/golden/contact_policy/faults.txt"
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(path).unwrap());
}

#[test]
fn a_wrong_policy_keeps_the_rules_from_going_live_and_a_list_counts_into_the_generation() {
    assert!(compile(&[("policy.toml", "[caps]\n"), ("r.rhai", &rule(""))]).is_err());
    let generation = |list: &str| {
        let policy = "[exclusions]\nlists = [\"l\"]\n";
        let files = [
            ("policy.toml", policy),
            ("lists/l.txt", list),
            ("r.rhai", &rule("")),
        ];
        compile(&files).unwrap().generation().clone()
    };
    assert_ne!(generation("C1\n"), generation("C2\n"));
}

/// The example of the documentation.
#[test]
fn the_documents_example_is_sound() {
    let document = include_str!("../../../docs/policy.md");
    let start = document.find("```toml\n").unwrap() + 8;
    let end = start + document[start..].find("```").unwrap();
    let schema = "[attributes]\nhousehold = \"text\"\ndo_not_disturb = \"boolean\"\n";
    let channels = "channels: [\"inapp\", \"push\", \"im\", \"sms\", \"call\"]";
    let credit = format!("{channels}, scene: \"credit-at-the-till\", purpose: \"credit\"");
    let sources = crate::kit::desk::sources(&[
        ("policy.toml", &document[start..end]),
        ("schema.toml", schema),
        ("lists/do-not-contact.txt", "C1\n"),
        ("a.rhai", &rule_when(&credit, "event.amount > 10")),
        (
            "b.rhai",
            &rule_when("purpose: \"service\"", "event.amount > 10"),
        ),
    ]);
    let (set, found) = RuleSet::build(&sources, CheckOptions::default());
    let found: Vec<_> = found
        .into_iter()
        .filter(|fault| fault.code == "policy")
        .collect();
    assert_eq!(render(&found), "");
    assert!(set.is_some());
}

#[test]
fn lists_are_read_from_their_folder_and_other_texts_are_left_alone() {
    let folder = crate::kit::Folder::new();
    std::fs::create_dir(folder.path().join("lists")).unwrap();
    for (name, text) in [
        ("r.rhai", &*rule("")),
        ("policy.toml", "[exclusions]\nlists = [\"mourning\"]\n"),
        ("lists/mourning.txt", "C1\n"),
        ("notes.txt", "not of the engine"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let sources = onscene::rules::Sources::read(folder.path()).unwrap();
    let paths: Vec<&str> = sources.lists.iter().map(|list| &*list.path).collect();
    assert_eq!(paths, ["lists/mourning.txt"]);
    let policy = RuleSet::compile(&sources).unwrap();
    assert!(policy.policy().exclusions.lists[0].1.has("C1"));
}
