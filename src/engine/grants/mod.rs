//! Where the partitions of an engine ask for what they may draw of budgets, which other engines draw
//! on too.
//!
//! One task asks for all of them ([`teller`] changes an entry by compare-and-swap), so that they do not
//! fight each other. A partition that must wait is answered when it has been granted something, when
//! it is known that nothing is left, or when what others hold does not come back in time. What is not
//! used goes back ([`upkeep`]): after a while, when somebody else waits for it, when limits are lowered
//! and when the engine stops. A broadcast asks once for all its customers ([`weigh`]).

mod former;
mod teller;
mod upkeep;
mod weigh;

use super::allotments::{Allotments, Gathering};
use super::broker::Broker;
use crate::clock::Millis;
use crate::state::{AccountKey, Claim, ClaimKind, Limits, Want};
pub(super) use former::forget_former;
use futures_util::StreamExt as _;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
pub(super) use teller::Teller;
use teller::{Seen, Visit};
use tokio::sync::{mpsc, oneshot};

/// Questions that wait to be taken: each partition asks one at a time.
const ASKS_MAX: usize = 256;
/// Budgets that are changed at the same time.
const VISITS_MAX: usize = 16;
/// How often a budget is looked at of which others may give something back.
const WAIT_POLL: Duration = Duration::from_millis(20);
/// How long others are waited for; then what they hold counts as spent, until they change it.
const WAIT_MAX: Millis = 3_000;
/// How often budgets are looked at of which something is held.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Where partitions ask.
#[derive(Clone, Debug)]
pub(super) struct Grants(mpsc::Sender<Ask>);

/// A question.
#[derive(Debug)]
pub(super) enum Ask {
    /// A partition waits for a grant.
    Draw(Waiting),
    /// A broadcast's demands have been gathered.
    Weigh(Gathering),
}

/// A partition that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    partition: u16,
    want: Want,
    since: Millis,
    /// Hears when it is worth trying again.
    reply: oneshot::Sender<()>,
}

/// A way to ask, and where questions are answered.
pub(super) fn channel() -> (Grants, mpsc::Receiver<Ask>) {
    let (sender, receiver) = mpsc::channel(ASKS_MAX);
    (Grants(sender), receiver)
}

impl Grants {
    /// Asks for a grant, and waits until it is worth trying again. Cancel safe.
    pub(super) async fn wait(&self, partition: u16, want: Want, since: Millis) {
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting {
            partition,
            want,
            since,
            reply,
        };
        let sent = self.0.send(Ask::Draw(waiting)).await;
        if sent.is_err() || answer.await.is_err() {
            // Nobody answers any more: the engine ends.
            std::future::pending::<()>().await;
        }
    }

    /// Has a broadcast's demands weighed.
    pub(super) async fn weigh(&self, gathering: Gathering) {
        // When nobody answers any more, the engine ends.
        let _ = self.0.send(Ask::Weigh(gathering)).await;
    }
}

/// Who answers.
struct Desk<B> {
    teller: Teller<B>,
    allotments: Arc<Allotments>,
    /// Entries as they were seen last.
    seen: BTreeMap<AccountKey, Seen>,
    waiting: BTreeMap<AccountKey, Vec<Waiting>>,
    /// Budgets to be looked at when there is time.
    backlog: VecDeque<AccountKey>,
    /// Keys of entries whose accounts are not known yet.
    unread: Vec<String>,
    /// Rules of which amounts are shown.
    shown: HashSet<Arc<str>>,
}

/// Answers until nobody can ask any more; then what is not used goes back.
pub(super) async fn run<B: Broker>(
    teller: Teller<B>,
    mut asks: mpsc::Receiver<Ask>,
    allotments: Arc<Allotments>,
) {
    let mut generations = teller.registry.generations();
    let mut desk = Desk {
        backlog: teller.ledger.keys().into(),
        unread: Vec::new(),
        teller,
        allotments,
        seen: BTreeMap::new(),
        waiting: BTreeMap::new(),
        shown: HashSet::new(),
    };
    let mut poll = interval(WAIT_POLL);
    let mut look = interval(LOOK_INTERVAL);
    let mut listed = false;
    loop {
        let is_waited = !desk.waiting.is_empty();
        tokio::select! {
            biased;
            ask = asks.recv() => match ask {
                None => break,
                Some(ask) => {
                    let mut all = vec![ask];
                    while let Ok(more) = asks.try_recv() {
                        all.push(more);
                    }
                    desk.take(all).await;
                }
            },
            Ok(()) = generations.changed() => desk.backlog = desk.teller.ledger.keys().into(),
            _ = poll.tick(), if is_waited => desk.look_again().await,
            _ = look.tick() => {
                listed = listed || desk.list().await;
                desk.look().await;
            }
        }
    }
    desk.give_back().await;
}

fn interval(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

impl<B: Broker> Desk<B> {
    async fn take(&mut self, asks: Vec<Ask>) {
        let mut keys = Vec::new();
        let mut gatherings = Vec::new();
        for ask in asks {
            match ask {
                Ask::Draw(waiting) => {
                    let key = waiting.want.draw.key();
                    if !keys.contains(&key) {
                        keys.push(key.clone());
                    }
                    self.waiting.entry(key).or_default().push(waiting);
                }
                Ask::Weigh(gathering) => gatherings.push(gathering),
            }
        }
        let visits = keys.iter().map(|key| self.visit(key, true)).collect();
        self.go(visits).await;
        for gathering in gatherings {
            self.weigh(gathering).await;
        }
    }

    /// Looks at the budgets of which others may have given something back.
    async fn look_again(&mut self) {
        let now = self.teller.clock.now();
        self.waiting.retain(|_, waiting| {
            waiting.retain(|waiting| !waiting.reply.is_closed());
            !waiting.is_empty()
        });
        for (key, waiting) in &self.waiting {
            let is_over = waiting.iter().any(|waiting| now - waiting.since > WAIT_MAX);
            if let Some(seen) = self.seen.get(key).filter(|_| is_over) {
                let teller = &self.teller;
                teller.ledger.give_up(key, &seen.entry, &teller.epochs);
            }
        }
        let keys: Vec<AccountKey> = self.waiting.keys().cloned().collect();
        let visits = keys.iter().map(|key| self.visit(key, false)).collect();
        self.go(visits).await;
    }

    /// What is to be done about a budget: to answer those who wait for it.
    fn visit(&mut self, key: &AccountKey, by_memory: bool) -> Visit {
        let waiting = self.waiting.get(key).map_or(&[][..], Vec::as_slice);
        let claim = |waiting: &Waiting| Claim {
            partition: waiting.partition,
            day: waiting.want.draw.day,
            cost: waiting.want.draw.cost,
            kind: ClaimKind::Draw,
        };
        let asked = waiting
            .last()
            .map(|waiting| Limits::of(&waiting.want.budget));
        Visit {
            key: key.clone(),
            seen: self.seen.remove(key).filter(|_| by_memory),
            claims: waiting.iter().map(claim).collect(),
            limits: self.teller.limits(key, asked),
            release: false,
        }
    }

    /// Pays visits, several at a time, and answers those who waited.
    async fn go(&mut self, visits: Vec<Visit>) {
        let teller = &self.teller;
        let visits = futures_util::stream::iter(visits);
        let mut done = visits
            .map(|visit| teller.pay(visit))
            .buffer_unordered(VISITS_MAX);
        while let Some(outcome) = done.next().await {
            let Some((key, seen, answers)) = outcome else {
                continue;
            };
            self.seen.insert(key.clone(), seen);
            let Some(waiting) = self.waiting.remove(&key) else {
                continue;
            };
            let mut answers = answers.into_iter();
            let mut left = Vec::new();
            for waiting in waiting {
                match answers.next() {
                    Some(crate::state::Answer::Wait) | None => left.push(waiting),
                    Some(_) => {
                        let waited = teller.clock.now() - waiting.since;
                        let waited = u32::try_from(waited.max(0)).unwrap_or(u32::MAX);
                        let histogram = &teller.metrics.budget_wait_seconds;
                        histogram.observe(f64::from(waited) / 1e3);
                        // Whoever asked may have ended meanwhile.
                        let _ = waiting.reply.send(());
                    }
                }
            }
            if !left.is_empty() {
                self.waiting.insert(key, left);
            }
        }
    }
}
