//! Sets of values: what something can be while a condition holds.

use super::kind::{Kind, Type};
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// A set of numbers: whether it holds at minus infinity, and each place where that changes. A place is
/// just before a number or just after it.
#[derive(Clone, Debug, PartialEq)]
struct Numbers {
    from_start: bool,
    cuts: Vec<(Decimal, bool)>,
}

impl Numbers {
    const NONE: Self = Self {
        from_start: false,
        cuts: Vec::new(),
    };
    const ALL: Self = Self {
        from_start: true,
        cuts: Vec::new(),
    };

    fn combine(&self, other: &Self, holds: impl Fn(bool, bool) -> bool) -> Self {
        let (mut a, mut b) = (self.from_start, other.from_start);
        let from_start = holds(a, b);
        let mut last = from_start;
        let mut cuts = Vec::new();
        let (mut left, mut right) = (self.cuts.iter().peekable(), other.cuts.iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(l), Some(r)) => **l.min(r),
                (Some(l), None) => **l,
                (None, Some(r)) => **r,
                (None, None) => break,
            };
            if left.next_if(|cut| **cut == next).is_some() {
                a = !a;
            }
            if right.next_if(|cut| **cut == next).is_some() {
                b = !b;
            }
            if holds(a, b) != last {
                last = !last;
                cuts.push(next);
            }
        }
        Self { from_start, cuts }
    }

    fn is_empty(&self) -> bool {
        !self.from_start && self.cuts.is_empty()
    }
}

/// A set of texts: these, or all but these.
#[derive(Clone, Debug, PartialEq)]
struct Texts {
    except: bool,
    words: BTreeSet<Box<str>>,
}

impl Texts {
    fn intersection(&self, other: &Self) -> Self {
        let words = match (self.except, other.except) {
            (false, false) => &self.words & &other.words,
            (false, true) => &self.words - &other.words,
            (true, false) => &other.words - &self.words,
            (true, true) => &self.words | &other.words,
        };
        Self {
            except: self.except && other.except,
            words,
        }
    }

    fn complement(&self) -> Self {
        Self {
            except: !self.except,
            words: self.words.clone(),
        }
    }

    fn is_empty(&self) -> bool {
        !self.except && self.words.is_empty()
    }
}

/// A set of values of any kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Values {
    unit: bool,
    yes: bool,
    no: bool,
    /// Lists, objects and what else cannot be told apart.
    other: bool,
    numbers: Numbers,
    texts: Texts,
}

/// A value that is written in a rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Unit,
    Boolean(bool),
    Number(Decimal),
    Text(Box<str>),
}

impl Values {
    pub(super) fn none() -> Self {
        Self {
            unit: false,
            yes: false,
            no: false,
            other: false,
            numbers: Numbers::NONE,
            texts: Texts {
                except: false,
                words: BTreeSet::new(),
            },
        }
    }

    pub(super) fn all() -> Self {
        Self::none().complement()
    }

    pub(super) fn yes() -> Self {
        Self {
            yes: true,
            ..Self::none()
        }
    }

    /// What something of a kind can be.
    pub(super) fn of(kind: &Type) -> Self {
        let none = Self::none();
        let values = match &kind.kind {
            Kind::Any | Kind::Never => return Self::all(),
            Kind::Unit => Self { unit: true, ..none },
            Kind::Boolean => Self {
                yes: true,
                no: true,
                ..none
            },
            Kind::Number(low, high) => {
                let mut numbers = Numbers::ALL;
                if let Some(low) = low {
                    let above = Self::ordered(">=", *low).numbers;
                    numbers = numbers.combine(&above, |a, b| a && b);
                }
                if let Some(high) = high {
                    let below = Self::ordered("<=", *high).numbers;
                    numbers = numbers.combine(&below, |a, b| a && b);
                }
                Self { numbers, ..none }
            }
            Kind::Text(words) => Self {
                texts: Texts {
                    except: words.is_none(),
                    words: words
                        .iter()
                        .flat_map(|words| words.iter().cloned())
                        .collect(),
                },
                ..none
            },
            Kind::List | Kind::Map(_) | Kind::Object(_) | Kind::Customer => Self {
                other: true,
                ..none
            },
        };
        Self {
            unit: values.unit || kind.optional,
            ..values
        }
    }

    pub(super) fn exactly(value: &Literal) -> Self {
        let none = Self::none();
        match value {
            Literal::Unit => Self { unit: true, ..none },
            Literal::Boolean(yes) => Self {
                yes: *yes,
                no: !yes,
                ..none
            },
            Literal::Number(n) => Self {
                numbers: Numbers {
                    from_start: false,
                    cuts: vec![(*n, false), (*n, true)],
                },
                ..none
            },
            Literal::Text(word) => Self {
                texts: Texts {
                    except: false,
                    words: [word.clone()].into(),
                },
                ..none
            },
        }
    }

    /// Numbers on one side of another.
    pub(super) fn ordered(operator: &str, than: Decimal) -> Self {
        let (from_start, after) = match operator {
            "<" => (true, false),
            "<=" => (true, true),
            ">" => (false, true),
            _ => (false, false),
        };
        Self {
            numbers: Numbers {
                from_start,
                cuts: vec![(than, after)],
            },
            ..Self::none()
        }
    }

    /// The range of numbers that it is, in words; `None` if it is something else, or any number.
    pub(super) fn range(&self) -> Option<String> {
        match (self.numbers.from_start, self.numbers.cuts.as_slice()) {
            (false, [(low, _)]) => Some(format!("never below {low}")),
            (false, [(low, _), (high, _)]) => Some(format!("from {low} to {high}")),
            (true, [(high, _)]) => Some(format!("never above {high}")),
            _ => None,
        }
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        Self {
            unit: self.unit && other.unit,
            yes: self.yes && other.yes,
            no: self.no && other.no,
            other: self.other && other.other,
            numbers: self.numbers.combine(&other.numbers, |a, b| a && b),
            texts: self.texts.intersection(&other.texts),
        }
    }

    pub(super) fn complement(&self) -> Self {
        Self {
            unit: !self.unit,
            yes: !self.yes,
            no: !self.no,
            other: !self.other,
            numbers: self.numbers.combine(&Numbers::NONE, |a, _| !a),
            texts: self.texts.complement(),
        }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        let neither = self.complement().intersection(&other.complement());
        neither.complement()
    }

    pub(super) fn is_empty(&self) -> bool {
        let plain = self.unit || self.yes || self.no || self.other;
        !plain && self.numbers.is_empty() && self.texts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: i64) -> Values {
        Values::exactly(&Literal::Number(n.into()))
    }

    #[test]
    fn ranges_meet_and_leave_gaps() {
        let above = Values::ordered(">", 100.into());
        let below = Values::ordered("<", 50.into());
        assert!(above.intersection(&below).is_empty());
        let outside = above.union(&below);
        assert!(outside.intersection(&number(75)).is_empty());
        assert!(outside.intersection(&number(50)) == Values::none());
        assert!(!outside.intersection(&number(101)).is_empty());
        let edge = Values::ordered(">=", 50.into()).intersection(&Values::ordered("<=", 50.into()));
        assert_eq!(edge, number(50));
    }

    #[test]
    fn a_value_of_another_kind_is_in_the_complement() {
        let paid = Values::exactly(&Literal::Text("paid".into()));
        let not_paid = paid.complement();
        assert!(!not_paid.intersection(&number(1)).is_empty());
        assert!(not_paid.intersection(&paid).is_empty());
        assert_eq!(not_paid.union(&paid), Values::all());
    }
}
