//! Journeys, counted.

use super::fact::Side;
use super::model::{Figures, Sides};
use super::people::approximate;
use super::units::Unit;
use crate::event::OutcomeKind;

impl Sides {
    fn count(&mut self, side: Side) {
        *match side {
            Side::Treated => &mut self.sent,
            Side::HeldOut => &mut self.held_out,
            Side::Control => &mut self.control,
            Side::Shadow => &mut self.shadow,
        } += 1;
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.sent + self.held_out + self.control + self.shadow
    }
}

/// What journeys came to, but for what is credited to them.
pub(super) fn figures<'a>(units: impl Iterator<Item = &'a Unit>) -> Figures {
    let mut figures = Figures::default();
    for unit in units {
        figures.journeys.count(unit.side);
        if unit.converted_at.is_some() {
            figures.converted.count(unit.side);
        }
        if unit.side == Side::Treated {
            add_sent(&mut figures, unit);
        }
    }
    figures.proposals = figures.journeys.total();
    let cost = approximate(figures.cost);
    figures.return_on_spend = (cost > 0.0).then(|| approximate(figures.value_won) / cost);
    figures
}

fn add_sent(figures: &mut Figures, unit: &Unit) {
    figures.actions += u64::from(unit.messages);
    figures.cost = figures.cost.saturating_add(unit.cost);
    figures.value_won = figures.value_won.saturating_add(unit.value);
    figures.conversions_without_value += u64::from(unit.events_without_value);
    let was_delivered = unit.has(OutcomeKind::Delivered) || unit.has(OutcomeKind::Opened);
    figures.failed += u64::from(unit.has(OutcomeKind::Failed) && !was_delivered);
    for (outcome, count) in [
        (OutcomeKind::Delivered, &mut figures.delivered),
        (OutcomeKind::Opened, &mut figures.opened),
        (OutcomeKind::Accepted, &mut figures.accepted),
        (OutcomeKind::Declined, &mut figures.declined),
        (OutcomeKind::Redeemed, &mut figures.redeemed),
        (OutcomeKind::Unsubscribed, &mut figures.unsubscribed),
    ] {
        *count += u64::from(unit.has(outcome));
    }
}
