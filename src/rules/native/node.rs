//! A condition as a tree of few kinds of nodes, and evaluating it.

use super::ask::{Ask, AskId, Place, filter_value};
use super::operators::{Arithmetic, Compare, compare, compute};
use crate::rules::moment::Moment;
use rust_decimal::{Decimal, RoundingStrategy};

/// How many values a condition may give names to.
pub(super) const REGISTERS: usize = 24;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Val<'v> {
    Unit,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(&'v str),
    /// A list, or something with fields: nothing is known of it but that it is there.
    Object,
}

impl Val<'_> {
    /// The number, if it is one.
    pub(super) fn number(self) -> Option<Decimal> {
        match self {
            Self::Int(n) => Some(n.into()),
            Self::Decimal(n) => Some(n),
            _ => None,
        }
    }
}

/// A value that stands in a rule file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::rules) enum Const {
    Unit,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(Box<str>),
}

impl Const {
    pub(super) fn val(&self) -> Val<'_> {
        match self {
            Self::Unit => Val::Unit,
            Self::Bool(b) => Val::Bool(*b),
            Self::Int(n) => Val::Int(*n),
            Self::Decimal(n) => Val::Decimal(*n),
            Self::Text(text) => Val::Text(text),
        }
    }
}

/// Why there is no value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop<'v> {
    /// Rhai must be asked.
    Unsure,
    /// The function returned this.
    Return(Val<'v>),
}

/// Part of a condition.
#[derive(Debug)]
pub(super) enum Node {
    Const(Const),
    Ask(AskId),
    /// The same with a filter of which some values must be computed.
    Filtered(Box<Ask>, Vec<(Place, Node)>),
    Register(u8),
    Compare(Compare, Box<Node>, Box<Node>),
    Compute(Arithmetic, Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negative(Box<Node>),
    Rounded(Box<Node>, Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    /// The first that is not `()`.
    First(Vec<Node>),
    /// Whether a value is one of these.
    OneOf(Box<Node>, Vec<Const>),
    /// Whether a whole number is in a range; the last one belongs to it.
    Within(Box<Node>, i64, i64),
    If(Box<Node>, Box<Node>, Box<Node>),
    /// One after another; the last is the value.
    Block(Vec<Step>),
    Return(Box<Node>),
    /// The body of a function, after its arguments.
    Call(Vec<(u8, Node)>, Box<Node>),
}

/// A statement.
#[derive(Debug)]
pub(super) enum Step {
    Let(u8, Node),
    Value(Node),
}

/// Where a condition is evaluated.
pub(super) struct Frame<'v> {
    asks: &'v [Ask],
    moment: &'v Moment<'v>,
    registers: [Val<'v>; REGISTERS],
}

impl<'v> Frame<'v> {
    pub(super) fn new(asks: &'v [Ask], moment: &'v Moment<'v>) -> Self {
        Self {
            asks,
            moment,
            registers: [Val::Unit; REGISTERS],
        }
    }

    pub(super) fn set(&mut self, register: u8, value: Val<'v>) {
        self.registers[usize::from(register)] = value;
    }
}

impl Node {
    /// What it comes to.
    pub(super) fn value<'v>(&'v self, frame: &mut Frame<'v>) -> Result<Val<'v>, Stop<'v>> {
        match self {
            Self::Const(value) => Ok(value.val()),
            Self::Ask(id) => frame
                .moment
                .answer(frame.asks, *id)
                .val()
                .ok_or(Stop::Unsure),
            Self::Filtered(ask, computed) => filtered(ask, computed, frame),
            Self::Register(register) => Ok(frame.registers[usize::from(*register)]),
            Self::Compare(how, left, right) => {
                let (left, right) = (left.value(frame)?, right.value(frame)?);
                compare(*how, left, right)
                    .map(Val::Bool)
                    .ok_or(Stop::Unsure)
            }
            Self::Compute(how, left, right) => {
                let (left, right) = (left.value(frame)?, right.value(frame)?);
                compute(*how, left, right).ok_or(Stop::Unsure)
            }
            Self::Not(inner) => Ok(Val::Bool(!inner.truth(frame)?)),
            Self::Negative(inner) => match inner.value(frame)? {
                Val::Int(n) => n.checked_neg().map(Val::Int).ok_or(Stop::Unsure),
                Val::Decimal(n) => Ok(Val::Decimal(-n)),
                _ => Err(Stop::Unsure),
            },
            Self::Rounded(number, digits) => {
                rounded(number.value(frame)?, digits.value(frame)?).ok_or(Stop::Unsure)
            }
            Self::All(parts) => unless_other(true, parts, frame),
            Self::Any(parts) => unless_other(false, parts, frame),
            Self::First(parts) => {
                for part in parts {
                    let value = part.value(frame)?;
                    if value != Val::Unit {
                        return Ok(value);
                    }
                }
                Ok(Val::Unit)
            }
            Self::OneOf(..) | Self::Within(..) => self.membership(frame),
            Self::If(condition, then, otherwise) => {
                if condition.truth(frame)? {
                    then.value(frame)
                } else {
                    otherwise.value(frame)
                }
            }
            Self::Block(steps) => block(steps, frame),
            Self::Return(value) => Err(Stop::Return(value.value(frame)?)),
            Self::Call(arguments, body) => {
                for (register, argument) in arguments {
                    let value = argument.value(frame)?;
                    frame.set(*register, value);
                }
                match body.value(frame) {
                    Err(Stop::Return(value)) => Ok(value),
                    other => other,
                }
            }
        }
    }

    fn truth<'v>(&'v self, frame: &mut Frame<'v>) -> Result<bool, Stop<'v>> {
        match self.value(frame)? {
            Val::Bool(held) => Ok(held),
            _ => Err(Stop::Unsure),
        }
    }

    fn membership<'v>(&'v self, frame: &mut Frame<'v>) -> Result<Val<'v>, Stop<'v>> {
        let held = match self {
            Self::OneOf(value, known) => {
                let value = value.value(frame)?;
                if value == Val::Object {
                    return Err(Stop::Unsure);
                }
                let is = |one: &Const| compare(Compare::Equal, one.val(), value) == Some(true);
                known.iter().any(is)
            }
            Self::Within(value, first, last) => match value.value(frame)? {
                Val::Int(n) => (*first..=*last).contains(&n),
                _ => return Err(Stop::Unsure),
            },
            _ => return Err(Stop::Unsure),
        };
        Ok(Val::Bool(held))
    }
}

/// `held`, unless one of the parts comes to the other truth value: those behind it are not reached.
fn unless_other<'v>(
    held: bool,
    parts: &'v [Node],
    frame: &mut Frame<'v>,
) -> Result<Val<'v>, Stop<'v>> {
    for part in parts {
        if part.truth(frame)? != held {
            return Ok(Val::Bool(!held));
        }
    }
    Ok(Val::Bool(held))
}

fn filtered<'v>(
    ask: &'v Ask,
    computed: &'v [(Place, Node)],
    frame: &mut Frame<'v>,
) -> Result<Val<'v>, Stop<'v>> {
    let mut filter = Vec::with_capacity(computed.len());
    for (place, node) in computed {
        let value = node.value(frame)?;
        let value = filter_value(value, frame.moment).ok_or(Stop::Unsure)?;
        filter.push((place.field(frame.moment), value));
    }
    ask.count_of(frame.moment, filter)
        .map(Val::Int)
        .ok_or(Stop::Unsure)
}

fn block<'v>(steps: &'v [Step], frame: &mut Frame<'v>) -> Result<Val<'v>, Stop<'v>> {
    let mut last = Val::Unit;
    for step in steps {
        last = match step {
            Step::Let(register, node) => {
                let value = node.value(frame)?;
                frame.set(*register, value);
                Val::Unit
            }
            Step::Value(node) => node.value(frame)?,
        };
    }
    Ok(last)
}

fn rounded<'v>(number: Val<'v>, digits: Val<'v>) -> Option<Val<'v>> {
    let Val::Int(digits) = digits else {
        return None;
    };
    match number {
        Val::Int(n) => Some(Val::Int(n)),
        Val::Decimal(n) => {
            let digits = u32::try_from(digits.clamp(0, 28)).ok()?;
            let strategy = RoundingStrategy::MidpointNearestEven;
            Some(Val::Decimal(n.round_dp_with_strategy(digits, strategy)))
        }
        _ => None,
    }
}
