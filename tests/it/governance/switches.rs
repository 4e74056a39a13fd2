//! The kill switch, pauses and shadow mode.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;
use std::time::Duration;

use onscene::nats::EventPublisher;

use super::load::{self, Load, Logged, rate, wait_answers};
use crate::kit::{self, Engine, Folder, Nats};

fn switch(nats: &Nats, arguments: &[&str]) -> Output {
    let (verb, rest) = arguments.split_first().unwrap();
    let mut command = kit::onscene();
    command
        .args(["switch", verb, "--nats", &nats.url()])
        .args(rest);
    if !matches!(*verb, "list" | "log") {
        command.args(["--by", "Li Na", "--reason", "wrong amount"]);
    }
    command.output().unwrap()
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

/// From which message on each partition obeys the latest change.
fn obeyed(log: &[Logged]) -> BTreeMap<u16, u64> {
    let controls = log
        .iter()
        .filter(|logged| logged.headers.get("Onscene-Switches").is_some());
    controls
        .map(|logged| (logged.partition, logged.sequence))
        .collect()
}

fn two_rules() -> Folder {
    let rules = Folder::new();
    kit::save(rules.path(), "one.rhai", &kit::answering_rule("ONE"));
    kit::save(rules.path(), "two.rhai", &kit::answering_rule("TWO"));
    rules
}

/// Must-show of governance: after the kill switch is acknowledged there is no action of the rule.
#[tokio::test(flavor = "multi_thread")]
async fn after_the_kill_switch_is_acknowledged_nothing_of_the_rule_is_stored_and_the_others_go_on()
{
    let (nats, rules) = (Nats::start().await, two_rules());
    let engine = Engine::start(&nats.url(), rules.path());
    let load = Load::start(&nats, rate()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let started = std::time::Instant::now();
    let said = done(&switch(&nats, &["pause", "--rule", "one"]));
    let took = started.elapsed();
    let obeyed = obeyed(&load::log(&nats).await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let count = load.stop().await;
    let log = wait_answers(&nats, "two", count).await;
    assert_eq!(obeyed.len(), 16, "every partition");
    let last = obeyed.values().max().unwrap();
    assert!(said.contains(&format!("from message {last} ")), "{said}");
    let (mut before, mut after) = (0, 0);
    let mut answered = BTreeSet::new();
    for action in log.iter().filter(|logged| logged.is_action()) {
        match action.rule() {
            Some("one") if action.sequence > obeyed[&action.partition] => after += 1,
            Some("one") => before += 1,
            _ => assert!(answered.insert(action.trigger()), "answered twice"),
        }
    }
    assert_eq!(answered.len(), count, "the other rule answers every event");
    assert!(before > 0, "the rule spoke before");
    assert_eq!(after, 0, "actions of the rule after it was acknowledged");
    let paused = engine.metric("onscene_verdicts_total{rule=\"one\",verdict=\"paused\"}");
    assert!(paused > 0.0);
    assert!(engine.metric("onscene_switches_active{kind=\"rule\"}") > 0.5);
    println!(
        "result: kill switch at {}/s: {before} actions of the rule before, {after} after, of {count} events; the command took {took:?} and says: {}",
        rate(),
        said.lines().nth(1).unwrap_or_default()
    );
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_outlives_the_engine_and_who_changed_what_is_told() {
    let (nats, rules) = (Nats::start().await, two_rules());
    let mut engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    kit::publish(&publisher, "e1", "C1").await;
    kit::wait_actions(&nats.url(), 2).await;
    done(&switch(&nats, &["pause", "--all", "--for", "2h"]));
    engine.kill();
    // Nobody obeys now, and it says so; whoever starts next does before deciding.
    let alone = switch(&nats, &["pause", "--rule", "one", "--wait", "1"]);
    assert!(!alone.status.success(), "{}", text(&alone));
    assert!(text(&alone).contains("16 partition(s)"), "{}", text(&alone));
    kit::publish(&publisher, "e2", "C1").await;
    let engine = Engine::start(&nats.url(), rules.path());
    let paused = || engine.metric("onscene_verdicts_total{rule=\"two\",verdict=\"paused\"}");
    kit::eventually("the event is decided", || paused() > 0.5);
    done(&switch(&nats, &["resume", "--all"]));
    kit::publish(&publisher, "e3", "C1").await;
    let actions = kit::wait_actions(&nats.url(), 3).await;
    let last = actions.last().unwrap();
    assert_eq!(
        (last.trigger(), &last.event["data"]["rule"]),
        ("e3", &"two".into())
    );
    assert_eq!(actions.len(), 3);
    let listed = done(&switch(&nats, &["list"]));
    assert!(listed.contains("rule one: paused"), "{listed}");
    assert!(listed.contains("by Li Na: wrong amount"), "{listed}");
    assert!(!listed.contains("everything"), "{listed}");
    let log = done(&switch(&nats, &["log"]));
    assert_eq!(log.lines().count(), 3, "{log}");
    let misspelt = switch(&nats, &["pause", "--rule", "oen"]);
    assert!(!misspelt.status.success());
    assert!(
        text(&misspelt).contains("is it misspelt"),
        "{}",
        text(&misspelt)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_paused_is_passed_over() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    let rule = kit::answering_rule("ONE").replace("[\"push\"]", "[\"push\", \"sms\"]");
    kit::save(rules.path(), "one.rhai", &rule);
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    done(&switch(&nats, &["pause", "--channel", "push"]));
    kit::publish(&publisher, "e1", "C1").await;
    let actions = kit::wait_actions(&nats.url(), 1).await;
    assert_eq!(actions[0].event["data"]["channel"], "sms");
    done(&switch(&nats, &["pause", "--channel", "sms"]));
    kit::publish(&publisher, "e2", "C1").await;
    let paused = || engine.metric("onscene_verdicts_total{rule=\"one\",verdict=\"paused\"}");
    kit::eventually("the event is decided", || paused() > 0.5);
    assert_eq!(kit::actions(&nats.url()).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_shadow_decides_and_sends_to_its_test_customers_alone() {
    let (nats, rules) = (Nats::start().await, two_rules());
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let asked = ["shadow", "--rule", "one", "--test-customer", "C1"];
    done(&switch(&nats, &asked));
    kit::publish(&publisher, "e1", "C1").await;
    kit::publish(&publisher, "e2", "C2").await;
    let log = wait_answers(&nats, "two", 2).await;
    let channels: BTreeMap<(&str, &str), &str> = (log.iter())
        .filter(|logged| logged.is_action())
        .map(|logged| ((logged.rule().unwrap(), logged.trigger()), &*logged.channel))
        .collect();
    assert_eq!(channels[&("one", "e1")], "push");
    assert_eq!(channels[&("one", "e2")], "_shadow");
    assert_eq!(channels[&("two", "e2")], "push");
    assert!(engine.metric("onscene_switches_active{kind=\"shadow\"}") > 0.5);
    done(&switch(&nats, &["unshadow", "--rule", "one"]));
    kit::publish(&publisher, "e3", "C2").await;
    let log = wait_answers(&nats, "two", 3).await;
    let sent = |logged: &&Logged| logged.rule() == Some("one") && logged.trigger() == "e3";
    assert_eq!(log.iter().find(sent).unwrap().channel, "push");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_shadow_takes_nothing_from_others_neither_the_group_nor_the_budget() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    let rule = |code: &str, fields: &str| {
        let text = kit::answering_rule(code).replace("fresh:", &format!("{fields}, fresh:"));
        text.replace("value:", "cost: 3, value:")
    };
    let (first, second) = ("group: \"g\", priority: 90", "group: \"g\"");
    let budget = format!("{first}, budget: #{{ total: 100 }}, cooldown: \"1d\"");
    kit::save(rules.path(), "one.rhai", &rule("ONE", &budget));
    kit::save(rules.path(), "two.rhai", &rule("TWO", second));
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    done(&switch(&nats, &["shadow", "--rule", "one"]));
    kit::publish(&publisher, "e1", "C1").await;
    kit::publish(&publisher, "e2", "C1").await;
    let log = wait_answers(&nats, "two", 2).await;
    let shadows = log.iter().filter(|logged| logged.channel == "_shadow");
    let shadows: Vec<_> = shadows
        .map(|logged| (logged.rule(), logged.trigger()))
        .collect();
    // Its own cooldown counts what was sent, and nothing was.
    assert_eq!(shadows, [(Some("one"), "e1"), (Some("one"), "e2")]);
    assert!(engine.metric("onscene_budget_spent{rule=\"one\"}") < 0.5);
    done(&switch(&nats, &["unshadow", "--rule", "one"]));
    kit::publish(&publisher, "e3", "C1").await;
    let log = wait_answers(&nats, "one", 3).await;
    let last = log.iter().rfind(|logged| logged.is_action()).unwrap();
    assert_eq!((last.rule(), &*last.channel), (Some("one"), "push"));
    kit::eventually("it is spent", || {
        engine.metric("onscene_budget_spent{rule=\"one\"}") > 2.5
    });
}
