//! What the command says where not everything is as it was, or is not there at all.

use crate::kit::{self, Engine, Folder, Nats, onscene};
use onscene::nats::EventPublisher;
use serde_json::Value;
use std::path::Path;

const BUDGETED: &str = r#"const RULE = #{ on: "merchant.checkout", channels: ["push"], fresh: "1d", budget: #{ total: 10 } };
fn when(event, customer) { event.stage == "paid" && event.amount >= 50 }
fn action(event, customer) { #{ kind: "offer", code: "TEN", value: 10, cost: 10 } }
"#;
const SETTINGS: [(&str, &str); 2] = [
    ("ONSCENE_ENGINE_THROUGH_INTERVAL_S", "1"),
    ("ONSCENE_ENGINE_PARTITIONS", "2"),
];

/// Runs the command; returns its exit code, what it printed and what it said beside that.
pub(super) fn explain_with(
    nats: &Nats,
    folder: &Path,
    partitions: &str,
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let output = onscene()
        .args(["explain", "--nats", &nats.url(), "--rules"])
        .arg(folder.join("rules"))
        .arg("--data")
        .arg(folder.join("data"))
        .args(arguments)
        .env("ONSCENE_ENGINE_PARTITIONS", partitions)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn explain(nats: &Nats, folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    explain_with(nats, folder, "2", arguments)
}

/// Two customers pay, one after the other, and the budget is enough for the first.
async fn two_pay(nats: &Nats, folder: &Path) {
    std::fs::create_dir(folder.join("rules")).unwrap();
    kit::save(&folder.join("rules"), "ten.rhai", BUDGETED);
    let mut engine = Engine::spawn_on(
        &nats.url(),
        &folder.join("rules"),
        &folder.join("data"),
        &SETTINGS,
    );
    engine.wait_ready();
    let publisher = EventPublisher::new(&nats.connect().await, 8);
    kit::publish(&publisher, "first", "C1").await;
    kit::wait_actions(&nats.url(), 1).await;
    kit::publish(&publisher, "second", "C2").await;
    assert!(engine.terminate().success(), "{}", engine.log());
}

/// What others had spent is not put together again, so a budget is as decided; other rules than those that decided are told
/// apart from them, and what differs is said; what is not there is said too.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_is_said_plainly() {
    let nats = Nats::start().await;
    let folder = Folder::new();
    two_pay(&nats, folder.path()).await;
    let first = ["--customer", "C1", "--event", "first"];
    let (code, text, error) = explain(&nats, folder.path(), &first);
    assert_eq!(code, Some(0), "{text}{error}");
    assert!(
        text.contains("ten: sent") && text.contains("; which decided"),
        "{text}"
    );
    let second = ["--customer", "C2", "--event", "second", "--format", "json"];
    let (code, text, error) = explain(&nats, folder.path(), &second);
    assert_eq!(code, Some(0), "{text}{error}");
    let explanation: Value = serde_json::from_str(&text).unwrap();
    let rule = &explanation["rules"][0];
    assert_eq!(
        (&rule["verdict"], &rule["agrees"]),
        (&"budget".into(), &true.into()),
        "{text}"
    );
    assert!(
        rule["remark"]
            .as_str()
            .unwrap()
            .contains("its budget was spent then"),
        "{text}"
    );
    kit::save(
        &folder.path().join("rules"),
        "ten.rhai",
        &BUDGETED.replace("50", "500"),
    );
    // The texts that decided are kept.
    let (code, text, error) = explain(&nats, folder.path(), &first);
    assert_eq!(code, Some(0), "{text}{error}");
    assert!(
        text.contains("of SCENE_RULES; which decided") && text.contains("ten: sent"),
        "{text}"
    );
    let with_folder = [&first[..], &["--folder-rules"]].concat();
    let (code, text, _) = explain(&nats, folder.path(), &with_folder);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("DECIDED") && text.contains("ten: condition"),
        "{text}"
    );
    assert!(
        text.contains("DIFFERS: the log has an action, sent by push"),
        "{text}"
    );
    assert!(text.contains("was 100 >= 500   <- ended here"), "{text}");
    ask_for_what_is_not_there(&nats, folder.path());
}

fn ask_for_what_is_not_there(nats: &Nats, folder: &Path) {
    for (arguments, said) in [
        (
            ["--customer", "C1", "--event", "third"],
            "no event `third` of this customer",
        ),
        (
            ["--customer", "C2", "--event", "first"],
            "no event `first` of this customer",
        ),
        (["--customer", "", "--event", "first"], "1 to 64 bytes"),
    ] {
        let (code, text, error) = explain(nats, folder, &arguments);
        assert_eq!((code, text.as_str()), (Some(1), ""), "{error}");
        assert!(error.contains(said), "{error}");
    }
    let no_rule = ["--customer", "C1", "--event", "first", "--rule", "nine"];
    let (code, _, error) = explain(nats, folder, &no_rule);
    assert!(
        code == Some(1) && error.contains("no rule `nine`"),
        "{error}"
    );
}

/// An event that waited while nobody decided was stale by the clock at which it was decided about, and not by when it came.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_stale_is_explained_as_stale() {
    let nats = Nats::start().await;
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    let hasty = BUDGETED.replace("fresh: \"1d\", budget: #{ total: 10 }", "fresh: \"1s\"");
    kit::save(&folder.path().join("rules"), "ten.rhai", &hasty);
    let start = || {
        let (rules, data) = (folder.path().join("rules"), folder.path().join("data"));
        let engine = Engine::spawn_on(&nats.url(), &rules, &data, &SETTINGS);
        engine.wait_ready();
        engine
    };
    assert!(start().terminate().success());
    let publisher = EventPublisher::new(&nats.connect().await, 8);
    kit::publish(&publisher, "late", "C1").await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(start().terminate().success());
    let (code, text, error) = explain(
        &nats,
        folder.path(),
        &["--customer", "C1", "--event", "late"],
    );
    assert_eq!(code, Some(0), "{text}{error}");
    assert!(text.contains("ten: stale"), "{text}");
}
