//! One condition of five conjuncts by Zen, by plain Rhai, as native Rust, and as a rule of Onscene.
//!
//! All four conjuncts before the last hold, the last does not: nobody gets away early. What the customer spent
//! in 30 days is a finished number for Zen, Rhai and native code; Onscene looks it up in the customer's journal.
//! Onscene's time a rule is what a step with many such rules takes longer than one without any, divided by
//! their number. Run it by `cargo run --release --locked --manifest-path benches/comparison/zen/Cargo.toml`.

mod ours;

use onscene::clock::monotonic_now;
use rhai::{AST, CallFnOptions, Dynamic, Engine, Map, Scope};
use rust_decimal::Decimal;
use std::hint::black_box;
use std::time::Duration;
use zen_expression::variable::{Variable, VariableMap};
use zen_expression::vm::VM;
use zen_expression::{Isolate, scope};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 7;
/// How long each contender works in a round.
const LENGTH: Duration = Duration::from_millis(300);
const CALLS: u32 = 100;

/// A contender: works a little, and tells how long that took for one condition.
pub(crate) type Work = Box<dyn FnMut() -> f64>;

fn main() -> anyhow::Result<()> {
    let mut contenders = vec![
        ("native Rust".to_owned(), native()),
        ("Zen 2.1.6, compiled expression".to_owned(), zen()?),
        ("plain Rhai 1.27, compiled".to_owned(), rhai()?),
    ];
    for rules in ours::RULES {
        contenders.push((
            format!("Onscene, each of {rules} rules"),
            ours::stepping(rules)?,
        ));
    }
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for ((_, work), times) in contenders.iter_mut().zip(&mut times) {
            let (begun, mut pieces) = (monotonic_now(), Vec::new());
            while begun.elapsed() < LENGTH || pieces.is_empty() {
                pieces.push(work());
            }
            times.push(median(&mut pieces));
        }
    }
    let medians: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
    println!("| one condition of five conjuncts | ns | of Zen |\n|---|---|---|");
    for ((name, _), ns) in contenders.iter().zip(&medians) {
        println!("| {name} | {ns:.1} | {:.3} |", ns / medians[1]);
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Times a call, many at once.
fn timed(mut call: impl FnMut() -> bool + 'static) -> Work {
    Box::new(move || {
        let started = monotonic_now();
        for _ in 0..CALLS {
            black_box(call());
        }
        started.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    })
}

fn native() -> Work {
    struct Checkout {
        stage: u8,
        tender: Box<str>,
        partner: bool,
        amount: i64,
    }
    let checkout = Checkout {
        stage: 1,
        tender: "other_bank".into(),
        partner: true,
        amount: 1_285_000,
    };
    let spent = 80_000_000_i64;
    timed(move || {
        let (checkout, spent) = black_box((&checkout, spent));
        checkout.stage == 1
            && &*checkout.tender == "other_bank"
            && checkout.partner
            && checkout.amount >= 1_000_000
            && spent >= 100_000_000_000
    })
}

fn zen() -> anyhow::Result<Work> {
    let source = "event.stage == 'started' and event.tender == 'other_bank' and event.merchant.partner \
        and event.amount >= 100 and customer.spent >= 10000000";
    let object = |members: Vec<(&str, Variable)>| {
        let mut map = VariableMap::default();
        for (name, value) in members {
            map.insert(name.into(), value);
        }
        Variable::from_object(map)
    };
    let text = |text: &str| Variable::String(text.into());
    let event = object(vec![
        ("stage", text("started")),
        ("tender", text("other_bank")),
        ("amount", Variable::Number(Decimal::new(12_850, 2))),
        ("merchant", object(vec![("partner", Variable::Bool(true))])),
    ]);
    let customer = object(vec![("spent", Variable::Number(Decimal::from(8_000)))]);
    let scope = scope::Scope::new(object(vec![("event", event), ("customer", customer)]));
    let expression = Isolate::new()
        .compile_standard(source)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut machine = VM::new();
    let answer = expression.evaluate_with_scope(&scope, &mut machine);
    let answer = answer.map_err(|error| anyhow::anyhow!("{error}"))?;
    anyhow::ensure!(answer.as_bool() == Some(false), "Zen says {answer:?}");
    Ok(timed(move || {
        let answer = expression.evaluate_with_scope(black_box(&scope), &mut machine);
        answer.is_ok_and(|answer| answer.as_bool() == Some(true))
    }))
}

fn rhai() -> anyhow::Result<Work> {
    let engine = Engine::new();
    let ast: AST = engine.compile(
        r#"fn when(event, customer) {
            event.stage == "started" && event.tender == "other_bank" && event.merchant.partner
                && event.amount >= 100 && customer.spent >= 10000000
        }"#,
    )?;
    let record = |members: Vec<(&str, Dynamic)>| -> Dynamic {
        let members = members
            .into_iter()
            .map(|(name, value)| (name.into(), value));
        members.collect::<Map>().into()
    };
    let event = record(vec![
        ("stage", "started".into()),
        ("tender", "other_bank".into()),
        ("amount", Dynamic::from_decimal(Decimal::new(12_850, 2))),
        ("merchant", record(vec![("partner", true.into())])),
    ]);
    let customer = record(vec![("spent", Dynamic::from_decimal(Decimal::from(8_000)))]);
    // Shared, so that a call copies no map.
    let (event, customer) = (event.into_shared(), customer.into_shared());
    let call = move || {
        let options = CallFnOptions::new().eval_ast(false);
        let arguments = (event.clone(), customer.clone());
        engine.call_fn_with_options::<bool>(options, &mut Scope::new(), &ast, "when", arguments)
    };
    anyhow::ensure!(!call()?, "Rhai says true");
    Ok(timed(move || call().unwrap_or(true)))
}
