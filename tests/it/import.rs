//! `onscene import`: history becomes state as if it had been lived through, and nobody answers it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use onscene::clock::{DAY, MINUTE, Millis, format_rfc3339, now_ms};
use onscene::decode::{Decoder, Reason};
use onscene::event::{HEADER_IMPORT, IMPORTED, Incoming, OutcomeKind, Schema, Stored};
use onscene::nats::{
    DeadLetters, EventPublisher, LocalServerOptions, StoredEvent, StreamSettings, SyncInterval,
    ensure_streams,
};
use serde_json::{Value, json};

use crate::kit::{self, Desk, Engine, Folder, Nats, desk};

const SCHEMA: &str = r#"
[attributes]
tier = "text"
age = "number"
[events."bill.due"]
amount = { type = "money", keep = true }
"#;

/// A command that imports, in a folder with rules.
fn import(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onscene"));
    command
        .arg("import")
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end: exit code, standard output, standard error.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = import(folder, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// The same for machines.
fn summary(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let arguments = [arguments, &["--format", "json"]].concat();
    let (code, out, errors) = run(folder, &arguments);
    let summary = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}\n{errors}"));
    (code, summary)
}

/// A folder with `rules/schema.toml` and more rules.
fn folder(rules: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    let rules = rules.iter().chain([&("schema.toml", SCHEMA)]);
    for (name, text) in rules {
        std::fs::write(folder.path().join("rules").join(name), text).unwrap();
    }
    folder
}

fn rules(folder: &Folder) -> PathBuf {
    folder.path().join("rules")
}

/// A rule that needs the history, and listens to something that is not in it.
const LATER: &str = r#"const RULE = #{ channels: ["push"], on: "offer.opened" };
fn when(event, customer) {
    customer.tier == "gold" && customer.spend("dining", "30d") == 300
        && customer.count("merchant.checkout", "30d") == 3 && customer.balance == 70
}
fn action(event, customer) { #{ kind: "message", code: "LATER" } }
"#;

/// Rules that answer whatever comes, now and later.
fn loud_rules() -> Vec<(String, String)> {
    let always = "fn when(event, customer) { true }";
    let action = "fn action(event, customer) { #{ kind: \"message\", code: \"LOUD\" } }";
    let steps =
        "fn action(event, customer, variant, step) { #{ kind: \"message\", code: \"LOUD\" } }";
    let rule = |terms: &str, rest: &str| {
        format!("const RULE = #{{ channels: [\"push\"], fresh: \"60d\", {terms} }};\n{rest}\n")
    };
    let all = "on: [\"merchant.checkout\", \"account.movement\", \"customer.profile\", \"bill.due\", \"offer.declined\"]";
    let converted = "fn converted(event, customer, decision) { true }";
    vec![
        (
            "at-once.rhai".into(),
            rule(all, &format!("{always}\n{action}\n{converted}")),
        ),
        (
            "delay.rhai".into(),
            rule(
                &format!("{all}, delay: \"1s\""),
                &format!("{always}\n{action}\nfn still(event, customer) {{ true }}"),
            ),
        ),
        (
            "steps.rhai".into(),
            rule(
                &format!("{all}, steps: [#{{ after: \"0s\" }}, #{{ after: \"1s\" }}]"),
                &format!("{always}\n{steps}"),
            ),
        ),
        (
            "daily.rhai".into(),
            // Six hours from now, so that a day cannot begin while the test runs.
            rule(
                &format!(
                    "on: \"timer.daily\", hours: \"{}\"",
                    hours_from(now_ms() + 6 * 60 * MINUTE)
                ),
                &format!("{always}\n{action}"),
            ),
        ),
        ("later.rhai".into(), LATER.into()),
    ]
}

fn hours_from(at: Millis) -> String {
    // Shanghai keeps no summer time.
    let minutes = (at + 8 * 60 * MINUTE).rem_euclid(DAY) / MINUTE;
    let hour = (minutes / 60).min(22);
    format!("{hour:02}:00-{:02}:00", hour + 1)
}

fn event(kind: &str, id: &str, customer: &str, at: Millis, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "core", "type": kind, "subject": customer,
        "time": format_rfc3339(at), "data": data,
    })
}

/// What some customers did in the last days: with equal times, out of order, of all kinds.
fn history(customers: usize) -> Vec<Value> {
    let now = now_ms();
    let mut events = Vec::new();
    for customer in 0..customers {
        let id = format!("C {customer}.");
        let of = |name: &str| format!("{name}-{customer}");
        let checkout = |name: &str, days: i64, amount: &str| {
            let data = json!({
                "stage": "paid", "amount": amount, "currency": "CNY",
                "merchant": {"id": "M7", "category": "dining", "partner": true},
            });
            event("merchant.checkout", &of(name), &id, now - days * DAY, data)
        };
        let movement = |name: &str, days: i64, balance: &str| {
            let data = json!({
                "account": "A-1", "direction": "out", "amount": "10", "currency": "CNY", "balance": balance,
            });
            event("account.movement", &of(name), &id, now - days * DAY, data)
        };
        let profile = |name: &str, data: Value| {
            event("customer.profile", &of(name), &id, now - 5 * DAY, data)
        };
        events.extend([
            profile("p1", json!({"attributes": {"tier": "silver", "age": 41}, "consents": {"push": true}})),
            // Of the same time, so that the later one in the file counts.
            profile("p2", json!({
                "attributes": {"tier": "gold"}, "segments": {"add": ["diner"]}, "time_zone": "Asia/Tokyo",
            })),
            checkout("c1", 9, "100"),
            checkout("c2", 2, "50"),
            checkout("c3", 2, "150"),
            movement("m1", 3, "90"),
            movement("m2", 1, "80"),
            movement("m3", 1, "70"),
            event("bill.due", &of("b1"), &id, now - DAY, json!({"amount": "33.10"})),
            event("odd.thing", &of("o1"), &id, now - DAY, json!({"any": 1})),
            event("offer.declined", &of("d1"), &id, now - DAY, json!({"action": "0".repeat(32)})),
        ]);
    }
    events
}

fn ndjson(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

fn subject(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap();
    let customer = onscene::partitioning::token(text("subject"));
    format!("scene.events.{}.{customer}", text("type"))
}

/// Publishes events one after another, as producers do.
async fn live(nats: &Nats, events: &[Value]) {
    let publisher = EventPublisher::new(&nats.connect().await, 1);
    for event in events {
        let subject = subject(event);
        let sent = publisher.publish(&subject, &[], event.to_string().into());
        sent.await.unwrap().stored().await.unwrap();
    }
}

/// What an engine knows of a customer; null if nothing.
fn customer(engine: &Engine, id: &str) -> Value {
    let id = percent_encoded(id);
    let page = engine.get(&format!("/api/customers/{id}"));
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    if head.starts_with("HTTP/1.1 404") {
        return Value::Null;
    }
    serde_json::from_str(body).unwrap()
}

fn percent_encoded(id: &str) -> String {
    id.replace(' ', "%20")
}

/// A metric's sum over its labels.
fn total(engine: &Engine, metric: &str) -> f64 {
    let page = engine.get("/metrics");
    let lines = page
        .lines()
        .filter(|line| line.starts_with(&format!("{metric}{{")));
    lines
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum()
}

/// What the engine knows is what another knows that has lived through it.
fn assert_same(engine: &Engine, reference: &Engine) {
    for number in 0..12 {
        let id = format!("C {number}.");
        let expected = customer(reference, &id);
        assert_eq!(expected["profile"]["attributes"]["tier"], "gold");
        assert_eq!(expected["journal"]["entries"], 11);
        assert_eq!(customer(engine, &id), expected);
    }
}

fn opened() -> Value {
    let data = json!({"action": "0".repeat(32)});
    event("offer.opened", "live", "C 3.", now_ms(), data)
}

#[tokio::test(flavor = "multi_thread")]
async fn history_becomes_the_state_it_would_have_become_and_no_rule_answers_it() {
    let loud = loud_rules();
    let loud: Vec<(&str, &str)> = loud.iter().map(|(name, text)| (&**name, &**text)).collect();
    let (quiet, loud) = (folder(&[("later.rhai", LATER)]), folder(&loud));
    let (lived, imported) = (Nats::start().await, Nats::start().await);
    let reference = Engine::start(&lived.url(), &rules(&quiet));
    let mut engine = Engine::start(&imported.url(), &rules(&loud));

    let events = history(12);
    live(&lived, &events).await;
    std::fs::write(loud.path().join("history.ndjson"), ndjson(&events)).unwrap();
    let (code, told) = summary(loud.path(), &["--nats", &imported.url(), "history.ndjson"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(
        (&told["imported"], &told["refused"]),
        (&json!(132), &json!(0)),
        "{told}"
    );
    assert_eq!(
        told["files"][0]["undeclared_types"],
        json!({"odd.thing": 12})
    );

    kit::eventually("all is folded", || {
        total(&engine, "onscene_imported_events_total") > 131.5
            && total(&reference, "onscene_events_total") > 131.5
    });
    assert_same(&engine, &reference);
    // Time for what would have been armed.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(total(&engine, "onscene_events_total"), 0.0);
    assert_eq!(total(&engine, "onscene_verdicts_total"), 0.0);
    assert_eq!(engine.metric("onscene_step_seconds_count"), 0.0);
    assert_eq!(kit::actions(&imported.url()).await.len(), 0);

    // Started again, from the streams.
    assert!(engine.terminate().success());
    let engine = Engine::start(&imported.url(), &rules(&loud));
    assert_same(&engine, &reference);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(kit::actions(&imported.url()).await.len(), 0);

    // What comes now sees what was.
    live(&imported, &[opened()]).await;
    let actions = kit::wait_actions(&imported.url(), 1).await;
    assert_eq!(actions.len(), 1);
    assert_eq!(actions[0].event["data"]["body"]["code"], "LATER");
    assert_eq!(actions[0].event["subject"], "C 3.");

    // What was imported is known also when it is published once more, by whomever.
    live(&imported, &events[..11]).await;
    live(&imported, &[opened()]).await;
    kit::eventually("the repetitions are seen", || {
        engine.metric("onscene_duplicate_events_total") > 11.5
    });
    assert_eq!(kit::actions(&imported.url()).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rules_answer_the_same_events_when_they_are_not_imported() {
    let loud = loud_rules();
    let loud: Vec<(&str, &str)> = loud.iter().map(|(name, text)| (&**name, &**text)).collect();
    let loud = folder(&loud);
    let nats = Nats::start().await;
    let _engine = Engine::start(&nats.url(), &rules(&loud));
    live(&nats, &history(1)).await;
    let actions = kit::wait_actions(&nats.url(), 30).await;
    let by = |rule: &str| {
        actions
            .iter()
            .filter(|a| a.event["data"]["rule"] == rule)
            .count()
    };
    assert!(by("at-once") > 0 && by("delay") > 0 && by("steps") > 0);
}

const PEOPLE: &str = "\
customer,attributes.tier,attributes.age,segments.add,consents.push,consents.sms,locale\r\n\
R1,gold,007,a; b;,yes,0,zh-CN\r\n\
R2,,41.5,,,TRUE,\r\n\
\"R 3, \"\"x\"\"\",\"silver\nplated\",,c,no,,en\r\n";

fn write(folder: &Folder, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

/// An engine, and how two files of rows are imported for it.
struct Shop {
    folder: Folder,
    nats: Nats,
    engine: Engine,
    yesterday: Millis,
    people: Vec<String>,
    payments: Vec<String>,
}

impl Shop {
    async fn open() -> Self {
        let folder = folder(&[("answer.rhai", &kit::answering_rule("A"))]);
        let nats = Nats::start().await;
        let engine = Engine::start(&nats.url(), &rules(&folder));
        let yesterday = now_ms() - DAY;
        let time = format_rfc3339(yesterday - DAY);
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let url = nats.url();
        let shop = Self {
            people: words(&format!(
                "--nats {url} --type customer.profile --time {time} people.csv"
            )),
            payments: words(&format!(
                "--nats {url} --type merchant.checkout --delimiter ; --zone Asia/Shanghai --map who=customer \
                 --map when=time --map sum=amount --map shop=merchant.id --map branch=- --set stage=paid \
                 --set currency=CNY --set merchant.category=dining shop.csv"
            )),
            folder,
            nats,
            engine,
            yesterday,
        };
        write(&shop.folder, "people.csv", PEOPLE);
        // A local time, to the second.
        let local = shop.at(3 + 8 * 60).replace('T', " ");
        let local = local.split('.').next().unwrap();
        let text = format!(
            "who;when;sum;shop;branch;merchant.partner\nR1;{};128.50;M7;x;true\nR1;{};20;M8;y;\n\
             R2;{local};1;M9;;false\n",
            shop.at(1),
            shop.at(2)
        );
        write(&shop.folder, "shop.csv", &text);
        shop
    }

    fn at(&self, minutes: i64) -> String {
        format_rfc3339(self.yesterday + minutes * MINUTE)
    }

    /// Imports both files.
    fn import(&self, more: &[&str]) -> [(i32, Value); 2] {
        [&self.people, &self.payments].map(|arguments| {
            let arguments: Vec<&str> = arguments.iter().map(|word| &**word).collect();
            summary(self.folder.path(), &[&arguments, more].concat())
        })
    }

    fn pay(&self, more: &[&str]) -> (i32, String) {
        let arguments: Vec<&str> = self.payments.iter().map(|word| &**word).collect();
        let (code, _, told) = run(self.folder.path(), &[&arguments, more].concat());
        (code, told)
    }

    fn known(&self) -> [Value; 3] {
        ["R1", "R2", "R 3, %22x%22"].map(|id| customer(&self.engine, id))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_become_the_events_that_they_stand_for() {
    let shop = Shop::open().await;
    for (code, told) in shop.import(&[]) {
        assert_eq!((code, &told["imported"]), (0, &json!(3)), "{told}");
    }
    kit::eventually("all is folded", || {
        total(&shop.engine, "onscene_imported_events_total") > 5.5
    });
    let [one, two, three] = shop.known();
    assert_eq!(
        one["profile"],
        json!({
            "attributes": {"tier": "gold", "age": 7}, "segments": ["a", "b"],
            "consents": {"push": true, "sms": false}, "reachable": {}, "time_zone": null, "locale": "zh-CN",
        })
    );
    assert_eq!(two["profile"]["attributes"], json!({"age": "41.5"}));
    assert_eq!(two["profile"]["consents"], json!({"sms": true}));
    assert_eq!(three["profile"]["attributes"]["tier"], "silver\nplated");
    let newest = &one["journal"]["newest"];
    assert_eq!(newest[0]["merchant"], "M8");
    assert_eq!(
        newest[1],
        json!({
            "time": shop.at(1), "type": "merchant.checkout", "phase": "paid", "amount": "128.5",
            "category": "dining", "merchant": "M7", "counterparty": null, "channel": null, "tender": null,
        })
    );
    let shown = two["journal"]["newest"][0]["time"].as_str().unwrap();
    assert_eq!(shown[..19], shop.at(3)[..19]);
    assert_eq!(kit::actions(&shop.nats.url()).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_twice_changes_nothing_and_what_has_changed_is_noticed() {
    let shop = Shop::open().await;
    shop.import(&[]);
    kit::eventually("all is folded", || {
        total(&shop.engine, "onscene_imported_events_total") > 5.5
    });
    // Once more: the bookmark says that it is done; and from the beginning, the events are known.
    for (code, told) in shop.import(&[]) {
        assert_eq!(
            (code, &told["files"][0]["before"]),
            (0, &json!(3)),
            "{told}"
        );
    }
    assert_eq!(total(&shop.engine, "onscene_imported_events_total"), 6.0);
    let before = shop.known();
    for (code, told) in shop.import(&["--restart"]) {
        assert_eq!(
            (code, &told["files"][0]["before"]),
            (0, &json!(0)),
            "{told}"
        );
    }
    kit::eventually("all is seen again", || {
        shop.engine.metric("onscene_duplicate_events_total") > 5.5
    });
    assert_eq!(shop.known(), before);
    assert_eq!(kit::actions(&shop.nats.url()).await.len(), 0);

    // Other options make other events, and the bookmark is for these.
    let (code, told) = shop.pay(&["--source", "till"]);
    assert_eq!(code, 1);
    assert!(
        told.contains("other options") && told.contains("--restart"),
        "{told}"
    );
    // Rows that were appended are imported; one that was changed in its place is noticed.
    let path = shop.folder.path().join("shop.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    write(
        &shop.folder,
        "shop.csv",
        &format!("{text}R2;{};5;M9;;false\n", shop.at(9)),
    );
    let (code, told) = shop.pay(&[]);
    assert_eq!(code, 0, "{told}");
    kit::eventually("it is folded", || {
        shop.known()[1]["journal"]["entries"] == 3
    });
    write(&shop.folder, "shop.csv", &text.replace("128.50", "128.60"));
    let (code, told) = shop.pay(&[]);
    assert_eq!(code, 1);
    assert!(told.contains("it has changed since line"), "{told}");
    // Another broker knows nothing of it.
    let other = Nats::with_streams(1).await;
    let mut elsewhere: Vec<&str> = shop.payments.iter().map(|word| &**word).collect();
    let url = other.url();
    elsewhere[1] = &url;
    let (code, _, told) = run(shop.folder.path(), &elsewhere);
    assert_eq!(code, 1);
    assert!(told.contains("another SCENE_EVENTS"), "{told}");
}

/// Many lines of few customers, with a bad one among each hundred.
fn many(lines: usize, customers: usize) -> (String, usize) {
    let now = now_ms();
    let mut text = String::new();
    let mut bad = 0;
    for number in 0..lines {
        if number % 100 == 57 {
            bad += 1;
            text += &format!("{{\"bad\": {number}}}\n");
            continue;
        }
        let at = now - 3 * DAY + i64::try_from(number).unwrap() / 7;
        let data = json!({
            "account": "A", "direction": "in", "amount": "1", "currency": "CNY", "balance": number.to_string(),
        });
        let customer = format!("K{}", (number * 7919) % customers);
        let event = event(
            "account.movement",
            &format!("n{number}"),
            &customer,
            at,
            data,
        );
        text += &format!("{event}\n");
    }
    (text, bad)
}

fn bookmark(folder: &Path) -> u64 {
    let text = std::fs::read_to_string(folder.join("many.ndjson.onscene-import"));
    let mark: Option<Value> = text.ok().and_then(|text| serde_json::from_str(&text).ok());
    mark.and_then(|mark| mark["offset"].as_u64()).unwrap_or(0)
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The last balance that each customer must have, and their entries.
fn assert_whole(engine: &Engine, lines: usize, customers: usize) {
    let mut expected = vec![(0_u64, 0_usize); customers];
    for number in (0..lines).filter(|number| number % 100 != 57) {
        let of = &mut expected[(number * 7919) % customers];
        *of = (of.0 + 1, number);
    }
    for (at, (count, last)) in expected.into_iter().enumerate() {
        let customer = customer(engine, &format!("K{at}"));
        assert_eq!(customer["journal"]["entries"], count, "K{at}");
        // Of events with the same time, the one that comes later in the file counts.
        assert_eq!(customer["accounts"]["A"], last.to_string(), "K{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_goes_on_and_loses_and_doubles_nothing() {
    let (lines, customers) = (24_000, 307);
    let folder = folder(&[]);
    std::fs::write(rules(&folder).join("answer.rhai"), kit::answering_rule("A")).unwrap();
    let nats = Nats::start().await;
    let engine = Engine::start(&nats.url(), &rules(&folder));
    let (text, bad) = many(lines, customers);
    std::fs::write(folder.path().join("many.ndjson"), &text).unwrap();
    let url = nats.url();
    let arguments = ["--nats", &url, "--rate", "8000", "many.ndjson"];
    for round in 1..=3 {
        let child = import(folder.path(), &arguments).spawn().unwrap();
        let enough = u64::try_from(text.len() * round / 5).unwrap();
        kit::eventually("it has come far enough", || {
            bookmark(folder.path()) > enough
        });
        // Somewhere between two bookmarks.
        tokio::time::sleep(Duration::from_millis(150 * round as u64)).await;
        kill(child);
    }
    let (code, told) = summary(folder.path(), &arguments);
    assert_eq!(code, 1, "{told}");
    assert_eq!(
        (&told["imported"], &told["refused"]),
        (&json!(lines - bad), &json!(bad)),
        "{told}"
    );
    assert!(
        told["files"][0]["before"].as_u64().unwrap() > (lines * 3 / 5) as u64 - 1_000,
        "{told}"
    );
    assert_eq!(told["complete"], true);

    // Each refused line is kept once, as it was.
    let rejects = std::fs::read_to_string(folder.path().join("many.ndjson.rejects")).unwrap();
    let expected: String = text
        .lines()
        .filter(|line| line.contains("bad"))
        .map(|l| format!("{l}\n"))
        .collect();
    assert_eq!(rejects, expected);

    let stored = kit::stream_messages(&url, "SCENE_EVENTS").await;
    assert!(
        stored.len() > lines - bad,
        "nothing was sent twice: the kills came too early"
    );
    assert!(
        stored
            .iter()
            .all(|(_, headers, _)| headers.get(HEADER_IMPORT).is_some_and(|v| v == IMPORTED))
    );
    kit::eventually("all is folded", || {
        total(&engine, "onscene_imported_events_total") as usize == stored.len()
    });
    assert_eq!(
        engine.metric("onscene_duplicate_events_total") as usize,
        stored.len() - (lines - bad)
    );
    assert_whole(&engine, lines, customers);
    assert_eq!(kit::actions(&url).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_interrupted_says_so_and_goes_on() {
    let (lines, customers) = (6_000, 101);
    let folder = folder(&[]);
    let nats = Nats::with_streams(1).await;
    let (text, bad) = many(lines, customers);
    write(&folder, "many.ndjson", &text);
    let url = nats.url();
    let arguments = ["--nats", &url, "--rate", "3000", "many.ndjson"];
    let child = import(folder.path(), &arguments).spawn().unwrap();
    kit::eventually("some are in", || bookmark(folder.path()) > 100_000);
    // One at a time has the file.
    let (code, _, errors) = run(folder.path(), &arguments);
    assert_eq!(code, 1);
    assert!(
        errors.contains("another process is importing it"),
        "{errors}"
    );
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("run the same command again to go on"),
        "{told}"
    );
    let (code, told) = summary(folder.path(), &arguments);
    assert_eq!(
        (code, &told["imported"]),
        (1, &json!(lines - bad)),
        "{told}"
    );
    let stored = kit::stream_messages(&url, "SCENE_EVENTS").await;
    // Of what was under way, at most what came behind a record that was not acknowledged is sent again.
    assert!(
        stored.len() >= lines - bad && stored.len() < lines - bad + 600,
        "{}",
        stored.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_waits_for_a_broker_that_is_away_and_for_a_stream_that_is_full() {
    let (lines, customers) = (12_000, 101);
    let folder = folder(&[]);
    let mut nats = Nats::start_with(|options: &mut LocalServerOptions| {
        options.sync_interval = SyncInterval::Always;
    })
    .await;
    let settings = StreamSettings {
        events_max_bytes: Some(3 << 20),
        ..StreamSettings::default()
    };
    ensure_streams(&nats.connect().await, &settings)
        .await
        .unwrap();
    let (text, bad) = many(lines, customers);
    std::fs::write(folder.path().join("many.ndjson"), &text).unwrap();
    let url = nats.url();
    let log = folder.path().join("log");
    let mut child = import(
        folder.path(),
        &["--nats", &url, "--rate", "4000", "many.ndjson"],
    )
    .stderr(std::fs::File::create(&log).unwrap())
    .spawn()
    .unwrap();
    let told = || std::fs::read_to_string(&log).unwrap();
    kit::eventually("some are in", || bookmark(folder.path()) > 100_000);
    nats.kill().await.unwrap();
    kit::eventually("it says that it waits", || {
        told().contains("waiting until it does")
    });
    nats.restart().await.unwrap();
    kit::eventually("it goes on", || told().contains("NATS takes events again"));
    kit::eventually("it says that the stream is full", || {
        told().contains("maximum bytes")
    });
    assert!(child.try_wait().unwrap().is_none(), "{}", told());
    // Full time and again; whatever is in is looked at before it goes.
    let mut seen: Vec<(String, String)> = Vec::new();
    let client = async_nats::connect(&url).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    while child.try_wait().unwrap().is_none() {
        seen.extend(take_all(&url, &jetstream).await);
    }
    seen.extend(take_all(&url, &jetstream).await);
    assert_eq!(child.wait().unwrap().code(), Some(1), "{}", told());
    // Each is there, and those of one customer in the order of the file.
    let mut known = std::collections::BTreeMap::<String, Vec<usize>>::new();
    for (customer, id) in seen {
        let number = id[1..].parse().unwrap();
        let of = known.entry(customer).or_default();
        if !of.contains(&number) {
            of.push(number);
        }
    }
    assert_eq!(known.values().map(Vec::len).sum::<usize>(), lines - bad);
    for (customer, numbers) in known {
        assert!(numbers.is_sorted(), "{customer}: {numbers:?}");
    }
}

/// Takes what is in the stream of events out of it: subject and id.
async fn take_all(url: &str, jetstream: &async_nats::jetstream::Context) -> Vec<(String, String)> {
    let messages = kit::stream_messages(url, "SCENE_EVENTS").await;
    let stream = jetstream.get_stream("SCENE_EVENTS").await.unwrap();
    let first = stream.cached_info().state.first_sequence;
    let up_to = first + messages.len() as u64;
    stream.purge().sequence(up_to).await.unwrap();
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    messages
        .into_iter()
        .map(|(_, _, payload)| {
            let event: Value = serde_json::from_slice(&payload).unwrap();
            (text(&event, "subject"), text(&event, "id"))
        })
        .collect()
}

/// What takes another time at each run.
fn without_times(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("; ") {
        Some((before, times)) if times.ends_with("/s") => format!("{before}; …"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn golden(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/golden/import")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, shown).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        known == shown,
        "{name} is now:\n{shown}\nUPDATE_GOLDEN=1 takes it over"
    );
}

/// A file in which everything is wrong but the first and the last line.
fn bad_lines(now: Millis) -> String {
    let checkout = |id: &str, at: Millis| {
        let data =
            json!({"stage": "paid", "amount": "1", "currency": "CNY", "merchant": {"id": "M"}});
        event("merchant.checkout", id, "C1", at, data)
    };
    let with = |change: fn(&mut Value)| {
        let mut event = checkout("x", now - DAY);
        change(&mut event);
        event.to_string()
    };
    let lines = [
        checkout("first", now - DAY).to_string(),
        "{\"specversion\": \"1.0\", ".to_owned(),
        "[1, 2]".to_owned(),
        with(|event| event["id"] = Value::Null),
        with(|event| event["subject"] = json!("C".repeat(65))),
        with(|event| event["time"] = json!("2026-11-22")),
        with(|event| event["data"]["amount"] = json!("-1")),
        with(|event| event["data"]["amount"] = json!("1,5")),
        with(|event| event["data"]["currency"] = json!("XAU")),
        with(|event| event["data"]["stage"] = json!("payed")),
        with(|event| event["type"] = json!("checkout")),
        with(|event| event["type"] = json!("broadcast.goal")),
        with(|event| event["type"] = json!("timer.daily")),
        checkout("old", now - 500 * DAY - MINUTE).to_string(),
        checkout("ahead", now + 600_000 + 500).to_string(),
        String::new(),
        checkout("last", now - DAY).to_string(),
    ];
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_are_named_and_kept_and_the_rest_is_imported() {
    let folder = folder(&[]);
    let nats = Nats::with_streams(4).await;
    let text = bad_lines(now_ms());
    std::fs::write(folder.path().join("mixed.ndjson"), &text).unwrap();
    let url = nats.url();
    let arguments = ["--nats", &url, "mixed.ndjson"];
    let (code, out, errors) = run(folder.path(), &[&arguments[..], &["--dry-run"]].concat());
    assert_eq!(code, 1);
    assert!(out.contains("2 lines sound, 14 refused"), "{out}");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        2,
        "a dry run writes nothing"
    );
    let dry_errors = errors;

    let (code, out, errors) = run(folder.path(), &arguments);
    assert_eq!(code, 1);
    let (errors, dry_errors): (String, String) = [&errors, &dry_errors]
        .map(|e| e.replace("599 s", "600 s"))
        .into();
    assert_eq!(errors, dry_errors);
    golden("bad-lines.txt", &without_times(&(errors + &*out)));
    let ids: Vec<Value> = kit::stream_messages(&url, "SCENE_EVENTS")
        .await
        .iter()
        .map(|(_, _, payload)| serde_json::from_slice::<Value>(payload).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, ["first", "last"]);

    // A file that was there is not taken for refused lines, also when it begins anew.
    write(&folder, "precious", "x");
    let other = [&arguments[..], &["--restart", "--rejects", "precious"]].concat();
    let (code, _, errors) = run(folder.path(), &other);
    assert!(code == 1 && errors.contains("is there already"), "{errors}");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("precious")).unwrap(),
        "x"
    );

    // Mended in its place, that file is imported in turn, and the first one is not touched by that.
    let rejects = folder.path().join("mixed.ndjson.rejects");
    let kept = std::fs::read_to_string(&rejects).unwrap();
    let refused: Vec<&str> = text
        .lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(
        kept.lines().collect::<Vec<_>>(),
        refused[..refused.len() - 1]
    );
    let mended = kept.lines().nth(7).unwrap().replace("XAU", "CNY");
    std::fs::write(&rejects, mended.clone() + "\n").unwrap();
    let (code, told) = summary(folder.path(), &["--nats", &url, "mixed.ndjson.rejects"]);
    assert_eq!((code, &told["imported"]), (0, &json!(1)), "{told}");
    let (code, told) = summary(folder.path(), &arguments);
    assert_eq!((code, &told["refused"]), (1, &json!(14)), "{told}");
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), mended + "\n");
}

#[test]
fn arguments_that_do_not_fit_the_file_are_said_before_anything_is_done() {
    let folder = folder(&[]);
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    write("people.csv", b"customer,tier,agee,push,id,id\n");
    write("shop.csv", b"when,sum\n");
    write("semi.csv", b"customer;time\n");
    write("one.ndjson", b"{}\n");
    write("packed.ndjson", &[0x1f, 0x8b, 8]);
    write("wide.csv", &[0xff, 0xfe, b'a', 0]);
    write("empty.csv", b"");
    let profile = ["--type", "customer.profile"];
    let checkout = ["--type", "merchant.checkout"];
    let cases: [&[&str]; 13] = [
        &["people.csv"],
        &["--type", "customer.profil", "people.csv"],
        &[&profile[..], &["people.csv"]].concat(),
        &[
            &profile[..],
            &[
                "--map",
                "agee=attributes.age",
                "--map",
                "nobody=locale",
                "people.csv",
            ],
        ]
        .concat(),
        &[
            &checkout[..],
            &["--map", "when=time", "--map", "sum=amount", "shop.csv"],
        ]
        .concat(),
        &[
            &checkout[..],
            &["--time", "2026-11-01T00:00:00Z", "shop.csv"],
        ]
        .concat(),
        &[&profile[..], &["semi.csv"]].concat(),
        &[&profile[..], &["one.ndjson"]].concat(),
        &["packed.ndjson"],
        &["wide.csv"],
        &[&profile[..], &["empty.csv"]].concat(),
        &["--rejects", "r", "one.ndjson", "people.csv"],
        &["--dry-run", "-", "-"],
    ];
    let mut shown = String::new();
    for case in cases {
        let (code, out, errors) = run(folder.path(), case);
        assert_eq!((code, &*out), (2, ""), "{case:?}: {errors}");
        shown += &format!("$ onscene import {}\n{errors}\n", case.join(" "));
    }
    golden("arguments.txt", &shown);
}

#[test]
fn standard_input_is_imported_as_it_comes() {
    let folder = folder(&[]);
    let mut child = import(folder.path(), &["--dry-run", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let events = ndjson(&history(3));
    std::io::Write::write_all(&mut input, events.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["imported"], &told["complete"]),
        (&json!(33), &json!(true))
    );
    assert!(output.status.success());
}

#[test]
fn an_imported_refusal_is_known_and_ends_nothing() {
    let rule = desk::rule("steps: [#{ after: \"0s\" }, #{ after: \"1d\" }], fresh: \"2d\"")
        .replace(
            "fn action(event, customer)",
            "fn action(event, customer, variant, step)",
        );
    let mut desk = Desk::new(&[("journey.rhai", rule)]);
    let start = desk::time(desk::NOON);
    let output = desk.step(&desk::checkout("c1", "C1", start));
    let action = output.decisions().next().unwrap().id;
    let declined = desk::event(
        "offer.declined",
        "d1",
        "C1",
        start + MINUTE,
        json!({"action": action.to_string()}),
    );
    let mut input = desk.input(&declined);
    let Incoming::Event(event) = &mut input.what else {
        panic!("an event");
    };
    event.imported = true;
    let output = desk.partition.step(&[input], start + MINUTE, &desk.rules);
    assert!(output.entries.is_empty() && output.verdicts.is_empty());
    let customer = desk.customers.get("C1").unwrap();
    assert!(
        customer
            .contacts
            .get(action)
            .unwrap()
            .outcomes
            .has(OutcomeKind::Declined)
    );
    assert_eq!(customer.pending.len(), 1);
    let output = desk.advance(start + DAY);
    assert_eq!(output.decisions().count(), 1, "the journey goes on");
}

#[test]
fn the_header_says_it_and_no_other_value_does() {
    let schema = Schema::default();
    let now = now_ms();
    let stored = |kind: &str, value: Option<&str>| {
        let data =
            json!({"stage": "paid", "amount": "1", "currency": "CNY", "merchant": {"id": "M"}});
        let headers = value.map(|value| (HEADER_IMPORT.to_lowercase(), value.to_owned()));
        Stored {
            sequence: 1,
            stored_at: now,
            subject: format!("scene.{kind}"),
            headers: headers.into_iter().collect(),
            payload: event(kind, "x", "C1", now, data).to_string().into(),
        }
    };
    let decoder = Decoder::default();
    let decode = |value| decoder.decode_import(&stored("merchant.checkout", value), &schema, now);
    assert!(!decode(None).unwrap().imported);
    assert!(decode(Some(IMPORTED)).unwrap().imported);
    assert_eq!(
        decode(Some("yes")).unwrap_err().reason,
        Reason::InvalidValue
    );
    let broadcast = stored("broadcast.goal", Some(IMPORTED));
    let refused = decoder.decode_broadcast(&broadcast, &schema).unwrap_err();
    assert_eq!(refused.reason, Reason::TypeMismatch);
    assert!(
        decoder
            .decode_broadcast(&stored("broadcast.goal", None), &schema)
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_imported_and_refused_is_still_an_import_when_it_is_retried() {
    let nats = Nats::with_streams(1).await;
    let letters = DeadLetters::new(&nats.connect().await);
    let refused = StoredEvent {
        sequence: 7,
        stored_at: now_ms(),
        pending: 0,
        subject: "scene.in.0.1.bill.due".to_owned(),
        headers: [(HEADER_IMPORT, IMPORTED)].into_iter().collect(),
        payload: "{}".into(),
    };
    letters
        .publish("too_old", &refused, "x", None)
        .await
        .unwrap();
    let found = letters.list(&Default::default()).await.unwrap();
    letters
        .retry(&found[0], "scene.events.bill.due.C1")
        .await
        .unwrap();
    let stored = kit::stream_messages(&nats.url(), "SCENE_EVENTS").await;
    assert_eq!(
        stored[0].1.get(HEADER_IMPORT).map(String::as_str),
        Some(IMPORTED)
    );
}
