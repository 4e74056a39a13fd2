//! What the partitions of this engine hold of one budget.

use super::ledger::Limits;
use crate::money::Money;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// How many days of spending are kept for daily limits. Policy time does not go back further than the
/// events of a backlog do, and those are stale.
const DAYS_KEPT: usize = 16;

/// One budget's account.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) holdings: BTreeMap<u16, Holding>,
    /// The limits that the grants were made under.
    pub(super) limits: Limits,
    /// What might still be granted, when it was looked at last.
    pub(super) known: Option<Known>,
    /// The first day of which grants are kept.
    pub(super) first_day: Option<Date>,
    /// Whether the entry says that something is held unused.
    pub(super) shows_unused: bool,
    /// Whether anything was refused since because of what is known.
    pub(super) asked: bool,
    /// Whether there was nothing to look at when somebody looked last, and nothing has happened since.
    pub(super) quiet: bool,
    /// How often somebody looked since anything was drawn.
    pub(super) idle: u32,
    /// Grants of partitions of other engines that did not come back when they were wanted.
    pub(super) given_up: BTreeMap<u16, super::grants::Record>,
}

/// What one partition holds.
#[derive(Debug, Default)]
pub(super) struct Holding {
    /// Whether its grant is known to be this engine's.
    pub(super) claimed: bool,
    /// Whether another engine has taken the partition over.
    pub(super) lost: bool,
    pub(super) total: Amounts,
    pub(super) days: BTreeMap<Date, Amounts>,
}

/// What was granted and what was drawn of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) granted: Money,
    pub(super) used: Money,
    /// Granted to one who waits for it and has not drawn it yet.
    pub(super) reserved: Money,
}

/// The most that a partition might still be granted beyond what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) total: Money,
    /// On one day.
    pub(super) day: Option<(Date, Money)>,
}

impl Amounts {
    pub(super) fn give_back(&mut self, cost: Money) {
        self.used = self.used.saturating_sub(cost);
    }

    /// What more must be granted to draw this.
    fn lacking(self, cost: Money) -> Money {
        let over = self.used.saturating_add(cost).saturating_sub(self.granted);
        over.max(Money::ZERO)
    }

    pub(super) fn unused(self) -> Money {
        let taken = self.used.saturating_add(self.reserved);
        self.granted.saturating_sub(taken).max(Money::ZERO)
    }
}

impl Holding {
    /// Whoever waited for a grant has come back for it.
    pub(super) fn unreserve(&mut self) {
        self.total.reserved = Money::ZERO;
        for day in self.days.values_mut() {
            day.reserved = Money::ZERO;
        }
    }
}

impl Account {
    pub(super) fn holding(&self, partition: u16) -> Option<&Holding> {
        self.holdings.get(&partition)
    }

    pub(super) fn holding_mut(&mut self, partition: u16) -> &mut Holding {
        self.holdings.entry(partition).or_default()
    }

    pub(super) fn is_lost(&self, partition: u16) -> bool {
        self.holding(partition).is_some_and(|holding| holding.lost)
    }

    pub(super) fn is_claimed(&self, partition: u16) -> bool {
        self.holding(partition)
            .is_some_and(|holding| holding.claimed)
    }

    pub(super) fn add(&mut self, partition: u16, day: Date, cost: Money) {
        let holding = self.holding_mut(partition);
        holding.total.used = holding.total.used.saturating_add(cost);
        let today = holding.days.entry(day).or_default();
        today.used = today.used.saturating_add(cost);
        while holding.days.len() > DAYS_KEPT {
            holding.days.pop_first();
        }
    }

    pub(super) fn add_all(&mut self, partition: u16, total: Money, days: &BTreeMap<Date, Money>) {
        let holding = self.holding_mut(partition);
        holding.total.used = holding.total.used.saturating_add(total);
        for (day, amount) in days {
            let today = holding.days.entry(*day).or_default();
            today.used = today.used.saturating_add(*amount);
        }
        while holding.days.len() > DAYS_KEPT {
            holding.days.pop_first();
        }
    }

    /// What more a partition must be granted to draw this: in all, and on that day.
    pub(super) fn lacking(&self, partition: u16, day: Date, cost: Money) -> (Money, Money) {
        let Some(holding) = self.holding(partition) else {
            return (cost, cost);
        };
        let today = holding.days.get(&day).copied().unwrap_or_default();
        // Days that are over for long have no grants of their own any more.
        let of_day = if self.limits.daily.is_none() && !self.keeps(day) {
            Money::ZERO
        } else {
            today.lacking(cost)
        };
        (holding.total.lacking(cost), of_day)
    }

    /// Whether grants of a day are kept.
    pub(super) fn keeps(&self, day: Date) -> bool {
        self.first_day.is_none_or(|first| day >= first)
    }

    /// Whether anything is held that has not been drawn.
    pub(super) fn holds_unused(&self) -> bool {
        let unused = |amounts: &Amounts| amounts.unused() > Money::ZERO;
        (self.holdings.values().filter(|holding| holding.claimed))
            .any(|holding| unused(&holding.total) || holding.days.values().any(unused))
    }
}
