//! Paying for what one customer is told at one time: all of it, or nothing of it if a grant must be
//! waited for.

use super::Partition;
use crate::rules::Rule;
use crate::state::{DecisionId, Draw, Drawn, Want};
use crate::terms::Budget;
use std::fmt;

/// What became of draws when the same was decided before.
pub trait Precedents: fmt::Debug + Send + Sync {
    /// Whether a decision was paid for then, or its journey was refused for want of money; `None` if that is not known.
    fn paid(&self, decision: DecisionId, entry: DecisionId) -> Option<bool>;

    /// Whether broadcasts are not weighed again, since it is known what they were granted.
    fn lead(&self) -> bool;
}

/// Where the money for actions comes from, and what was taken of it.
#[derive(Debug, Default)]
pub(super) struct Till {
    /// What was drawn for this customer before, with all partitions' customers in one order; `None` if
    /// the ledger is to be asked.
    granted: Option<Vec<Draw>>,
    drawn: Vec<Draw>,
    /// Granted, and not needed if all of this stands.
    spare: Vec<Draw>,
    /// What must be granted before this customer can be decided about.
    want: Option<Want>,
}

impl Till {
    /// One with what was drawn before.
    pub(super) fn with_grants(granted: Vec<Draw>) -> Self {
        Self {
            granted: Some(granted),
            ..Self::default()
        }
    }

    /// Whether nothing of what was decided stands, since a grant must be waited for.
    pub(super) fn is_short(&self) -> bool {
        self.want.is_some()
    }

    /// Pays, if the budget covers it, or if it is known that it did `before`.
    pub(super) fn pay(
        &mut self,
        partition: &Partition,
        rule: &Rule,
        budget: &Budget,
        draw: Draw,
        before: Option<bool>,
    ) -> bool {
        if let Some(was_paid) = before {
            return was_paid && self.draw(partition, budget, draw);
        }
        let granted = match &mut self.granted {
            Some(granted) if !rule.terms.waits() => granted,
            _ => return self.draw(partition, budget, draw),
        };
        let Some(at) = granted.iter().position(|grant| grant.rule == draw.rule) else {
            return false;
        };
        let grant = granted.swap_remove(at);
        if grant == draw {
            return true;
        }
        // The customer has changed since: it is another sum.
        if (&grant.account, grant.day) == (&draw.account, draw.day) {
            let (had, needed) = (grant.cost, draw.cost);
            let more = needed.saturating_sub(had);
            if needed > had && !self.draw(partition, budget, Draw { cost: more, ..draw }) {
                self.spare.push(grant);
                return false;
            }
            if needed < had {
                let cost = had.saturating_sub(needed);
                self.spare.push(Draw { cost, ..grant });
            }
            return true;
        }
        self.spare.push(grant);
        self.draw(partition, budget, draw)
    }

    fn draw(&mut self, partition: &Partition, budget: &Budget, draw: Draw) -> bool {
        match partition.ledger.draw(partition.number, &draw, budget) {
            Drawn::Paid => {
                self.drawn.push(draw);
                true
            }
            Drawn::Exhausted => false,
            Drawn::Wanting => {
                let budget = budget.clone();
                self.want.get_or_insert(Want { draw, budget });
                false
            }
        }
    }

    /// Ends it: gives back what was not needed, or, if a grant must be waited for, what was drawn, and
    /// says for which. What was granted before stays with whoever was granted it then.
    pub(super) fn close(self, partition: &Partition) -> Option<Want> {
        let back: Box<dyn Iterator<Item = Draw>> = match self.want {
            Some(_) => Box::new(self.drawn.into_iter()),
            None => {
                let left = self.granted.into_iter().flatten();
                Box::new(self.spare.into_iter().chain(left))
            }
        };
        for draw in back {
            partition.ledger.give_back(partition.number, &draw);
        }
        self.want
    }
}
