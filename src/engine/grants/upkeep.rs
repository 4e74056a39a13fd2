//! What is not used goes back, and what was granted stays within limits that were lowered.

use super::super::broker::Broker;
use super::teller::Visit;
use super::{Desk, LOOK_INTERVAL};
use crate::money::Money;
use crate::state::AccountKey;
use std::collections::HashSet;
use std::time::Duration;

/// How long something is held without being used.
const HOLD_MAX: Duration = Duration::from_secs(2);
const HOLD_LOOKS_MAX: u32 = (HOLD_MAX.as_millis() / LOOK_INTERVAL.as_millis()) as u32;
/// Budgets that are looked at each time because something of them is held or was refused.
const WATCHED_MAX: usize = 32;
/// Budgets that are looked at each time because the rules have changed, or the engine has started.
const BACKLOG_MAX: usize = 64;

impl<B: Broker> Desk<B> {
    /// Lists the entries that were there when the engine started: partitions that it took over may have
    /// been granted something that nobody has drawn. Returns whether they are known.
    pub(super) async fn list(&mut self) -> bool {
        match self.teller.broker.budget_keys().await {
            Ok(keys) => {
                self.unread = keys;
                true
            }
            Err(_) => false,
        }
    }

    /// Gives back what has been held for long, and looks at what others may wait for.
    pub(super) async fn look(&mut self) {
        let (mut idle, mut watched) = self.teller.ledger.look(HOLD_LOOKS_MAX);
        idle.retain(|key| !self.waiting.contains_key(key));
        idle.truncate(BACKLOG_MAX);
        let mut visits: Vec<Visit> = idle.iter().map(|key| self.returning(key)).collect();
        // Each look begins with others.
        if watched.len() > WATCHED_MAX {
            let start = usize::try_from(self.teller.clock.now()).unwrap_or(0) % watched.len();
            watched.rotate_left(start);
            watched.truncate(WATCHED_MAX);
        }
        let opened = self.open_unread().await;
        let backlog = self.backlog.len().min(BACKLOG_MAX);
        // Of rules that never had a budget nothing is granted.
        let mut backlog: Vec<AccountKey> = self.backlog.drain(..backlog).collect();
        backlog.retain(|key| self.teller.has_budget(key) || self.seen.contains_key(key));
        let mut met = HashSet::new();
        for key in watched.into_iter().chain(opened).chain(backlog) {
            let is_met = visits.iter().any(|visit| visit.key == key);
            if !is_met && !self.waiting.contains_key(&key) && met.insert(key.clone()) {
                let visit = if self.teller.has_budget(&key) {
                    self.visit(&key, false)
                } else {
                    self.returning(&key)
                };
                visits.push(visit);
            }
        }
        self.go(visits).await;
        self.show();
    }

    /// Accounts of entries that were there at the start, of which partitions of this engine hold something.
    async fn open_unread(&mut self) -> Vec<AccountKey> {
        let left = self.unread.len().saturating_sub(BACKLOG_MAX);
        let mut found = Vec::new();
        for key in self.unread.split_off(left) {
            if let Some((account, entry)) = self.teller.open(&key).await {
                let epochs = &self.teller.epochs;
                let mut held = entry.partitions.keys();
                if held.any(|partition| epochs.contains_key(partition)) {
                    found.push(account);
                }
            }
        }
        found
    }

    fn returning(&mut self, key: &AccountKey) -> Visit {
        self.seen.remove(key);
        Visit {
            key: key.clone(),
            seen: None,
            claims: Vec::new(),
            limits: self.teller.limits(key, None),
            release: true,
        }
    }

    /// The engine stops: nothing stays with it that it does not need.
    pub(super) async fn give_back(&mut self) {
        let (held, _) = self.teller.ledger.look(0);
        let visits = held.iter().map(|key| self.returning(key)).collect();
        self.waiting.clear();
        self.go(visits).await;
    }

    /// Shows what budgets have spent, were granted, and have left.
    fn show(&mut self) {
        let live = self.teller.registry.live();
        let metrics = &self.teller.metrics;
        let amount = |amount: Money| amount.ten_thousandths() as f64 / 1e4;
        let mut shown = HashSet::new();
        for rule in live.rules() {
            let Some(budget) = &rule.terms.budget else {
                continue;
            };
            let name = &rule.terms.name;
            let ledger = &self.teller.ledger;
            let spent = metrics.budget_spent.with_label_values(&[name]);
            spent.set(amount(ledger.spent(name)));
            let granted = metrics.budget_granted.with_label_values(&[name]);
            granted.set(amount(ledger.granted(name)));
            if let (Some(total), Some(seen)) = (budget.total, self.seen.get(&(name.clone(), None)))
            {
                let free = total.saturating_sub(seen.entry.granted());
                let gauge = metrics.budget_free.with_label_values(&[name]);
                gauge.set(amount(free.max(Money::ZERO)));
            }
            shown.insert(name.clone());
        }
        for gone in self.shown.difference(&shown) {
            for gauge in [
                &metrics.budget_spent,
                &metrics.budget_granted,
                &metrics.budget_free,
            ] {
                // Not every rule has every one of them.
                let _ = gauge.remove_label_values(&[gone]);
            }
        }
        self.shown = shown;
    }
}
