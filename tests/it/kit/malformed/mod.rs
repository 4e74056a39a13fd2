//! Malformed events of every kind, mixed with good ones, each with what must become of it. Made
//! from a seed, so that a failure can be repeated.

mod bytes;
mod draft;
mod fields;

use super::Random;
use bytes::BYTE_FAULTS;
use draft::Draft;
use fields::FIELD_FAULTS;
use onscene::clock::Millis;
use onscene::decode::{Decoder, Reason};
use onscene::event::Stored;
use onscene::partitioning::{bucket_of, partition_of};

/// One message for the engine.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What kind of fault it has; `good` for none.
    pub(crate) fault: &'static str,
    /// The subject to publish it to: `scene.events.<domain>.<kind>.<customer>`.
    pub(crate) subject: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Vec<u8>,
    /// What decoding must say.
    pub(crate) expected: Result<(), Reason>,
}

/// `n` messages around the time `now`, about half of them good. Ids do not repeat within one corpus.
pub(crate) fn corpus(seed: u64, n: usize, now: Millis) -> Vec<Case> {
    let mut random = Random::new(seed);
    (0..n)
        .map(|number| {
            let id = format!("corpus-{seed}-{number}");
            case(&mut random, id, now)
        })
        .collect()
}

fn case(random: &mut Random, id: String, now: Millis) -> Case {
    let draft = Draft::good(random, id, now);
    if random.chance(50) {
        return draft.finish("good", Ok(()));
    }
    let at = random.below(FIELD_FAULTS.len() + BYTE_FAULTS.len());
    match FIELD_FAULTS.get(at) {
        Some((name, reason, spoil)) => {
            let mut draft = draft;
            spoil(random, &mut draft, now);
            draft.finish(name, Err(*reason))
        }
        None => {
            let (name, spoil) = BYTE_FAULTS[at - FIELD_FAULTS.len()];
            // The fault is in the payload's bytes, whichever way the event came.
            let mut case = draft.structured().finish(name, Ok(()));
            case.expected = Err(spoil(random, &mut case.payload));
            case
        }
    }
}

impl Case {
    /// The message as the stream would have stored it, subject transformed.
    pub(crate) fn stored(&self, sequence: u64, stored_at: Millis, decoder: &Decoder) -> Stored {
        let tokens: Vec<&str> = self.subject.split('.').collect();
        let [_, _, domain, kind, customer] = tokens[..] else {
            panic!("not a subject of producers: {}", self.subject);
        };
        Stored {
            sequence,
            stored_at,
            subject: format!(
                "scene.in.{}.{}.{domain}.{kind}",
                partition_of(customer, decoder.partitions),
                bucket_of(customer)
            ),
            headers: self.headers.clone(),
            payload: self.payload.clone().into(),
        }
    }
}
