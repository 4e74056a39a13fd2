//! From which message on a change of switches was in force, as the partitions' logs say.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::connect::Connection;
use super::log_tail;
use super::message::LogMessage;
use super::pull::{PullReader, PullSpec, ReadError};
use super::stream_state::{InfoError, stream_info};
use super::streams::{ACTIONS, partitions_of};

const BATCH_MAX: usize = 1_000;
const IN_FLIGHT_MAX: usize = 64;

/// How many partitions the deployment has, as its streams say.
///
/// # Errors
/// When the stream is not there, or says nothing of it, or nobody answers.
pub async fn recorded_partitions(connection: &Connection) -> Result<u16, InfoError> {
    let info = stream_info(connection, ACTIONS).await?;
    partitions_of(&info.config)
        .ok_or_else(|| InfoError::Other(format!("{ACTIONS} does not say how many partitions")))
}

/// Reads the records of all partitions' logs that tell of switches.
pub struct ControlReader {
    pull: PullReader,
    header: &'static str,
}

impl ControlReader {
    /// Opens it behind everything that is stored now. `header` names the revision that a record tells of.
    ///
    /// # Errors
    /// When nobody answers now, or the stream is not there.
    pub async fn open(connection: &Connection, header: &'static str) -> Result<Self, InfoError> {
        let info = stream_info(connection, ACTIONS).await?;
        let spec = PullSpec {
            stream: ACTIONS,
            filters: vec!["scene.actions._record.*".to_owned()],
            headers_only: true,
        };
        let pull = PullReader::open(connection, spec, info.state.last_sequence + 1).await;
        let pull = pull.map_err(|error| InfoError::Other(error.to_string()))?;
        Ok(Self { pull, header })
    }

    /// The next partitions that tell of this revision or a later one, each with the sequence of its record. May
    /// be none. Cancel safe.
    ///
    /// # Errors
    /// When reading can never succeed.
    pub async fn next(&mut self, revision: u64) -> Result<BTreeMap<u16, u64>, ReadError> {
        let messages = self.pull.next_batch(BATCH_MAX).await?;
        let told = messages.into_iter().filter_map(|message| {
            let of: u64 = message.headers.get(self.header)?.parse().ok()?;
            let partition = message.subject.rsplit('.').next()?.parse().ok()?;
            (of >= revision).then_some((partition, message.sequence))
        });
        let mut first = BTreeMap::new();
        for (partition, sequence) in told {
            first.entry(partition).or_insert(sequence);
        }
        Ok(first)
    }
}

/// The engines that wrote to the partitions' logs last: their owners, as far as the logs tell.
///
/// # Errors
/// When nobody answers now, or the stream is not there.
pub async fn owners(
    connection: &Connection,
    partitions: u16,
) -> Result<BTreeSet<String>, InfoError> {
    let tails = (0..partitions).map(|partition| log_tail::read(connection, partition, None));
    let tails = futures_util::stream::iter(tails).buffer_unordered(IN_FLIGHT_MAX);
    let tails: Vec<_> = tails.try_collect().await?;
    let owner = |tail: LogMessage| tail.headers.get("Onscene-Owner").map(str::to_owned);
    Ok(tails.into_iter().flatten().filter_map(owner).collect())
}
