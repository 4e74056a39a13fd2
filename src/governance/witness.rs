//! Waits until every partition's log says that a change of switches is in force.

use super::GovernanceError;
use crate::durable::log::SWITCHES_HEADER;
use crate::nats::{Connection, ControlReader, recorded_partitions};
use std::collections::BTreeMap;
use std::time::Duration;

/// From where on a change was in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnessed {
    /// The sequence in `SCENE_ACTIONS` from which on each partition obeyed it.
    pub partitions: BTreeMap<u16, u64>,
    /// Partitions that said nothing in time: nobody owns them now, or their owner does not reach NATS. Whoever
    /// owns them next obeys before deciding anything.
    pub missing: Vec<u16>,
}

/// Looks at the logs of all partitions from before a change on.
pub struct Witness {
    reader: ControlReader,
    partitions: u16,
}

impl Witness {
    /// Begins to look: before the change is made.
    ///
    /// # Errors
    /// When NATS does not answer, or the streams are not there.
    pub async fn open(connection: &Connection) -> Result<Self, GovernanceError> {
        Ok(Self {
            partitions: recorded_partitions(connection).await?,
            reader: ControlReader::open(connection, SWITCHES_HEADER).await?,
        })
    }

    /// Waits until each partition obeys the change with this revision, or a later one.
    ///
    /// # Errors
    /// When reading can never succeed.
    pub async fn wait(
        mut self,
        revision: u64,
        at_most: Duration,
    ) -> Result<Witnessed, GovernanceError> {
        let mut witnessed = Witnessed::default();
        let all = async {
            while witnessed.partitions.len() < usize::from(self.partitions) {
                let told = self.reader.next(revision).await;
                let told = told.map_err(|error| GovernanceError::Broker(error.to_string()))?;
                for (partition, sequence) in told {
                    witnessed.partitions.entry(partition).or_insert(sequence);
                }
            }
            Ok::<_, GovernanceError>(())
        };
        if let Ok(ended) = tokio::time::timeout(at_most, all).await {
            ended?;
        }
        let told = &witnessed.partitions;
        let missing = (0..self.partitions).filter(|partition| !told.contains_key(partition));
        let missing = missing.collect();
        Ok(Witnessed {
            missing,
            ..witnessed
        })
    }
}
