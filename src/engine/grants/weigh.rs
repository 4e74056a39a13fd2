//! What a broadcast may spend: asked for once, shared out in one order over all customers of this
//! engine, and then granted to the partitions whose customers get it.

use super::super::allotments::Gathering;
use super::super::broker::Broker;
use super::Desk;
use super::teller::Visit;
use crate::money::Money;
use crate::policy::{self, Demand};
use crate::state::{AccountKey, Answer, Claim, ClaimKind, Limits};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// What is drawn for several partitions together, of one account on one day.
type Pools = BTreeMap<(AccountKey, Date), Pool>;

#[derive(Debug, Default)]
struct Pool {
    limits: Limits,
    wanted: Money,
    left: Money,
    drawn: Money,
    /// What each partition's customers get.
    shares: BTreeMap<u16, Money>,
}

impl<B: Broker> Desk<B> {
    /// Weighs the demands of a broadcast or a daily trigger. It takes what is there now: it does not wait
    /// for other engines.
    pub(super) async fn weigh(&mut self, gathering: Gathering) {
        let Gathering { key, demands } = gathering;
        let mut by_partition: BTreeMap<u16, Vec<bool>> = demands
            .keys()
            .map(|partition| (*partition, Vec::new()))
            .collect();
        let demands: Vec<(u16, Demand)> = (demands.into_iter())
            .flat_map(|(partition, own)| own.into_iter().map(move |demand| (partition, demand)))
            .collect();
        let mut granted = Vec::new();
        if let Some((collector, _)) = demands.first() {
            let mut pools = pools(&demands);
            self.collect(*collector, &mut pools).await;
            let (partitions, all): (Vec<u16>, Vec<Demand>) = demands.iter().cloned().unzip();
            granted = policy::allot(&all, |at| draw(&mut pools, partitions[at], &all[at]));
            let refused = self.share_out(*collector, &pools).await;
            for (covered, (partition, demand)) in granted.iter_mut().zip(&demands) {
                let of = (demand.draw.key(), demand.draw.day);
                *covered &= !refused.contains(&(of, *partition));
            }
        }
        for ((partition, _), covered) in demands.iter().zip(granted) {
            by_partition.entry(*partition).or_default().push(covered);
        }
        self.allotments.settle(&key, by_partition);
    }

    /// Draws what is wanted, or what there is of it, into the hands of one partition.
    async fn collect(&mut self, collector: u16, pools: &mut Pools) {
        for ((key, day), pool) in pools.iter_mut() {
            let claim = Claim {
                partition: collector,
                day: *day,
                cost: pool.wanted,
                kind: ClaimKind::AtMost,
            };
            let answers = self.ask(key, vec![claim], pool.limits).await;
            if let Some(Answer::Granted(amount)) = answers.first() {
                (pool.left, pool.drawn) = (*amount, *amount);
            }
        }
    }

    /// Grants what was collected to the partitions whose customers get it. Returns for which it was not
    /// possible: another engine has taken them over.
    async fn share_out(&mut self, collector: u16, pools: &Pools) -> Vec<((AccountKey, Date), u16)> {
        let mut refused = Vec::new();
        for ((key, day), pool) in pools {
            self.teller
                .ledger
                .take_out(key, collector, *day, pool.drawn);
            let claim = |(partition, share): (&u16, &Money)| Claim {
                partition: *partition,
                day: *day,
                cost: *share,
                kind: ClaimKind::Exactly,
            };
            let claims: Vec<Claim> = pool.shares.iter().map(claim).collect();
            let answers = self.ask(key, claims, pool.limits).await;
            let answers = answers.into_iter().map(Some).chain(std::iter::repeat(None));
            for (partition, answer) in pool.shares.keys().zip(answers) {
                if !matches!(answer, Some(Answer::Granted(_))) {
                    refused.push(((key.clone(), *day), *partition));
                }
            }
        }
        refused
    }

    async fn ask(&mut self, key: &AccountKey, claims: Vec<Claim>, asked: Limits) -> Vec<Answer> {
        let visit = Visit {
            key: key.clone(),
            seen: None,
            claims,
            limits: self.teller.limits(key, Some(asked)),
            release: false,
        };
        let Some((key, seen, answers)) = self.teller.pay(visit).await else {
            return Vec::new();
        };
        self.seen.insert(key, seen);
        answers
    }
}

fn pools(demands: &[(u16, Demand)]) -> Pools {
    let mut pools = Pools::new();
    for (_, demand) in demands {
        let pool = pools
            .entry((demand.draw.key(), demand.draw.day))
            .or_default();
        pool.limits = Limits::of(&demand.budget);
        pool.wanted = pool.wanted.saturating_add(demand.draw.cost);
    }
    pools
}

fn draw(pools: &mut Pools, partition: u16, demand: &Demand) -> bool {
    let cost = demand.draw.cost;
    let pool = pools.get_mut(&(demand.draw.key(), demand.draw.day));
    let Some(pool) = pool.filter(|pool| cost <= pool.left) else {
        return false;
    };
    pool.left = pool.left.saturating_sub(cost);
    let share = pool.shares.entry(partition).or_default();
    *share = share.saturating_add(cost);
    true
}
