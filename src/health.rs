//! Whether the engine is ready to decide, and if not, what is missing.

use crate::clock::{Millis, format_rfc3339, now_ms};
use crate::nats::{ChainState, WaitCause, Waiting};
use crate::rules::{Rule, RuleError};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What each part last said of itself.
pub struct Health {
    /// What keeps the connection from working, if anything.
    link: Box<dyn Fn() -> Option<String> + Send + Sync>,
    /// The partitions that this engine owns.
    partitions: BTreeMap<u16, PartitionHealth>,
    waits: Mutex<BTreeMap<Waits, watch::Receiver<Option<Waiting>>>>,
    rule_errors: Mutex<HashMap<Arc<str>, LastError>>,
    /// Of which text of a rule, and until when.
    quarantined: Mutex<HashMap<Arc<str>, (u64, Millis)>>,
}

/// What can wait for NATS besides the partitions' logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Waits {
    /// Reading events.
    Events,
    /// Keeping rejected events.
    DeadLetters,
}

impl Waits {
    const ALL: [Self; 2] = [Self::Events, Self::DeadLetters];

    fn word(self) -> &'static str {
        match self {
            Self::Events => "read",
            Self::DeadLetters => "dead_letters",
        }
    }

    fn deed(self) -> &'static str {
        match self {
            Self::Events => "hand out events",
            Self::DeadLetters => "keep rejected events in SCENE_DLQ",
        }
    }
}

/// What the metric calls the writes of partitions' logs.
const COMMIT: &str = "commit";
/// So many partitions are named in one obstacle; of more, only the number is told.
const PARTITIONS_NAMED_MAX: usize = 4;

/// The last failure of a rule.
#[derive(Clone, Debug, serde::Serialize)]
pub struct LastError {
    /// When, wall clock.
    pub at: Millis,
    /// What, with file and line.
    pub error: RuleError,
}

/// A rule that fails at every event is logged this often at the most.
const LOG_INTERVAL: Millis = 10_000;

#[derive(Debug, Default)]
struct PartitionHealth {
    caught_up: AtomicBool,
    pending: AtomicU64,
    chain: Mutex<Option<watch::Receiver<ChainState>>>,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Health");
        shown
            .field("obstacles", &self.obstacles())
            .finish_non_exhaustive()
    }
}

impl Health {
    /// Nobody is ready yet. `link` says what keeps the connection to the broker from working, if anything.
    #[must_use]
    pub fn new(owns: &[u16], link: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        let waiting = |partition: &u16| (*partition, PartitionHealth::default());
        Self {
            link: Box::new(link),
            partitions: owns.iter().map(waiting).collect(),
            waits: Mutex::default(),
            rule_errors: Mutex::default(),
            quarantined: Mutex::default(),
        }
    }

    pub(crate) fn rule_failed(&self, rule: &Arc<str>, error: &RuleError) {
        let mut errors = lock(&self.rule_errors);
        let at = now_ms();
        let quiet = errors
            .get(rule)
            .is_some_and(|last| last.error == *error && at - last.at < LOG_INTERVAL);
        if quiet {
            return;
        }
        let error = error.clone();
        tracing::warn!(rule = %rule, %error, "a rule failed");
        errors.insert(rule.clone(), LastError { at, error });
    }

    pub(crate) fn rule_quarantined(&self, rule: &Arc<str>, digest: u64, until: Millis) {
        let until_text = format_rfc3339(until);
        tracing::error!(
            rule = %rule,
            until = until_text,
            "a rule fails again and again and is not asked for a while: mend its file, or wait"
        );
        lock(&self.quarantined).insert(rule.clone(), (digest, until));
    }

    /// Until when a rule is in quarantine; `None` if it is not, or no longer.
    #[must_use]
    pub fn quarantined_until(&self, rule: &Rule) -> Option<Millis> {
        let held = lock(&self.quarantined).get(&rule.terms.name).copied();
        let held = held.filter(|(digest, until)| *digest == rule.digest && *until > now_ms());
        held.map(|(_, until)| until)
    }

    /// The last failure of a rule.
    #[must_use]
    pub fn rule_error(&self, rule: &str) -> Option<LastError> {
        lock(&self.rule_errors).get(rule).cloned()
    }

    pub(crate) fn watch_chain(&self, partition: u16, state: watch::Receiver<ChainState>) {
        if let Some(health) = self.partitions.get(&partition) {
            *lock(&health.chain) = Some(state);
        }
    }

    pub(crate) fn watch_waiting(&self, what: Waits, waiting: watch::Receiver<Option<Waiting>>) {
        lock(&self.waits).insert(what, waiting);
    }

    /// Tells `show` what waits for NATS, by cause: how many partitions' logs (`commit`), whether events cannot be
    /// read (`read`), whether rejected events cannot be kept (`dead_letters`). Zeros too.
    pub fn count_waiting(&self, mut show: impl FnMut(&'static str, &'static str, usize)) {
        let chains: Vec<WaitCause> = self.chains_waiting().map(|(_, w)| w.cause).collect();
        let others = self.others_waiting();
        for cause in WaitCause::ALL {
            let count = chains.iter().filter(|other| **other == cause).count();
            show(COMMIT, cause.word(), count);
            for what in Waits::ALL {
                let waits = others.iter().any(|(w, on)| *w == what && on.cause == cause);
                show(what.word(), cause.word(), usize::from(waits));
            }
        }
    }

    fn chains_waiting(&self) -> impl Iterator<Item = (u16, Waiting)> {
        self.partitions.iter().filter_map(|(partition, health)| {
            let chain = lock(&health.chain);
            let waiting = chain.as_ref()?.borrow().waiting().cloned()?;
            Some((*partition, waiting))
        })
    }

    fn others_waiting(&self) -> Vec<(Waits, Waiting)> {
        let waits = lock(&self.waits);
        let waiting = waits.iter().filter_map(|(what, on)| {
            let waiting = on.borrow().clone()?;
            Some((*what, waiting))
        });
        waiting.collect()
    }

    /// Notes how many events a partition has still to read.
    pub(crate) fn progress(&self, partition: u16, pending: u64) {
        let Some(health) = self.partitions.get(&partition) else {
            return;
        };
        health.pending.store(pending, Ordering::Relaxed);
        if pending == 0 {
            health.caught_up.store(true, Ordering::Relaxed);
        }
    }

    /// What keeps the engine from deciding now; nothing when it is ready.
    #[must_use]
    pub fn obstacles(&self) -> Vec<String> {
        let mut obstacles: Vec<String> = (self.link)().into_iter().collect();
        let catching_up: Vec<_> = self
            .partitions
            .values()
            .filter(|p| !p.caught_up.load(Ordering::Relaxed))
            .collect();
        if !catching_up.is_empty() {
            let pending: u64 = catching_up
                .iter()
                .map(|p| p.pending.load(Ordering::Relaxed))
                .sum();
            obstacles.push(format!(
                "{} of {} partitions are catching up with {pending} events",
                catching_up.len(),
                self.partitions.len()
            ));
        }
        self.tell_waiting(&mut obstacles);
        for (partition, health) in &self.partitions {
            let chain = lock(&health.chain);
            let fenced = |state: &watch::Receiver<_>| *state.borrow() == ChainState::Fenced;
            if chain.as_ref().is_some_and(fenced) {
                obstacles.push(format!("partition {partition} belongs to another engine"));
            }
        }
        obstacles
    }

    /// What waits for NATS: partitions with the same reason together, with the one that has waited longest.
    fn tell_waiting(&self, obstacles: &mut Vec<String>) {
        let now = now_ms();
        let mut reasons: BTreeMap<String, (Vec<u16>, Waiting)> = BTreeMap::new();
        for (partition, waiting) in self.chains_waiting() {
            let known = reasons.entry(waiting.reason.clone());
            let (partitions, longest) = known.or_insert_with(|| (Vec::new(), waiting.clone()));
            partitions.push(partition);
            longest.since = longest.since.min(waiting.since);
        }
        for (partitions, waiting) in reasons.into_values() {
            let who = match partitions.as_slice() {
                [one] => format!("partition {one} waits for NATS to store its decisions"),
                few if few.len() <= PARTITIONS_NAMED_MAX => {
                    let names: Vec<String> = few.iter().map(ToString::to_string).collect();
                    let names = names.join(", ");
                    format!("partitions {names} wait for NATS to store their decisions")
                }
                many => format!(
                    "{} partitions wait for NATS to store their decisions",
                    many.len()
                ),
            };
            obstacles.push(format!("{who}: {}", waiting.text(now)));
        }
        for (what, waiting) in self.others_waiting() {
            let deed = what.deed();
            obstacles.push(format!(
                "the engine waits for NATS to {deed}: {}",
                waiting.text(now)
            ));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
