//! A rule's own cooldown and cap.

use super::trace::{self, Trace};
use crate::action::Verdict;
use crate::clock::Millis;
use crate::event::Value;
use crate::terms::Terms;

/// Whether a rule may speak to a customer again. `said` tells when it began to speak within a length
/// before now, which ends at `at`. Something sent exactly a cooldown ago no longer stands in the way, as
/// for every window.
#[must_use]
pub fn frequency(
    terms: &Terms,
    said: impl Fn(Millis) -> Vec<Millis>,
    trace: &mut Trace,
) -> Option<Verdict> {
    let limits = [
        (Verdict::Cooldown, terms.cooldown.map(|window| (1, window))),
        (Verdict::Cap, terms.cap.map(|cap| (cap.count, cap.window))),
    ];
    for (verdict, limit) in limits {
        let Some((limit, window)) = limit else {
            continue;
        };
        let mut times = said(window.millis());
        let over = times.len().checked_sub(limit as usize);
        trace.push(verdict.word(), over.is_none(), || {
            times.sort_unstable();
            let mut detail = vec![
                ("count", trace::count(times.len())),
                ("limit", Value::Int(limit.into())),
                ("window", trace::word(&window.to_string())),
            ];
            let first = over.and_then(|over| times.get(over));
            let until = first.map(|at| at.saturating_add(window.millis()));
            detail.extend(until.map(|until| ("until", trace::time(until))));
            detail
        });
        if over.is_some() {
            return Some(verdict);
        }
    }
    None
}
