//! The rule texts of past generations are kept.

use onscene::governance::{history, texts};
use onscene::rules::Sources;

use crate::kit::{self, Engine, Folder, Nats};

/// Waits until a generation of the folder as it is now is stored, and returns it.
async fn stored(nats: &Nats, rules: &Folder) -> Sources {
    let sources = Sources::read(rules.path()).unwrap();
    let generation = sources.generation();
    let connection = nats.connect().await;
    for _ in 0..1_000 {
        if texts::load(&connection, &generation).await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(
        texts::load(&connection, &generation).await.unwrap(),
        sources
    );
    sources
}

#[tokio::test(flavor = "multi_thread")]
async fn the_texts_of_every_generation_that_went_live_are_kept_and_what_changed_is_told() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    // Longer than a message may be: it is stored in pieces.
    let long = format!("// {}\n", "x".repeat(1 << 19)).repeat(2);
    let long = &long[..(1 << 20) - 1];
    std::fs::create_dir(rules.path().join("lib")).unwrap();
    kit::save(rules.path(), "lib/long.rhai", long);
    let engine = Engine::start(&nats.url(), rules.path());
    let first = stored(&nats, &rules).await;
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("TWO"));
    kit::save(rules.path(), "more.rhai", &kit::answering_rule("MORE"));
    std::fs::remove_file(rules.path().join("lib/long.rhai")).unwrap();
    let second = stored(&nats, &rules).await;
    let connection = nats.connect().await;
    let stored = texts::load(&connection, &first.generation()).await.unwrap();
    assert_eq!(stored, first, "the first one is still there");
    let live = history(&connection).await.unwrap();
    assert_eq!(live[0].generation, first.generation());
    assert_eq!(&*live[0].cause, "start");
    let last = live.last().unwrap();
    assert_eq!(last.generation, second.generation());
    assert_eq!(&*last.cause, "folder");
    assert!(last.before.is_some());
    let unknown = texts::load(&connection, "0123456789abcdef").await;
    let error = unknown.unwrap_err().to_string();
    assert!(error.contains("onscene history"), "{error}");

    let told = kit::onscene()
        .args(["history", "--nats", &nats.url()])
        .output()
        .unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{text}");
    assert!(text.contains(&*first.generation()), "{text}");
    for line in ["~ answer.rhai", "+ more.rhai", "- lib/long.rhai"] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    assert!(engine.metric("onscene_generations_unstored") < 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_change_while_the_broker_is_away_and_their_texts_are_stored_when_it_is_back() {
    let (mut nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    let engine = Engine::start(&nats.url(), rules.path());
    stored(&nats, &rules).await;
    nats.kill().await.unwrap();
    let saved = std::time::Instant::now();
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("TWO"));
    engine.wait_log("rules swapped");
    let took = saved.elapsed();
    println!("a rule was live {took:?} after it was saved, without a broker");
    assert!(took.as_secs() < 10, "{took:?}");
    engine.wait_log("goes live before its texts are stored");
    kit::eventually("it is shown", || {
        engine.metric("onscene_generations_unstored") > 0.5
    });
    nats.restart().await.unwrap();
    stored(&nats, &rules).await;
    kit::eventually("all are stored", || {
        engine.metric("onscene_generations_unstored") < 0.5
    });
}
