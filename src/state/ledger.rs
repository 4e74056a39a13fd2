//! What the rules' budgets have spent: the sum of the log's costs, shared by all partitions.

use crate::money::Money;
use crate::terms::Budget;
use jiff::civil::Date;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many days of spending are kept for daily limits. Policy time does not go back further than the
/// events of a backlog do, and those are stale.
const DAYS_KEPT: usize = 16;

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

#[derive(Debug, Default)]
struct Account {
    total: Money,
    days: BTreeMap<Date, Money>,
}

type Accounts = HashMap<(Arc<str>, Option<Box<str>>), Account>;

/// All accounts.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Accounts>);

impl Ledger {
    /// Pays, if the budget covers it.
    #[must_use]
    pub fn draw(&self, draw: &Draw, budget: &Budget) -> bool {
        let mut accounts = self.lock();
        let account = account(&mut accounts, draw);
        let covers = |limit: Option<Money>, spent: Money| {
            limit.is_none_or(|limit| spent.saturating_add(draw.cost) <= limit)
        };
        let today = account.days.get(&draw.day).copied().unwrap_or_default();
        let covered = covers(budget.total, account.total) && covers(budget.daily, today);
        if covered {
            account.add(draw.day, draw.cost);
        }
        covered
    }

    /// Notes what was paid before.
    pub fn add(&self, draw: &Draw) {
        account(&mut self.lock(), draw).add(draw.day, draw.cost);
    }

    /// Takes back what was drawn and then not said.
    pub fn give_back(&self, draw: &Draw) {
        let mut accounts = self.lock();
        let account = account(&mut accounts, draw);
        account.total = account.total.saturating_sub(draw.cost);
        if let Some(day) = account.days.get_mut(&draw.day) {
            *day = day.saturating_sub(draw.cost);
        }
    }

    /// What a rule has spent in all, over its accounts.
    #[must_use]
    pub fn spent(&self, rule: &str) -> Money {
        let accounts = self.lock();
        let own = accounts.iter().filter(|((name, _), _)| &**name == rule);
        own.fold(Money::ZERO, |sum, (_, account)| {
            sum.saturating_add(account.total)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn account<'a>(accounts: &'a mut Accounts, draw: &Draw) -> &'a mut Account {
    accounts
        .entry((draw.rule.clone(), draw.account.clone()))
        .or_default()
}

impl Account {
    fn add(&mut self, day: Date, cost: Money) {
        self.total = self.total.saturating_add(cost);
        let spent = self.days.entry(day).or_default();
        *spent = spent.saturating_add(cost);
        while self.days.len() > DAYS_KEPT {
            self.days.pop_first();
        }
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
        assert!(ledger.draw(&draw(None, 1, 6), &budget));
        assert!(!ledger.draw(&draw(None, 1, 1), &budget), "the day is spent");
        assert!(!ledger.draw(&draw(None, 2, 5), &budget), "over the total");
        assert!(ledger.draw(&draw(None, 2, 4), &budget));
        assert!(!ledger.draw(&draw(None, 3, 1), &budget), "all is spent");
        ledger.give_back(&draw(None, 2, 4));
        assert!(ledger.draw(&draw(None, 3, 4), &budget));
        assert_eq!(ledger.spent("r"), Money::from_ten_thousandths(10));
    }

    #[test]
    fn each_account_has_the_whole_budget() {
        let ledger = Ledger::default();
        let budget = budget(Some(5), None);
        assert!(ledger.draw(&draw(Some("M1"), 1, 5), &budget));
        assert!(!ledger.draw(&draw(Some("M1"), 1, 1), &budget));
        assert!(ledger.draw(&draw(Some("M2"), 1, 5), &budget));
        assert!(
            ledger.draw(&draw(Some("M1"), 1, 0), &budget),
            "nothing costs nothing"
        );
    }
}
