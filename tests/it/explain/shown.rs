//! An explanation as people and machines read it.

use onscene::explain::{
    CheckFacts, Conjunct, EventFacts, Explanation, Happened, ItemFacts, RuleExplanation, RuleTexts,
    StateFacts, WindowFacts,
};
use std::path::Path;

/// Holds a text against the golden one.
#[track_caller]
fn golden(name: &str, shown: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/explain");
    let golden = folder.join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, shown).unwrap();
    } else {
        let known = std::fs::read_to_string(&golden).unwrap_or_default();
        assert!(
            known == shown,
            "{name} is now:\n{shown}\nUPDATE_GOLDEN=1 takes it over"
        );
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn item(day: u32, id: &str, part: &str) -> ItemFacts {
    ItemFacts {
        time: format!("2026-11-{day:02}T10:00:00.000Z"),
        id: id.to_owned(),
        source: some("till-9"),
        kind: "merchant.checkout".to_owned(),
        phase: some(if part.starts_with('-') {
            "refunded"
        } else {
            "paid"
        }),
        amount: some(part.trim_start_matches('-')),
        category: some("dining"),
        part: part.to_owned(),
    }
}

fn spend() -> WindowFacts {
    WindowFacts {
        call: r#"spend("dining", "30d")"#.to_owned(),
        value: "480.5".to_owned(),
        made_as: "sum".to_owned(),
        trimmed: true,
        items: vec![item(2, "co-3", "500.5"), item(9, "co-7", "-20")],
    }
}

fn part(text: &str, held: Option<bool>, saw: Option<&str>) -> Conjunct {
    Conjunct {
        text: text.to_owned(),
        line: 12,
        held,
        saw: saw.map(str::to_owned),
        ..Conjunct::default()
    }
}

fn check(name: &str, passed: bool, detail: serde_json::Value) -> CheckFacts {
    let serde_json::Value::Object(detail) = detail else {
        panic!("numbers by name");
    };
    CheckFacts {
        name: name.to_owned(),
        passed,
        detail,
    }
}

fn sent() -> RuleExplanation {
    let id = "50e2d06b64890ecad5c4a00b5ab693a8".to_owned();
    let happened = |what: &str, second: u32| Happened {
        what: what.to_owned(),
        decision: id.clone(),
        at: format!("2026-11-22T02:00:{second:02}.123Z"),
        sequence: 7,
        ..Happened::default()
    };
    RuleExplanation {
        rule: "win-the-payment/checkout".to_owned(),
        file: some("win-the-payment/checkout.rhai"),
        verdict: some("sent"),
        conjuncts: vec![part(
            "event.amount >= 100",
            Some(true),
            Some("128.5 >= 100"),
        )],
        checks: vec![
            check(
                "cooldown",
                true,
                serde_json::json!({"count": 0, "limit": 1, "window": "7d"}),
            ),
            check("consent", false, serde_json::json!({"channel": "sms"})),
        ],
        happened: vec![
            Happened {
                channel: some("push"),
                step: Some(0),
                generation: some("0123456789abcdef"),
                ..happened("sent", 0)
            },
            happened("accepted", 9),
        ],
        agrees: true,
        ..RuleExplanation::default()
    }
}

fn silent() -> RuleExplanation {
    let wanted = Conjunct {
        decided: true,
        windows: vec![spend()],
        ..part(
            r#"customer.spend("dining", "30d") >= 500"#,
            Some(false),
            Some("480.5 >= 500"),
        )
    };
    let called = Conjunct {
        because: vec!["`is_often` said no: n >= 3   was 1 >= 3".to_owned()],
        ..part("money::is_often(customer)", Some(false), None)
    };
    let failing = Conjunct {
        error: some("a rule cannot sleep"),
        ..part("sleep(1)", None, None)
    };
    RuleExplanation {
        rule: "coffee/third-visit".to_owned(),
        file: some("coffee/third-visit.rhai"),
        verdict: some("condition"),
        conjuncts: vec![wanted, called, failing],
        checks: vec![check("condition", false, serde_json::json!({}))],
        agrees: true,
        ..RuleExplanation::default()
    }
}

fn differing() -> RuleExplanation {
    RuleExplanation {
        rule: "lost/offer".to_owned(),
        verdict: some("arbitration"),
        winner: some("win-the-payment/checkout"),
        agrees: false,
        remark: some("the log has an action, sent by push, and asked again it would not be one"),
        ..RuleExplanation::default()
    }
}

fn explanation() -> Explanation {
    Explanation {
        customer: "C1001".to_owned(),
        event: EventFacts {
            id: "co-17".to_owned(),
            source: "till-9".to_owned(),
            kind: "merchant.checkout".to_owned(),
            time: "2026-11-22T02:00:00.000Z".to_owned(),
            stored_at: "2026-11-22T02:00:00.120Z".to_owned(),
            sequence: 81_234,
            decided_at: "2026-11-22T02:00:00.123Z".to_owned(),
        },
        state: StateFacts {
            partition: 3,
            checkpoint: Some(17),
            checkpoint_through: Some(81_000),
            events: 1,
            log_entries: 2,
        },
        rules_used: RuleTexts {
            generation: "0123456789abcdef".to_owned(),
            from: "the folder rules".to_owned(),
            decided_by: some("fedcba9876543210"),
        },
        rules: vec![sent(), differing(), silent()],
        agrees: false,
        notes: vec!["what must be known".to_owned()],
    }
}

#[test]
fn an_explanation_is_shown_as_text() {
    golden("explanation.txt", &explanation().to_string());
}

/// Whoever reads the JSON finds the same names and the same forms as before.
#[test]
fn an_explanation_is_shown_as_json() {
    let json = serde_json::to_string_pretty(&explanation()).unwrap();
    golden("explanation.json", &format!("{json}\n"));
}
