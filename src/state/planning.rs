//! How an account's entry should look: what is claimed is granted as far as the limits allow.

use super::grants::{After, Answer, Claim, ClaimKind, Entry, Grant, Plan, Record, Terms};
use super::holding::{Account, Amounts, Known};
use super::ledger::Limits;
use crate::money::Money;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// How many days before the newest one grants for a day are kept.
const DAYS_BACK: i64 = 2;
/// A grant is this part of what is free, for each partition: so one that is asked for again and again
/// costs few round trips, and what is held without need stays little.
const CHUNK_PART: i64 = 4;

/// One partition's part of a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) total: Planned,
    pub(super) days: BTreeMap<Date, Planned>,
    wants: Money,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Planned {
    pub(super) granted: Money,
    used: Money,
    /// For claims that were granted; not drawn yet.
    pub(super) reserved: Money,
    /// Of these, what is drawn as soon as it is granted.
    pub(super) drawn: Money,
}

impl Planned {
    fn unused(self) -> Money {
        let taken = self.used.saturating_add(self.reserved);
        self.granted.saturating_sub(taken).max(Money::ZERO)
    }

    fn lacking(self, cost: Money) -> Money {
        let wanted = self.used.saturating_add(self.reserved).saturating_add(cost);
        wanted.saturating_sub(self.granted).max(Money::ZERO)
    }

    fn release(&mut self) {
        self.granted = self.granted.saturating_sub(self.unused());
    }

    /// Also what somebody waits for: it was granted under limits that hold no more.
    fn cut(&mut self) {
        self.reserved = Money::ZERO;
        self.release();
    }

    fn take(&mut self, more: Money, cost: Money, is_drawn: bool) {
        self.granted = self.granted.saturating_add(more);
        self.reserved = self.reserved.saturating_add(cost);
        if is_drawn {
            self.drawn = self.drawn.saturating_add(cost);
        }
    }

    pub(super) fn grant(self) -> Grant {
        Grant {
            granted: self.granted,
            used: self.used.saturating_add(self.drawn),
        }
    }
}

/// A plan in the making.
pub(super) struct Planning<'a> {
    entry: &'a Entry,
    terms: Terms<'a>,
    /// This engine's partitions.
    own: BTreeMap<u16, Sums>,
    /// Partitions that another engine has taken over.
    lost: BTreeSet<u16>,
    first_day: Option<Date>,
}

impl<'a> Planning<'a> {
    pub(super) fn begin(
        account: &mut Account,
        entry: &'a Entry,
        terms: Terms<'a>,
        claims: &[Claim],
    ) -> Self {
        let days = entry.partitions.values().flat_map(|r| r.days.keys());
        let newest = days.chain(claims.iter().map(|claim| &claim.day)).max();
        let first_day = newest.map(|day| day.saturating_sub(jiff::Span::new().days(DAYS_BACK)));
        let mut planning = Self {
            entry,
            terms,
            own: BTreeMap::new(),
            lost: BTreeSet::new(),
            first_day,
        };
        for (partition, epoch) in terms.own {
            let record = entry.partitions.get(partition);
            if record.is_some_and(|record| record.epoch > *epoch) {
                planning.lost.insert(*partition);
                account.forget(*partition);
                continue;
            }
            let asks = claims.iter().any(|claim| claim.partition == *partition);
            if asks && let Some(holding) = account.holdings.get_mut(partition) {
                holding.unreserve();
            }
            let sums = planning.sums(account, *partition, record);
            planning.own.insert(*partition, sums);
        }
        planning
    }

    /// What a partition holds: as this engine knows, or as the entry says if it has not been claimed yet.
    fn sums(&self, account: &Account, partition: u16, record: Option<&Record>) -> Sums {
        let holding = account.holding(partition);
        let is_claimed = account.is_claimed(partition);
        let planned = |held: Option<Amounts>, written: Option<Grant>| {
            let held = held.unwrap_or_default();
            let written = written.map_or(Money::ZERO, |grant| grant.granted);
            let granted = if is_claimed { held.granted } else { written };
            Planned {
                granted: granted.max(held.used),
                used: held.used,
                reserved: held.reserved,
                drawn: Money::ZERO,
            }
        };
        let held = holding.map(|holding| holding.total);
        let total = planned(held, record.map(|record| record.total));
        let held = holding.into_iter().flat_map(|holding| holding.days.keys());
        let written = record.into_iter().flat_map(|record| record.days.keys());
        let days = held.chain(written).filter(|day| self.keeps(**day));
        let of_day = |day: &Date| {
            let held = holding.and_then(|holding| holding.days.get(day).copied());
            planned(
                held,
                record.and_then(|record| record.days.get(day).copied()),
            )
        };
        Sums {
            total,
            days: days.map(|day| (*day, of_day(day))).collect(),
            wants: Money::ZERO,
        }
    }

    fn keeps(&self, day: Date) -> bool {
        self.first_day.is_none_or(|first| day >= first)
    }

    fn others(&self) -> impl Iterator<Item = (&u16, &Record)> {
        let others = self.entry.partitions.iter();
        others.filter(|(partition, _)| !self.own.contains_key(partition))
    }

    fn granted(&self) -> Money {
        let own = self.own.values().map(|sums| sums.total.granted);
        sum(own.chain(self.others().map(|(_, record)| record.total.granted)))
    }

    fn granted_on(&self, day: Date) -> Money {
        let own = self.own.values().filter_map(|sums| sums.days.get(&day));
        let others = self.others();
        let others = others.filter_map(|(_, record)| record.days.get(&day));
        sum(own
            .map(|planned| planned.granted)
            .chain(others.map(|grant| grant.granted)))
    }

    /// What nobody holds, in all and on a day.
    fn free(&self, day: Date) -> (Money, Money) {
        let Limits { total, daily } = self.terms.limits;
        let free = |limit: Option<Money>, granted: Money| {
            let limit = limit.unwrap_or(Money::from_ten_thousandths(i64::MAX));
            limit.saturating_sub(granted).max(Money::ZERO)
        };
        let on_day = if daily.is_some() && !self.keeps(day) {
            Money::ZERO
        } else {
            free(daily, self.granted_on(day))
        };
        (free(total, self.granted()), on_day)
    }

    /// What others hold and may give back.
    fn potential(&self, day: Date, given_up: &BTreeMap<u16, Record>) -> (Money, Money) {
        let others = self.others();
        let others: Vec<&Record> = others
            .filter(|(partition, record)| given_up.get(partition) != Some(record))
            .map(|(_, record)| record)
            .collect();
        let on_day = others.iter().filter_map(|record| record.days.get(&day));
        (
            sum(others.iter().map(|record| record.total.unused())),
            sum(on_day.map(|grant| grant.unused())),
        )
    }

    /// Gives up what was granted beyond limits that have been lowered since.
    pub(super) fn trim(&mut self) {
        let Limits { total, daily } = self.terms.limits;
        if total.is_some_and(|limit| self.granted() > limit) {
            self.own.values_mut().for_each(|sums| sums.total.cut());
        }
        let days: BTreeSet<Date> = self
            .own
            .values()
            .flat_map(|s| s.days.keys().copied())
            .collect();
        for day in days {
            if daily.is_some_and(|limit| self.granted_on(day) > limit) {
                let own = self.own.values_mut();
                own.filter_map(|sums| sums.days.get_mut(&day))
                    .for_each(Planned::cut);
            }
        }
    }

    /// Gives up what this engine's partitions hold unused: of one day, or of all.
    pub(super) fn release(&mut self, day: Option<Date>) {
        for sums in self.own.values_mut() {
            sums.total.release();
            for (of, planned) in &mut sums.days {
                if day.is_none_or(|day| day == *of) {
                    planned.release();
                }
            }
        }
    }

    /// Whether another engine waits for something that is not free.
    pub(super) fn is_wanted(&self) -> bool {
        let wants = sum(self.others().map(|(_, record)| record.wants));
        let newest = self
            .others()
            .filter_map(|(_, record)| record.days.keys().max())
            .max();
        let own = self
            .own
            .values()
            .filter_map(|sums| sums.days.keys().max())
            .max();
        let Some(day) = newest.max(own) else {
            return wants > Money::ZERO;
        };
        let (total, on_day) = self.free(*day);
        wants > total.min(on_day)
    }

    pub(super) fn answer(&mut self, claim: &Claim, given_up: &BTreeMap<u16, Record>) -> Answer {
        if self.lost.contains(&claim.partition) || !self.own.contains_key(&claim.partition) {
            return Answer::Denied;
        }
        let (day, cost) = (claim.day, claim.cost);
        if claim.kind == ClaimKind::AtMost {
            self.release(Some(day));
            let (free, on_day) = self.free(day);
            let amount = cost.min(free).min(on_day);
            self.take(claim, amount, (amount, amount));
            return Answer::Granted(amount);
        }
        if let Some(answer) = self.cover(claim) {
            return answer;
        }
        // Scarce: nothing is kept that is not needed now.
        self.release(Some(day));
        if let Some(answer) = self.cover(claim) {
            return answer;
        }
        let (total, on_day) = self.lacking(claim);
        let (free, free_on_day) = self.free(day);
        let (held, held_on_day) = self.potential(day, given_up);
        let may_come =
            total <= free.saturating_add(held) && on_day <= free_on_day.saturating_add(held_on_day);
        if claim.kind == ClaimKind::Draw && may_come {
            let sums = self.own.entry(claim.partition).or_default();
            sums.wants = sums.wants.max(total).max(on_day);
            return Answer::Wait;
        }
        Answer::Denied
    }

    fn lacking(&self, claim: &Claim) -> (Money, Money) {
        let sums = self.own.get(&claim.partition).cloned().unwrap_or_default();
        let today = sums.days.get(&claim.day).copied().unwrap_or_default();
        (sums.total.lacking(claim.cost), today.lacking(claim.cost))
    }

    /// Grants a claim from what is free.
    fn cover(&mut self, claim: &Claim) -> Option<Answer> {
        let (total, on_day) = self.lacking(claim);
        let (free, free_on_day) = self.free(claim.day);
        if total > free || on_day > free_on_day {
            return None;
        }
        let mut more = (total, on_day);
        let is_short = total > Money::ZERO || on_day > Money::ZERO;
        if claim.kind == ClaimKind::Draw && is_short {
            let parts = CHUNK_PART * i64::from(self.terms.partitions.max(1));
            let chunk =
                |limit: Option<Money>, free: Money| limit.map(|_| free.ten_thousandths() / parts);
            let Limits { total, daily } = self.terms.limits;
            let chunks = [chunk(total, free), chunk(daily, free_on_day)];
            let chunk = chunks.into_iter().flatten().min().unwrap_or(0);
            let chunk = Money::from_ten_thousandths(chunk);
            more = (more.0.max(chunk), more.1.max(chunk));
        }
        self.take(claim, claim.cost, more);
        Some(Answer::Granted(claim.cost))
    }

    fn take(&mut self, claim: &Claim, cost: Money, more: (Money, Money)) {
        let is_drawn = claim.kind != ClaimKind::Draw;
        let keeps = self.keeps(claim.day);
        let sums = self.own.entry(claim.partition).or_default();
        sums.total.take(more.0, cost, is_drawn);
        if keeps {
            let today = sums.days.entry(claim.day).or_default();
            today.take(more.1, cost, is_drawn);
        }
    }

    /// Lowers what the ledger holds to what will be left, before anybody else can be granted it.
    pub(super) fn lower(&self, account: &mut Account) {
        for (partition, sums) in &self.own {
            let holding = account.holding_mut(*partition);
            let lower = |held: &mut Amounts, planned: Planned| {
                // What is drawn with the grant is not to be drawn by anybody before.
                let left = planned.granted.saturating_sub(planned.drawn);
                held.granted = held.granted.min(left);
            };
            lower(&mut holding.total, sums.total);
            for (day, held) in &mut holding.days {
                lower(held, sums.days.get(day).copied().unwrap_or_default());
            }
        }
    }

    pub(super) fn finish(
        self,
        answers: Vec<Answer>,
        given_up: &BTreeMap<u16, Record>,
        day: Option<Date>,
    ) -> Plan {
        let mut entry = self.entry.clone();
        for (partition, sums) in &self.own {
            let epoch = self.terms.own.get(partition).copied().unwrap_or_default();
            let days = sums
                .days
                .iter()
                .map(|(day, planned)| (*day, planned.grant()));
            let days = days.filter(|(_, grant)| *grant != Grant::default());
            let record = Record {
                epoch,
                total: sums.total.grant(),
                days: days.collect(),
                wants: sums.wants,
            };
            let is_empty = record
                == (Record {
                    epoch,
                    ..Record::default()
                });
            if !is_empty || entry.partitions.contains_key(partition) {
                entry.partitions.insert(*partition, record);
            }
        }
        for record in entry.partitions.values_mut() {
            record.days.retain(|day, _| self.keeps(*day));
        }
        let changes = |(partition, record): (&u16, &Record)| {
            let before = self.entry.partitions.get(partition);
            !before.is_some_and(|before| before.says(record))
        };
        let is_changed = entry.partitions.iter().any(changes);
        let known = self.known(given_up, day);
        Plan {
            write: is_changed.then_some(entry),
            answers,
            after: After {
                limits: self.terms.limits,
                first_day: self.first_day,
                known,
                raised: self.own,
            },
        }
    }

    /// What could still be granted to one of this engine's partitions.
    fn known(&self, given_up: &BTreeMap<u16, Record>, day: Option<Date>) -> Known {
        let own = sum(self.own.values().map(|sums| sums.total.unused()));
        let Some(day) = day else {
            let total = Money::from_ten_thousandths(i64::MAX);
            return Known { total, day: None };
        };
        let today = self.own.values().filter_map(|sums| sums.days.get(&day));
        let today = sum(today.map(|planned| planned.unused()));
        let (free, free_on_day) = self.free(day);
        let (held, held_on_day) = self.potential(day, given_up);
        Known {
            total: free.saturating_add(held).saturating_add(own),
            day: Some((
                day,
                free_on_day
                    .saturating_add(held_on_day)
                    .saturating_add(today),
            )),
        }
    }
}

pub(super) fn sum(amounts: impl Iterator<Item = Money>) -> Money {
    amounts.fold(Money::ZERO, Money::saturating_add)
}
