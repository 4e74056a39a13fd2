//! An index over the conditions of all rules that listen to one type of event.
//!
//! The first conjuncts of all rules make the first [`Level`], the second ones the next. Within a level, conjuncts that
//! ask the same question are answered together: one computation and one look-up tell which of their rules go on. A rule
//! reaches a level only if all of its conjuncts before it hold for sure, so a question is asked only if Rhai would have
//! asked it too. Where that is not sure, or a conjunct is not simple, the rule itself must be asked.

use super::ask::{Ask, AskId};
use super::bits::{Bits, Few};
use super::gates::Gates;
use super::node::{Const, Node, Val};
use super::operators::Compare;
use super::thresholds::{Bound, Thresholds};
use super::{Condition, Native};
use crate::rules::moment::Moment;
use crate::rules::rule::Rule;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rules by number, from 0 in the order of their names, with what is known of them at one event.
#[derive(Debug)]
pub struct Index {
    rules: Vec<Arc<Rule>>,
    numbers: HashMap<Arc<str>, u32>,
    gates: Gates,
    levels: Vec<Level>,
}

/// The conjuncts of all rules at one place.
#[derive(Debug)]
struct Level {
    /// Rules that must be asked when they get here.
    asked: Bits,
    /// Rules that hold when they get here.
    held: Bits,
    features: Vec<Feature>,
}

/// The conjuncts of a level that ask the same question.
#[derive(Debug)]
struct Feature {
    ask: AskId,
    /// All of its rules.
    rules: Few,
    equal: Option<Equal>,
    /// Rules that do not go on if the answer is this one.
    unequal: Answers,
    /// Rules that go on if it is `true`, and if it is `false`.
    truth: Option<[Few; 2]>,
    numbers: Option<Thresholds>,
}

/// Rules that go on only if the answer is one of theirs.
#[derive(Debug)]
struct Equal {
    rules: Few,
    answers: Answers,
}

/// Rules by an answer.
#[derive(Debug, Default)]
struct Answers {
    texts: HashMap<Box<str>, Few>,
    numbers: HashMap<Decimal, Few>,
    truths: [Option<Few>; 2],
    nothing: Option<Few>,
}

/// A conjunct that the index understands.
enum Simple<'n> {
    OneOf(AskId, Vec<&'n Const>),
    NoneOf(AskId, Vec<&'n Const>),
    Truth(AskId, bool),
    Number(AskId, Bound, Decimal),
}

/// What the index says of one event.
#[derive(Debug)]
pub struct Sifted {
    /// Rules whose condition holds.
    pub held: Bits,
    /// Rules that must be asked.
    pub asked: Bits,
}

impl Index {
    pub(super) fn new(rules: &[Arc<Rule>], native: &Native) -> Self {
        let numbers = (0..).zip(rules);
        Self {
            rules: rules.to_vec(),
            numbers: numbers
                .map(|(number, rule)| (rule.terms.name.clone(), number))
                .collect(),
            gates: Gates::new(rules),
            levels: levels(rules, native),
        }
    }

    /// The rules, by name.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The name of a rule.
    #[must_use]
    pub fn name(&self, number: u32) -> &Arc<str> {
        &self.rules[number as usize].terms.name
    }

    /// The number of a rule.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// What rules say of themselves, by what they have in common.
    #[must_use]
    pub fn gates(&self) -> &Gates {
        &self.gates
    }

    /// Which conditions hold, of the rules that got this far.
    pub(super) fn sift(&self, asks: &[Ask], moment: &Moment<'_>, mut open: Bits) -> Sifted {
        let mut sifted = Sifted {
            held: Bits::none(self.rules.len()),
            asked: Bits::none(self.rules.len()),
        };
        for level in &self.levels {
            open.move_common(&level.asked, &mut sifted.asked);
            open.move_common(&level.held, &mut sifted.held);
            if open.is_empty() {
                break;
            }
            for feature in &level.features {
                if feature.rules.meets(&open) {
                    let answer = moment.answer(asks, feature.ask).val();
                    feature.apply(answer, &mut open, &mut sifted.asked);
                }
            }
        }
        sifted
    }
}

impl Feature {
    fn apply(&self, answer: Option<Val<'_>>, open: &mut Bits, asked: &mut Bits) {
        let Some(answer) = answer.filter(|answer| *answer != Val::Object) else {
            self.rules.move_to(open, asked);
            return;
        };
        if let Some(equal) = &self.equal {
            equal.rules.keep(open, equal.answers.get(answer));
        }
        if let Some(rules) = self.unequal.get(answer) {
            rules.clear(open);
        }
        if let Some([if_false, if_true]) = &self.truth {
            match answer {
                Val::Bool(true) => if_false.clear(open),
                Val::Bool(false) => if_true.clear(open),
                // Rhai takes nothing else for a truth value.
                _ => {
                    if_false.move_to(open, asked);
                    if_true.move_to(open, asked);
                }
            }
        }
        if let Some(numbers) = &self.numbers {
            numbers.apply(answer.number(), open);
        }
    }
}

impl Answers {
    fn get(&self, answer: Val<'_>) -> Option<&Few> {
        match answer {
            Val::Text(text) => self.texts.get(text),
            Val::Bool(held) => self.truths[usize::from(held)].as_ref(),
            Val::Unit => self.nothing.as_ref(),
            Val::Int(_) | Val::Decimal(_) => self.numbers.get(&answer.number()?),
            Val::Object => None,
        }
    }
}

/// Rules by constant while an index is made.
#[derive(Default)]
struct ByConst(HashMap<Const, Vec<u32>>);

impl ByConst {
    fn add(&mut self, value: &Const, rule: u32) {
        // Numbers of either kind are equal if they are the same number.
        let value = match value {
            Const::Int(n) => Const::Decimal((*n).into()),
            other => other.clone(),
        };
        let rules = self.0.entry(value).or_default();
        if rules.last() != Some(&rule) {
            rules.push(rule);
        }
    }

    fn finish(self, count: usize) -> Answers {
        let mut answers = Answers::default();
        for (value, rules) in self.0 {
            let rules = Few::new(rules, count);
            match value {
                Const::Unit => answers.nothing = Some(rules),
                Const::Bool(held) => answers.truths[usize::from(held)] = Some(rules),
                Const::Int(n) => {
                    answers.numbers.insert(n.into(), rules);
                }
                Const::Decimal(n) => {
                    answers.numbers.insert(n, rules);
                }
                Const::Text(text) => {
                    answers.texts.insert(text, rules);
                }
            }
        }
        answers
    }
}

/// A feature while an index is made.
#[derive(Default)]
struct Draft {
    rules: Vec<u32>,
    equal: ByConst,
    equal_rules: Vec<u32>,
    unequal: ByConst,
    truth: [Vec<u32>; 2],
    numbers: Vec<(Bound, Decimal, u32)>,
}

impl Draft {
    fn add(&mut self, rule: u32, simple: &Simple<'_>) {
        self.rules.push(rule);
        match simple {
            Simple::OneOf(_, values) => {
                self.equal_rules.push(rule);
                for value in values {
                    self.equal.add(value, rule);
                }
            }
            Simple::NoneOf(_, values) => {
                for value in values {
                    self.unequal.add(value, rule);
                }
            }
            Simple::Truth(_, wanted) => self.truth[usize::from(*wanted)].push(rule),
            Simple::Number(_, bound, number) => self.numbers.push((*bound, *number, rule)),
        }
    }

    fn finish(self, ask: AskId, count: usize) -> Feature {
        let [if_false, if_true] = self.truth;
        let has_truth = !(if_false.is_empty() && if_true.is_empty());
        Feature {
            ask,
            rules: Few::new(self.rules, count),
            equal: (!self.equal_rules.is_empty()).then(|| Equal {
                rules: Few::new(self.equal_rules, count),
                answers: self.equal.finish(count),
            }),
            unequal: self.unequal.finish(count),
            truth: has_truth.then(|| [Few::new(if_false, count), Few::new(if_true, count)]),
            numbers: (!self.numbers.is_empty()).then(|| Thresholds::new(self.numbers, count)),
        }
    }
}

fn levels(rules: &[Arc<Rule>], native: &Native) -> Vec<Level> {
    let count = rules.len();
    let mut levels = Vec::new();
    let mut open: Vec<(u32, &Arc<Rule>)> = (0..).zip(rules).collect();
    let mut at = 0;
    while !open.is_empty() {
        let mut level = Level {
            asked: Bits::none(count),
            held: Bits::none(count),
            features: Vec::new(),
        };
        let mut drafts: BTreeMap<AskId, Draft> = BTreeMap::new();
        open.retain(|(number, rule)| {
            let condition = native.conditions.get(rule.number);
            let condition = condition.and_then(Option::as_ref);
            match place(condition, at) {
                Place::Asked => level.asked.set(*number),
                Place::Held => level.held.set(*number),
                Place::Simple(simple) => {
                    let draft = drafts.entry(simple.ask()).or_default();
                    draft.add(*number, &simple);
                    return true;
                }
            }
            false
        });
        let features = drafts.into_iter();
        level.features = features
            .map(|(ask, draft)| draft.finish(ask, count))
            .collect();
        levels.push(level);
        at += 1;
    }
    levels
}

/// What there is at one place of a condition.
enum Place<'n> {
    Asked,
    Held,
    Simple(Simple<'n>),
}

fn place(condition: Option<&Condition>, at: usize) -> Place<'_> {
    let Some(condition) = condition.filter(|condition| condition.lets.is_empty()) else {
        return Place::Asked;
    };
    match condition.conjuncts.get(at) {
        None if condition.is_whole => Place::Held,
        None => Place::Asked,
        Some(node) => simple(node).map_or(Place::Asked, Place::Simple),
    }
}

impl Simple<'_> {
    fn ask(&self) -> AskId {
        match self {
            Self::OneOf(ask, _)
            | Self::NoneOf(ask, _)
            | Self::Truth(ask, _)
            | Self::Number(ask, ..) => *ask,
        }
    }
}

fn simple(node: &Node) -> Option<Simple<'_>> {
    match node {
        Node::Ask(ask) => Some(Simple::Truth(*ask, true)),
        Node::Compare(how, left, right) => match (&**left, &**right) {
            (Node::Ask(ask), Node::Const(value)) => compared(*how, *ask, value),
            (Node::Const(value), Node::Ask(ask)) => compared(how.mirrored(), *ask, value),
            _ => None,
        },
        Node::OneOf(value, known) => match &**value {
            Node::Ask(ask) => Some(Simple::OneOf(*ask, known.iter().collect())),
            _ => None,
        },
        Node::Not(inner) => match simple(inner)? {
            Simple::OneOf(ask, known) => Some(Simple::NoneOf(ask, known)),
            Simple::NoneOf(ask, known) => Some(Simple::OneOf(ask, known)),
            Simple::Truth(ask, wanted) => Some(Simple::Truth(ask, !wanted)),
            // What is not less need not be greater or equal: it may be no number.
            Simple::Number(..) => None,
        },
        _ => None,
    }
}

fn compared(how: Compare, ask: AskId, value: &Const) -> Option<Simple<'_>> {
    let bound = match how {
        Compare::Equal => return Some(Simple::OneOf(ask, vec![value])),
        Compare::Unequal => return Some(Simple::NoneOf(ask, vec![value])),
        Compare::Less => Bound::Below,
        Compare::LessOrEqual => Bound::AtMost,
        Compare::Greater => Bound::Above,
        Compare::GreaterOrEqual => Bound::AtLeast,
    };
    let number = value.val().number()?;
    Some(Simple::Number(ask, bound, number))
}
