//! What an export holds, for its last line.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::record::Record;
use crate::nats::ChainHash;

/// What the last line says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tail {
    /// Messages in the export.
    pub records: u64,
    /// Every message of `SCENE_ACTIONS` up to this sequence is in it, or was left out by the first line.
    pub until_sequence: u64,
    /// Messages by kind.
    pub kinds: BTreeMap<String, u64>,
    /// What there is of each partition.
    pub partitions: Vec<PartitionTail>,
    /// The generations of rules that decided anything.
    pub generations: Vec<GenerationTail>,
}

/// What there is of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionTail {
    /// The partition.
    pub partition: u16,
    /// Its messages in the export.
    pub records: u64,
    /// The first one's sequence.
    pub first: u64,
    /// The last one's.
    pub last: u64,
    /// The last one's link.
    pub link: Option<ChainHash>,
}

/// A generation of rules that decided anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationTail {
    /// The generation.
    pub generation: String,
    /// Its decisions in the export.
    pub decisions: u64,
    /// The SHA-256 of its rule files, all of it: the generation is a part of that. None if they were not kept.
    #[serde(default)]
    pub texts: Option<ChainHash>,
}

/// Counts what goes into an export, or comes out of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    records: u64,
    kinds: BTreeMap<String, u64>,
    partitions: BTreeMap<u16, PartitionTail>,
    generations: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts a message.
    pub fn add(&mut self, record: &Record) {
        self.records += 1;
        *self.kinds.entry(record.kind().to_owned()).or_default() += 1;
        if let Some(generation) = record.generation() {
            *self.generations.entry(generation).or_default() += 1;
        }
        let partition = record.partition;
        let at = self.partitions.entry(partition).or_insert(PartitionTail {
            partition,
            records: 0,
            first: record.sequence,
            last: record.sequence,
            link: None,
        });
        at.records += 1;
        at.last = record.sequence;
        at.link = record.link();
    }

    /// The last line.
    #[must_use]
    pub fn tail(&self, until_sequence: u64) -> Tail {
        let generations = self.generations.iter();
        Tail {
            records: self.records,
            until_sequence,
            kinds: self.kinds.clone(),
            partitions: self.partitions.values().cloned().collect(),
            generations: generations
                .map(|(generation, decisions)| GenerationTail {
                    generation: generation.clone(),
                    decisions: *decisions,
                    texts: None,
                })
                .collect(),
        }
    }
}
