//! Whether the messages of each partition's log follow each other, by the links that they carry.

use std::collections::BTreeMap;
use std::fmt;

use super::record::Record;
use crate::nats::ChainHash;
use crate::nats::chain_link::link;

/// Follows the logs of all partitions, message by message, in stream order.
#[derive(Clone, Debug, Default)]
pub struct Links {
    last: BTreeMap<u16, Last>,
    linked: u64,
    unlinked: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    sequence: u64,
    link: Option<ChainHash>,
}

/// A message that does not follow the one before it in its partition's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFault {
    /// The partition.
    pub partition: u16,
    /// The message.
    pub sequence: u64,
    /// The one before it, as it is found now.
    pub before: u64,
    /// Whether it has no link at all, though the one before it has.
    pub is_bare: bool,
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            sequence,
            before,
            is_bare,
        } = self;
        if *is_bare {
            write!(
                f,
                "message {sequence} of partition {partition} carries no link, but message {before} before it does: it was \
                 put in, or its link was taken off, or an older engine wrote it"
            )
        } else {
            write!(
                f,
                "message {sequence} of partition {partition} does not follow message {before}: one of the two was changed, \
                 or messages between them were taken out or put in"
            )
        }
    }
}

impl Links {
    /// Looks at the next message.
    ///
    /// The first one of a partition is taken as it is: whatever came before it is not here.
    ///
    /// # Errors
    /// When it does not follow. The next one is then held against this one.
    pub fn follow(&mut self, record: &Record) -> Result<(), LinkFault> {
        let (partition, sequence) = (record.partition, record.sequence);
        let carried = record.link();
        match carried {
            Some(_) => self.linked += 1,
            None => self.unlinked += 1,
        }
        let now = Last {
            sequence,
            link: carried,
        };
        let Some(last) = self.last.insert(partition, now) else {
            return Ok(());
        };
        let fault = |is_bare| LinkFault {
            partition,
            sequence,
            before: last.sequence,
            is_bare,
        };
        match (last.link, carried) {
            (Some(_), None) => Err(fault(true)),
            (None, None) => Ok(()),
            (before, Some(carried)) => {
                let before = before.unwrap_or(ChainHash::NONE);
                let follows = link(before, record.content()) == carried;
                follows.then_some(()).ok_or_else(|| fault(false))
            }
        }
    }

    /// How many messages carried a link.
    #[must_use]
    pub fn linked(&self) -> u64 {
        self.linked
    }

    /// How many did not: an engine before links wrote them.
    #[must_use]
    pub fn unlinked(&self) -> u64 {
        self.unlinked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::chain_link::HEADER_CHAIN;
    use bytes::Bytes;
    use proptest::prelude::*;

    /// A log of one partition: each message with its link.
    fn log(messages: u64) -> Vec<Record> {
        let mut before = ChainHash::NONE;
        let message = |sequence| {
            let mut record = Record {
                sequence,
                partition: 3,
                stored_at: "2026-11-22T10:00:00.000Z".to_owned(),
                subject: "scene.actions.push.3".to_owned(),
                headers: vec![("Onscene-Id".to_owned(), sequence.to_string())],
                payload: Bytes::from(format!("{{\"at\":{sequence}}}")),
            };
            before = link(before, record.content());
            let carried = (HEADER_CHAIN.to_owned(), before.to_string());
            record.headers.push(carried);
            record
        };
        (1..=messages).map(message).collect()
    }

    fn faults(log: &[Record]) -> Vec<(u64, bool)> {
        let mut links = Links::default();
        let found = log.iter().filter_map(|record| links.follow(record).err());
        found.map(|fault| (fault.sequence, fault.is_bare)).collect()
    }

    fn bare(record: &Record) -> Record {
        let mut record = record.clone();
        record.headers.retain(|(name, _)| name != HEADER_CHAIN);
        record
    }

    proptest! {
        #[test]
        fn what_was_changed_taken_out_or_moved_does_not_follow(
            messages in 3_u64..20,
            at in any::<prop::sample::Index>(),
            what in 0..4,
        ) {
            let whole = log(messages);
            prop_assert_eq!(faults(&whole), []);
            // Neither the first, before which nothing is known, nor the last, behind which nothing is.
            let at = 1 + at.index(whole.len() - 2);
            let mut log = whole.clone();
            let expected = match what {
                0 => {
                    log[at].payload = Bytes::from_static(b"{}");
                    vec![(whole[at].sequence, false)]
                }
                1 => {
                    log.remove(at);
                    vec![(whole[at + 1].sequence, false)]
                }
                2 => {
                    log[at] = bare(&whole[at]);
                    vec![(whole[at].sequence, true), (whole[at + 1].sequence, false)]
                }
                _ => {
                    log.insert(at, bare(&whole[0]));
                    vec![(whole[0].sequence, true), (whole[at].sequence, false)]
                }
            };
            prop_assert_eq!(faults(&log), expected);
        }
    }

    #[test]
    fn a_log_that_begins_before_links_did_is_followed_from_where_they_begin() {
        let old: Vec<Record> = log(3).iter().map(bare).collect();
        let log = [old, log(3)].concat();
        let mut links = Links::default();
        assert!(log.iter().all(|record| links.follow(record).is_ok()));
        assert_eq!((links.unlinked(), links.linked()), (3, 3));
    }
}
