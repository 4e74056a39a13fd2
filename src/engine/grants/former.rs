//! What was granted to the owners of a log that is gone: `SCENE_ACTIONS` was made anew, and `SCENE_BUDGETS` was not.

use super::super::broker::Broker;
use crate::durable::grants::{decode, encode};
use crate::nats::LogStore as _;
use bytes::Bytes;
use std::time::Duration;

const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Forgets grants whose epoch the log has not come to yet: they would look like those of a later owner, and
/// nobody could draw on the budget any more. What was spent before is gone with the log that told it.
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
    for key in keys {
        let Ok(found) = broker.budget(&key).await else {
            return false;
        };
        let Some((revision, value)) = found else {
            continue;
        };
        // What cannot be read is told by whoever draws on it.
        let Ok((account, mut entry)) = decode(&value) else {
            continue;
        };
        // Asked for afterwards: whoever took a partition over before has written to the log before.
        let Ok(extent) = broker.log().extent().await else {
            return false;
        };
        let before = entry.partitions.len();
        entry
            .partitions
            .retain(|_, record| record.epoch <= extent.last);
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
