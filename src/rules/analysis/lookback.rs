//! Whether `still` looks back as far as the rule waited.

use super::RuleView;
use super::findings::{Fault, Findings};
use crate::clock::Millis;
use crate::rules::catalogue::{CUSTOMER_FUNCTIONS, Parameter};
use crate::state::Window;
use rhai::{ASTNode, Expr};

/// Looks for windows in `still` that are shorter than the rule's `delay`.
pub(super) fn check(rule: &RuleView<'_>, findings: &mut Findings) {
    let delay = rule.terms.as_ref().and_then(|terms| terms.delay);
    let Some((delay, still)) = delay.zip(rule.file.function("still")) else {
        return;
    };
    let mut short = Vec::new();
    for statement in &still.body {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
            if let Some(ASTNode::Expr(Expr::MethodCall(call, _))) = path.last() {
                short.extend(window(&call.name, &call.args).filter(|(length, _)| *length < delay));
            }
            true
        });
    }
    let waited = length(delay);
    for (window, at) in short {
        let file = &rule.file;
        findings.warning(
            file,
            file.marks().token(at),
            Fault::new(
                "short-look-back",
                format!(
                    "`still` looks back {}, but `delay` is {waited}: what happens in the first {} is not seen",
                    length(window),
                    length(delay - window)
                ),
                format!("shorter than {waited}"),
                format!("write \"{waited}\" or more: windows reach back from the end of the wait"),
            ),
        );
    }
}

/// The window that a function of the customer is asked with, and where it stands.
fn window(name: &str, arguments: &[Expr]) -> Option<(Millis, rhai::Position)> {
    let function = CUSTOMER_FUNCTIONS.iter().find(|f| f.name == name)?;
    let mut signatures = function.signatures.iter();
    let signature = signatures.find(|signature| signature.len() == arguments.len())?;
    let at = signature.iter().position(|p| *p == Parameter::Window)?;
    let Expr::StringConstant(word, at) = &arguments[at] else {
        return None;
    };
    Some((Window::parse(word)?.millis(), *at))
}

/// A length as rules write it.
fn length(millis: Millis) -> String {
    let seconds = millis / 1_000;
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let whole = units.into_iter().find(|(unit, _)| seconds % unit == 0);
    whole.map_or_else(
        || format!("{seconds}s"),
        |(unit, name)| format!("{}{name}", seconds / unit),
    )
}
