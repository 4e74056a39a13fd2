//! Changes what is granted of a budget, by compare-and-swap: as often as it takes.

use super::super::broker::Broker;
use crate::clock::Clock;
use crate::durable::grants::{decode, encode, key};
use crate::nats::LogStore as _;
use crate::registry::RuleRegistry;
use crate::state::{
    AccountKey, Answer, Claim, Epochs, GrantTerms, GrantsEntry, Ledger, Limits, Plan, Sight,
};
use crate::telemetry::Metrics;
use bytes::Bytes;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long it waits after the broker did not answer.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// Who changes entries.
pub(in super::super) struct Teller<B> {
    pub(in super::super) broker: B,
    pub(in super::super) ledger: Arc<Ledger>,
    pub(in super::super) registry: Arc<RuleRegistry>,
    pub(in super::super) metrics: Arc<Metrics>,
    pub(in super::super) clock: Clock,
    /// How many partitions there are, of whatever engine.
    pub(in super::super) partitions: u16,
    /// This engine's, each with the sequence of the record of its take-over.
    pub(in super::super) epochs: Epochs,
    pub(in super::super) stop: CancellationToken,
}

/// An entry and its revision.
#[derive(Debug)]
pub(super) struct Seen {
    revision: u64,
    pub(super) entry: GrantsEntry,
}

/// What is to be done about one budget.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) key: AccountKey,
    /// The entry, if it need not be read before it is changed.
    pub(super) seen: Option<Seen>,
    pub(super) claims: Vec<Claim>,
    pub(super) limits: Limits,
    /// Whether what is not used goes back.
    pub(super) release: bool,
}

impl<B: Broker> Teller<B> {
    /// The limits of a budget: as the live rules have them, or as whoever asks has them if those know none.
    pub(super) fn limits(&self, key: &AccountKey, asked: Option<Limits>) -> Limits {
        let live = self.registry.live();
        let budget = live
            .rule(&key.0)
            .and_then(|rule| rule.terms.budget.as_ref());
        let budget = budget.filter(|budget| budget.per.is_some() == key.1.is_some());
        budget.map(Limits::of).or(asked).unwrap_or_default()
    }

    /// Whether the live rules have the budget that an account is of.
    pub(super) fn has_budget(&self, key: &AccountKey) -> bool {
        let live = self.registry.live();
        let budget = live
            .rule(&key.0)
            .and_then(|rule| rule.terms.budget.as_ref());
        budget.is_some_and(|budget| budget.per.is_some() == key.1.is_some())
    }

    /// Pays a visit: reads, plans and writes until it is done. `None` if the engine stops and the broker
    /// does not answer.
    pub(super) async fn pay(&self, visit: Visit) -> Option<(AccountKey, Seen, Vec<Answer>)> {
        let mut seen = visit.seen;
        let mut sight = Sight::Remembered;
        let mut in_doubt = false;
        let account = key(&visit.key);
        loop {
            let now = match seen.take() {
                Some(seen) => seen,
                None => match self.read(&account).await {
                    Ok(read) => {
                        sight = if in_doubt {
                            Sight::Doubtful
                        } else {
                            Sight::Fresh
                        };
                        read
                    }
                    Err(error) => {
                        self.pause(&error).await?;
                        continue;
                    }
                },
            };
            let terms = GrantTerms {
                limits: visit.limits,
                own: &self.epochs,
                partitions: self.partitions,
                release: visit.release,
            };
            let plan = (self.ledger).plan(&visit.key, &now.entry, &visit.claims, terms, sight);
            if sight == Sight::Remembered && is_unsure(&plan) {
                continue;
            }
            let Some(entry) = &plan.write else {
                return Some((visit.key, now, plan.answers));
            };
            let value = Bytes::from(encode(&visit.key, entry));
            match self.broker.put_budget(&account, value, now.revision).await {
                Ok(Some(revision)) => {
                    self.ledger.planned(&visit.key, &plan);
                    let entry = plan.write.unwrap_or_default();
                    return Some((visit.key, Seen { revision, entry }, plan.answers));
                }
                // It was refused, so none that expected this revision will be taken.
                Ok(None) => {
                    in_doubt = false;
                    self.metrics.budget_conflicts.inc();
                }
                Err(error) => {
                    in_doubt = true;
                    self.pause(&format!("{error:?}")).await?;
                }
            }
        }
    }

    async fn read(&self, key: &str) -> Result<Seen, String> {
        let read = self.broker.budget(key).await;
        let Some((revision, value)) = read.map_err(|error| format!("{error:?}"))? else {
            return Ok(Seen {
                revision: 0,
                entry: GrantsEntry::default(),
            });
        };
        if value.is_empty() {
            // Somebody deleted the key.
            let entry = GrantsEntry::default();
            return Ok(Seen { revision, entry });
        }
        let (_, entry) =
            decode(&value).map_err(|error| format!("{key} of SCENE_BUDGETS: {error}"))?;
        Ok(Seen { revision, entry })
    }

    /// The account of an entry, and what it says.
    pub(super) async fn open(&self, key: &str) -> Option<(AccountKey, GrantsEntry)> {
        let (_, value) = self.broker.budget(key).await.ok()??;
        decode(&value).ok()
    }

    /// Waits until another attempt is worth it; `None` if the engine stops.
    async fn pause(&self, error: &(impl Display + Sync)) -> Option<()> {
        tracing::debug!(%error, "cannot ask for a budget's grants now, trying on until it works");
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = async {
                tokio::time::sleep(RETRY_DELAY).await;
                self.broker.log().connected().await;
            } => Some(()),
        }
    }
}

/// Whether a plan relies on what the entry does not say: then it must be read first.
fn is_unsure(plan: &Plan) -> bool {
    let is_refused = |answer: &Answer| !matches!(answer, Answer::Granted(_));
    plan.write.is_none() || plan.answers.iter().any(is_refused)
}
