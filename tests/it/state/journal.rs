//! A packed journal is a list of entries, whatever the entries and the order in which they come.

use onscene::clock::Millis;
use onscene::money::Money;
use onscene::state::{Entry, Journal, KeptValue, Names, Shape};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

/// What packing must not lose, and the plain list that shows it.
#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    trimmed_until: Option<Millis>,
}

impl Model {
    fn insert(&mut self, entry: Entry) -> usize {
        let at = self.entries.iter().filter(|e| e.time <= entry.time).count();
        self.entries.insert(at, entry);
        at
    }

    fn trim(&mut self, oldest: Millis, entries_max: usize) -> usize {
        let mut dropped = 0;
        while !self.entries.is_empty()
            && (self.entries[0].time < oldest || self.entries.len() > entries_max)
        {
            // The first of all times stands for the second.
            self.trimmed_until = Some(self.entries.remove(0).time.max(Millis::MIN + 1));
            dropped += 1;
        }
        dropped
    }
}

#[derive(Clone, Debug)]
enum Act {
    Insert {
        time: Millis,
        amount: i64,
        shape: usize,
        kept: Vec<u8>,
    },
    Trim {
        oldest: Millis,
        entries_max: usize,
    },
}

/// Numbers around where 44, 46 and 48 bits end, the ends of all numbers, and some between.
fn odd_numbers() -> impl Strategy<Value = i64> {
    let around = |n: i64| (n - 2)..=(n + 2);
    prop_oneof![
        3 => 0_i64..20,
        2 => any::<i64>(),
        2 => select(vec![43, 45, 47])
            .prop_flat_map(move |bits| prop_oneof![around(1 << bits), around(-(1 << bits))]),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MIN + 1), Just(i64::MAX)],
    ]
}

/// Times that often are the same, among others.
fn times() -> impl Strategy<Value = Millis> {
    prop_oneof![6 => 1_795_312_800_000_i64..1_795_312_800_012, 1 => odd_numbers()]
}

fn acts() -> impl Strategy<Value = Act> {
    let amount = prop_oneof![3 => -50_i64..20_000_000, 1 => odd_numbers()];
    let kept = prop_oneof![3 => Just(vec![]), 1 => proptest::collection::vec(any::<u8>(), 1..4)];
    let insert =
        (times(), amount, 0..9_usize, kept).prop_map(|(time, amount, shape, kept)| Act::Insert {
            time,
            amount,
            shape,
            kept,
        });
    let trim = (times(), 0..30_usize).prop_map(|(oldest, entries_max)| Act::Trim {
        oldest,
        entries_max,
    });
    prop_oneof![9 => insert, 1 => trim]
}

fn kept(values: &[u8], names: &Names) -> Box<[(onscene::state::Name, KeptValue)]> {
    let one = |value: &u8| {
        let number = Decimal::new((*value).into(), 2);
        let kept = match value % 3 {
            0 => KeptValue::Bool(*value > 100),
            1 => KeptValue::Number(number),
            _ => KeptValue::Text(names.intern(&number.to_string())),
        };
        (names.intern(&format!("field {value}")), kept)
    };
    values.iter().map(one).collect()
}

fn compare(journal: &Journal, model: &Model, probes: &[Millis]) {
    let entries = journal.entries();
    let told: Vec<Entry> = entries.iter().map(|entry| entry.to_entry()).collect();
    assert_eq!(told, model.entries);
    assert_eq!(entries.len(), model.entries.len());
    assert_eq!(journal.trimmed_until(), model.trimmed_until);
    assert_eq!(
        entries.last().map(|e| e.to_entry()),
        model.entries.last().cloned()
    );
    for after in probes {
        let count = model.entries.iter().filter(|e| e.time <= *after).count();
        assert_eq!(journal.count_until(*after), count);
        for until in probes {
            let inside = |e: &&Entry| e.time > *after && e.time <= *until;
            let wanted: Vec<&Entry> = model.entries.iter().filter(inside).collect();
            let found: Vec<Entry> = journal
                .range(*after, *until)
                .iter()
                .map(|e| e.to_entry())
                .collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), wanted);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_packed_journal_equals_a_plain_list(
        acts in proptest::collection::vec(acts(), 1..60),
        probes in proptest::collection::vec(times(), 4),
    ) {
        let names = Names::default();
        let shapes: Vec<_> = (0..9)
            .map(|kind| names.intern_shape(Shape::of_kind(names.intern(&kind.to_string()))))
            .collect();
        let (mut journal, mut model) = (Journal::default(), Model::default());
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Insert { time, amount, shape, kept: values } => {
                    let entry = Entry {
                        time,
                        fingerprint: (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                        amount: Money::from_ten_thousandths(amount),
                        shape: shapes[shape],
                        kept: kept(&values, &names),
                    };
                    prop_assert!(!journal.contains(entry.fingerprint));
                    prop_assert_eq!(journal.insert(entry.clone()), model.insert(entry.clone()));
                    prop_assert!(journal.contains(entry.fingerprint));
                }
                Act::Trim { oldest, entries_max } => {
                    let before = journal.clone();
                    let dropped = journal.trim(oldest, entries_max);
                    prop_assert_eq!(dropped, model.trim(oldest, entries_max));
                    prop_assert_eq!(journal == before, dropped == 0);
                }
            }
            compare(&journal, &model, &probes);
        }
        // Nothing of what was dropped is left behind.
        journal.trim(Millis::MAX, 0);
        let mut empty = Journal::default();
        prop_assert_eq!(journal.entries(), empty.entries());
        model.trim(Millis::MAX, 0);
        compare(&journal, &model, &probes);
        empty.trim(Millis::MAX, 0);
        prop_assert_eq!(empty.trimmed_until(), None);
    }
}
