//! The audit export against a real nats-server: what was decided, by which rule text, and whether anybody touched it.

use std::path::Path;
use std::process::{Command, Output};

use onscene::nats::EventPublisher;
use onscene::rules::Sources;

use crate::kit::{self, Engine, Folder, Nats};

fn onscene(arguments: &[&str]) -> Output {
    kit::onscene().args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn path(folder: &Folder, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// Runs a command that must succeed, and returns its standard output.
fn done(arguments: &[&str]) -> String {
    let output = onscene(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs a command that must find a fault, and returns all it said.
fn refused(arguments: &[&str]) -> String {
    let output = onscene(arguments);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{arguments:?}: {}",
        said(&output)
    );
    said(&output)
}

/// Has the rules decide with two generations, with a restart of the engine in between.
async fn two_generations(nats: &Nats) {
    let rules = Folder::new();
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    let mut engine = Engine::start(&nats.url(), rules.path());
    for (round, code) in ["ONE", "TWO", "TWO"].into_iter().enumerate() {
        kit::save(rules.path(), "answer.rhai", &kit::answering_rule(code));
        let sources = Sources::read(rules.path()).unwrap();
        if round == 2 {
            assert!(engine.terminate().success());
            engine = Engine::start(&nats.url(), rules.path());
        }
        kit::eventually("the generation is live", || {
            engine.get("/api/rules").contains(&*sources.generation())
        });
        for customer in 0..20 {
            kit::publish(
                &publisher,
                &format!("{round}-{customer}"),
                &format!("C{customer}"),
            )
            .await;
        }
        kit::wait_actions(&nats.url(), (round + 1) * 20).await;
    }
    assert!(engine.terminate().success());
}

async fn delete(nats: &Nats, sequence: u64) {
    let client = async_nats::connect(nats.url()).await.unwrap();
    let stream = async_nats::jetstream::new(client)
        .get_stream("SCENE_ACTIONS")
        .await;
    assert!(stream.unwrap().delete_message(sequence).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_decision_is_exported_with_the_rule_text_that_made_it_and_tampering_is_named() {
    let (nats, folder) = (Nats::start().await, Folder::new());
    two_generations(&nats).await;
    let [out, texts] = ["all.ndjson", "texts"].map(|name| path(&folder, name));
    let url = nats.url();
    let arguments = [
        "audit", "export", "--nats", &url, "--out", &out, "--texts", &texts,
    ];
    let anchor = done(&arguments);
    let export = std::fs::read_to_string(&out).unwrap();
    let decided = export
        .lines()
        .filter(|line| line.contains("\"Onscene-Kind\":\"action\""));
    assert_eq!(decided.count(), 60);

    // All of it is sound: the file, the links, the log beside it, the anchors, and the rule files of both generations.
    let heads = done(&["audit", "anchors", "--nats", &url]);
    let mut arguments = vec!["audit", "verify", &out, "--nats", &url, "--texts", &texts];
    arguments.extend(["--anchor", &anchor]);
    for head in heads.lines() {
        arguments.extend(["--anchor", head]);
    }
    let verified = done(&arguments);
    assert_eq!(verified.matches("sound    texts").count(), 2, "{verified}");
    assert!(verified.contains("sound    stream"), "{verified}");
    assert!(heads.lines().count() > 4, "{heads}");
    assert!(done(&["audit", "verify", "--nats", &url]).contains("0 do not"));
    assert!(
        refused(&["audit", "export", "--nats", &url, "--out", &out]).contains("never overwritten")
    );

    tampered_files(&folder, &export, &anchor);
    other_texts(&out, Path::new(&texts));
    tampered_log(&nats, &out).await;
}

/// A file that somebody wrote in, cut, or wrote anew.
fn tampered_files(folder: &Folder, export: &str, anchor: &str) {
    let lines: Vec<&str> = export.split_inclusive('\n').collect();
    let look = |name: &str, text: &str| {
        let file = path(folder, name);
        std::fs::write(&file, text).unwrap();
        refused(&["audit", "verify", &file])
    };
    let at = lines
        .iter()
        .position(|line| line.contains("\"code\":\"ONE\""))
        .unwrap();
    let changed = export.replacen("\"value\":\"10", "\"value\":\"90", 1);
    let first = lines
        .iter()
        .position(|line| line.contains("\"value\":\"10"))
        .unwrap();
    let named = format!("line {} was changed", first + 1);
    assert!(look("changed", &changed).contains(&named));
    let without = [&lines[..at], &lines[at + 1..]].concat().concat();
    assert!(look("without", &without).contains(&format!("line {} is missing", at + 1)));
    assert!(look("cut", &lines[..at].concat()).contains("all behind it"));

    // A shorter export that somebody made sound again is seen by the anchor alone.
    let file = path(folder, "shorter");
    std::fs::write(&file, rewritten(&lines[..1])).unwrap();
    done(&["audit", "verify", &file]);
    let found = refused(&["audit", "verify", &file, "--anchor", anchor]);
    assert!(found.contains("BROKEN   anchor"), "{found}");
}

/// Lines with an end that fits them.
fn rewritten(lines: &[&str]) -> String {
    use onscene::audit::{Line, Sealer, Tally, line::Unsealed};
    let mut sealer = Sealer::new(None);
    let mut text = String::new();
    let mut until = 0;
    for line in lines {
        let body = Unsealed::read(line.as_bytes()).unwrap().body;
        let (_, line) = Line::parse(body).unwrap();
        if let Line::Head(head) = &line {
            until = head.after_sequence;
        }
        text.push_str(&String::from_utf8(sealer.seal(&line)).unwrap());
    }
    let tail = sealer.seal(&Line::Tail(Tally::default().tail(until)));
    text.push_str(&String::from_utf8(tail).unwrap());
    text
}

/// Rule files that are not those of the generation, or not there.
fn other_texts(out: &str, texts: &Path) {
    let generations: Vec<_> = std::fs::read_dir(texts).unwrap().collect();
    let one = generations[0].as_ref().unwrap().path();
    let shown = texts.to_str().unwrap();
    std::fs::write(one.join("answer.rhai"), kit::answering_rule("THREE")).unwrap();
    let found = refused(&["audit", "verify", out, "--texts", shown]);
    assert!(found.contains("make generation"), "{found}");
    std::fs::remove_dir_all(&one).unwrap();
    let found = refused(&["audit", "verify", out, "--texts", shown]);
    assert!(found.contains("no folder"), "{found}");
}

/// A message that somebody took out of the stream is missed by the stream itself, and by an export.
async fn tampered_log(nats: &Nats, out: &str) {
    let url = nats.url();
    let messages = kit::stream_messages(&url, "SCENE_ACTIONS").await;
    // One that is not the first of its partition, with others behind it.
    let (subject, _, _) = messages
        .iter()
        .rfind(|(subject, _, _)| subject.starts_with("scene.actions.push."))
        .unwrap();
    let partition = subject.rsplit('.').next().unwrap();
    let is_of = |subject: &str| subject.rsplit('.').next() == Some(partition);
    let mut own = messages
        .iter()
        .enumerate()
        .filter(|(_, message)| is_of(&message.0));
    let (at, _) = own.nth(1).unwrap();
    let next = own.next().unwrap().0 + 1;
    delete(nats, at as u64 + 1).await;
    let found = refused(&["audit", "verify", "--nats", &url]);
    let named = format!("message {next} of partition {partition} does not follow message");
    assert!(found.contains(&named), "{found}");
    let found = refused(&["audit", "verify", out, "--nats", &url]);
    assert!(
        found.contains(&format!("message {} is gone", at + 1)),
        "{found}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_go_on_from_one_another_and_a_gap_between_them_is_noticed() {
    let (nats, folder, rules) = (Nats::start().await, Folder::new(), Folder::new());
    let url = nats.url();
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    let engine = Engine::start(&url, rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    let names: Vec<String> = (0..3)
        .map(|n| path(&folder, &format!("{n}.ndjson")))
        .collect();
    for (round, out) in names.iter().enumerate() {
        kit::publish(&publisher, &format!("{round}"), "C1").await;
        kit::wait_actions(&url, round + 1).await;
        let mut arguments = vec!["audit", "export", "--nats", &url, "--out", out];
        if round > 0 {
            arguments.extend(["--after", &names[round - 1]]);
        }
        done(&arguments);
    }
    drop(engine);
    let [one, two, three] = [&*names[0], &*names[1], &*names[2]];
    done(&["audit", "verify", one, two, three, "--nats", &url]);
    let found = refused(&["audit", "verify", one, three]);
    assert!(found.contains("BROKEN   order"), "{found}");
    // A period is what was stored in it, and no more.
    let later = path(&folder, "later.ndjson");
    let (from, to) = ("2000-01-01T00:00:00Z", "2001-01-01T00:00:00Z");
    done(&[
        "audit", "export", "--nats", &url, "--out", &later, "--from", from, "--to", to,
    ]);
    assert_eq!(std::fs::read_to_string(&later).unwrap().lines().count(), 2);
    done(&["audit", "verify", &later, "--nats", &url]);
}

/// The few lines of Python in the manual find what the command finds: nobody needs this program to verify.
#[tokio::test(flavor = "multi_thread")]
async fn the_manual_says_enough_to_verify_an_export_without_this_program() {
    let (nats, folder, rules) = (Nats::start().await, Folder::new(), Folder::new());
    kit::save(rules.path(), "answer.rhai", &kit::answering_rule("ONE"));
    let _engine = Engine::start(&nats.url(), rules.path());
    let publisher = EventPublisher::new(&nats.connect().await, 64);
    for number in 0..10 {
        kit::publish(&publisher, &number.to_string(), &format!("C{number}")).await;
    }
    kit::wait_actions(&nats.url(), 10).await;
    let out = path(&folder, "all.ndjson");
    let anchor = done(&["audit", "export", "--nats", &nats.url(), "--out", &out]);

    let manual = include_str!("../../docs/audit.md");
    let (_, script) = manual.split_once("```python\n").unwrap();
    let script = script.split("```").next().unwrap();
    let python = |file: &str| {
        let output = Command::new("python3")
            .args(["-c", script, file])
            .output()
            .unwrap();
        (output.status.success(), said(&output))
    };
    assert_eq!(python(&out), (true, format!("{anchor}\n")));
    let text = std::fs::read_to_string(&out).unwrap();
    std::fs::write(&out, text.replacen("ONE", "TWO", 1)).unwrap();
    let (is_sound, said) = python(&out);
    assert!(!is_sound && said.contains("line "), "{said}");
}
