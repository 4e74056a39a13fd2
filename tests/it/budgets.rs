//! Budgets that several engines share: real processes, one real broker, and a checker that reads nothing
//! but `SCENE_ACTIONS`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use onscene::clock::{format_rfc3339, now_ms};
use onscene::nats::EventPublisher;
use serde_json::{Value, json};

use crate::kit::{self, Engine, Folder, Nats, Random};

/// Which partitions each of four engines owns.
const OWNS: [&str; 4] = ["0-3", "4-7", "8-11", "12-15"];
/// So many kills instead, for a long run. Engines take variables that begin with `ONSCENE_` for their own.
const KILLS_VARIABLE: &str = "TEST_BUDGET_KILLS";
const KILLS: usize = 6;

/// A rule that gives something to everybody who pays, out of a budget.
fn giving_rule(budget: &str, cost: &str) -> String {
    format!(
        r#"const RULE = #{{ on: "merchant.checkout", channels: ["push"], fresh: "1d", budget: {budget} }};
fn when(event, customer) {{ event.stage == "paid" }}
fn action(event, customer) {{
    #{{ kind: "offer", code: "GIVE", merchant: event.merchant.id, cost: {cost} }}
}}
"#
    )
}

fn rules(budget: &str, cost: &str) -> Folder {
    let folder = Folder::new();
    kit::save(folder.path(), "give.rhai", &giving_rule(budget, cost));
    folder
}

fn spawn(nats: &Nats, rules: &Path, owns: &str) -> Engine {
    Engine::spawn(&nats.url(), rules, &[("ONSCENE_ENGINE_OWNS", owns)])
}

fn four(nats: &Nats, rules: &Path) -> Vec<Engine> {
    // The first one makes the streams; all want the same ones.
    let engines: Vec<Engine> = OWNS.iter().map(|owns| spawn(nats, rules, owns)).collect();
    engines.iter().for_each(Engine::wait_ready);
    engines
}

/// Publishes so many payments at full speed, each by another customer at the merchant that `merchant` says.
async fn pay(nats: &Nats, ids: std::ops::Range<usize>, merchant: impl Fn(usize) -> String) {
    let publisher = EventPublisher::new(&nats.connect().await, 256);
    let mut stored = Vec::new();
    for number in ids {
        let event = json!({
            "specversion": "1.0", "id": format!("e{number}"), "source": "till",
            "type": "merchant.checkout", "subject": format!("C{number}"),
            "time": format_rfc3339(now_ms()),
            "data": {"stage": "paid", "amount": (number % 40 + 1).to_string(), "currency": "CNY",
                     "merchant": {"id": merchant(number), "category": "dining", "partner": true}}
        });
        let subject = format!("scene.events.merchant.checkout.C{number}");
        let payload = Bytes::from(event.to_string());
        stored.push(publisher.publish(&subject, &[], payload).await.unwrap());
    }
    for stored in stored {
        stored.stored().await.unwrap();
    }
}

/// The sums of the costs of what was sent, in ten-thousandths, by what `by` says.
async fn spent(nats: &Nats, by: impl Fn(&Value) -> String) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for action in kit::actions(&nats.url()).await {
        assert_eq!(action.event["data"]["verdict"], "sent");
        let cost = &action.event["data"]["body"]["cost"];
        let cost = cost
            .as_str()
            .map_or_else(|| cost.to_string(), str::to_owned);
        let cost: rust_decimal::Decimal = cost.parse().unwrap();
        let cost = onscene::money::Money::exact(cost).unwrap();
        *sums.entry(by(&action.event)).or_default() += cost.ten_thousandths();
    }
    sums
}

async fn spent_in_all(nats: &Nats) -> i64 {
    spent(nats, |_| String::new()).await.into_values().sum()
}

/// Waits until nothing new has been decided for a while.
async fn wait_quiet(nats: &Nats, engines: &[Engine]) {
    let (mut seen, mut since) = (0, Instant::now());
    let started = Instant::now();
    while since.elapsed() < Duration::from_secs(2) {
        let caught_up = engines
            .iter()
            .all(|engine| engine.metric("onscene_pending_events") < 0.5);
        let now = kit::actions(&nats.url()).await.len();
        if now != seen || !caught_up {
            (seen, since) = (now, Instant::now());
        }
        assert!(started.elapsed().as_secs() < 120, "it never gets quiet");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_engines_that_are_killed_while_they_race_spend_a_budget_to_the_last_and_no_further() {
    let kills = std::env::var(KILLS_VARIABLE);
    let kills = kills.map_or(KILLS, |kills| kills.parse().unwrap());
    // Costs with halves, so that what is left over is not always what somebody asks for.
    let rules = rules("#{ total: 10000 }", "event.amount / 10");
    let nats = Nats::start().await;
    let mut engines = four(&nats, rules.path());
    let mut random = Random::new(7);
    let started = Instant::now();
    let mut published = 0;
    for _ in 0..kills {
        // About two units each: the budget is for some 5,000 of them.
        let more = 4_400 / kills.max(1);
        pay(&nats, published..published + more, |_| "M7".to_owned()).await;
        published += more;
        tokio::time::sleep(Duration::from_millis(random.below(300) as u64)).await;
        let number = random.below(4);
        engines[number].kill();
        engines[number] = spawn(&nats, rules.path(), OWNS[number]);
    }
    pay(&nats, published..published + 4_000, |_| "M7".to_owned()).await;
    engines.iter().for_each(Engine::wait_ready);
    wait_quiet(&nats, &engines).await;
    let units = spent_in_all(&nats).await;
    let sum = |metric: &str| -> f64 { engines.iter().map(|engine| engine.metric(metric)).sum() };
    println!(
        "\nresult: {kills} kills, {} of 10,000 spent in {:?}; {} conflicts, {} waits of {} s together",
        units as f64 / 1e4,
        started.elapsed(),
        sum("onscene_budget_conflicts_total"),
        sum("onscene_budget_wait_seconds_count"),
        sum("onscene_budget_wait_seconds_sum"),
    );
    assert!(units <= 100_000_000, "{units} ten-thousandths");
    assert!(units > 99_900_000, "{units} ten-thousandths");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_merchant_pays_for_itself_and_each_day_has_its_own_limit() {
    let budget = r#"#{ total: 1000, daily: 50, per: "merchant" }"#;
    let rules = rules(budget, "3");
    let nats = Nats::start().await;
    let engines = four(&nats, rules.path());
    let day = |at: &Value| -> String {
        let at = onscene::clock::parse_rfc3339(at.as_str().unwrap()).unwrap();
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        onscene::policy::local_day(at, &zone).to_string()
    };
    let today = day(&json!(format_rfc3339(now_ms())));
    pay(&nats, 0..4_000, |number| format!("M {}", number % 30)).await;
    wait_quiet(&nats, &engines).await;
    let by = |event: &Value| {
        let merchant = event["data"]["body"]["merchant"].as_str().unwrap();
        format!("{merchant} on {}", day(&event["data"]["decided_at"]))
    };
    let spent = spent(&nats, by).await;
    assert!(spent.len() >= 30, "{spent:?}");
    for (account, units) in &spent {
        assert!(*units <= 500_000, "{account}: {units}");
        if account.ends_with(&today) && spent.len() == 30 {
            assert_eq!(*units, 480_000, "{account}: 16 times 3 of 50");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_engine_did_not_use_goes_to_the_one_that_takes_over() {
    let rules = rules("#{ total: 500 }", "1");
    let nats = Nats::start().await;
    let mut first = spawn(&nats, rules.path(), "0-7");
    let mut second = spawn(&nats, rules.path(), "8-15");
    first.wait_ready();
    second.wait_ready();
    pay(&nats, 0..100, |_| "M7".to_owned()).await;
    kit::wait_actions(&nats.url(), 100).await;
    // One is killed with what it holds, the other stops in good order; neither comes back.
    first.kill();
    assert!(second.terminate().success(), "{}", second.log());
    let third = spawn(&nats, rules.path(), "all");
    third.wait_ready();
    pay(&nats, 100..700, |_| "M7".to_owned()).await;
    kit::wait_actions(&nats.url(), 500).await;
    wait_quiet(&nats, std::slice::from_ref(&third)).await;
    assert_eq!(spent_in_all(&nats).await, 5_000_000);
    assert!(third.get("/api/rules").contains(r#""spent":"500""#));
    assert!(third.metric("onscene_budget_spent{rule=\"give\"}") > 499.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_goes_back_after_a_while_and_a_lower_limit_holds_at_once() {
    let rules = rules("#{ total: 3000 }", "1");
    let nats = Nats::start().await;
    let engines = four(&nats, rules.path());
    pay(&nats, 0..400, |_| "M7".to_owned()).await;
    kit::wait_actions(&nats.url(), 400).await;
    kit::eventually("nothing is held that was not spent", || {
        let granted: f64 = (engines.iter())
            .map(|engine| engine.metric("onscene_budget_granted{rule=\"give\"}"))
            .sum();
        granted < 400.5
    });
    pay(&nats, 400..600, |_| "M7".to_owned()).await;
    kit::wait_actions(&nats.url(), 600).await;
    let lower = giving_rule("#{ total: 700 }", "1");
    kit::save(rules.path(), "give.rhai", &lower);
    for engine in &engines {
        kit::eventually("the lower limit is live", || {
            engine.get("/api/rules").contains(r#""total":"700""#)
        });
    }
    pay(&nats, 600..1_600, |_| "M7".to_owned()).await;
    kit::wait_actions(&nats.url(), 700).await;
    wait_quiet(&nats, &engines).await;
    assert_eq!(spent_in_all(&nats).await, 7_000_000);
    // And a higher one is spent as well.
    kit::save(
        rules.path(),
        "give.rhai",
        &giving_rule("#{ total: 800 }", "1"),
    );
    for engine in &engines {
        kit::eventually("the higher limit is live", || {
            engine.get("/api/rules").contains(r#""total":"800""#)
        });
    }
    pay(&nats, 1_600..2_600, |_| "M7".to_owned()).await;
    kit::wait_actions(&nats.url(), 800).await;
    wait_quiet(&nats, &engines).await;
    assert_eq!(spent_in_all(&nats).await, 8_000_000);
}
