//! What else decides which generation is live: one that is pinned stays, whatever the folder says; and whoever
//! keeps texts gets them first.

use super::{Demands, RegistryError, RuleRegistry, lock};
use crate::clock::Millis;
use crate::rules::{Diagnostic, RuleSet, Sources, render};
use crate::telemetry::Metrics;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Why a generation goes live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The engine starts.
    Start,
    /// The folder was changed.
    Folder,
    /// It was pinned.
    Rollback,
    /// A pin was taken away.
    Release,
    /// A text was approved.
    Approval,
}

impl Cause {
    /// As it is written down.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Folder => "folder",
            Self::Rollback => "rollback",
            Self::Release => "release",
            Self::Approval => "approval",
        }
    }
}

/// Keeps the texts of generations.
pub trait Keeper: fmt::Debug + Send + Sync {
    /// A generation is about to go live: returns when its texts are kept, or when that takes too long. It blocks.
    fn keep(&self, sources: &Sources, before: Option<&Arc<str>>, cause: Cause);
}

/// A generation that stays live.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Pinned {
    /// Which.
    pub generation: Arc<str>,
    /// Who pinned it.
    pub by: Box<str>,
    /// Why.
    pub reason: Box<str>,
    /// When.
    pub at: Millis,
}

impl RuleRegistry {
    /// From now on a generation's texts are kept before it goes live; those of the live one at once. It blocks.
    pub fn keep_with(&self, keeper: Arc<dyn Keeper>) {
        let _turn = lock(&self.turn);
        keeper.keep(&lock(&self.live_sources).clone(), None, Cause::Start);
        // Nobody sets it twice.
        let _ = self.keeper.set(keeper);
    }

    /// A registry of a pinned generation while the folder's files cannot go live, as `fault` says.
    ///
    /// # Errors
    /// When the pinned generation cannot be compiled.
    pub fn open_pinned(
        folder: &Path,
        pinned: Pinned,
        sources: Sources,
        fault: &RegistryError,
        metrics: Arc<Metrics>,
        demands: Demands,
    ) -> Result<Arc<Self>, Vec<Diagnostic>> {
        let set = RuleSet::compile(&sources)?;
        let registry = Self::holding(folder, Arc::new(set), sources, metrics, demands);
        // The folder is looked at again, whatever it holds.
        *lock(&registry.seen) = Sources::default();
        *lock(&registry.pinned) = Some(Arc::new(pinned));
        let faults = match fault {
            RegistryError::Faulty { faults, .. } => faults.clone(),
            RegistryError::Sources { .. } | RegistryError::Watch { .. } => Vec::new(),
        };
        registry.refuse(faults, fault.to_string());
        Ok(Arc::new(registry))
    }

    /// The generation that stays live whatever the folder says, if there is one.
    #[must_use]
    pub fn pinned(&self) -> Option<Arc<Pinned>> {
        lock(&self.pinned).clone()
    }

    /// The generation of the folder's files that passed last: live unless another one is pinned.
    #[must_use]
    pub fn folder_generation(&self) -> Arc<str> {
        lock(&self.passed).generation()
    }

    /// Puts the folder's rules live, unless others are pinned. Returns whether it swapped.
    pub(super) fn take(
        &self,
        sources: &Sources,
        set: RuleSet,
        started: Instant,
        cause: Cause,
    ) -> bool {
        let Some((sources, set)) = self.approved_part(sources, set) else {
            return false;
        };
        if let Some(pinned) = self.pinned() {
            if cause == Cause::Approval {
                return false;
            }
            tracing::warn!(
                pinned = %pinned.generation,
                by = %pinned.by,
                folder = %set.generation(),
                "the rules folder was changed and is sound, but another generation is pinned and stays live: `onscene rollback --release` ends that"
            );
            return false;
        }
        self.go_live(&sources, set, started, cause)
    }

    /// Keeps the texts and swaps, unless this is what is live: changed back, or only tests changed.
    fn go_live(&self, sources: &Sources, set: RuleSet, started: Instant, cause: Cause) -> bool {
        let is_new = self.live.load().generation() != set.generation();
        if is_new {
            self.put(sources, set, started, cause);
        }
        is_new
    }

    /// Keeps the texts, and swaps if it is another generation.
    fn put(&self, sources: &Sources, set: RuleSet, started: Instant, cause: Cause) {
        let before = self.live.load().generation().clone();
        if let Some(keeper) = self.keeper.get() {
            keeper.keep(sources, Some(&before), cause);
        }
        *lock(&self.live_sources) = sources.clone();
        if before != *set.generation() {
            self.swap(Arc::new(set), started);
        }
    }

    /// Pins a generation: it goes live and stays, and the folder's changes are only checked. It blocks.
    ///
    /// # Errors
    /// When this engine cannot compile it, which is of an engine that understood other rules; then nothing
    /// changes.
    pub fn pin(&self, pinned: Pinned, sources: &Sources) -> Result<(), Vec<Diagnostic>> {
        let started = crate::clock::monotonic_now();
        let _turn = lock(&self.turn);
        let set = RuleSet::compile(sources)?;
        tracing::warn!(
            generation = %pinned.generation,
            by = %pinned.by,
            reason = %pinned.reason,
            "a generation is pinned: the rules folder's changes are checked and do not go live"
        );
        *lock(&self.pinned) = Some(Arc::new(pinned));
        self.metrics.rules_pinned.set(1);
        self.put(sources, set, started, Cause::Rollback);
        Ok(())
    }

    /// Ends a pin: the folder's rules go live again, in their last good form. It blocks.
    pub fn release(&self) {
        let started = crate::clock::monotonic_now();
        let turn = lock(&self.turn);
        let Some(pinned) = lock(&self.pinned).take() else {
            return;
        };
        self.metrics.rules_pinned.set(0);
        tracing::info!(generation = %pinned.generation, "a pin has ended: the rules folder says what is live");
        let sources = lock(&self.passed).clone();
        match RuleSet::compile(&sources) {
            Ok(set) => {
                if let Some((sources, set)) = self.approved_part(&sources, set) {
                    self.put(&sources, set, started, Cause::Release);
                }
            }
            Err(faults) => {
                let text = render(&faults);
                self.refuse(faults, text);
            }
        }
        drop(turn);
    }
}
