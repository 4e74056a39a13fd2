//! The live feed: counts every action, shows some, and tells when the rules changed.

use super::screen::Screen;
use super::tally::Tally;
use super::ticker::{Line, Ticker};
use super::triggers::Triggers;
use crate::cli::simulate::action::Action;
use crate::cli::simulate::grouped;
use crate::cli::simulate::latencies::millis;
use crate::clock::{HOUR, Millis, now_ms};
use crate::registry::RuleRegistry;
use crate::rules::RuleSet;
use crate::state::Window;
use crate::terms::Terms;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// An action is two lines on a terminal: more a second cannot be read.
const SHOW_INTERVAL: Duration = Duration::from_millis(400);
/// After so many shown actions the others are counted.
const SHOWN_PER_COUNT: u32 = 5;

/// What the demo shows while it is live.
pub(super) struct Show {
    registry: Arc<RuleRegistry>,
    rules: Arc<RuleSet>,
    /// When the fault that was told last was noticed.
    fault: Option<Millis>,
    locale: &'static str,
    zone: TimeZone,
    tally: Tally,
    ticker: Ticker,
    shown: u32,
    quiet: bool,
}

impl Show {
    #[expect(
        clippy::disallowed_methods,
        reason = "the display shows the time of whoever looks at it"
    )]
    pub(super) fn new(registry: Arc<RuleRegistry>, locale: &'static str) -> Self {
        let rules = registry.live();
        Self {
            tally: Tally::of(scenes(&rules)),
            rules,
            registry,
            fault: None,
            locale,
            zone: TimeZone::system(),
            ticker: Ticker::default(),
            shown: 0,
            quiet: false,
        }
    }

    /// From now on actions are counted, and none is shown.
    pub(super) fn quiet(&mut self) {
        self.quiet = true;
    }

    pub(super) fn into_tally(self) -> Tally {
        self.tally
    }

    /// Runs until nobody reads the screen any more.
    pub(super) async fn run(
        &mut self,
        actions: &mut mpsc::Receiver<Action>,
        triggers: &RefCell<Triggers>,
        screen: &mut Screen,
    ) {
        let mut tick = tokio::time::interval(SHOW_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !screen.closed() {
            tokio::select! {
                Some(action) = actions.recv() => self.take(&action, &triggers.borrow()),
                _ = tick.tick() => self.tick(screen),
            }
        }
    }

    fn take(&mut self, action: &Action, triggers: &Triggers) {
        let data = &action.event.data;
        let live = self.registry.live();
        let terms = live.rule(&data.rule).map(|rule| &rule.terms);
        let published = triggers.find(&data.trigger);
        let (story, took) = match (published, terms) {
            (Some(published), Some(terms)) if terms.delay.is_some() || data.step > 0 => {
                (published.story.clone(), None)
            }
            (Some(published), _) => {
                let took = action.received.saturating_duration_since(published.at);
                (published.story.clone(), Some(took))
            }
            (None, Some(terms)) if terms.daily_at().is_some() => {
                (format!("{}, as every morning", data.trigger.id), None)
            }
            // What others' events led to is none of our business.
            (None, _) => return,
        };
        let scene = scene_of(&live, &data.rule);
        self.tally.count(scene, action, took);
        if action.is_sent() {
            self.ticker.offer(Line {
                time: time_of_day(now_ms(), &self.zone),
                scene: scene.to_owned(),
                story,
                waited: took.is_none(),
                rule: data.rule.clone(),
                channel: data.channel.clone(),
                text: action.text(self.locale).to_owned(),
                took: match (took, terms.and_then(|terms| terms.delay)) {
                    (None, Some(delay)) => format!("{} on", Window::from_millis(delay)),
                    (None, None) if data.step > 0 => format!("step {}", data.step),
                    (took, _) => millis(took),
                },
            });
        }
    }

    fn tick(&mut self, screen: &mut Screen) {
        if self.quiet {
            return;
        }
        self.tell_changes(screen);
        if let Some(line) = self.ticker.take() {
            screen.action(&line);
            self.shown += 1;
        }
        if self.shown >= SHOWN_PER_COUNT {
            self.shown = 0;
            match self.ticker.passed_over() {
                0 => {}
                others => screen.remark(&format!("… and {} more", grouped(others))),
            }
        }
    }

    /// Tells of a new generation, or of what is wrong with it.
    fn tell_changes(&mut self, screen: &mut Screen) {
        let live = self.registry.live();
        if live.generation() != self.rules.generation() {
            screen.notice(&format!(
                "── rules reloaded: generation {} is live, {} rules ──",
                live.generation(),
                live.rules().len()
            ));
            self.rules = live;
        }
        let fault = self.registry.fault();
        let at = fault.as_ref().map(|fault| fault.at);
        if at == self.fault {
            return;
        }
        self.fault = at;
        match fault {
            Some(fault) => {
                screen.notice("── not reloaded, the rules before stay live: ──");
                screen.line(&fault.text);
            }
            None => screen.notice("── the rule files are sound again ──"),
        }
    }
}

/// The scenes of a rule set, each with why nothing of it may be seen within minutes.
fn scenes(rules: &RuleSet) -> BTreeMap<String, String> {
    let mut scenes: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    for rule in rules.rules() {
        let scene = scene_of(rules, &rule.terms.name).to_owned();
        let reasons = scenes.entry(scene).or_default();
        reasons.push(later(&rule.terms));
    }
    // One rule that can speak at once is enough to expect something.
    let reason = |reasons: Vec<Option<String>>| {
        let all: Option<BTreeSet<String>> = reasons.into_iter().collect();
        all.map_or_else(String::new, |all| {
            all.into_iter().collect::<Vec<_>>().join("; ")
        })
    };
    scenes
        .into_iter()
        .map(|(scene, reasons)| (scene, reason(reasons)))
        .collect()
}

/// Why a rule may be silent for long: it is tried once a day, or waits for hours.
fn later(terms: &Terms) -> Option<String> {
    if let Some(at) = terms.daily_at() {
        let at = at.strftime("%H:%M");
        return Some(format!(
            "customers are looked at each day at {at}, their time"
        ));
    }
    let delay = terms.delay.filter(|delay| *delay >= HOUR)?;
    Some(format!(
        "decided {} after the event",
        Window::from_millis(delay)
    ))
}

/// The scene that a rule names, or else its folder.
fn scene_of<'a>(rules: &'a RuleSet, rule: &'a str) -> &'a str {
    let known = rules
        .rules()
        .iter()
        .find(|known| &*known.terms.name == rule);
    let named = known.and_then(|known| known.terms.scene.as_deref());
    named.unwrap_or_else(|| rule.split_once('/').map_or(rule, |(folder, _)| folder))
}

fn time_of_day(time: Millis, zone: &TimeZone) -> String {
    Timestamp::from_millisecond(time).map_or_else(
        |_| time.to_string(),
        |time| time.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
    )
}
