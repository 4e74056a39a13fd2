//! What the demo has shown, in numbers.

use super::screen::Screen;
use super::tally::Tally;
use crate::cli::simulate::latencies::{Latencies, millis};
use crate::cli::simulate::sender::Deliveries;
use crate::cli::simulate::{grouped, per_second};
use crate::telemetry::Metrics;
use std::collections::BTreeMap;
use std::time::Duration;

/// Verdicts of rules whose condition held and whose action did not go out, in the order of the engine.
const KEPT_BACK: [&str; 11] = [
    "cooldown",
    "cap",
    "excluded",
    "consent",
    "unreachable",
    "quiet_hours",
    "policy_cap",
    "budget",
    "arbitration",
    "still",
    "none",
];
const OUTCOMES: [&str; 6] = [
    "delivered",
    "failed",
    "opened",
    "declined",
    "accepted",
    "redeemed",
];

/// What the engine counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    rule_errors: u64,
    rejected: u64,
    verdicts: BTreeMap<&'static str, u64>,
}

impl Counters {
    pub(super) fn read(metrics: &Metrics) -> Self {
        let text = metrics.render().unwrap_or_default();
        let verdicts = KEPT_BACK.map(|verdict| {
            let label = format!("verdict=\"{verdict}\"");
            (verdict, total(&text, "onscene_verdicts_total", &label))
        });
        Self {
            rule_errors: total(&text, "onscene_rule_errors_total", ""),
            rejected: total(&text, "onscene_rejected_events_total", ""),
            verdicts: verdicts.into(),
        }
    }
}

/// How many events the engine has taken in, the rejected among them.
pub(super) fn events_applied(metrics: &Metrics) -> u64 {
    let text = metrics.render().unwrap_or_default();
    total(&text, "onscene_events_total", "") + total(&text, "onscene_rejected_events_total", "")
}

/// The sum of a counter's series with a label, in the Prometheus text format.
fn total(text: &str, name: &str, label: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Everything there is to tell in the end.
pub(super) struct Summary {
    /// What became of the events of the opening.
    pub(super) opening: Deliveries,
    /// What became of all events.
    pub(super) all: Deliveries,
    /// How long the live traffic lasted.
    pub(super) took: Duration,
    pub(super) tally: Tally,
    /// What the customers told of the actions.
    pub(super) outcomes: BTreeMap<String, u64>,
    pub(super) counters: Counters,
}

impl Summary {
    pub(super) fn print(&self, screen: &mut Screen) {
        let head = format!("{:<22}{:>9}{:>11}{:>11}", "scene", "actions", "p50", "p99");
        let head = screen.paint("1", &head);
        screen.line(&head);
        for (scene, tally) in &self.tally.scenes {
            screen.line(&row(scene, tally.actions, &tally.latencies));
        }
        let all = row("all", self.tally.sent(), &self.tally.all);
        let all = screen.paint("1", &all);
        screen.line(&all);
        screen
            .line("latency: from just before an event is published until its action is received;");
        screen.line("         of those that were due at once, not of later steps and after delays");
        screen.line("");
        for (what, text) in self.facts() {
            screen.line(&format!("{what:<16}{text}"));
        }
        let silent = (self.tally.scenes.iter()).filter(|(_, tally)| tally.actions == 0);
        let (missing, later): (Vec<_>, Vec<_>) =
            silent.partition(|(_, tally)| tally.later.is_empty());
        for (scene, tally) in later {
            let what = "not yet";
            screen.line(&format!("{what:<16}{scene}: {}", tally.later));
        }
        if !missing.is_empty() {
            let missing: Vec<&str> = missing.iter().map(|(scene, _)| scene.as_str()).collect();
            screen.line("");
            screen.notice(&format!("NO ACTION was seen of: {}", missing.join(", ")));
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let live = self.all.acked - self.opening.acked;
        let counters = &self.counters;
        let kept_back = KEPT_BACK.map(|verdict| (verdict, counters.verdicts.get(verdict)));
        let outcomes = OUTCOMES.map(|outcome| (outcome, self.outcomes.get(outcome)));
        let channels = self.tally.channels.iter();
        vec![
            (
                "events",
                format!(
                    "{} live in {:.1} s ({}/s), {} before{}",
                    grouped(live),
                    self.took.as_secs_f64(),
                    grouped(per_second(live, self.took)),
                    grouped(self.opening.acked),
                    self.all.troubles(),
                ),
            ),
            (
                "stored by NATS",
                format!(
                    "events acknowledged within {}",
                    self.all.acks.since(&self.opening.acks).summary()
                ),
            ),
            (
                "channels",
                list(channels.map(|(c, n)| (c.as_str(), Some(n)))),
            ),
            (
                "control group",
                format!("{} held out on purpose", grouped(self.tally.holdouts)),
            ),
            ("not sent", list(kept_back)),
            ("outcomes", list(outcomes)),
            ("rule errors", grouped(counters.rule_errors)),
            (
                "dead letters",
                match counters.rejected {
                    0 => "0".to_owned(),
                    some => format!("{} (see `onscene dlq list`)", grouped(some)),
                },
            ),
        ]
    }
}

fn row(scene: &str, actions: u64, latencies: &Latencies) -> String {
    let [median, high] = [50, 99].map(|percent| millis(latencies.percentile(percent)));
    let count = grouped(actions);
    format!("{scene:<22}{count:>9}{median:>11}{high:>11}")
}

/// `push 12, im 3`; what is zero is left out.
fn list<'a>(counts: impl IntoIterator<Item = (&'a str, Option<&'a u64>)>) -> String {
    let parts: Vec<String> = counts
        .into_iter()
        .filter_map(|(name, count)| Some((name, count.filter(|count| **count > 0)?)))
        .map(|(name, count)| format!("{name} {}", grouped(*count)))
        .collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_their_series() {
        let text = "# HELP a_total x\na_total{r=\"x\",v=\"cap\"} 3\na_total{r=\"y\",v=\"cap\"} 4\n\
                    a_total{r=\"y\",v=\"none\"} 5\na_total_more 9\nb_total 7\n";
        assert_eq!(total(text, "a_total", ""), 12);
        assert_eq!(total(text, "a_total", "v=\"cap\""), 7);
        assert_eq!(total(text, "b_total", ""), 7);
        assert_eq!(total(text, "c_total", ""), 0);
    }

    #[test]
    fn the_engine_s_counters_are_found_under_their_names() {
        let metrics = Metrics::new();
        metrics.events.with_label_values(&["bill.due"]).inc_by(5);
        metrics.reject(crate::decode::Reason::NotJson);
        metrics.rule_failed("a/b", "when", 3);
        metrics.verdict("a/b", crate::action::Verdict::Cooldown, 9);
        assert_eq!(events_applied(&metrics), 6);
        let counters = Counters::read(&metrics);
        assert_eq!((counters.rejected, counters.rule_errors), (1, 1));
        assert_eq!(counters.verdicts["cooldown"], 9);
    }
}
