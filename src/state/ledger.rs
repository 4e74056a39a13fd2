//! What the rules' budgets have spent, and what of them the partitions of this engine may draw.
//!
//! *Spent* is the sum of the log's costs. Without a broker (offline, in rule tests) whatever the
//! limits leave may be drawn. With one, several engines draw on the same budgets: each partition
//! draws only what it was [granted](super::grants) before.

use super::holding::{Account, Holding, Known};
use super::spending::Spending;
use crate::money::Money;
use crate::terms::Budget;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something to be paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The rule.
    pub rule: Arc<str>,
    /// Whose account it is, for a budget with `per`.
    pub account: Option<Box<str>>,
    /// The calendar day of policy time in the engine's time zone.
    pub day: Date,
    /// How much.
    pub cost: Money,
}

impl Draw {
    /// The account it is drawn on.
    #[must_use]
    pub fn key(&self) -> AccountKey {
        (self.rule.clone(), self.account.clone())
    }
}

/// A rule and, for a budget with `per`, whose account it is.
pub type AccountKey = (Arc<str>, Option<Box<str>>);

/// A draw that its partition has no grant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// What is to be drawn.
    pub draw: Draw,
    /// The limits.
    pub budget: Budget,
}

/// What became of a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// It is paid for.
    Paid,
    /// The budget does not cover it.
    Exhausted,
    /// The partition has not been granted so much, and it is not known that it cannot be.
    Wanting,
}

/// How much a budget may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Ever.
    pub total: Option<Money>,
    /// On a calendar day.
    pub daily: Option<Money>,
}

impl Limits {
    /// Those of a budget.
    #[must_use]
    pub fn of(budget: &Budget) -> Self {
        Self {
            total: budget.total,
            daily: budget.daily,
        }
    }

    /// Whether anything that `other` allows is forbidden.
    pub(super) fn below(self, other: Self) -> bool {
        let below = |own: Option<Money>, other: Option<Money>| match (own, other) {
            (Some(own), Some(other)) => own < other,
            (Some(_), None) => true,
            (None, _) => false,
        };
        below(self.total, other.total) || below(self.daily, other.daily)
    }
}

type Accounts = BTreeMap<AccountKey, Account>;

/// Whose turn it is to draw, where several partitions go through the same history at once.
pub trait Turns: fmt::Debug + Send + Sync {
    /// Returns when everything that comes before what this partition is at has been drawn.
    fn wait(&self, partition: u16);
}

/// All accounts, shared by the partitions of an engine.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: Mutex<Accounts>,
    /// If all draw from one purse: whose turn it is.
    turns: Option<Arc<dyn Turns>>,
    /// Whether only what was granted may be drawn.
    by_grant: bool,
}

impl Ledger {
    /// One of which each partition draws only what it was granted.
    #[must_use]
    pub fn by_grant() -> Self {
        Self {
            by_grant: true,
            ..Self::default()
        }
    }

    /// One of which all partitions draw what the limits leave, each in its turn: so it does not matter which of them is
    /// quicker.
    #[must_use]
    pub fn in_turn(turns: Arc<dyn Turns>) -> Self {
        Self {
            turns: Some(turns),
            ..Self::default()
        }
    }

    /// Whose holding a partition draws on.
    fn holder(&self, partition: u16) -> u16 {
        if self.turns.is_some() { 0 } else { partition }
    }

    /// Whether only what was granted may be drawn, so that a draw may have to wait.
    #[must_use]
    pub fn is_by_grant(&self) -> bool {
        self.by_grant
    }

    /// Pays, if the budget covers it.
    #[must_use]
    pub fn draw(&self, partition: u16, draw: &Draw, budget: &Budget) -> Drawn {
        if let Some(turns) = &self.turns {
            turns.wait(partition);
        }
        let partition = self.holder(partition);
        let mut accounts = self.lock();
        let account = account(&mut accounts, draw);
        let limits = Limits::of(budget);
        let drawn = if self.by_grant {
            account.idle = 0;
            account.quiet = false;
            if let Some(holding) = account.holdings.get_mut(&partition) {
                holding.unreserve();
            }
            granted(account, partition, draw, limits)
        } else {
            allowed(account.holding(partition), draw, limits)
        };
        if drawn == Drawn::Paid {
            account.add(partition, draw.day, draw.cost);
        }
        drawn
    }

    /// Notes what was paid before.
    pub fn add(&self, partition: u16, draw: &Draw) {
        let partition = self.holder(partition);
        account(&mut self.lock(), draw).add(partition, draw.day, draw.cost);
    }

    /// Notes what a partition had spent before.
    pub fn add_all(&self, partition: u16, spending: &Spending) {
        let partition = self.holder(partition);
        for (key, total, days) in spending.iter() {
            self.change(key, |account| account.add_all(partition, total, days));
        }
    }

    /// Takes back what was drawn and then not said.
    pub fn give_back(&self, partition: u16, draw: &Draw) {
        let partition = self.holder(partition);
        let mut accounts = self.lock();
        let holding = account(&mut accounts, draw).holding_mut(partition);
        holding.total.give_back(draw.cost);
        if let Some(day) = holding.days.get_mut(&draw.day) {
            day.give_back(draw.cost);
        }
    }

    /// What a rule has spent in all in the partitions of this engine, over its accounts.
    #[must_use]
    pub fn spent(&self, rule: &str) -> Money {
        self.sum(rule, |holding| holding.total.used)
    }

    /// What the partitions of this engine have been granted for a rule in all, over its accounts.
    #[must_use]
    pub fn granted(&self, rule: &str) -> Money {
        self.sum(rule, |holding| holding.total.granted)
    }

    fn sum(&self, rule: &str, amount: impl Fn(&Holding) -> Money) -> Money {
        let accounts = self.lock();
        let own = accounts.iter().filter(|((name, _), _)| &**name == rule);
        own.flat_map(|(_, account)| account.holdings.values())
            .fold(Money::ZERO, |sum, holding| {
                sum.saturating_add(amount(holding))
            })
    }

    pub(super) fn change<T>(&self, key: &AccountKey, change: impl FnOnce(&mut Account) -> T) -> T {
        change(self.lock().entry(key.clone()).or_default())
    }

    pub(super) fn each(&self, mut look: impl FnMut(&AccountKey, &mut Account)) {
        self.lock()
            .iter_mut()
            .for_each(|(key, account)| look(key, account));
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn account<'a>(accounts: &'a mut Accounts, draw: &Draw) -> &'a mut Account {
    accounts.entry(draw.key()).or_default()
}

/// Whether the limits leave enough, when nobody else draws on them.
fn allowed(holding: Option<&Holding>, draw: &Draw, limits: Limits) -> Drawn {
    let total = holding.map_or(Money::ZERO, |holding| holding.total.used);
    let today = holding.and_then(|holding| holding.days.get(&draw.day));
    let today = today.map_or(Money::ZERO, |day| day.used);
    let covers = |limit: Option<Money>, used: Money| {
        limit.is_none_or(|limit| used.saturating_add(draw.cost) <= limit)
    };
    if covers(limits.total, total) && covers(limits.daily, today) {
        Drawn::Paid
    } else {
        Drawn::Exhausted
    }
}

/// Whether the partition's grant covers it, and if not, whether it is known that no grant will.
fn granted(account: &mut Account, partition: u16, draw: &Draw, limits: Limits) -> Drawn {
    if draw.cost == Money::ZERO {
        return Drawn::Paid;
    }
    // Nothing that is decided here any more will be stored: no need to wait for it.
    if account.is_lost(partition) {
        return Drawn::Exhausted;
    }
    let (total, day) = account.lacking(partition, draw.day, draw.cost);
    // What was granted under higher limits may be more than there is now.
    let holds = account.is_claimed(partition) && !limits.below(account.limits);
    if holds && total == Money::ZERO && day == Money::ZERO {
        return Drawn::Paid;
    }
    if limits.daily.is_some() && !account.keeps(draw.day) {
        return Drawn::Exhausted;
    }
    let known = account.known.filter(|_| account.limits == limits);
    match known {
        Some(Known {
            total: total_left,
            day: Some((of, day_left)),
        }) if of == draw.day && (total > total_left || day > day_left) => {
            account.asked = true;
            Drawn::Exhausted
        }
        _ => Drawn::Wanting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(account: Option<&str>, day: i8, cost: i64) -> Draw {
        Draw {
            rule: "r".into(),
            account: account.map(Into::into),
            day: jiff::civil::date(2026, 11, day),
            cost: Money::from_ten_thousandths(cost),
        }
    }

    fn budget(total: Option<i64>, daily: Option<i64>) -> Budget {
        Budget {
            total: total.map(Money::from_ten_thousandths),
            daily: daily.map(Money::from_ten_thousandths),
            per: None,
        }
    }

    #[test]
    fn a_budget_is_spent_to_the_last_unit_and_no_further() {
        let ledger = Ledger::default();
        let budget = budget(Some(10), Some(6));
        let pays = |draw: &Draw| ledger.draw(0, draw, &budget) == Drawn::Paid;
        assert!(pays(&draw(None, 1, 6)));
        assert!(!pays(&draw(None, 1, 1)), "the day is spent");
        assert!(!pays(&draw(None, 2, 5)), "over the total");
        assert!(pays(&draw(None, 2, 4)));
        assert!(!pays(&draw(None, 3, 1)), "all is spent");
        ledger.give_back(0, &draw(None, 2, 4));
        assert!(pays(&draw(None, 3, 4)));
        assert_eq!(ledger.spent("r"), Money::from_ten_thousandths(10));
    }

    #[test]
    fn each_account_has_the_whole_budget() {
        let ledger = Ledger::default();
        let budget = budget(Some(5), None);
        let pays = |draw: &Draw| ledger.draw(0, draw, &budget) == Drawn::Paid;
        assert!(pays(&draw(Some("M1"), 1, 5)));
        assert!(!pays(&draw(Some("M1"), 1, 1)));
        assert!(pays(&draw(Some("M2"), 1, 5)));
        assert!(pays(&draw(Some("M1"), 1, 0)), "nothing costs nothing");
    }

    #[test]
    fn partitions_that_draw_in_turn_draw_from_one_purse() {
        #[derive(Debug, Default)]
        struct Asked(Mutex<Vec<u16>>);
        impl Turns for Asked {
            fn wait(&self, partition: u16) {
                self.0.lock().unwrap().push(partition);
            }
        }
        let asked = Arc::new(Asked::default());
        let ledger = Ledger::in_turn(asked.clone());
        let budget = budget(Some(5), None);
        let pays =
            |partition, cost| ledger.draw(partition, &draw(None, 1, cost), &budget) == Drawn::Paid;
        assert!(pays(3, 4));
        assert!(!pays(7, 2), "what another partition has drawn is gone");
        ledger.give_back(1, &draw(None, 1, 4));
        assert!(pays(7, 2));
        assert_eq!(*asked.0.lock().unwrap(), [3, 7, 7]);
    }

    #[test]
    fn what_was_not_granted_is_wanted_and_not_drawn() {
        let ledger = Ledger::by_grant();
        let budget = budget(Some(5), None);
        assert_eq!(ledger.draw(3, &draw(None, 1, 1), &budget), Drawn::Wanting);
        assert_eq!(ledger.draw(3, &draw(None, 1, 0), &budget), Drawn::Paid);
        assert_eq!(ledger.spent("r"), Money::ZERO);
    }
}
