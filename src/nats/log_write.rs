//! What is written to a partition's log.

use std::borrow::Cow;

use bytes::Bytes;

/// The channel of records: state that is not an action.
pub const RECORD_CHANNEL: &str = "_record";
/// The kind of the record that says who owns the partition from here on.
pub const KIND_OWNER: &str = "owner";
/// Header: who wrote this.
pub const HEADER_OWNER: &str = "Onscene-Owner";
/// Header: the decision's or record's id.
pub const HEADER_ID: &str = "Onscene-Id";
/// Header: what this is (`action`, `owner`, `through`).
pub const HEADER_KIND: &str = "Onscene-Kind";

/// The server's limit for messages in one batch.
const BATCH_MAX: usize = 1_000;
/// Payload and header bytes in one batch, so that its acknowledgement cannot take too long.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What the chain's own headers may add to a message, in bytes.
const HEADER_BYTES: usize = 512;

/// One write to the log.
#[derive(Clone, Debug)]
pub struct LogWrite {
    /// The channel: `push`, `im`, …, `_holdout` or [`RECORD_CHANNEL`]; one token of a subject.
    pub channel: String,
    /// The id of the decision or record, unique within the partition.
    pub id: String,
    /// `action`, `owner` or `through`.
    pub kind: &'static str,
    /// Further headers.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The action's CloudEvent, or the record.
    pub payload: Bytes,
}

impl LogWrite {
    /// About how many bytes it has on the wire.
    fn bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        self.payload.len() + self.id.len() + headers + HEADER_BYTES
    }
}

/// How many of the writes fit into a batch, by number and bytes; at least 1.
pub(super) fn fitting(writes: &[LogWrite]) -> usize {
    let mut bytes = 0;
    let fit = writes.iter().take(BATCH_MAX).take_while(|write| {
        bytes += write.bytes();
        bytes <= BATCH_BYTES_MAX
    });
    fit.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(count: usize, payload: usize) -> Vec<LogWrite> {
        let write = |id: usize| LogWrite {
            channel: "push".to_owned(),
            id: id.to_string(),
            kind: "action",
            headers: Vec::new(),
            payload: vec![0; payload].into(),
        };
        (0..count).map(write).collect()
    }

    #[test]
    fn batches_are_bounded_by_number_and_by_bytes() {
        assert_eq!(fitting(&writes(7, 10)), 7);
        assert_eq!(fitting(&writes(5_000, 10)), BATCH_MAX);
        assert_eq!(fitting(&writes(100, 1_000_000)), 8);
        assert_eq!(fitting(&writes(2, BATCH_BYTES_MAX)), 1);
    }
}
