//! Whatever comes in, decoding answers with an event or with the one right reason, and never panics.

use crate::kit::Random;
use crate::kit::malformed::{Case, corpus};
use onscene::clock::Millis;
use onscene::decode::{Decoder, Reason};
use onscene::event::{Schema, Stored};
use std::collections::BTreeMap;

const NOW: Millis = 1_795_312_800_000; // 2026-11-22T10:00:00+08:00

fn decode(decoder: &Decoder, case: &Case) -> Result<(), Reason> {
    let stored = case.stored(1, NOW, decoder);
    let decoded = decoder.decode(&stored, &Schema::default());
    decoded.map(drop).map_err(|rejection| rejection.reason)
}

#[test]
fn every_malformed_event_is_refused_with_its_reason_and_every_good_one_decodes() {
    let decoder = Decoder::default();
    let mut wrong = BTreeMap::new();
    let mut reasons = BTreeMap::new();
    let cases = corpus(1, 30_000, NOW);
    for case in &cases {
        let decoded = decode(&decoder, case);
        let word = |result: Result<(), Reason>| result.map_or_else(Reason::word, |()| "good");
        *reasons.entry(word(case.expected)).or_insert(0) += 1;
        if decoded != case.expected {
            let payload: String = String::from_utf8_lossy(&case.payload)
                .chars()
                .take(600)
                .collect();
            let told = format!("{} {:?} {payload}", case.subject, case.headers);
            wrong
                .entry((case.fault, word(case.expected), word(decoded)))
                .or_insert(told);
        }
    }
    assert!(
        wrong.is_empty(),
        "fault, expected, decoded: example\n{wrong:#?}"
    );
    let good = reasons["good"];
    assert!(
        cases.len() - good >= 10_000,
        "only {} malformed",
        cases.len() - good
    );
    for reason in Reason::ALL {
        assert!(
            reasons.contains_key(reason.word()),
            "no case of {}",
            reason.word()
        );
    }
}

#[test]
fn the_corpus_is_the_same_for_the_same_seed_and_repeats_no_good_event() {
    let all = |seed| {
        corpus(seed, 2_000, NOW)
            .into_iter()
            .map(|c| c.payload)
            .collect::<Vec<_>>()
    };
    assert_eq!(all(7), all(7));
    assert_ne!(all(7), all(8));
}

#[test]
fn random_bytes_are_refused_without_a_panic() {
    let (decoder, schema) = (Decoder::default(), Schema::default());
    let mut random = Random::new(3);
    for sequence in 0..20_000 {
        let length = random.below(200);
        let stored = Stored {
            sequence,
            stored_at: NOW,
            subject: String::from_utf8_lossy(&random.bytes(20)).into_owned(),
            headers: vec![("ce-specversion".to_owned(), "1.0".to_owned())]
                .into_iter()
                .filter(|_| sequence % 2 == 0)
                .collect(),
            payload: random.bytes(length).into(),
        };
        decoder.decode(&stored, &schema).unwrap_err();
    }
}

#[test]
fn mutations_of_good_events_never_panic() {
    let (decoder, schema) = (Decoder::default(), Schema::default());
    let mut random = Random::new(4);
    let good: Vec<Case> = corpus(5, 1_000, NOW)
        .into_iter()
        .filter(|c| c.expected.is_ok())
        .collect();
    for sequence in 0..40_000 {
        let case = random.pick(&good);
        let mut stored = case.stored(sequence, NOW, &decoder);
        let mut payload = stored.payload.to_vec();
        for _ in 0..=random.below(4) {
            mutate(&mut random, &mut payload, &good);
        }
        stored.payload = payload.into();
        if let Some((_, value)) = stored
            .headers
            .iter_mut()
            .next_back()
            .filter(|_| random.chance(30))
        {
            *value = String::from_utf8_lossy(&random.bytes(12)).into_owned();
        }
        // Either answer will do; a mutated amount may be as good as the one before.
        drop(decoder.decode(&stored, &schema));
    }
}

fn mutate(random: &mut Random, payload: &mut Vec<u8>, good: &[Case]) {
    let at = random.below(payload.len() + 1);
    match random.below(6) {
        0 => payload.truncate(at),
        1 => payload.insert(at, random.next().to_le_bytes()[0]),
        2 if at < payload.len() => payload[at] ^= 1 << random.below(8),
        3 => {
            let until = (at + random.below(20)).min(payload.len());
            let copy = payload[at..until].to_vec();
            payload.splice(at..at, copy);
        }
        4 => {
            let other = random.pick(good).payload;
            let from = random.below(other.len());
            payload.truncate(at);
            payload.extend_from_slice(&other[from..]);
        }
        _ => {
            let token: &[u8] = random.pick::<&[u8]>(&[
                b"null", b"{", b"]", b"\"", b"-", b"1e5", b"\\u00", b"9999999",
            ]);
            payload.splice(at..at, token.iter().copied());
        }
    }
}

#[test]
fn an_event_exactly_at_the_limits_is_good_and_one_beyond_is_not() {
    let (decoder, schema) = (Decoder::default(), Schema::default());
    let at = |time: Millis, stored_at: Millis| {
        let payload = format!(
            r#"{{"specversion":"1.0","id":"1","source":"s","type":"app.login","subject":"C1","time":"{}"}}"#,
            onscene::clock::format_rfc3339(time)
        );
        let stored = Case {
            fault: "good",
            subject: "scene.events.app.login.C1".to_owned(),
            headers: Vec::new(),
            payload: payload.into_bytes(),
            expected: Ok(()),
        }
        .stored(1, stored_at, &decoder);
        decoder
            .decode(&stored, &schema)
            .map(drop)
            .map_err(|r| r.reason)
    };
    assert_eq!(at(NOW + decoder.future_tolerance, NOW), Ok(()));
    assert_eq!(
        at(NOW + decoder.future_tolerance + 1, NOW),
        Err(Reason::FromTheFuture)
    );
    assert_eq!(at(NOW - decoder.horizon, NOW), Ok(()));
    assert_eq!(at(NOW - decoder.horizon - 1, NOW), Err(Reason::TooOld));
}
