//! What was granted to the owners of a log that is gone: `SCENE_ACTIONS` was made anew, and `SCENE_BUDGETS` was not.

use super::super::broker::Broker;
use crate::durable::grants::{decode, encode};
use crate::nats::{InfoError, LogStore as _};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Forgets grants whose epoch is not in the log: they would look like those of a later owner, and nobody could draw
/// on the budget any more. What was spent before is gone with the log that told it.
pub(in super::super) async fn forget_former<B: Broker>(broker: &B) {
    while !forget(broker).await {
        tokio::time::sleep(RETRY_DELAY).await;
        broker.log().connected().await;
    }
}

/// One attempt; returns whether all entries were seen to.
async fn forget<B: Broker>(broker: &B) -> bool {
    let Ok(keys) = broker.budget_keys().await else {
        return false;
    };
    // Of each partition and epoch, whether the log has it.
    let mut known = BTreeMap::new();
    for key in keys {
        let Ok(found) = broker.budget(&key).await else {
            return false;
        };
        // What cannot be read is told by whoever draws on it.
        let Some((revision, Ok((account, mut entry)))) =
            found.map(|(revision, value)| (revision, decode(&value)))
        else {
            continue;
        };
        let before = entry.partitions.len();
        let owners = entry.partitions.iter();
        let owners: Vec<(u16, u64)> = owners.map(|(p, record)| (*p, record.epoch)).collect();
        for owner in owners {
            // Asked for afterwards: whoever took a partition over before has written to the log before.
            let is_known = match known.get(&owner) {
                Some(is_known) => *is_known,
                None => match is_in_log(broker, owner).await {
                    Ok(is_known) => is_known,
                    Err(_) => return false,
                },
            };
            known.insert(owner, is_known);
            if !is_known {
                entry.partitions.remove(&owner.0);
            }
        }
        if entry.partitions.len() == before {
            continue;
        }
        tracing::warn!(
            key,
            "grants of a budget are of a log that is gone and are forgotten: SCENE_ACTIONS was made anew, so what was spent counts from nothing"
        );
        let value = Bytes::from(encode(&account, &entry));
        match broker.put_budget(&key, value, revision).await {
            Ok(Some(_)) => {}
            // Somebody else was quicker, or nobody knows: looked at again.
            Ok(None) | Err(_) => return false,
        }
    }
    true
}

/// Whether the log has a partition's message with this sequence, or had it before it outlived its retention.
async fn is_in_log<B: Broker>(
    broker: &B,
    (partition, epoch): (u16, u64),
) -> Result<bool, InfoError> {
    if epoch < broker.log().extent().await?.first {
        return Ok(true);
    }
    let found = broker.log().read(partition, Some(epoch)).await?;
    Ok(found.is_some_and(|message| message.sequence == epoch))
}
