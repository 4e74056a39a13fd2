//! One rule's condition without an engine around it: as native code, and as a bare call of Rhai.

use crate::Done;
use crate::fixture::{self, Fixture, NOW};
use onscene::clock::monotonic_now;
use onscene::event::{Facts, Stage};
use onscene::money::Money;
use onscene::state::{View, Window};
use rhai::{AST, CallFnOptions, Dynamic, Engine, Map, Scope};
use rust_decimal::Decimal;
use std::hint::black_box;

/// Calls in one go.
const CALLS: usize = 100;

/// The five conjuncts as a closure over a decoded event and its customer's journal.
pub(crate) fn native(fixture: &Fixture) -> impl FnMut() -> Done + 'static {
    let customers = fixture.customers.clone();
    let event = fixture::event("native", 0, 0, "started", NOW);
    let customer = customers.get("C0000000");
    let month = Window::from_millis(30 * onscene::clock::DAY);
    let spent = Money::from_ten_thousandths(100_000_000_000);
    let hundred = Money::from_ten_thousandths(1_000_000);
    move || {
        let started = monotonic_now();
        for _ in 0..CALLS {
            let (event, Some(customer)) = black_box((&event, &customer)) else {
                continue;
            };
            let Facts::Checkout(checkout) = &event.facts else {
                continue;
            };
            let view = View {
                customer,
                names: customers.names(),
                time: event.time,
                index: 0,
            };
            black_box(
                checkout.stage == Stage::Started
                    && checkout.tender.as_deref() == Some("other_bank")
                    && checkout.partner
                    && checkout.amount >= hundred
                    && view.spend(Some("dining"), month) >= spent,
            );
        }
        Done::since(started, CALLS)
    }
}

/// The same in Rhai, over a plain map and a window that is a constant.
pub(crate) fn bare_rhai() -> anyhow::Result<impl FnMut() -> Done + 'static> {
    #[derive(Clone)]
    struct Customer;

    let mut engine = Engine::new();
    engine.register_fn("spend", |_: &mut Customer, _: &str, _: &str| {
        Decimal::new(8_000, 0)
    });
    let ast: AST = engine.compile(
        r#"fn when(event, customer) {
            event.stage == "started" && event.tender == "other_bank" && event.merchant.partner
                && event.amount >= 100 && customer.spend("dining", "30d") >= 10000000
        }"#,
    )?;
    let mut merchant = Map::new();
    merchant.insert("partner".into(), true.into());
    let mut event = Map::new();
    event.insert("stage".into(), "started".into());
    event.insert("tender".into(), "other_bank".into());
    event.insert("merchant".into(), merchant.into());
    event.insert(
        "amount".into(),
        Dynamic::from_decimal(Decimal::new(12_850, 2)),
    );
    // Shared, so that a call copies no map.
    let event = Dynamic::from(event).into_shared();
    let customer = Dynamic::from(Customer);
    let call = move || {
        let options = CallFnOptions::new().eval_ast(false);
        let arguments = (event.clone(), customer.clone());
        engine.call_fn_with_options::<bool>(options, &mut Scope::new(), &ast, "when", arguments)
    };
    call()?;
    Ok(move || {
        let started = monotonic_now();
        for _ in 0..CALLS {
            black_box(call().is_ok());
        }
        Done::since(started, CALLS)
    })
}
