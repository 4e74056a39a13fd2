//! Windows over packed journals, beside the same over entries with every field beside the other.

use crate::Stopwatch;
use crate::kit::{Spread, table};
use crate::life::{Life, NOW};
use onscene::clock::{DAY, Millis};
use onscene::event::Stage;
use onscene::money::Money;
use onscene::state::{
    Customer, Customers, EntryPhase, FilterField, FilterValue, Name, Names, View, Window,
};
use std::hint::black_box;
use std::sync::Arc;

/// Customers who are asked about, in turn: more than the processor's cache holds.
const ASKED: u32 = 50_000;

/// An entry as it was before it was packed.
struct Wide {
    time: Millis,
    amount: Money,
    kind: Name,
    category: Option<Name>,
    phase: EntryPhase,
    /// What these questions do not look at.
    _rest: [u64; 5],
}

fn wide(customer: &Customer, names: &Names) -> Arc<Vec<Wide>> {
    let entries = customer.journal.entries().iter();
    let entries = entries
        .map(|entry| {
            let shape = names.shape(entry.shape());
            Wide {
                time: entry.time(),
                amount: entry.amount(),
                kind: shape.kind,
                category: shape.category,
                phase: shape.phase,
                _rest: [entry.fingerprint(); 5],
            }
        })
        .collect();
    Arc::new(entries)
}

fn within(entries: &[Wide], window: Window) -> &[Wide] {
    let from = entries.partition_point(|e| e.time <= NOW - window.millis());
    let to = entries.partition_point(|e| e.time <= NOW);
    &entries[from..to]
}

fn wide_spend(entries: &[Wide], category: Option<Option<Name>>, window: Window) -> Money {
    let of = |e: &&Wide| category.is_none_or(|wanted| wanted.is_some() && e.category == wanted);
    within(entries, window)
        .iter()
        .filter(of)
        .fold(Money::ZERO, |sum, e| match e.phase {
            EntryPhase::Checkout(Stage::Paid, _) => sum.saturating_add(e.amount),
            EntryPhase::Checkout(Stage::Refunded, _) => sum.saturating_sub(e.amount),
            _ => sum,
        })
}

fn wide_count(entries: &[Wide], names: &Names, window: Window) -> usize {
    let kind = names.find("merchant.checkout");
    let wanted = names.find("dining");
    within(entries, window)
        .iter()
        .filter(|e| Some(e.kind) == kind && e.category == wanted)
        .count()
}

fn wide_last(entries: &[Wide], names: &Names) -> Option<Millis> {
    let kind = names.find("account.movement");
    let wanted = names.find("rent");
    let mut newest = entries.iter().rev();
    newest
        .find(|e| Some(e.kind) == kind && e.category == wanted)
        .map(|e| e.time)
}

/// A question, to a packed journal and to a wide one, and an answer as a number.
type Question<'a> = (
    &'static str,
    Box<dyn Fn(&View<'_>) -> i64 + 'a>,
    Box<dyn Fn(&[Wide]) -> i64 + 'a>,
);

fn questions(names: &Names) -> Vec<Question<'_>> {
    let month = Window::from_millis(30 * DAY);
    let category = |word: &str| {
        let value = names
            .find(word)
            .map_or(FilterValue::Unseen, FilterValue::Text);
        vec![(FilterField::Category, value)]
    };
    let (dining, rent) = (category("dining"), category("rent"));
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    vec![
        (
            "spend(\"30d\")",
            Box::new(move |view| view.spend(None, month).ten_thousandths()),
            Box::new(move |wide| wide_spend(wide, None, month).ten_thousandths()),
        ),
        (
            "spend(\"dining\", \"30d\")",
            Box::new(move |view| view.spend(Some("dining"), month).ten_thousandths()),
            Box::new(move |wide| {
                wide_spend(wide, Some(names.find("dining")), month).ten_thousandths()
            }),
        ),
        (
            "count(\"merchant.checkout\", \"30d\", #{ category: \"dining\" })",
            Box::new(move |view| number(view.count("merchant.checkout", month, &dining))),
            Box::new(move |wide| number(wide_count(wide, names, month))),
        ),
        (
            "last(\"account.movement\", #{ category: \"rent\" })",
            Box::new(move |view| view.last("account.movement", &rent).map_or(0, |e| e.time())),
            Box::new(move |wide| wide_last(wide, names).unwrap_or(0)),
        ),
    ]
}

/// Asks both, in the same rounds, and prints what one answer takes.
pub(crate) fn measure(life: &Life, customers: &Customers, rounds: usize) {
    let names = customers.names();
    // Copies of both kinds, each kind made in one go and asked in another order: so memory is as far away
    // for the one as for the other.
    let asked = (0..ASKED.min(life.customers)).map(|n| n.wrapping_mul(7_919_003) % life.customers);
    let mut packed: Vec<Arc<Customer>> = asked
        .filter_map(|number| customers.get(Life::id(number)?.as_str()))
        .map(|customer| Arc::new(Customer::clone(&customer)))
        .collect();
    let mut wide: Vec<Arc<Vec<Wide>>> = packed
        .iter()
        .map(|customer| wide(customer, names))
        .collect();
    for at in 0..packed.len() {
        let other = at.wrapping_mul(7_919) % packed.len();
        packed.swap(at, other);
        wide.swap(at, other);
    }
    let count = u32::try_from(packed.len()).map_or(f64::NAN, f64::from);
    let mut rows = Vec::new();
    for (name, of_packed, of_wide) in questions(names) {
        let (mut times, mut anchors) = (Vec::new(), Vec::new());
        for _ in 0..rounds.max(1) {
            let started = Stopwatch::start();
            let told: i64 = packed
                .iter()
                .map(|customer| of_packed(&view(customer, names)))
                .sum();
            times.push(started.nanoseconds() / count);
            let started = Stopwatch::start();
            let same: i64 = wide.iter().map(|entries| of_wide(entries)).sum();
            anchors.push(started.nanoseconds() / count);
            assert_eq!(black_box(told), black_box(same), "{name}");
        }
        let (ours, anchor) = (Spread::of(times), Spread::of(anchors));
        let ratio = format!("{:.2}", ours.median / anchor.median);
        rows.push(vec![name.to_owned(), ours.show(0), anchor.show(0), ratio]);
    }
    let head = ["window", "ns, packed", "ns, 72 bytes an entry", "ratio"];
    println!("\n{}", table(&head, &rows));
}

fn view<'a>(customer: &'a Customer, names: &'a Names) -> View<'a> {
    View {
        customer,
        names,
        time: NOW,
        index: customer.journal.entries().len(),
    }
}
