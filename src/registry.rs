//! The live rule set: loaded from a folder, watched, and swapped whole.

mod approval;
mod governed;
mod watch;

use crate::clock::{Millis, now_ms};
use crate::rule_tests::{Environment, Workplace, gate};
use crate::rules::{Diagnostic, RuleSet, Sources, SourcesError, render};
use crate::telemetry::Metrics;
pub use approval::{ApprovedText, ApprovedTexts, Unapproved};
use arc_swap::ArcSwap;
pub use governed::{Cause, Keeper, Pinned};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::watch as signal;
pub use watch::Watcher;

/// Why the first rule set cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The folder could not be read.
    #[error("could not load the rules in {}", folder.display())]
    Sources {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: SourcesError,
    },
    /// Files are faulty.
    #[error("the rules in {} have {} fault(s):\n{}", folder.display(), faults.len(), render(faults))]
    Faulty {
        /// Which.
        folder: PathBuf,
        /// Each fault.
        faults: Vec<Diagnostic>,
    },
    /// The folder could not be watched.
    #[error("could not watch {} for changes", folder.display())]
    Watch {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: notify::Error,
    },
}

fn because(error: &SourcesError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Why the files in the folder are not live.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Fault {
    /// When it was noticed.
    pub at: Millis,
    /// Each fault with its file, line and column.
    pub faults: Vec<Diagnostic>,
    /// All of it as a person reads it.
    pub text: String,
}

/// What rules must pass, beside being sound, before they go live.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// Their tests, played with this configuration; `None` if tests are not asked.
    pub tests: Option<Environment>,
    /// Whether Rhai is asked for every condition, without native code and without an index.
    pub plain: bool,
}

impl Demands {
    /// A rule set in the form in which it goes live.
    fn form(&self, set: Arc<RuleSet>) -> Arc<RuleSet> {
        if self.plain {
            Arc::new(RuleSet::clone(&set).plain())
        } else {
            set
        }
    }
}

impl Demands {
    /// What is wrong with a rule set, of which `before` passed in an earlier form.
    fn faults(
        &self,
        sources: &Sources,
        set: &RuleSet,
        before: Option<&Sources>,
    ) -> Vec<Diagnostic> {
        let Some(environment) = &self.tests else {
            return Vec::new();
        };
        let workplace = Workplace {
            sources,
            set,
            environment,
        };
        gate(workplace, before)
    }
}

/// The live generation and what is wrong with the next one.
#[derive(Debug)]
pub struct RuleRegistry {
    folder: PathBuf,
    live: ArcSwap<RuleSet>,
    live_since: Mutex<Millis>,
    fault: Mutex<Option<Arc<Fault>>>,
    /// The files that were looked at last, live or faulty.
    seen: Mutex<Sources>,
    /// The files of the folder that passed last: they are live, unless another generation is pinned.
    passed: Mutex<Sources>,
    /// What is live.
    live_sources: Mutex<Sources>,
    /// Nobody else may change what is live meanwhile.
    turn: Mutex<()>,
    keeper: OnceLock<Arc<dyn Keeper>>,
    /// Texts that a second person has approved.
    approved: Mutex<ApprovedTexts>,
    /// Files that wait for that.
    unapproved: Mutex<Vec<Unapproved>>,
    /// Another generation than the folder's stays live.
    pinned: Mutex<Option<Arc<Pinned>>>,
    demands: Demands,
    metrics: Arc<Metrics>,
    /// How many generations went live since the start.
    generations: signal::Sender<u64>,
}

impl RuleRegistry {
    /// Loads the rules of a folder.
    ///
    /// # Errors
    /// When the folder cannot be read or a file is faulty: there is no good generation to fall back to.
    pub fn open(
        folder: &Path,
        metrics: Arc<Metrics>,
        demands: Demands,
    ) -> Result<Arc<Self>, RegistryError> {
        let sources = Sources::read(folder).map_err(|source| RegistryError::Sources {
            folder: folder.to_owned(),
            source,
        })?;
        let faulty = |faults| RegistryError::Faulty {
            folder: folder.to_owned(),
            faults,
        };
        let set = RuleSet::compile(&sources).map_err(faulty)?;
        let failed = demands.faults(&sources, &set, None);
        if !failed.is_empty() {
            return Err(faulty(failed));
        }
        metrics.rules.set(count(&set));
        tracing::info!(
            generation = %set.generation(),
            rules = set.rules().len(),
            warnings = set.warnings().len(),
            folder = %folder.display(),
            "rules loaded"
        );
        let set = Arc::new(set);
        Ok(Arc::new(Self::holding(
            folder, set, sources, metrics, demands,
        )))
    }

    fn holding(
        folder: &Path,
        set: Arc<RuleSet>,
        sources: Sources,
        metrics: Arc<Metrics>,
        demands: Demands,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            generations: signal::Sender::new(0),
            live: ArcSwap::new(demands.form(set)),
            live_since: Mutex::new(now_ms()),
            fault: Mutex::new(None),
            seen: Mutex::new(sources.clone()),
            passed: Mutex::new(sources.clone()),
            live_sources: Mutex::new(sources),
            turn: Mutex::default(),
            keeper: OnceLock::new(),
            approved: Mutex::default(),
            unapproved: Mutex::default(),
            pinned: Mutex::default(),
            demands,
            metrics,
        }
    }

    /// A registry of rules that are no files: a simulation's.
    #[cfg(test)]
    pub(crate) fn of(set: Arc<RuleSet>, metrics: Arc<Metrics>) -> Arc<Self> {
        let folder = Path::new("");
        let demands = Demands::default();
        Arc::new(Self::holding(
            folder,
            set,
            Sources::default(),
            metrics,
            demands,
        ))
    }

    /// Puts other rules live, as a reload does.
    #[cfg(test)]
    pub(crate) fn put_live(&self, set: Arc<RuleSet>) {
        self.swap(set, crate::clock::monotonic_now());
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The live rule set.
    #[must_use]
    pub fn live(&self) -> Arc<RuleSet> {
        self.live.load_full()
    }

    /// The live rule set with the texts that it was made from.
    #[must_use]
    pub fn live_texts(&self) -> (Arc<RuleSet>, Sources) {
        let sources = lock(&self.live_sources).clone();
        let live = self.live();
        if sources.generation() == *live.generation() {
            return (live, sources);
        }
        // Others have passed, and go live at once.
        match RuleSet::compile(&sources) {
            Ok(set) => (Arc::new(set), sources),
            Err(_) => (live, sources),
        }
    }

    /// Changes whenever another generation has gone live.
    #[must_use]
    pub fn generations(&self) -> signal::Receiver<u64> {
        self.generations.subscribe()
    }

    /// Since when it is live.
    #[must_use]
    pub fn live_since(&self) -> Millis {
        *lock(&self.live_since)
    }

    /// What is wrong with the files in the folder now, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<Arc<Fault>> {
        lock(&self.fault).clone()
    }

    /// Looks at the folder and swaps its rules in, if they changed and are sound. Returns whether it
    /// swapped.
    pub fn reload(&self) -> bool {
        let started = crate::clock::monotonic_now();
        let _turn = lock(&self.turn);
        let sources = match Sources::read(&self.folder) {
            Ok(sources) => sources,
            Err(error) => {
                self.refuse(Vec::new(), because(&error));
                return false;
            }
        };
        {
            let mut seen = lock(&self.seen);
            if *seen == sources {
                // A folder that could not be read for a while is as it was.
                if *lock(&self.passed) == sources {
                    self.clear_fault();
                }
                return false;
            }
            *seen = sources.clone();
        }
        let before = lock(&self.passed).clone();
        let set = RuleSet::compile(&sources).and_then(|set| {
            let failed = self.demands.faults(&sources, &set, Some(&before));
            if failed.is_empty() {
                Ok(set)
            } else {
                Err(failed)
            }
        });
        match set {
            Err(faults) => {
                let text = render(&faults);
                self.refuse(faults, text);
                false
            }
            Ok(set) => {
                *lock(&self.passed) = sources.clone();
                self.clear_fault();
                self.take(&sources, set, started, Cause::Folder)
            }
        }
    }

    fn swap(&self, set: Arc<RuleSet>, started: std::time::Instant) {
        self.metrics.rules.set(count(&set));
        let before = self.live.swap(self.demands.form(set.clone()));
        self.generations.send_modify(|count| *count += 1);
        *lock(&self.live_since) = now_ms();
        self.metrics.reloads.with_label_values(&["swapped"]).inc();
        let seconds = started.elapsed().as_secs_f64();
        self.metrics.reload_seconds.observe(seconds);
        tracing::info!(
            generation = %set.generation(),
            before = %before.generation(),
            rules = set.rules().len(),
            warnings = set.warnings().len(),
            milliseconds = seconds * 1e3,
            "rules swapped"
        );
    }

    fn clear_fault(&self) {
        *lock(&self.fault) = None;
        self.metrics.rules_faulty.set(0);
    }

    fn refuse(&self, faults: Vec<Diagnostic>, text: String) {
        let known = self.fault().is_some_and(|known| known.text == text);
        self.metrics.rules_faulty.set(1);
        if known {
            return;
        }
        self.metrics.reloads.with_label_values(&["refused"]).inc();
        tracing::error!(
            generation = %self.live.load().generation(),
            "rules refused, the last good generation stays live\n{text}"
        );
        *lock(&self.fault) = Some(Arc::new(Fault {
            at: now_ms(),
            faults,
            text,
        }));
    }
}

fn count(set: &RuleSet) -> i64 {
    i64::try_from(set.rules().len()).unwrap_or(i64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
