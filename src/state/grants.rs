//! Who may draw how much of a budget that several engines share.
//!
//! Each account has an [`Entry`] that all engines see and change by compare-and-swap: what each
//! partition has been granted, in all and for each day. Three rules keep the sum of what is drawn
//! within the limits:
//!
//! * an entry is only ever written so that its grants are within the limits, or no higher than before;
//! * a partition's grant is written only by the engine that owns it, as the epoch of its take-over
//!   says; a former owner whose epoch is lower leaves it alone;
//! * what an engine holds in memory is never more than what the entry says: it is lowered before the
//!   entry is, and raised after the entry has been.

use super::holding::{Account, Amounts, Holding, Known};
use super::ledger::{AccountKey, Ledger, Limits};
use super::planning::{Planned, Planning, Sums, sum};
use crate::money::Money;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// What all engines know of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// By partition.
    pub partitions: BTreeMap<u16, Record>,
}

/// What one partition has been granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The sequence of the record with which its owner took the partition over.
    pub epoch: u64,
    /// In all.
    pub total: Grant,
    /// On a day.
    pub days: BTreeMap<Date, Grant>,
    /// How much it waits for; nothing if it does not.
    pub wants: Money,
}

/// An amount that was granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// How much.
    pub granted: Money,
    /// How much of it had been drawn when this was written.
    pub used: Money,
}

/// What an engine owns: each partition with the epoch of its take-over.
pub type Epochs = BTreeMap<u16, u64>;

/// What a partition asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which partition.
    pub partition: u16,
    /// For which day.
    pub day: Date,
    /// How much.
    pub cost: Money,
    /// How it is asked for.
    pub kind: ClaimKind,
}

/// How something is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimKind {
    /// So much, and what is likely to be needed next; it waits for others to give back what they hold.
    Draw,
    /// Exactly so much, drawn at once.
    Exactly,
    /// So much or as much as there is, drawn at once; also what this engine's partitions hold unused.
    AtMost,
}

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// So much is granted.
    Granted(Money),
    /// Others hold what is missing, and may give it back.
    Wait,
    /// There is not so much left.
    Denied,
}

/// What is known of a budget when a plan is made.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The limits.
    pub limits: Limits,
    /// What this engine owns.
    pub own: &'a Epochs,
    /// How many partitions share the budget.
    pub partitions: u16,
    /// Whether what is not used goes back.
    pub release: bool,
}

/// How an entry is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// As it was when it was written or read last.
    Remembered,
    /// It was read just now.
    Fresh,
    /// It was read just now, and a former write may still be under way: only one that follows it and is
    /// taken shows that it never comes. So the entry is written in any case.
    Doubtful,
}

/// A change of an entry: to be written, and taken by the ledger once it has been.
#[derive(Debug)]
pub struct Plan {
    /// The entry to be written; `None` if it is that already.
    pub write: Option<Entry>,
    /// What becomes of the claims, in their order.
    pub answers: Vec<Answer>,
    pub(super) after: After,
}

/// What the ledger takes once the entry has been written.
#[derive(Debug, Default)]
pub(super) struct After {
    pub(super) limits: Limits,
    pub(super) first_day: Option<Date>,
    pub(super) known: Known,
    pub(super) raised: BTreeMap<u16, Sums>,
}

impl Ledger {
    /// Plans how an account's entry should look: with the claims granted as far as the limits allow, and
    /// within them. What is to go back is given up at once; what is granted may be drawn when
    /// [`Ledger::planned`] has been told that the entry was written.
    ///
    #[must_use]
    pub fn plan(
        &self,
        key: &AccountKey,
        entry: &Entry,
        claims: &[Claim],
        terms: Terms<'_>,
        sight: Sight,
    ) -> Plan {
        self.change(key, |account| {
            let mut planning = Planning::begin(account, entry, terms, claims);
            planning.trim();
            let given_up = &account.given_up.clone();
            let answers = (claims.iter())
                .map(|claim| planning.answer(claim, given_up))
                .collect();
            if terms.release || planning.is_wanted() {
                planning.release(None);
            }
            planning.lower(account);
            let day = claims.last().map(|claim| claim.day);
            let mut plan = planning.finish(answers, given_up, day.or(account.day()));
            plan.write = plan
                .write
                .or((sight == Sight::Doubtful).then(|| entry.clone()));
            if sight == Sight::Fresh && plan.write.is_none() {
                account.settle(&plan.after);
            }
            plan
        })
    }

    /// Takes what a plan granted: its entry has been written.
    pub fn planned(&self, key: &AccountKey, plan: &Plan) {
        self.change(key, |account| account.settle(&plan.after));
    }

    /// Waits no longer for what other engines hold, as long as their records stay the same.
    pub fn give_up(&self, key: &AccountKey, entry: &Entry, own: &Epochs) {
        let others = entry.partitions.iter();
        let others = others.filter(|(partition, _)| !own.contains_key(partition));
        let others = others.map(|(partition, record)| (*partition, record.clone()));
        self.change(key, |account| account.given_up = others.collect());
    }

    /// Counts one more look at each account, and tells of which what is held has not been needed for
    /// so many looks, and which others should be looked at: something of them is held, or was refused.
    pub fn look(&self, idle_max: u32) -> (Vec<AccountKey>, Vec<AccountKey>) {
        let (mut idle, mut watched) = (Vec::new(), Vec::new());
        self.each(|key, account| {
            if account.quiet {
                return;
            }
            account.idle = account.idle.saturating_add(1);
            let is_idle = account.idle >= idle_max;
            if is_idle {
                account.holdings.values_mut().for_each(Holding::unreserve);
            }
            let is_stale = account.holds_unused() || account.shows_unused;
            if is_stale && is_idle {
                idle.push(key.clone());
            } else if is_stale | std::mem::take(&mut account.asked) {
                watched.push(key.clone());
            } else {
                account.quiet = true;
            }
        });
        (idle, watched)
    }

    /// The accounts of which something was granted or spent.
    #[must_use]
    pub fn keys(&self) -> Vec<AccountKey> {
        let mut keys = Vec::new();
        self.each(|key, _| keys.push(key.clone()));
        keys
    }

    /// Takes out what was drawn for several partitions together: it is to be granted to each of them.
    pub fn take_out(&self, key: &AccountKey, partition: u16, day: Date, amount: Money) {
        self.change(key, |account| {
            let holding = account.holding_mut(partition);
            let today = holding.days.entry(day).or_default();
            for amounts in [&mut holding.total, today] {
                amounts.used = amounts.used.saturating_sub(amount);
                amounts.granted = amounts.granted.saturating_sub(amount);
            }
        });
    }
}

impl Entry {
    /// What all partitions have been granted in all.
    #[must_use]
    pub fn granted(&self) -> Money {
        sum(self.partitions.values().map(|record| record.total.granted))
    }
}

impl Record {
    /// Whether it grants and asks the same: how much had been drawn may be older.
    pub(super) fn says(&self, other: &Self) -> bool {
        let granted = |record: &Self| -> Vec<(Date, Money)> {
            let days = record.days.iter();
            days.map(|(day, grant)| (*day, grant.granted)).collect()
        };
        // What is held without being used must be known to those who wait for it.
        let held = |record: &Self| record.total.unused() > Money::ZERO;
        self.epoch == other.epoch
            && self.total.granted == other.total.granted
            && self.wants == other.wants
            && granted(self) == granted(other)
            && held(self) == held(other)
    }
}

impl Grant {
    pub(super) fn unused(self) -> Money {
        self.granted.saturating_sub(self.used).max(Money::ZERO)
    }
}

impl Account {
    fn settle(&mut self, after: &After) {
        self.limits = after.limits;
        self.quiet = false;
        self.first_day = after.first_day;
        self.known = Some(after.known);
        let unused = |sums: &Sums| sums.total.grant().unused() > Money::ZERO;
        self.shows_unused = after.raised.values().any(unused);
        for (partition, sums) in &after.raised {
            let holding = self.holding_mut(*partition);
            holding.claimed = true;
            let take = |held: &mut Amounts, planned: &Planned| {
                held.granted = planned.granted;
                held.used = held.used.saturating_add(planned.drawn);
                held.reserved = planned.reserved.saturating_sub(planned.drawn);
            };
            take(&mut holding.total, &sums.total);
            for (day, planned) in &sums.days {
                take(holding.days.entry(*day).or_default(), planned);
            }
        }
    }

    /// Another engine has taken the partition over.
    pub(super) fn forget(&mut self, partition: u16) {
        let holding = self.holding_mut(partition);
        holding.claimed = false;
        holding.lost = true;
        holding.total.granted = Money::ZERO;
        for day in holding.days.values_mut() {
            day.granted = Money::ZERO;
        }
    }

    /// The newest day on which anything was drawn.
    pub(super) fn day(&self) -> Option<Date> {
        let days = self.holdings.values().filter_map(|h| h.days.keys().max());
        days.max().copied()
    }
}
