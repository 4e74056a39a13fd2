//! What a condition says: whether it can be true, whether it can be false, and which of its parts say
//! nothing. A condition is over-approximated by what each thing it asks about can be while it holds.

mod formula;
mod report;

pub(super) use formula::{Condition, Formula, Node, together};

use super::RuleView;
use super::file::FunctionView;
use super::walk::Walker;

/// Looks at what a function that is a condition says; `None` if it is not written as one.
pub(super) fn check<'e>(
    walker: &mut Walker<'_, '_>,
    rule: &RuleView<'_>,
    function: &'e FunctionView,
) -> Option<Condition<'e>> {
    let condition = formula::read(walker, function)?;
    report::report(walker, rule, function, &condition);
    Some(condition)
}
