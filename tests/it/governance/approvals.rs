//! Maker and checker.

use std::process::Output;

use onscene::nats::EventPublisher;

use crate::kit::{self, Engine, Folder, Nats};

fn approval(nats: &Nats, rules: &Folder, arguments: &[&str]) -> Output {
    kit::onscene()
        .args(["approval", "--nats", &nats.url(), "--rules"])
        .arg(rules.path())
        .args(arguments)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(error)
    )
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    text(output)
}

fn asking(code: &str) -> String {
    kit::answering_rule(code).replace("fresh:", "approval: true, fresh:")
}

fn state(engine: &Engine) -> serde_json::Value {
    let page = engine.get("/api/rules");
    serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Submits the text of the folder, and returns its SHA-256.
fn submit(nats: &Nats, rules: &Folder) -> String {
    let signed = [
        "submit", "--rule", "one", "--by", "Li Na", "--reason", "spring",
    ];
    let said = done(&approval(nats, rules, &signed));
    let (_, digits) = said.split_once("SHA-256 ").unwrap();
    digits.split_whitespace().next().unwrap().to_owned()
}

fn approve(nats: &Nats, rules: &Folder, sha256: &str, by: &str) -> Output {
    let signed = [
        "approve", "--rule", "one", "--sha256", sha256, "--by", by, "--reason", "ok",
    ];
    approval(nats, rules, &signed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_asks_for_approval_goes_live_only_by_a_second_person_and_all_else_at_once() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "one.rhai", &asking("ONE"));
    kit::save(rules.path(), "two.rhai", &kit::answering_rule("TWO"));
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let live = |name: &str| {
        let state = state(&engine);
        let rules = state["rules"].as_array().unwrap();
        rules.iter().any(|rule| rule["name"] == name)
    };
    assert!(!live("one") && live("two"));
    assert_eq!(state(&engine)["unapproved"][0]["rule"], "one");
    assert!(engine.metric("onscene_approvals_pending") > 0.5);
    engine.wait_log("waits for approval");
    let first = submit(&nats, &rules);
    let himself = approve(&nats, &rules, &first, "li na");
    assert!(!himself.status.success());
    assert!(
        text(&himself).contains("somebody else"),
        "{}",
        text(&himself)
    );
    let another = approve(&nats, &rules, "0123456789", "Wang Wei");
    assert!(text(&another).contains(&first), "{}", text(&another));
    done(&approve(&nats, &rules, &first[..12], "Wang Wei"));
    kit::eventually("the approved rule is live", || live("one"));
    assert!(engine.metric("onscene_approvals_pending") < 0.5);
    // A changed text waits again, and the approved one stays.
    let before = state(&engine)["generation"].clone();
    kit::save(rules.path(), "one.rhai", &asking("CHANGED"));
    kit::save(rules.path(), "two.rhai", &kit::answering_rule("SECOND"));
    kit::eventually("it waits", || {
        engine.metric("onscene_approvals_pending") > 0.5
    });
    kit::eventually("all else is live", || {
        state(&engine)["generation"] != before
    });
    kit::publish(&publisher, "e1", "C1").await;
    let actions = kit::wait_actions(&nats.url(), 2).await;
    let mut codes: Vec<_> = (actions.iter())
        .map(|action| action.event["data"]["body"]["code"].as_str().unwrap())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, ["ONE", "SECOND"]);
    // Not to ask any more is a change as well.
    kit::save(rules.path(), "one.rhai", &kit::answering_rule("SNEAKED"));
    let sneaked = submit(&nats, &rules);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(engine.metric("onscene_approvals_pending") > 0.5);
    let shown = done(&approval(&nats, &rules, &["show", "--rule", "one"]));
    assert!(
        shown.contains("SNEAKED") && shown.contains(&sneaked),
        "{shown}"
    );
    let listed = done(&approval(&nats, &rules, &["list"]));
    assert!(listed.contains("one: waits for approval"), "{listed}");
    assert!(listed.contains("checked by Wang Wei"), "{listed}");
}
