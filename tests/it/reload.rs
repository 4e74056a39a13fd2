//! Hot reload on a running engine: a save is live at the next decision, a broken file changes nothing.

use std::time::{Duration, Instant};

use onscene::nats::EventPublisher;

use crate::kit::{self, Engine, Folder, Nats};

fn codes(actions: &[kit::StoredAction]) -> Vec<String> {
    actions
        .iter()
        .map(|a| a.event["data"]["body"]["code"].as_str().unwrap().to_owned())
        .collect()
}

/// Publishes one event after another until an action has the code; returns how long that took.
async fn until_code(publisher: &EventPublisher, url: &str, code: &str) -> Duration {
    let started = Instant::now();
    for number in 0.. {
        kit::publish(publisher, &format!("{code}-{number}"), "C1").await;
        let taken = started.elapsed();
        tokio::time::sleep(Duration::from_millis(5)).await;
        if codes(&kit::actions(url).await).iter().any(|c| c == code) {
            return taken;
        }
        assert!(taken < Duration::from_secs(30), "{code} never became live");
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_rule_is_live_at_the_next_decision_and_a_broken_one_changes_nothing() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    until_code(&publisher, &nats.url(), "ONE").await;

    let mut delays = Vec::new();
    for number in 0..10 {
        let code = format!("NEW{number}");
        kit::save(rules.path(), "answer.rhai", &kit::answering_rule(&code));
        delays.push(until_code(&publisher, &nats.url(), &code).await);
    }
    delays.sort();
    println!(
        "save to the next decision: median {:?}, longest {:?}",
        delays[delays.len() / 2],
        delays[delays.len() - 1]
    );

    let broken = kit::answering_rule("BROKEN").replace("event.stage ==", "event.stage == ==");
    kit::save(rules.path(), "answer.rhai", &broken);
    engine.wait_log("rules refused");
    let before = kit::actions(&nats.url()).await.len();
    kit::publish(&publisher, "after", "C1").await;
    let actions = kit::wait_actions(&nats.url(), before + 1).await;
    assert_eq!(codes(&actions).last().unwrap(), "NEW9");
    let log = engine.log();
    assert!(log.contains("answer.rhai:2:"), "{log}");
    assert!(
        log.contains('┬') || log.contains('▲'),
        "no caret in:\n{log}"
    );
    let page = engine.get("/api/rules");
    let json: serde_json::Value =
        serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(json["state"], "faulty");
    assert_eq!(json["error"]["faults"][0]["file"], "answer.rhai");
    assert_eq!(json["error"]["faults"][0]["line"], 2);
    assert_eq!(json["rules"][0]["name"], "answer");

    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("MENDED"));
    until_code(&publisher, &nats.url(), "MENDED").await;
    assert!(engine.get("/api/rules").contains("\"state\":\"live\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_while_the_rules_are_reloaded_a_thousand_times_under_load() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("R"));
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 256);
    let swapped = || engine.metric("onscene_rule_reloads_total{result=\"swapped\"}");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let load = tokio::spawn(async move {
        let mut count = 0;
        while !*stopped.borrow() {
            kit::publish(
                &publisher,
                &format!("e{count}"),
                &format!("C{}", count % 40),
            )
            .await;
            count += 1;
            // As fast as the broker stores would be more than a busy machine answers in time.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        count
    });
    let folder = rules.path().to_owned();
    for saved in 1..=1_000 {
        kit::save(
            &folder,
            "answer.rhai",
            &kit::answering_rule(&format!("R{saved}")),
        );
        kit::eventually("the rules are swapped", || swapped() >= f64::from(saved));
    }
    stop.send(true).unwrap();
    let count = load.await.unwrap();
    let actions = kit::wait_actions(&nats.url(), count).await;
    println!("{count} events answered during {} reloads", swapped());
    assert_eq!(actions.len(), count);
    assert!(kit::answers(&actions).values().all(|n| *n == 1));
    let different: std::collections::BTreeSet<_> = codes(&actions).into_iter().collect();
    // How many of them an event meets is the scheduler's doing: few, when other tests run beside.
    assert!(
        different.len() > 10,
        "only {} generations acted",
        different.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_saving_is_noticed() {
    use std::os::unix::fs::symlink;
    let (nats, base) = (Nats::start().await, Folder::new());
    // As Kubernetes mounts a ConfigMap: files are links through `..data`, which is swapped.
    let version = |name: &str, code: &str| {
        let folder = base.path().join("rules").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("answer.rhai"), kit::answering_rule(code)).unwrap();
    };
    version("..1", "FIRST");
    let rules = base.path().join("rules");
    symlink("..1", rules.join("..data")).unwrap();
    symlink("..data/answer.rhai", rules.join("answer.rhai")).unwrap();
    let _engine = Engine::start(&nats.url(), &rules);
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    until_code(&publisher, &nats.url(), "FIRST").await;

    version("..2", "CONFIGMAP");
    symlink("..2", rules.join("..data_tmp")).unwrap();
    std::fs::rename(rules.join("..data_tmp"), rules.join("..data")).unwrap();
    until_code(&publisher, &nats.url(), "CONFIGMAP").await;

    // An editor that writes in place, in two parts.
    let other = rules.join("zz.rhai");
    let text = kit::answering_rule("PARTS");
    let (head, tail) = text.split_at(text.len() / 2);
    std::fs::write(&other, head).unwrap();
    std::thread::sleep(Duration::from_millis(60));
    std::fs::write(&other, format!("{head}{tail}")).unwrap();
    until_code(&publisher, &nats.url(), "PARTS").await;

    // A file moved in from elsewhere, into a new folder, and away again.
    let elsewhere = base.path().join("moved.rhai");
    std::fs::write(&elsewhere, kit::answering_rule("MOVED")).unwrap();
    std::fs::create_dir(rules.join("deep")).unwrap();
    std::fs::rename(&elsewhere, rules.join("deep/moved.rhai")).unwrap();
    until_code(&publisher, &nats.url(), "MOVED").await;
    std::fs::remove_file(&other).unwrap();
    std::fs::remove_dir_all(rules.join("deep")).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let before = kit::actions(&nats.url()).await.len();
    kit::publish(&publisher, "last", "C1").await;
    let actions = kit::wait_actions(&nats.url(), before + 1).await;
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(actions.len(), before + 1);
    assert_eq!(codes(&actions).last().unwrap(), "CONFIGMAP");
}
