//! Every question about a window has the answer that a slow and obvious model gives, whatever the
//! order in which events arrive.

use crate::kit::desk::event;
use onscene::clock::Millis;
use onscene::decode::Decoder;
use onscene::event::{Direction, Event, Incoming, Schema, Stored};
use onscene::money::{Money, Rates};
use onscene::state::{
    Applied, Customer, Customers, Distinct, Filter, FilterField, FilterValue, ItemOf,
    JournalLimits, Names, Question, View, Window,
};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A round time to which the histories' times are added.
const BASE: Millis = 1_795_312_800_000;
const CATEGORIES: [&str; 3] = ["dining", "travel", "fuel"];
const PARTIES: [&str; 3] = ["M1", "M2", "M3"];
const CHANNELS: [&str; 2] = ["mobile", "counter"];
const TENDERS: [&str; 2] = ["own_account", "other_bank"];
const STAGES: [&str; 4] = ["started", "paid", "abandoned", "refunded"];
/// Currencies and their rates in ten-thousandths.
const CURRENCIES: [(&str, i128); 3] = [("CNY", 10_000), ("USD", 71_234), ("JPY", 487)];
/// Windows whose lengths are multiples of the histories' time step, so that edges are met exactly.
const WINDOWS: [&str; 5] = ["1s", "10s", "1m", "10m", "1h"];

const SCHEMA: &str = r#"
[events."bill.due"]
amount = { type = "money", keep = true }
currency = "text"
category = { type = "text", keep = true }
merchant = { type = "text", keep = true }
urgent = { type = "boolean", keep = true }
days = { type = "number", keep = true }
note = "text"
"#;

/// One thing that happened, as the model sees it.
#[derive(Clone, Debug)]
struct Happening {
    what: What,
    /// Milliseconds after [`BASE`].
    at: Millis,
    source: usize,
    id: usize,
    /// In ten-thousandths of the currency's unit.
    amount: i64,
    currency: usize,
    category: Option<usize>,
    party: Option<usize>,
    channel: Option<usize>,
    means: Option<usize>,
    flag: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Checkout(usize),
    Movement {
        incoming: bool,
        balance: Option<i64>,
    },
    Bill,
    Login,
}

impl Happening {
    fn kind(&self) -> &'static str {
        match self.what {
            What::Checkout(_) => "merchant.checkout",
            What::Movement { .. } => "account.movement",
            What::Bill => "bill.due",
            What::Login => "app.login",
        }
    }

    /// The amount in base currency: rounded half to even, by whole numbers alone.
    fn base(&self, amount: i64) -> i128 {
        let product = i128::from(amount) * CURRENCIES[self.currency].1;
        let (quotient, rest) = (product.div_euclid(10_000), product.rem_euclid(10_000));
        let up = rest > 5_000 || (rest == 5_000 && quotient % 2 != 0);
        quotient + i128::from(up)
    }

    fn category(&self) -> Option<&'static str> {
        (self.what != What::Login)
            .then_some(self.category)
            .flatten()
            .map(|c| CATEGORIES[c])
    }

    /// The merchant, for kinds that have one. A checkout always has.
    fn merchant(&self) -> Option<&'static str> {
        match self.what {
            What::Checkout(_) => Some(PARTIES[self.party.unwrap_or(0)]),
            What::Bill => self.party.map(|p| PARTIES[p]),
            _ => None,
        }
    }

    fn counterparty(&self) -> Option<&'static str> {
        matches!(self.what, What::Movement { .. })
            .then_some(self.party)
            .flatten()
            .map(|p| PARTIES[p])
    }

    fn channel(&self) -> Option<&'static str> {
        matches!(self.what, What::Movement { .. })
            .then_some(self.channel)
            .flatten()
            .map(|c| CHANNELS[c])
    }

    fn json(&self) -> Value {
        let amount = |units: i64| Decimal::new(units, 4).to_string();
        let word = |words: &[&str], at: Option<usize>| at.map(|at| words[at].to_owned());
        let currency = CURRENCIES[self.currency].0;
        let data = match self.what {
            What::Checkout(stage) => json!({
                "stage": STAGES[stage], "amount": amount(self.amount), "currency": currency,
                "tender": word(&TENDERS, self.means),
                "merchant": {"id": self.merchant(), "category": self.category(), "partner": self.flag},
            }),
            What::Movement { incoming, balance } => json!({
                "account": if self.flag { "A-1" } else { "A-2" },
                "direction": if incoming { "in" } else { "out" },
                "amount": amount(self.amount), "currency": currency, "balance": balance.map(amount),
                "counterparty": {"name": self.counterparty(), "category": self.category()},
                "channel": self.channel(), "purpose": word(&TENDERS, self.means),
            }),
            What::Bill => json!({
                "amount": amount(self.amount), "currency": currency, "category": self.category(),
                "merchant": self.merchant(), "urgent": self.flag, "days": self.channel,
            }),
            What::Login => json!({"any": "thing"}),
        };
        let id = self.id.to_string();
        let mut event = event(self.kind(), &id, "C1", BASE + self.at, data);
        event["source"] = json!(self.source.to_string());
        event
    }
}

fn happenings(ids: usize) -> impl Strategy<Value = Happening> {
    let what = prop_oneof![
        5 => (0..STAGES.len()).prop_map(What::Checkout),
        3 => (any::<bool>(), proptest::option::of(-50_000_i64..500_000))
            .prop_map(|(incoming, balance)| What::Movement { incoming, balance }),
        2 => Just(What::Bill),
        1 => Just(What::Login),
    ];
    // Mostly on a grid, so that equal times and exact edges are common; sometimes a millisecond off.
    let at = (
        0_i64..130,
        prop_oneof![8 => Just(0_i64), 1 => Just(1), 1 => Just(-1)],
        prop_oneof![Just(1_000_i64), Just(10_000), Just(60_000)],
    )
        .prop_map(|(steps, off, step)| (steps * step + off).max(0));
    let options = (
        proptest::option::of(0..3_usize),
        proptest::option::of(0..3_usize),
        proptest::option::of(0..2_usize),
        proptest::option::of(0..2_usize),
    );
    let amount = prop_oneof![Just(0_i64), Just(5_000), 0_i64..20_000_000];
    (
        what,
        at,
        0..2_usize,
        0..ids,
        amount,
        0..3_usize,
        options,
        any::<bool>(),
    )
        .prop_map(
            |(what, at, source, id, amount, currency, (category, party, channel, means), flag)| {
                Happening {
                    what,
                    at,
                    source,
                    id,
                    amount,
                    currency,
                    category,
                    party,
                    channel,
                    means,
                    flag,
                }
            },
        )
}

/// All that happened and was taken, in order of time and, within one time, of arrival.
#[derive(Default)]
struct Model {
    /// Everything ever taken, trimmed or not.
    taken: Vec<Happening>,
    first_seen: Option<Millis>,
    /// Everything up to here may be missing from the journal.
    edge: Option<Millis>,
    balances: BTreeMap<bool, (Millis, i128)>,
}

impl Model {
    fn kept(&self) -> impl Iterator<Item = &Happening> {
        self.taken.iter()
    }

    fn take(&mut self, new: &Happening, limits: JournalLimits) -> &'static str {
        self.first_seen.get_or_insert(new.at);
        if self
            .taken
            .iter()
            .any(|old| (old.source, old.id) == (new.source, new.id))
        {
            return "duplicate";
        }
        if self.edge.is_some_and(|edge| new.at <= edge) {
            return "too old";
        }
        let at = self.taken.iter().filter(|old| old.at <= new.at).count();
        self.taken.insert(at, new.clone());
        let newest = self.taken.iter().map(|h| h.at).max().unwrap();
        let mut dropped = 0;
        while self.taken[0].at < newest - limits.horizon || self.taken.len() > limits.entries_max {
            self.edge = Some(self.taken.remove(0).at);
            dropped += 1;
        }
        if dropped > at {
            return "too old";
        }
        if let What::Movement {
            balance: Some(balance),
            ..
        } = new.what
        {
            let slot = self.balances.entry(new.flag).or_insert((new.at, 0));
            if slot.0 <= new.at {
                *slot = (new.at, new.base(balance));
            }
        }
        "taken"
    }

    /// What happened in (t − w, t].
    fn within(&self, t: Millis, window: Window) -> Vec<&Happening> {
        self.kept()
            .filter(|h| h.at > t - window.millis() && h.at <= t)
            .collect()
    }
}

fn decoder() -> Decoder {
    let table = CURRENCIES
        .iter()
        .map(|(name, rate)| {
            (
                (*name).to_owned(),
                Decimal::new(i64::try_from(*rate).unwrap(), 4),
            )
        })
        .collect();
    Decoder {
        rates: Rates::new("CNY", table),
        ..Decoder::default()
    }
}

fn decoded(decoder: &Decoder, schema: &Schema, happening: &Happening) -> Event {
    let stored = Stored {
        sequence: 1,
        stored_at: 0,
        subject: String::new(),
        headers: Vec::new(),
        payload: serde_json::to_vec(&happening.json()).unwrap().into(),
    };
    match decoder.decode_offline(&stored, schema).unwrap() {
        Incoming::Event(event) => event,
        Incoming::Broadcast(_) => panic!("an event of a customer"),
    }
}

fn units(money: Money) -> i128 {
    money.ten_thousandths().into()
}

fn spent<'a>(happenings: impl IntoIterator<Item = &'a Happening>, category: Option<&str>) -> i128 {
    let of = |h: &&Happening| category.is_none() || h.category() == category;
    happenings
        .into_iter()
        .filter(of)
        .map(|h| match h.what {
            What::Checkout(1) => h.base(h.amount),
            What::Checkout(3) => -h.base(h.amount),
            _ => 0,
        })
        .sum()
}

fn check_money(view: &View<'_>, window: Window, seen: &[&Happening]) {
    let categories = CATEGORIES
        .iter()
        .copied()
        .map(Some)
        .chain([None, Some("never seen")]);
    for category in categories {
        let of = |h: &&&Happening| category.is_none() || h.category() == category;
        let told = format!("{category:?} {window}");
        assert_eq!(
            units(view.spend(category, window)),
            spent(seen.iter().copied(), category),
            "spend {told}"
        );
        let paid: Vec<i128> = seen
            .iter()
            .filter(of)
            .filter(|h| h.what == What::Checkout(1))
            .map(|h| h.base(h.amount))
            .collect();
        assert_eq!(
            units(view.largest(category, window)),
            paid.iter().copied().max().unwrap_or(0),
            "largest {told}"
        );
        let average = view.average(category, window);
        match i64::try_from(paid.len()).unwrap() {
            0 => assert_eq!(average, Decimal::ZERO, "average {told}"),
            n => {
                let sum = Decimal::from_i128_with_scale(paid.iter().sum(), 4);
                assert_eq!(average, sum / Decimal::from(n), "average {told}");
            }
        }
        for (direction, wanted) in [(Direction::In, true), (Direction::Out, false)] {
            let flow: i128 = seen
                .iter()
                .filter(of)
                .filter(|h| matches!(h.what, What::Movement { incoming, .. } if incoming == wanted))
                .map(|h| h.base(h.amount))
                .sum();
            assert_eq!(
                units(view.flow(direction, category, window)),
                flow,
                "flow {told}"
            );
        }
    }
    let change: i128 = seen
        .iter()
        .map(|h| match h.what {
            What::Movement { incoming: true, .. } => h.base(h.amount),
            What::Movement {
                incoming: false, ..
            } => -h.base(h.amount),
            _ => 0,
        })
        .sum();
    assert_eq!(
        units(view.balance_change(window)),
        change,
        "balance_change {window}"
    );
}

fn check_interests(view: &View<'_>, window: Window, seen: &[&Happening]) {
    let distinct = |of: fn(&Happening) -> Option<&'static str>| {
        seen.iter()
            .filter_map(|h| of(h))
            .collect::<BTreeSet<_>>()
            .len()
    };
    assert_eq!(
        view.distinct(Distinct::Merchant, window),
        distinct(Happening::merchant),
        "{window}"
    );
    assert_eq!(
        view.distinct(Distinct::Category, window),
        distinct(Happening::category),
        "{window}"
    );
    assert_eq!(
        view.distinct(Distinct::Counterparty, window),
        distinct(Happening::counterparty),
        "{window}"
    );
    assert_eq!(
        view.distinct(Distinct::Channel, window),
        distinct(Happening::channel),
        "{window}"
    );
    let all = spent(seen.iter().copied(), None);
    let mut best: Option<(&str, i128)> = None;
    let mut words = CATEGORIES;
    words.sort_unstable();
    for category in words {
        let part = spent(seen.iter().copied(), Some(category));
        if part > best.map_or(0, |(_, most)| most) {
            best = Some((category, part));
        }
        let share = if part <= 0 || all <= 0 {
            Decimal::ZERO
        } else {
            (Decimal::from_i128_with_scale(part, 4) / Decimal::from_i128_with_scale(all, 4))
                .min(Decimal::ONE)
        };
        assert_eq!(
            view.share(category, window),
            share,
            "share {category} {window}"
        );
    }
    assert_eq!(
        view.preference(window).as_deref(),
        best.map(|(word, _)| word),
        "preference {window}"
    );
}

/// A filter for the engine, and the same for the model.
struct Asked {
    kind: &'static str,
    filter: Filter,
    fits: fn(&Happening) -> bool,
}

fn asked(kind: &'static str, filter: Filter, fits: fn(&Happening) -> bool) -> Asked {
    Asked { kind, filter, fits }
}

fn of_checkouts(names: &Names) -> Vec<Asked> {
    let word = |word: &str| {
        names
            .find(word)
            .map_or(FilterValue::Unseen, FilterValue::Text)
    };
    vec![
        asked("merchant.checkout", vec![], |_| true),
        asked(
            "merchant.checkout",
            vec![(FilterField::Stage, word("paid"))],
            |h| h.what == What::Checkout(1),
        ),
        asked(
            "merchant.checkout",
            vec![
                (FilterField::Category, word("dining")),
                (FilterField::Partner, FilterValue::Bool(true)),
            ],
            |h| h.category() == Some("dining") && h.flag,
        ),
        asked(
            "merchant.checkout",
            vec![(FilterField::Tender, word("other_bank"))],
            |h| h.means == Some(1),
        ),
        asked(
            "merchant.checkout",
            vec![(FilterField::Merchant, word("M2"))],
            |h| h.merchant() == Some("M2"),
        ),
        asked(
            "merchant.checkout",
            vec![(FilterField::Category, word("never seen"))],
            |_| false,
        ),
    ]
}

fn of_movements(names: &Names) -> Vec<Asked> {
    let word = |word: &str| {
        names
            .find(word)
            .map_or(FilterValue::Unseen, FilterValue::Text)
    };
    vec![
        asked("account.movement", vec![], |_| true),
        asked(
            "account.movement",
            vec![(FilterField::Direction, word("out"))],
            |h| {
                matches!(
                    h.what,
                    What::Movement {
                        incoming: false,
                        ..
                    }
                )
            },
        ),
        asked(
            "account.movement",
            vec![(FilterField::Counterparty, word("M1"))],
            |h| h.counterparty() == Some("M1"),
        ),
        asked(
            "account.movement",
            vec![(FilterField::Channel, word("mobile"))],
            |h| h.channel() == Some("mobile"),
        ),
        asked(
            "account.movement",
            vec![(FilterField::Purpose, word("own_account"))],
            |h| h.means == Some(0),
        ),
    ]
}

fn of_other_types(names: &Names) -> Vec<Asked> {
    vec![
        asked("bill.due", vec![], |_| true),
        asked("app.login", vec![], |_| true),
        asked(
            "bill.due",
            vec![(
                FilterField::Kept(names.intern("urgent")),
                FilterValue::Bool(false),
            )],
            |h| !h.flag,
        ),
        asked(
            "bill.due",
            vec![(
                FilterField::Kept(names.intern("days")),
                FilterValue::Number(Decimal::ONE),
            )],
            |h| h.channel == Some(1),
        ),
        asked(
            "bill.due",
            vec![(FilterField::Amount, FilterValue::Number(Decimal::new(5, 1)))],
            |h| h.base(h.amount) == 5_000,
        ),
    ]
}

fn questions(customers: &Customers) -> Vec<Asked> {
    let names = customers.names();
    let mut all = of_checkouts(names);
    all.extend(of_movements(names));
    all.extend(of_other_types(names));
    all
}

/// What an answer is made of comes to the answer, and lies in the window.
fn check_items(view: &View<'_>, question: &Question) {
    let items = view.items(question);
    assert_eq!(
        view.summed(question, &items),
        view.answer(question),
        "{question:?} of {items:?}"
    );
    let Some(window) = question.window() else {
        return;
    };
    for item in items {
        let ItemOf::Entry(entry) = item.of else {
            panic!("nothing was said to anybody");
        };
        let age = view.time - entry.time();
        assert!((0..window.millis()).contains(&age), "{question:?}: {age}");
    }
}

fn check_all_items(view: &View<'_>, window: Window, asked: &[Asked]) {
    let categories = CATEGORIES.iter().copied().chain(["never seen"]);
    for category in categories.clone().map(Some).chain([None]) {
        let of = || category.map(Box::<str>::from);
        for question in [
            Question::Spend(of(), window),
            Question::Average(of(), window),
            Question::Largest(of(), window),
            Question::Flow(Direction::In, of(), window),
            Question::Flow(Direction::Out, of(), window),
        ] {
            check_items(view, &question);
        }
    }
    for category in categories {
        check_items(view, &Question::Share(category.into(), window));
    }
    for what in [
        Distinct::Merchant,
        Distinct::Category,
        Distinct::Counterparty,
        Distinct::Channel,
    ] {
        check_items(view, &Question::Distinct(what, window));
    }
    check_items(view, &Question::BalanceChange(window));
    check_items(view, &Question::Preference(window));
    for Asked { kind, filter, .. } in asked {
        check_items(
            view,
            &Question::Count((*kind).into(), window, filter.clone()),
        );
        check_items(view, &Question::Last((*kind).into(), filter.clone()));
        check_items(view, &Question::Since((*kind).into(), filter.clone()));
    }
}

/// Asks everything as of the happening that stands at `index`.
fn check(customers: &Customers, customer: &Customer, model: &Model, index: usize) {
    let trigger = &model.taken[index];
    let view = View {
        customer,
        names: customers.names(),
        time: BASE + trigger.at,
        index,
    };
    for window in WINDOWS.map(|text| Window::parse(text).unwrap()) {
        let seen = model.within(trigger.at, window);
        check_money(&view, window, &seen);
        check_interests(&view, window, &seen);
        check_all_items(&view, window, &questions(customers));
        for asked in questions(customers) {
            let count = seen
                .iter()
                .filter(|h| h.kind() == asked.kind && (asked.fits)(h))
                .count();
            assert_eq!(
                view.count(asked.kind, window, &asked.filter),
                count,
                "{} {:?}",
                asked.kind,
                asked.filter
            );
        }
        let crosses = model
            .edge
            .is_some_and(|edge| edge > trigger.at - window.millis());
        assert_eq!(view.is_trimmed(window), crosses, "{window}");
    }
    for asked in questions(customers) {
        let before = model.taken[..index].iter();
        let last = before
            .rev()
            .find(|h| h.kind() == asked.kind && (asked.fits)(h));
        let found = view.last(asked.kind, &asked.filter);
        assert_eq!(
            found.map(|e| e.time() - BASE),
            last.map(|h| h.at),
            "{}",
            asked.kind
        );
        assert_eq!(
            found.map(|e| units(e.amount())),
            last.map(|h| if h.what == What::Login {
                0
            } else {
                h.base(h.amount)
            })
        );
        let then = last.map_or(model.first_seen.unwrap(), |h| h.at);
        assert_eq!(
            view.since(asked.kind, &asked.filter),
            (trigger.at - then).max(0) / 1_000
        );
    }
    let balance: i128 = model.balances.values().map(|(_, balance)| balance).sum();
    assert_eq!(units(customer.balance()), balance);
}

/// Applies a history to both and compares them after each event.
fn compare(history: &[Happening], limits: JournalLimits) {
    let (decoder, schema) = (decoder(), Schema::parse(SCHEMA).unwrap());
    let customers = Customers::default();
    let mut customer: Option<Customer> = None;
    let mut model = Model::default();
    for happening in history {
        let event = decoded(&decoder, &schema, happening);
        let customer = customer.get_or_insert_with(|| Customer::new(event.time));
        let applied = customer.apply(&event, customers.names(), limits);
        let expected = model.take(happening, limits);
        match applied {
            Applied::Duplicate => assert_eq!(expected, "duplicate"),
            Applied::TooOld(_) => assert_eq!(expected, "too old"),
            Applied::At(index) => {
                assert_eq!(expected, "taken");
                check(&customers, customer, &model, index);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_equal_the_model_in_any_order_of_arrival(
        history in proptest::collection::vec(happenings(400), 1..60)
    ) {
        compare(&history, JournalLimits::default());
    }

    #[test]
    fn windows_equal_the_model_when_most_events_come_twice(
        history in proptest::collection::vec(happenings(6), 1..60)
    ) {
        compare(&history, JournalLimits::default());
    }

    #[test]
    fn windows_equal_the_model_over_a_journal_that_is_trimmed(
        history in proptest::collection::vec(happenings(400), 1..80),
        entries_max in 1..12_usize,
        horizon in prop_oneof![Just(10_000_i64), Just(60_000), Just(3_600_000)],
    ) {
        compare(&history, JournalLimits { horizon, entries_max });
    }

    #[test]
    fn a_window_that_is_not_flagged_as_trimmed_is_complete(
        history in proptest::collection::vec(happenings(400), 1..80),
        entries_max in 3..20_usize,
    ) {
        let (decoder, schema) = (decoder(), Schema::parse(SCHEMA).unwrap());
        let customers = Customers::default();
        let bounded = JournalLimits { horizon: 600_000, entries_max };
        let mut short = Customer::new(BASE);
        let mut history = history;
        for (number, happening) in history.iter_mut().enumerate() {
            happening.id = number;
        }
        for (arrived, happening) in history.iter().enumerate() {
            let whole = &history[..=arrived];
            let event = decoded(&decoder, &schema, happening);
            let Applied::At(index) = short.apply(&event, customers.names(), bounded) else { continue };
            let view = View { customer: &short, names: customers.names(), time: event.time, index };
            for window in WINDOWS.map(|text| Window::parse(text).unwrap()) {
                if view.is_trimmed(window) {
                    continue;
                }
                let t = happening.at;
                let seen = whole.iter().filter(|h| h.at > t - window.millis() && h.at <= t);
                prop_assert_eq!(view.entries(window).len(), seen.clone().count());
                prop_assert_eq!(units(view.spend(None, window)), spent(seen, None));
            }
        }
    }
}

#[test]
fn a_window_holds_its_end_and_not_its_beginning() {
    let (decoder, schema) = (decoder(), Schema::default());
    let customers = Customers::default();
    let mut customer = Customer::new(BASE);
    let paid = |at, id| Happening {
        what: What::Checkout(1),
        at,
        source: 0,
        id,
        amount: 10_000,
        currency: 0,
        category: Some(0),
        party: None,
        channel: None,
        means: None,
        flag: false,
    };
    let mut last = 0;
    for (id, at) in [0, 1, 9_999, 10_000].into_iter().enumerate() {
        let event = decoded(&decoder, &schema, &paid(at, id));
        let Applied::At(index) =
            customer.apply(&event, customers.names(), JournalLimits::default())
        else {
            panic!("not taken");
        };
        last = index;
    }
    let view = View {
        customer: &customer,
        names: customers.names(),
        time: BASE + 10_000,
        index: last,
    };
    assert_eq!(
        view.spend(None, Window::parse("10s").unwrap()).to_string(),
        "3"
    );
    assert_eq!(
        view.spend(None, Window::parse("11s").unwrap()).to_string(),
        "4"
    );
}
