//! A rule cannot hurt another: whatever one does, the others decide, and its fault is told with file
//! and line.

use crate::kit::Desk;
use crate::kit::desk::{NOON, checkout, rule, time, verdict, winners};
use onscene::action::Verdict;

/// What an offender does, the line of its file on which it fails, and words of what is told. What the
/// checks would find before is taken out of a list, into which they do not look.
const OFFENDERS: &[(&str, &str, usize, &str)] = &[
    ("loops without end", "loop { }", 3, "too many operations"),
    (
        "counts without end",
        "let x = 0; while true { x += 1; } x > 0",
        3,
        "too many operations",
    ),
    (
        "grows a string",
        "let s = \"x\"; loop { s += s; }",
        3,
        "Length of string too large",
    ),
    (
        "pads a string",
        "let s = \"x\"; s.pad(1_000_000_000_000, 'y'); true",
        3,
        "Length of string too large",
    ),
    (
        "grows an array",
        "let a = [1]; loop { a += a; }",
        3,
        "Size of array",
    ),
    (
        "grows a map",
        "let m = #{}; let i = 0; loop { m[`k${i}`] = m; i += 1; }",
        3,
        "too large",
    ),
    (
        "takes a blob",
        "let b = blob(1_000_000_000); b.len > 0",
        3,
        "too large",
    ),
    (
        "walks a huge range",
        "let x = 0; for i in 0..9_000_000_000_000 { x += i; } x > 0",
        3,
        "too many operations",
    ),
    ("recurses", "recurse(1)", 3, "calls itself too deeply"),
    ("recurses in a tree", "tree(1)", 3, "too many operations"),
    (
        "throws",
        "throw \"thrown on purpose\"",
        3,
        "thrown on purpose",
    ),
    ("throws a map", "throw #{ code: 7 }", 3, "7"),
    (
        "calls what is not there",
        "Fn(\"no_such_function\").call(1)",
        3,
        "no_such_function",
    ),
    (
        "calls a method that is not there",
        "let c = [customer][0]; c.no_such_method(\"1d\")",
        3,
        "no_such_method",
    ),
    (
        "reads a field that is not there",
        "let e = [event][0]; e.amuont > 1",
        3,
        "did you mean `amount`?",
    ),
    (
        "reads an attribute that is not there",
        "let c = [customer][0]; c.teir == 1",
        3,
        "customer has no attribute `teir`",
    ),
    (
        "asks for no window",
        "customer.spend([\"30 days\"][0]) > 1",
        3,
        "is not a window",
    ),
    (
        "asks for no type",
        "customer.count([\"merchant.chekout\"][0], \"1d\") > 1",
        3,
        "did you mean `merchant.checkout`?",
    ),
    (
        "divides by zero",
        "1 / (event.amount.to_int() - 128) / 0 > 1",
        3,
        "ivision by zero",
    ),
    (
        "divides a decimal by zero",
        "event.amount / 0 > 1",
        3,
        "ivision by zero",
    ),
    (
        "overflows a decimal",
        "let x = 79228162514264337593543950335.0; x * event.amount > 1",
        3,
        "overflow",
    ),
    (
        "overflows an integer",
        "9_223_372_036_854_775_807 + event.time > 1",
        3,
        "overflow",
    ),
    (
        "raises to a huge power",
        "let x = 10; x ** 10_000 > 1",
        3,
        "overflow",
    ),
    ("sleeps", "sleep(60); true", 3, "cannot sleep"),
    ("writes to the event", "event.amount = 0; true", 3, ""),
    (
        "returns text",
        "[\"yes\"][0]",
        3,
        "must return true or false",
    ),
    ("returns nothing", "[()][0]", 3, "must return true or false"),
];

fn offender(body: &str) -> String {
    format!(
        "const RULE = #{{ on: \"merchant.checkout\", channels: [\"push\"] }};\n\
         fn action(event, customer) {{ #{{ kind: \"offer\" }} }}\n\
         fn when(event, customer) {{ {body} }}\n\
         fn recurse(x) {{ recurse(x + 1) + 1 }}\n\
         fn tree(x) {{ if x > 25 {{ 0 }} else {{ tree(x + 1) + tree(x + 1) }} }}\n"
    )
}

#[test]
fn a_rule_that_misbehaves_leaves_the_others_alone_and_is_told_with_file_and_line() {
    let mut wrong = Vec::new();
    for (name, body, line, words) in OFFENDERS {
        let files = [
            ("a-good.rhai", rule("")),
            ("m-bad.rhai", offender(body)),
            ("z-good.rhai", rule("")),
        ];
        let mut desk = Desk::new(&files);
        let output = desk.step(&checkout("1", "C1", time(NOON)));
        let others_decide = winners(&output) == ["a-good", "z-good"];
        let counted = verdict(&output, "m-bad") == Verdict::Error;
        let told = output.errors.iter().any(|(rule, error)| {
            &**rule == "m-bad"
                && &*error.file == "m-bad.rhai"
                && error.line == Some(*line)
                && error.message.contains(words)
        });
        if !(others_decide && counted && told && output.errors.len() == 1) {
            let decided = winners(&output).join(", ");
            wrong.push(format!(
                "{name}: decided: {decided}; errors: {:?}",
                output.errors
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_action_that_fails_is_no_decision_and_its_group_goes_to_the_next() {
    for (body, words) in [
        ("throw \"thrown on purpose\"", "thrown on purpose"),
        ("loop { }", "too many operations"),
        ("[42][0]", "must return a map"),
        ("[#{ code: \"X\" }][0]", "`kind` must be"),
        ("[#{ kind: \"gift\" }][0]", "`kind` must be"),
        (
            "[#{ kind: \"offer\", expires: \"soon\" }][0]",
            "`expires` must be",
        ),
        ("#{ kind: \"offer\", who: customer }", "cannot carry"),
        ("#{ kind: \"offer\", f: Fn(\"when\") }", "cannot carry"),
    ] {
        let bad = format!(
            "const RULE = #{{ on: \"merchant.checkout\", channels: [\"push\"], group: \"g\", priority: 90 }};\n\
             fn when(event, customer) {{ true }}\n\
             fn action(event, customer) {{ {body} }}\n"
        );
        let files = [("bad.rhai", bad), ("next.rhai", rule("group: \"g\""))];
        let output = Desk::new(&files).step(&checkout("1", "C1", time(NOON)));
        assert_eq!(winners(&output), ["next"], "{body}");
        assert_eq!(verdict(&output, "bad"), Verdict::Error);
        let [(_, error)] = &output.errors[..] else {
            panic!("{body}: {:?}", output.errors);
        };
        assert_eq!(
            (&*error.file, error.function, error.line),
            ("bad.rhai", "action", Some(3)),
            "{body}"
        );
        assert!(error.message.contains(words), "{body}: {}", error.message);
    }
}

#[test]
fn a_fault_in_a_library_is_told_where_the_rule_calls_it() {
    let files = [
        ("bad.rhai", rule_with_library()),
        ("good.rhai", rule("")),
        (
            "lib/helper.rhai",
            "// one\n// two\n// three\nfn fail(x) {\n    throw `no ${x}`\n}\n".to_owned(),
        ),
    ];
    let output = Desk::new(&files).step(&checkout("1", "C1", time(NOON)));
    assert_eq!(winners(&output), ["good"]);
    let (_, error) = &output.errors[0];
    assert_eq!(
        (&*error.file, error.line, &*error.message),
        ("bad.rhai", Some(3), "no luck")
    );
}

fn rule_with_library() -> String {
    "const RULE = #{ on: \"merchant.checkout\", channels: [\"push\"] };\n\
     fn when(event, customer) {\n    helper::fail(\"luck\")\n}\n\
     fn action(event, customer) { #{ kind: \"offer\" } }\n"
        .to_owned()
}

#[test]
fn what_one_call_of_a_rule_changes_no_other_call_sees() {
    let changing = "const RULE = #{ on: \"merchant.checkout\", channels: [\"push\"] };\n\
        fn when(event, customer) { let items = event.items; items.push(1); items.len == 1 }\n\
        fn action(event, customer) { #{ kind: \"offer\", seen: event.items.len } }\n";
    let files = [("a.rhai", changing), ("b.rhai", changing)];
    let mut desk = Desk::new(&files);
    for id in ["1", "2", "3"] {
        let mut event = checkout(id, "C1", time(NOON));
        event["data"]["items"] = serde_json::json!([]);
        let output = desk.step(&event);
        assert_eq!(winners(&output), ["a", "b"], "{:?}", output.errors);
    }
}
