//! A customer comes back from bytes as they were, and bytes that nobody wrote do no harm.

use super::people::{Turn, customer, turns};
use onscene::clock::DAY;
use onscene::partitioning::CustomerId;
use onscene::state::export::customer_json;
use onscene::state::{Customer, CustomerDecoder, CustomerEncoder, JournalLimits, Names};
use proptest::prelude::*;

const SHORT: JournalLimits = JournalLimits {
    horizon: DAY,
    entries_max: 12,
};

fn id(number: usize) -> CustomerId {
    CustomerId::new(&format!("C{number:03}")).unwrap()
}

fn people(histories: &[Vec<Turn>], names: &Names) -> Vec<(CustomerId, Customer)> {
    let one = |(number, turns): (usize, &Vec<Turn>)| {
        // Every other journal is long.
        let limits = [SHORT, JournalLimits::default()][number % 2];
        (id(number), customer(turns, names, limits))
    };
    histories.iter().enumerate().map(one).collect()
}

fn encode(people: &[(CustomerId, Customer)], names: &Names) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = CustomerEncoder::new();
    for (id, customer) in people {
        encoder.encode(id, customer, names, &mut bytes);
    }
    bytes
}

/// As many as can be read, and whether the bytes were sound to their end.
fn decode(mut bytes: &[u8], names: &Names) -> (Vec<(CustomerId, Customer)>, bool) {
    let mut decoder = CustomerDecoder::new();
    let mut found = Vec::new();
    loop {
        match decoder.decode(&mut bytes, names) {
            Ok(Some(customer)) => found.push(customer),
            Ok(None) => return (found, true),
            Err(_) => return (found, false),
        }
    }
}

fn exports(people: &[(CustomerId, Customer)], names: &Names) -> Vec<String> {
    let export = |(id, customer): &(CustomerId, Customer)| {
        serde_json::to_string_pretty(&customer_json(id, customer, names)).unwrap()
    };
    people.iter().map(export).collect()
}

/// Whatever is known of a customer, in pieces that do not tell in which order items are kept.
fn pieces(customer: &Customer) -> Vec<String> {
    let told = format!("{customer:?}");
    let mut pieces: Vec<String> = told
        .split([' ', ',', '[', ']'])
        .map(str::to_owned)
        .collect();
    pieces.sort_unstable();
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn customers_come_back_as_they_were(histories in proptest::collection::vec(turns(), 0..5)) {
        let names = Names::default();
        let before = people(&histories, &names);
        let bytes = encode(&before, &names);
        let (after, whole) = decode(&bytes, &names);
        prop_assert!(whole);
        prop_assert_eq!(after, before);
    }

    #[test]
    fn bytes_and_exports_do_not_depend_on_the_numbers_of_words(
        histories in proptest::collection::vec(turns(), 1..5),
    ) {
        let (names, others) = (Names::default(), Names::default());
        for word in ["push", "noise", "M-17", "cash", "dining"] {
            others.intern(word);
        }
        let before = people(&histories, &names);
        let bytes = encode(&before, &names);
        let (after, whole) = decode(&bytes, &others);
        prop_assert!(whole);
        prop_assert_eq!(exports(&after, &others), exports(&before, &names));
        prop_assert_eq!(encode(&after, &others), bytes);
    }

    #[test]
    fn exports_tell_customers_apart_by_everything_but_the_order_of_items(
        history in turns(),
        lost in any::<prop::sample::Index>(),
    ) {
        let names = Names::default();
        let mut less = history.clone();
        if !less.is_empty() {
            less.remove(lost.index(history.len()));
        }
        let both = [history, less].map(|turns| (id(0), customer(&turns, &names, SHORT)));
        let told = exports(&both, &names);
        let pieces = both.each_ref().map(|(_, customer)| pieces(customer));
        prop_assert_eq!(told[0] == told[1], pieces[0] == pieces[1]);
        prop_assert!(told[0] == told[1] || both[0] != both[1]);
    }

    #[test]
    fn what_is_cut_off_or_changed_does_no_harm(
        histories in proptest::collection::vec(turns(), 1..3),
        cut in any::<prop::sample::Index>(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..4),
    ) {
        let names = Names::default();
        let before = people(&histories, &names);
        let bytes = encode(&before, &names);
        let (found, _) = decode(&bytes[..cut.index(bytes.len())], &names);
        prop_assert!(found.len() < before.len(), "the last customer was not cut off");
        prop_assert_eq!(&found[..], &before[..found.len()]);
        let mut changed = bytes;
        for (at, bit) in flips {
            let at = at.index(changed.len());
            changed[at] ^= 1 << bit;
        }
        // Whatever can still be read can be used.
        let (found, _) = decode(&changed, &names);
        let told = exports(&found, &names);
        prop_assert_eq!(told.len(), found.len());
        let again = encode(&found, &names);
        prop_assert_eq!(decode(&again, &names).0, found);
    }

    #[test]
    fn noise_does_no_harm(noise in proptest::collection::vec(any::<u8>(), 0..400), first in 1..=3_u8) {
        let names = Names::default();
        let noise = [&[first], &noise[..]].concat();
        let (found, _) = decode(&noise, &names);
        prop_assert!(found.len() <= noise.len() / 12);
    }
}

#[test]
fn lengths_that_lie_are_refused_before_anything_is_allocated() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    // A customer C with a first event at 0 and no parts, whose journal claims to be huge.
    let mut body = vec![1, b'C', 0, 0, 0, 0, 0, 0, 0, 0, 0];
    body.extend(huge);
    let mut lying = vec![3, u8::try_from(body.len()).unwrap()];
    lying.extend(&body);
    let word = [&[1], &huge[..]].concat();
    let customer = [&[3], &huge[..]].concat();
    for bytes in [lying, word, customer] {
        let error = CustomerDecoder::new()
            .decode(&mut &bytes[..], &Names::default())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "read customers: record 0, counted from 0, is damaged: a list is longer than what is left"
        );
    }
}

#[test]
fn exports_are_the_same_however_the_state_was_reached() {
    use onscene::event::{Event, Facts, ProfileChange, Value};
    let change = |fingerprint: u64, name: &str, at: i64| Event {
        imported: false,
        id: "e".into(),
        source: "s".into(),
        kind: "customer.profile".into(),
        customer: id(0),
        time: at,
        traceparent: None,
        fingerprint,
        data: Value::Null,
        facts: Facts::Profile(ProfileChange {
            attributes: vec![(name.into(), Value::Int(at))],
            segments: vec![(name.into(), true)],
            ..ProfileChange::default()
        }),
    };
    let (a, b) = (change(1, "alpha", 5), change(2, "beta", 6));
    let told = [[&a, &b], [&b, &a]].map(|events| {
        let names = Names::default();
        let mut customer = Customer::new(0);
        for event in events {
            customer.apply(event, &names, JournalLimits::default());
        }
        exports(&[(id(0), customer)], &names)
    });
    assert_eq!(told[0], told[1]);
}
