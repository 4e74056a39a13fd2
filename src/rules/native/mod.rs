//! Conditions as native code: what `when` says, read from its syntax tree and evaluated without Rhai.
//!
//! Rhai stays the meaning. A condition is read ([`read`], [`calls`]) as far as every construct in it is one whose
//! meaning is certain: whole, or else the longest part of its conjuncts from the left, since one that is not
//! understood may throw before those behind it are reached. Evaluating it ([`node`], [`operators`]) gives a truth
//! value, or no answer: whenever Rhai would throw, or might, Rhai is asked itself. What conditions ask of an event
//! and a customer ([`ask`]) is numbered over all rules of a set, and computed at most once for one moment. An [`index`]
//! answers it for all rules that listen to a type of event at once.

mod ask;
mod bits;
mod calls;
mod gates;
mod index;
mod node;
mod operators;
mod read;
mod tally;
mod thresholds;

use super::moment::Moment;
use super::rule::Rule;
use crate::event::Schema;
use ask::Asks;
use node::{Frame, Node, Stop, Val};
use read::Functions;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use ask::{Answered, Ask, AskId, Memo};
pub use bits::Bits;
pub use gates::{Gates, Group};
pub use index::{Index, Sifted};
pub use tally::Tally;

/// The conditions of all rules of a set.
#[derive(Debug, Default)]
pub(super) struct Native {
    /// What they ask, each once.
    asks: Vec<Ask>,
    /// By the number of the rule; `None` for one of which nothing is understood.
    conditions: Vec<Option<Condition>>,
}

/// A condition, or the beginning of one.
#[derive(Debug)]
struct Condition {
    /// What is computed before: always, and in this order.
    lets: Vec<(u8, Node)>,
    /// What must hold, from left to right.
    conjuncts: Vec<Node>,
    /// Whether this is all of it.
    is_whole: bool,
}

/// Reads the conditions of a set, one rule after another.
pub(super) struct Compiler<'c> {
    libraries: &'c BTreeMap<String, Functions>,
    schema: &'c Schema,
    asks: Asks,
    conditions: Vec<Option<Condition>>,
}

impl<'c> Compiler<'c> {
    /// For rules that may call functions of these files.
    pub(super) fn new(libraries: &'c BTreeMap<String, Functions>, schema: &'c Schema) -> Self {
        Self {
            libraries,
            schema,
            asks: Asks::default(),
            conditions: Vec::new(),
        }
    }

    /// Reads the next rule's, given the functions of its file; tells its number.
    pub(super) fn rule(&mut self, functions: &Functions) -> usize {
        let condition = read::condition(functions, self.libraries, self.schema, &mut self.asks);
        self.conditions.push(condition);
        self.conditions.len() - 1
    }

    pub(super) fn finish(self) -> Native {
        Native {
            asks: self.asks.into_list(),
            conditions: self.conditions,
        }
    }
}

impl Native {
    /// Whether a rule's condition holds; `None` if Rhai must be asked.
    pub(super) fn holds(&self, rule: &Rule, moment: &Moment<'_>) -> Option<bool> {
        let condition = self.conditions.get(rule.number)?.as_ref()?;
        let mut frame = Frame::new(&self.asks, moment);
        for (register, node) in &condition.lets {
            match node.value(&mut frame) {
                Ok(value) => frame.set(*register, value),
                Err(stop) => return returned(&stop),
            }
        }
        for conjunct in &condition.conjuncts {
            match conjunct.value(&mut frame) {
                Ok(Val::Bool(true)) => {}
                Ok(Val::Bool(false)) => return Some(false),
                Ok(_) => return None,
                Err(stop) => return returned(&stop),
            }
        }
        condition.is_whole.then_some(true)
    }

    /// An index over rules that listen to one type.
    pub(super) fn index(&self, rules: &[Arc<Rule>]) -> Index {
        Index::new(rules, self)
    }

    /// Which of the rules of an index hold, of those that are open.
    pub(super) fn sift(&self, index: &Index, moment: &Moment<'_>, open: Bits) -> Sifted {
        index.sift(&self.asks, moment, open)
    }

    /// How much of a rule's condition is native: all of it, or how many conjuncts from the left.
    pub(super) fn extent(&self, rule: &Rule) -> Extent {
        match self.conditions.get(rule.number).and_then(Option::as_ref) {
            None => Extent::None,
            Some(condition) if condition.is_whole => Extent::Whole,
            Some(condition) => Extent::Conjuncts(condition.conjuncts.len()),
        }
    }
}

/// How much of a condition is evaluated natively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing: Rhai is always asked.
    None,
    /// So many conjuncts from the left; Rhai is asked when they hold.
    Conjuncts(usize),
    /// All of it.
    Whole,
}

/// What a `return` in the midst of a condition says.
fn returned(stop: &Stop<'_>) -> Option<bool> {
    match stop {
        Stop::Return(Val::Bool(held)) => Some(*held),
        Stop::Return(_) | Stop::Unsure => None,
    }
}
