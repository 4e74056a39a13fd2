//! Bad input on a running engine: every bad event ends up in the dead letters with its reason and its
//! bytes, every good one is decided, and a restart writes none of them twice.

use std::collections::BTreeMap;
use std::process::Command;

use bytes::Bytes;
use onscene::clock::now_ms;
use onscene::decode::Reason;
use onscene::nats::EventPublisher;

use crate::kit::malformed::{Case, corpus};
use crate::kit::{self, Engine, Folder, Nats};

/// A rule that answers each event of a declared type.
const ANSWER_ALL: &str = r#"const RULE = #{
    on: ["account.movement", "merchant.checkout", "customer.profile", "offer.delivered", "offer.failed",
         "offer.opened", "offer.accepted", "offer.declined", "offer.redeemed", "offer.unsubscribed"],
    channels: ["push"], fresh: "500d",
};
fn when(event, customer) { true }
fn action(event, customer) { #{ kind: "message" } }
"#;

/// Where each case was stored: its sequence, and whether the server took it at all.
async fn publish_all(publisher: &EventPublisher, cases: &[Case]) -> Vec<Option<u64>> {
    let mut waiting = Vec::new();
    for case in cases {
        let headers: Vec<(&str, &str)> = case
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let payload = Bytes::from(case.payload.clone());
        let sent = publisher.publish(&case.subject, &headers, payload).await;
        waiting.push(tokio::spawn(async move { sent?.stored().await }));
    }
    let mut stored = Vec::new();
    for sent in waiting {
        stored.push(sent.await.unwrap().ok().map(|stored| stored.sequence));
    }
    stored
}

/// The dead letters by the sequence of their event: reason and payload.
async fn dead_letters(url: &str) -> BTreeMap<u64, Vec<(String, Bytes)>> {
    let mut letters: BTreeMap<u64, Vec<(String, Bytes)>> = BTreeMap::new();
    for (subject, headers, payload) in kit::stream_messages(url, "SCENE_DLQ").await {
        let sequence = headers["Onscene-Stored-Sequence"].parse().unwrap();
        let reason = subject.trim_start_matches("scene.dlq.").to_owned();
        assert!(!headers["Onscene-Error"].is_empty());
        letters.entry(sequence).or_default().push((reason, payload));
    }
    letters
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_event_is_kept_with_its_reason_and_every_good_one_is_decided() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", ANSWER_ALL);
    let mut engine = Engine::start(&nats.url(), rules.path());
    let cases = corpus(11, 22_000, now_ms());
    let publisher = EventPublisher::new(&nats.connect().await, 256);
    let sequences = publish_all(&publisher, &cases).await;

    let good: Vec<&Case> = cases.iter().filter(|c| c.expected.is_ok()).collect();
    let bad = cases.len() - good.len();
    // A type that nobody declared is kept by its name alone, and counted: no rule can listen to it.
    let undeclared = good
        .iter()
        .filter(|c| c.subject.contains(".app.login."))
        .count();
    let good = good.len() - undeclared;
    assert!(bad >= 10_000, "only {bad} malformed");
    let actions = kit::wait_actions(&nats.url(), good).await;
    assert_eq!(actions.len(), good);
    assert!(kit::answers(&actions).values().all(|n| *n == 1));

    let others = engine.metric("onscene_events_total{type=\"other\"}") as usize;
    assert_eq!(others, undeclared);
    let refused: u64 = Reason::ALL
        .iter()
        .map(|reason| {
            let series = format!(
                "onscene_rejected_events_total{{reason=\"{}\"}}",
                reason.word()
            );
            engine.metric(&series) as u64
        })
        .sum();
    let check = |letters: &BTreeMap<u64, Vec<(String, Bytes)>>| {
        let mut at_the_door = 0;
        for (case, sequence) in cases.iter().zip(&sequences) {
            let Some(sequence) = sequence else {
                // Larger than the stream takes: the producer was told so.
                assert_eq!(case.expected, Err(Reason::TooLarge), "{}", case.fault);
                at_the_door += 1;
                continue;
            };
            let found = letters.get(sequence).map(Vec::as_slice);
            match case.expected {
                Ok(()) => assert_eq!(found, None, "a good event in the dead letters"),
                Err(reason) => {
                    let expected = (reason.word().to_owned(), Bytes::from(case.payload.clone()));
                    assert_eq!(found, Some(&[expected][..]), "{}", case.fault);
                }
            }
        }
        at_the_door
    };
    let letters = dead_letters(&nats.url()).await;
    let at_the_door = check(&letters);
    assert_eq!(letters.len() + at_the_door, bad);
    assert_eq!(refused, letters.len() as u64);
    println!("{good} decided, {bad} refused, of which {at_the_door} by the server at publication");

    engine.kill();
    let engine = Engine::start(&nats.url(), rules.path());
    check(&dead_letters(&nats.url()).await);
    assert_eq!(kit::actions(&nats.url()).await.len(), good);
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_is_listed_and_after_the_cause_is_mended_sent_again() {
    let (nats, rules) = (Nats::start().await, Folder::new());
    kit::save(rules.path(), "answer.rhai", ANSWER_ALL);
    let engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 16);
    let text = String::from_utf8(kit::checkout("usd", "C1").to_vec()).unwrap();
    let payload = Bytes::from(text.replace("CNY", "USD"));
    let sent = publisher.publish("scene.events.merchant.checkout.C1", &[], payload);
    sent.await.unwrap().stored().await.unwrap();
    kit::eventually("the event is refused", || {
        engine.metric("onscene_rejected_events_total{reason=\"unknown_currency\"}") > 0.5
    });
    let dlq = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_onscene"))
            .args(["dlq", "--nats", &nats.url()])
            .args(arguments)
            .current_dir(rules.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = dlq(&["list"]);
    assert!(listed.contains("unknown_currency") && listed.contains("add it to [money.rates]"));
    drop(engine);
    let with_rate = [("ONSCENE_MONEY_RATES_USD", "7.10")];
    let engine = Engine::spawn(&nats.url(), rules.path(), &with_rate);
    engine.wait_ready();
    // Until it is sent again, it stays refused.
    assert_eq!(kit::actions(&nats.url()).await.len(), 0);
    assert!(dlq(&["retry", "--reason", "unknown_currency"]).contains("sent again"));
    let actions = kit::wait_actions(&nats.url(), 1).await;
    assert_eq!(actions.len(), 1);
    assert_eq!(dlq(&["list"]), "");
}
