//! What one partition's log says of what budgets have spent: the sums of the costs of its actions.

use super::ledger::{AccountKey, Draw};
use crate::money::Money;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many days are kept of each account.
const DAYS_KEPT: usize = 16;

/// The sums of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spending(BTreeMap<AccountKey, Spent>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Spent {
    total: Money,
    days: BTreeMap<Date, Money>,
}

/// What was spent from one account, as it is kept in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpentAccount {
    /// The rule.
    pub rule: String,
    /// Whose account, for a budget with `per`.
    pub account: Option<String>,
    /// In all, in ten-thousandths of the base currency.
    pub total: i64,
    /// On each of the last days (`2026-11-22`), in ten-thousandths of the base currency.
    pub days: Vec<(String, i64)>,
}

impl Spending {
    /// Notes an action's cost.
    pub fn add(&mut self, draw: &Draw) {
        let spent = self.0.entry(draw.key()).or_default();
        spent.add(draw.day, draw.cost);
    }

    /// All accounts, in order.
    #[must_use]
    pub fn accounts(&self) -> Vec<SpentAccount> {
        let mut accounts: Vec<SpentAccount> = (self.0.iter())
            .map(|((rule, account), spent)| SpentAccount {
                rule: rule.to_string(),
                account: account.as_deref().map(str::to_owned),
                total: spent.total.ten_thousandths(),
                days: (spent.days.iter())
                    .map(|(day, amount)| (day.to_string(), amount.ten_thousandths()))
                    .collect(),
            })
            .collect();
        accounts.sort_by(|a, b| (&a.rule, &a.account).cmp(&(&b.rule, &b.account)));
        accounts
    }

    /// Takes what [`Spending::accounts`] gave out.
    #[must_use]
    pub fn of(accounts: &[SpentAccount]) -> Self {
        let one = |account: &SpentAccount| {
            let day = |(day, amount): &(String, i64)| {
                // A checkpoint is whole or is not used, so every day is one.
                Some((day.parse().ok()?, Money::from_ten_thousandths(*amount)))
            };
            let key = (
                account.rule.as_str().into(),
                account.account.as_deref().map(Into::into),
            );
            let spent = Spent {
                total: Money::from_ten_thousandths(account.total),
                days: account.days.iter().filter_map(day).collect(),
            };
            (key, spent)
        };
        Self(accounts.iter().map(one).collect())
    }

    /// What was spent from each account: in all, and by day.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountKey, Money, &BTreeMap<Date, Money>)> {
        let spent = self.0.iter();
        spent.map(|(key, spent)| (key, spent.total, &spent.days))
    }
}

impl Spent {
    fn add(&mut self, day: Date, cost: Money) {
        self.total = self.total.saturating_add(cost);
        let today = self.days.entry(day).or_default();
        *today = today.saturating_add(cost);
        while self.days.len() > DAYS_KEPT {
            self.days.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_back_as_they_were_and_old_days_go() {
        let mut spending = Spending::default();
        for day in 1..=20 {
            for account in [None, Some("M1")] {
                spending.add(&Draw {
                    rule: "r".into(),
                    account: account.map(Into::into),
                    day: jiff::civil::date(2026, 11, day),
                    cost: Money::from_ten_thousandths(10),
                });
            }
        }
        let accounts = spending.accounts();
        assert_eq!(accounts.len(), 2);
        assert_eq!(
            (accounts[0].total, accounts[0].days.len()),
            (200, DAYS_KEPT)
        );
        assert_eq!(Spending::of(&accounts), spending);
    }
}
