//! How often an event asks for memory on its way through decoding and the step: each time costs, and every event pays.

use allocation_counter::measure;
use onscene::clock::{Millis, SECOND, format_rfc3339};
use onscene::decode::Decoder;
use onscene::event::{Incoming, Schema, Stored};
use onscene::partition::{Input, Partition};
use onscene::partitioning::{bucket_of, partition_of};
use onscene::rules::{RuleSet, Source, Sources};
use onscene::state::{Customers, JournalLimits};
use std::sync::Arc;

const NOW: Millis = 1_795_312_800_000;
/// Events that are counted, and as many before, so that journals, words and shapes are there.
const EVENTS: u64 = 1_000;
/// A rule that listens and has nothing to say.
const RULE: &str = r#"const RULE = #{ on: "merchant.checkout", channels: ["push"], fresh: "1d" };
fn when(event, customer) { event.stage == "started" && event.tender == "other_bank" }
fn action(event, customer) { #{ kind: "offer", code: "X", text: #{ "en": `x` } } }
"#;

fn stored(id: u64) -> Stored {
    let customer = format!("C{:07}", id % 100);
    let time = NOW + i64::try_from(id).unwrap() * SECOND;
    let payload = format!(
        concat!(
            r#"{{"specversion":"1.0","id":"co-{id}","source":"till-9","type":"merchant.checkout","#,
            r#""subject":"{customer}","time":"{time}","data":{{"stage":"started","amount":"{yuan}.50","#,
            r#""currency":"CNY","tender":"own_account","merchant":{{"id":"M{merchant}","name":"Noodle House","#,
            r#""category":"dining","mcc":"5812","city":"Shanghai","partner":true}},"items":[]}}}}"#
        ),
        id = id,
        customer = customer,
        time = format_rfc3339(time),
        yuan = 100 + id % 400,
        merchant = id % 11,
    );
    let (partition, bucket) = (partition_of(&customer, 16), bucket_of(&customer));
    Stored {
        sequence: id,
        stored_at: time,
        subject: format!("scene.in.{partition}.{bucket}.merchant.checkout"),
        headers: Vec::new(),
        payload: payload.into(),
    }
}

fn rules(texts: &[&str]) -> RuleSet {
    let source = |text: &&str| Source {
        path: "silent.rhai".into(),
        text: (*text).into(),
    };
    let rules = texts.iter().map(source).collect();
    let sources = Sources {
        rules,
        ..Sources::default()
    };
    RuleSet::compile(&sources).unwrap()
}

/// Allocations of an event: to decode it, and to step it.
fn counted(texts: &[&str]) -> (u64, u64) {
    let (decoder, schema, rules) = (Decoder::default(), Schema::default(), rules(texts));
    let zone = jiff::tz::TimeZone::UTC;
    let mut partition = Partition::new(
        Arc::new(Customers::default()),
        JournalLimits::default(),
        zone,
    );
    let mut run = |from: u64| {
        let stored: Vec<Stored> = (from..from + EVENTS).map(stored).collect();
        let mut inputs = Vec::with_capacity(stored.len());
        let decoding = measure(|| {
            inputs.extend(stored.iter().map(|stored| Input {
                sequence: stored.sequence,
                stored_at: stored.stored_at,
                already: 0,
                what: Incoming::Event(decoder.decode(stored, &schema).unwrap()),
            }));
        });
        let stepping = measure(|| {
            for batch in inputs.chunks(50) {
                let output = partition.step(batch, batch[0].stored_at, &rules);
                assert!(output.entries.is_empty() && output.rejected.is_empty());
            }
        });
        let each = |count: u64| count.div_ceil(EVENTS);
        (each(decoding.count_total), each(stepping.count_total))
    };
    run(1);
    run(1 + EVENTS)
}

#[test]
fn a_silent_event_asks_for_memory_a_few_times() {
    let (decoding, unheard) = counted(&[]);
    let (_, heard) = counted(&[RULE]);
    println!(
        "allocations of a silent checkout: {decoding} to decode it, {unheard} to step it without rules, \
         {heard} with one that listens"
    );
    assert!(decoding <= 12, "{decoding}");
    assert!(unheard <= 2, "{unheard}");
}
