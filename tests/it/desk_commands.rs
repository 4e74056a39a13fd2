//! The marketer's commands as they are run: `onscene test` and `onscene new`.

use crate::kit::{self, Folder};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

const RULE: &str = r#"const RULE = #{ on: "merchant.checkout", channels: ["push"] };
fn when(event, customer) { event.amount >= 100 }
fn action(event, customer) { #{ kind: "offer", code: "A" } }
"#;
const TESTS: &str = r#"[events.paid]
type = "merchant.checkout"
data = { stage = "paid", amount = "100", currency = "CNY", merchant = { id = "M1" } }
[[test]]
name = "a hundred is enough"
event = "paid"
expect = "sent"
[[test]]
name = "less is not"
event = { use = "paid", data = { amount = "99" } }
expect = "condition"
"#;

/// Runs the command in a folder: exit code and standard output, with errors behind it.
fn onscene(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_onscene"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text += &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

/// A folder `rules` with two rules, one of which is tested.
fn rules() -> Folder {
    let folder = Folder::new();
    let rules = folder.path().join("rules");
    std::fs::create_dir_all(rules.join("coffee")).unwrap();
    kit::save(&rules, "untested.rhai", RULE);
    kit::save(&rules, "coffee/visit.rhai", RULE);
    kit::save(&rules, "coffee/visit.test.toml", TESTS);
    folder
}

#[test]
fn tests_pass_or_fail_by_exit_code_and_say_which_rules_have_none() {
    let folder = rules();
    let (code, text) = onscene(folder.path(), &["test"]);
    assert_eq!(code, 0, "{text}");
    for part in [
        "PASS",
        "coffee/visit  a hundred is enough",
        "coffee/visit  less is not",
        "warning: untested has no tests",
        "2 tests run: 2 passed, 1 rule without tests",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let broken = TESTS.replace("\"condition\"", "\"sent\"");
    kit::save(
        &folder.path().join("rules"),
        "coffee/visit.test.toml",
        &broken,
    );
    let (code, text) = onscene(folder.path(), &["test", "rules"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("FAIL") && text.contains("event.amount >= 100  was 99 >= 100"),
        "{text}"
    );
    assert!(text.contains("2 tests run: 1 passed, 1 failed"), "{text}");
}

#[test]
fn a_folder_a_rule_a_test_file_or_a_text_say_which_tests_are_meant() {
    let folder = rules();
    kit::save(&folder.path().join("rules"), "untested.test.toml", TESTS);
    let run = |arguments: &[&str]| {
        let mut all = vec!["test", "--format", "json"];
        all.extend(arguments);
        let (code, text) = onscene(folder.path(), &all);
        assert_eq!(code, 0, "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        let tests = json["tests"].as_array().unwrap().iter();
        let names = tests.map(|t| format!("{} {}", t["rule"], t["name"]).replace('"', ""));
        names.collect::<Vec<_>>()
    };
    assert_eq!(run(&[]).len(), 4);
    assert_eq!(run(&["rules/coffee"]).len(), 2);
    assert_eq!(
        run(&["rules/untested.rhai"]),
        ["untested a hundred is enough", "untested less is not"]
    );
    assert_eq!(
        run(&["rules/coffee/visit.test.toml", "--filter", "less"]),
        ["coffee/visit less is not"]
    );
    assert_eq!(
        run(&["--filter", "coffee/visit less"]),
        ["coffee/visit less is not"]
    );
    assert_eq!(run(&["--filter", "LESS is"]).len(), 2);
    for arguments in [
        &["test", "--filter", "nothing like it"][..],
        &["test", "rules/lib"],
    ] {
        std::fs::create_dir_all(folder.path().join("rules/lib")).unwrap();
        let (code, text) = onscene(folder.path(), arguments);
        assert!(code == 1 && text.contains("no test was run"), "{text}");
    }
}

#[test]
fn check_and_test_take_the_same_paths_from_wherever_one_stands() {
    let folder = rules();
    let rules = folder.path().join("rules");
    let visit = RULE.replace("merchant.checkout", "till.paid");
    kit::save(&rules, "coffee/visit.rhai", &visit);
    kit::save(
        &rules,
        "coffee/visit.test.toml",
        &TESTS.replace("merchant.checkout", "till.paid"),
    );
    // The type is declared above of where the command is pointed at.
    let schema = "[events.\"till.paid\"]\namount = \"money\"\nstage = \"text\"\ncurrency = \"text\"\nmerchant = \"list\"\n";
    kit::save(&rules, "schema.toml", schema);
    let tests = "[events.paid]\ntype = \"till.paid\"\ndata = { amount = \"100\", currency = \"CNY\" }\n[[test]]\nname = \"a hundred is enough\"\nevent = \"paid\"\nexpect = \"sent\"\n";
    kit::save(&rules, "coffee/visit.test.toml", tests);
    for (from, paths) in [
        (
            "",
            &[
                "rules",
                "rules/coffee",
                "rules/coffee/visit.rhai",
                "./rules/coffee/visit.test.toml",
            ][..],
        ),
        (
            "rules",
            &[".", "coffee", "coffee/visit.rhai", "coffee/visit.test.toml"],
        ),
        (
            "rules/coffee",
            &[".", "visit.rhai", "visit.test.toml", "..", "../coffee"],
        ),
    ] {
        for path in paths {
            for command in ["check", "test"] {
                let (code, text) = onscene(&folder.path().join(from), &[command, path]);
                assert_eq!(code, 0, "{from}: {command} {path}: {text}");
                assert!(
                    !text.contains("untested") || ["rules", ".", ".."].contains(path),
                    "{text}"
                );
            }
        }
    }
    let (_, text) = onscene(folder.path(), &["check", "rules/coffee"]);
    assert!(text.contains("1 rule, generation"), "{text}");
}

#[test]
fn check_reads_test_files_and_refuses_to_call_sound_what_it_does_not_read() {
    let folder = rules();
    let rules = folder.path().join("rules");
    let fails = |arguments: &[&str], said: &str| {
        let (code, text) = onscene(folder.path(), arguments);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(said), "{said} is not in:\n{text}");
        text
    };
    let faulty = TESTS.replace("expect = \"sent\"", "expcet = \"sent\"");
    kit::save(&rules, "coffee/visit.test.toml", &faulty);
    for path in ["rules", "rules/coffee", "rules/coffee/visit.test.toml"] {
        fails(&["check", path], "did you mean `expect`?");
    }
    let (code, text) = onscene(folder.path(), &["check", "rules/coffee/visit.rhai"]);
    assert!(code == 0 && !text.contains("expcet"), "{text}");
    // Also what only the rule beside it can tell, and while another rule is broken.
    let drawn = TESTS.replace("event = \"paid\"", "event = \"paid\"\nvariant = \"rich\"");
    kit::save(&rules, "coffee/visit.test.toml", &drawn);
    fails(&["check"], "the rule has no variant \"rich\"");
    kit::save(&rules, "coffee/visit.test.toml", &faulty);
    kit::save(
        &rules,
        "untested.rhai",
        &RULE.replace("channels", "chanels"),
    );
    fails(&["check"], "did you mean `expect`?");
    // A schema that cannot be read leaves nothing to be sure of.
    kit::save(&rules, "schema.toml", "[atributes]\n");
    fails(&["check", "rules/coffee/visit.rhai"], "schema.toml");
    kit::save(folder.path(), "history.ndjson", "{}");
    fails(
        &["check", "history.ndjson"],
        "neither a rule nor a test file",
    );
    fails(
        &["test", "history.ndjson"],
        "neither a rule nor a test file",
    );
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    fails(&["check", "empty"], "there is nothing to check in empty");
    fails(&["test", "empty"], "no test was run");
}

#[test]
fn what_is_wrong_with_files_or_arguments_is_told_and_fails() {
    let folder = rules();
    let inside = folder.path().join("rules");
    kit::save(&inside, "orphan.test.toml", TESTS);
    let (code, text) = onscene(folder.path(), &["test"]);
    assert_eq!(code, 1);
    assert!(
        text.contains("there is no rule `orphan.rhai` for these tests"),
        "{text}"
    );
    assert!(text.contains("2 passed, 1 fault in files"), "{text}");
    kit::save(&inside, "orphan.rhai", &RULE.replace("channels", "chanels"));
    let (code, text) = onscene(folder.path(), &["test", "--format", "json"]);
    assert_eq!(code, 1);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["faults"][0]["file"], "orphan.rhai");
    let (code, text) = onscene(folder.path(), &["test", "rulez"]);
    assert_eq!(code, 1);
    assert!(text.contains("there is no rulez"), "{text}");
    assert_eq!(onscene(folder.path(), &["test", "--min-score", "90"]).0, 2);
    assert_eq!(
        onscene(folder.path(), &["test", "--mutants", "--min-score", "101"]).0,
        2
    );
    let (code, text) = onscene(folder.path(), &["test", "--help"]);
    assert!(code == 0 && text.contains("Examples:"), "{text}");
}

#[test]
fn coverage_and_mutants_tell_what_no_test_notices() {
    let folder = rules();
    let rules = folder.path().join("rules");
    let rule = RULE.replace(
        "event.amount >= 100",
        "event.amount >= 100 && event.stage == \"paid\"",
    );
    kit::save(&rules, "coffee/visit.rhai", &rule);
    std::fs::remove_file(rules.join("untested.rhai")).unwrap();
    let (code, text) = onscene(folder.path(), &["test", "--coverage", "--mutants"]);
    assert_eq!(code, 0, "{text}");
    for part in [
        "uncovered: coffee/visit.rhai:2: event.stage == \"paid\"  never said no",
        "Coverage  1 of 2 parts of conditions decided",
        "survived: coffee/visit.rhai:2:51: in `when`, `true` in place of `event.stage == \"paid\"`",
        "Mutants  9 killed, 1 survived: 90 %",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let score = |least: &str| onscene(folder.path(), &["test", "--mutants", "--min-score", least]);
    assert_eq!(score("90").0, 0);
    let (code, text) = score("91");
    assert!(code == 1 && text.contains("at least 91 % wanted"), "{text}");
    // On as many threads as there are, and yet always the same.
    let json = |_| onscene(folder.path(), &["test", "--mutants", "--format", "json"]).1;
    let all: Vec<String> = (0..5).map(json).collect();
    assert!(all.iter().all(|text| *text == all[0]));
}

#[test]
fn with_watch_a_save_runs_the_tests_again() {
    use std::io::{BufRead as _, BufReader};
    let folder = rules();
    let mut child = Command::new(env!("CARGO_BIN_EXE_onscene"))
        .args(["test", "--watch"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |text: &str| lines.by_ref().map(Result::unwrap).any(|l| l.contains(text));
    assert!(until("2 tests run: 2 passed"));
    let rules = folder.path().join("rules");
    kit::save(&rules, "coffee/visit.rhai", &RULE.replace("100", "50"));
    assert!(until("2 tests run: 1 passed, 1 failed"));
    kit::save(
        &rules,
        "coffee/visit.test.toml",
        &TESTS.replace("\"99\"", "\"49\""),
    );
    assert!(until("2 tests run: 2 passed"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_new_rule_of_each_kind_passes_check_and_test_as_it_is_and_its_tests_notice_changes() {
    let folder = Folder::new();
    let new = |arguments: &[&str]| {
        let mut all = vec!["new"];
        all.extend(arguments);
        let (code, text) = onscene(folder.path(), &all);
        assert_eq!(code, 0, "{text}");
        text
    };
    let text = new(&["coffee/third-visit"]);
    for part in [
        "wrote rules/schema.toml",
        "wrote rules/coffee/third-visit.test.toml",
        "onscene check rules",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    for kind in ["event", "absence", "journey", "daily", "broadcast"] {
        new(&[&format!("kinds/{kind}"), "--kind", kind]);
    }
    for on in [
        "account.movement",
        "app.login",
        "offer.declined",
        "timer.daily",
        "broadcast.goal",
    ] {
        new(&[&format!("types/{}", on.replace('.', "-")), "--on", on]);
    }
    let (code, text) = onscene(folder.path(), &["check", "rules"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("11 rules"), "{text}");
    let (code, text) = onscene(
        folder.path(),
        &["test", "--coverage", "--mutants", "--min-score", "90"],
    );
    assert_eq!(code, 0, "{text}");
    assert!(
        !text.contains("uncovered") && !text.contains("without tests"),
        "{text}"
    );
}

#[test]
fn a_new_rule_fits_into_a_folder_with_words_channels_and_locales_of_its_own() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    let schema = r#"[words]
segment = ["family"]
tender = ["own_account", "wallet"]
[locales]
required = ["de"]
[channels.letter]
needs = ["address"]
[channels.sms]
[events."broadcast.news"]
[events."bill.due"]
kind = { type = "text", required = true, words = ["utility", "telecom"] }
"#;
    kit::save(&folder.path().join("rules"), "schema.toml", schema);
    for kind in ["event", "absence", "journey", "daily", "broadcast"] {
        let (code, text) = onscene(folder.path(), &["new", kind, "--kind", kind]);
        assert_eq!(code, 0, "{text}");
    }
    assert_eq!(
        onscene(folder.path(), &["new", "bill", "--on", "bill.due"]).0,
        0
    );
    let (code, text) = onscene(folder.path(), &["check", "--deny-warnings"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = onscene(folder.path(), &["test"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_new_rule_overwrites_nothing_and_needs_a_name_and_an_event_type_that_there_is() {
    let folder = rules();
    let refused = |arguments: &[&str], said: &str| {
        let (code, text) = onscene(folder.path(), arguments);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(said), "{said} is not in:\n{text}");
    };
    refused(&["new", "coffee/visit"], "is there already");
    refused(&["new", "../visit"], "cannot be the name of a rule");
    refused(&["new", "lib/visit"], "rules cannot stand in lib/");
    refused(
        &["new", "visit", "--on", "merchant.chekout"],
        "did you mean merchant.checkout?",
    );
    refused(
        &["new", "visit", "--kind", "daily", "--on", "app.login"],
        "leave `--on app.login` out",
    );
    let rule = std::fs::read_to_string(folder.path().join("rules/coffee/visit.rhai")).unwrap();
    assert_eq!(rule, RULE);
    assert!(!folder.path().join("rules/visit.rhai").exists());
}
