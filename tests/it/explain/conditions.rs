//! Each part of a condition is asked by itself, and what it asks of the customer is written down.

use crate::kit::desk::{Desk, NOON, checkout, decode, event, rule, sources, time};
use onscene::event::{Event, Incoming};
use onscene::rules::{Asked, Function, Mark, Recorder, Standing, Subject};
use onscene::state::{Applied, Customer, ItemOf, Question, View, Window, WindowAnswer};
use rust_decimal::Decimal;
use serde_json::json;
use std::sync::Arc;

const RULE: &str = r#"const RULE = #{ on: "merchant.checkout", channels: ["push"] };
fn when(event, buyer) {
    // What is dear.
    let dear = 100;
    if event.stage == "refunded" { return false; }
    event.amount >= dear   // not for less
        && buyer.spend("dining", "30d") >= 500
        && money::is_rich(buyer)
        && (event.tender == "other_bank" || money::is_often(buyer, 2))
}
fn action(event, buyer) { #{ kind: "offer" } }
"#;
const LIBRARY: &str = r#"fn is_often(buyer, least) { buyer.count("merchant.checkout", "1d", #{ stage: "paid" }) >= least }
fn is_rich(buyer) {
    if buyer.balance < 1000 { throw "too poor to tell"; }
    buyer.balance > 5000
}
"#;

/// What came of one part.
#[derive(Debug, PartialEq)]
struct Part {
    text: String,
    held: Result<bool, String>,
    saw: Option<String>,
    calls: Vec<String>,
}

fn paid(id: &str, amount: &str) -> serde_json::Value {
    let data = json!({"stage": "paid", "amount": amount, "currency": "CNY", "tender": "own_account",
        "merchant": {"id": "M1", "category": "dining"}});
    event("merchant.checkout", id, "C1", time(NOON), data)
}

fn parts(desk: &Desk, customer: &Arc<Customer>, event: &Event, index: usize) -> Vec<Part> {
    let files = [("a.rhai", RULE), ("lib/money.rhai", LIBRARY)];
    let (set, probes) = desk.rules.taken_apart(&sources(&files));
    let whole = probes.function("a.rhai", "when").unwrap();
    let standing = Standing {
        id: &event.customer,
        customer,
        customers: &desk.customers,
        time: event.time,
        index,
    };
    let recorder = Recorder::default();
    let moment = set.moment(Subject::Event(event), standing);
    let moment = moment.recording(recorder.clone());
    let rule = set.rule("a").unwrap();
    // It still means the same as a whole.
    assert_eq!(
        set.when(rule, &moment),
        desk.rules.when(desk.rules.rule("a").unwrap(), &moment)
    );
    let (_, _) = (probes.take(), recorder.take());
    let sites = probes.functions[whole].conjuncts.iter().enumerate();
    let part = |(number, site): (usize, &usize)| {
        let held = set.conjunct(rule, Function::When, number, &moment);
        let marks = probes.take();
        assert!(
            held.is_err()
                || marks
                    .iter()
                    .any(|m| matches!(m, Mark::Held(at, _) if at == site))
        );
        let asked: Vec<Asked> = recorder.take();
        let view = View {
            customer,
            names: desk.customers.names(),
            time: event.time,
            index,
        };
        for asked in &asked {
            let items = view.items(&asked.question);
            assert_eq!(
                view.summed(&asked.question, &items),
                view.answer(&asked.question)
            );
        }
        Part {
            text: probes.sites[*site].one_line(),
            held: held.map_err(|error| error.message),
            saw: probes.with_values(*site, &marks),
            calls: asked.into_iter().map(|asked| asked.call).collect(),
        }
    };
    sites.map(part).collect()
}

/// The second part is false, and those after it are asked all the same: also behind one that cannot be.
#[test]
fn every_part_is_asked_also_behind_one_that_does_not_hold() {
    let desk = Desk::new(&[("a.rhai", RULE), ("lib/money.rhai", LIBRARY)]);
    let mut customer = Customer::new(time(NOON));
    let mut last = None;
    for (id, amount) in [("1", "120.50"), ("2", "130")] {
        let Incoming::Event(event) = decode(&paid(id, amount), desk.rules.schema()) else {
            panic!("it is a customer's");
        };
        let limits = onscene::state::JournalLimits::default();
        let Applied::At(index) = customer.apply(&event, desk.customers.names(), limits) else {
            panic!("it is new");
        };
        last = Some((event, index));
    }
    let (event, index) = last.unwrap();
    let customer = Arc::new(customer);
    let view = View {
        customer: &customer,
        names: desk.customers.names(),
        time: event.time,
        index,
    };
    let found = parts(&desk, &customer, &event, index);
    let part = |text: &str, held, saw: Option<&str>, calls: &[&str]| Part {
        text: text.to_owned(),
        held,
        saw: saw.map(str::to_owned),
        calls: calls.iter().map(ToString::to_string).collect(),
    };
    let spend = r#"spend("dining", "30d")"#;
    assert_eq!(
        found[0],
        part("event.amount >= dear", Ok(true), Some("130 >= 100"), &[])
    );
    assert_eq!(
        found[1],
        part(
            r#"buyer.spend("dining", "30d") >= 500"#,
            Ok(false),
            Some("250.5 >= 500"),
            &[spend]
        )
    );
    assert_eq!(found[2].held, Err("too poor to tell".to_owned()));
    assert_eq!(found[3].held, Ok(true));
    assert_eq!(
        found[3].calls,
        [r#"count("merchant.checkout", "1d", #{ stage: "paid" })"#]
    );
    let window = Window::parse("30d").unwrap();
    let spent = view.answer(&Question::Spend(Some("dining".into()), window));
    assert_eq!(spent, WindowAnswer::Number(Decimal::new(2_505, 1)));
}

/// What was said to a customer is counted by the event's time; an action counts as taken by its outcomes.
#[test]
fn what_was_said_makes_offers_and_accepted() {
    let mut desk = Desk::new(&[("a.rhai", rule(""))]);
    let start = time(NOON);
    let mut ids = Vec::new();
    for (id, seconds) in [("1", 0), ("2", 1), ("3", 10)] {
        let output = desk.step(&checkout(id, "C1", start + seconds * 1_000));
        ids.extend(output.decisions().map(|decision| decision.id.to_string()));
    }
    let taken = json!({ "action": ids[1] });
    desk.step(&event("offer.accepted", "o", "C1", start + 10_000, taken));
    let customer = desk.customers.get("C1").unwrap();
    let names = desk.customers.names();
    let view = View {
        customer: &customer,
        names,
        time: start + 10_000,
        index: 4,
    };
    let (window, name) = (Window::from_millis(10_000), |word| names.find(word));
    let yes = WindowAnswer::Truth(true);
    let no = WindowAnswer::Truth(false);
    let number = |n: i64| WindowAnswer::Number(n.into());
    for (question, items, answer) in [
        (
            Question::Offers(name("a"), window),
            vec![&ids[1], &ids[2]],
            number(2),
        ),
        (Question::Offers(None, window), vec![], number(0)),
        (Question::Accepted(name("CODE")), vec![&ids[1]], yes),
        (Question::Accepted(name("a")), vec![], no.clone()),
        (Question::Accepted(None), vec![], no),
    ] {
        let found = view.items(&question);
        let of = found.iter().map(|item| match item.of {
            ItemOf::Contact(contact) => contact.id.to_string(),
            ItemOf::Entry(_) => panic!("something that was said"),
        });
        assert!(of.eq(items.into_iter().cloned()), "{question:?}");
        assert_eq!(view.answer(&question), answer, "{question:?}");
        assert_eq!(view.summed(&question, &found), answer, "{question:?}");
    }
}
