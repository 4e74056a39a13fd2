//! What governs a running engine from outside of its rules folder: switches, and which generation is pinned.

use super::EngineError;
use super::listeners::Listeners;
use crate::clock::now_ms;
use crate::config::Config;
use crate::governance::approvals::Approved;
use crate::governance::{self, Board, GovernanceError, Governed, Pin};
use crate::nats::Connection;
use crate::policy::Switches;
use crate::registry::{ApprovedText, ApprovedTexts, Pinned, RegistryError, RuleRegistry};
use crate::rules::render;
use crate::telemetry::Metrics;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a pause has ended by itself, and a pin that could not be obeyed is tried again.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Obeys what is written in `SCENE_RULES`.
pub(super) struct Governing {
    connection: Connection,
    registry: Arc<RuleRegistry>,
    metrics: Arc<Metrics>,
    board: Board,
    switches: Arc<Listeners<Arc<Switches>>>,
    /// Those that were told last.
    told: Arc<Switches>,
    /// The pin that was obeyed last.
    obeyed: Option<Arc<Pin>>,
    /// The texts that were approved, as they were obeyed last.
    approved: Option<Arc<BTreeMap<Box<str>, Approved>>>,
}

/// The rules to start with: the folder's, or, if those cannot go live, the generation that is pinned.
pub(super) async fn registry(
    opened: Result<Arc<RuleRegistry>, RegistryError>,
    connection: &Connection,
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Result<Arc<RuleRegistry>, EngineError> {
    let fault = match opened {
        Ok(registry) => return Ok(registry),
        Err(fault) => fault,
    };
    let pin = governance::pins::current(connection).await?;
    let Some(pinned) = pin.as_ref().and_then(pinned) else {
        return Err(fault.into());
    };
    let sources = governance::texts::load(connection, &pinned.generation).await?;
    let (generation, metrics) = (pinned.generation.to_string(), metrics.clone());
    let demands = super::demands(config);
    RuleRegistry::open_pinned(&config.rules, pinned, sources, &fault, metrics, demands)
        .map_err(|faults| GovernanceError::NotCompiled(generation, render(&faults)).into())
}

/// A pin as the registry takes it; none if it is the end of one.
fn pinned(pin: &Pin) -> Option<Pinned> {
    Some(Pinned {
        generation: pin.generation.as_deref()?.into(),
        by: pin.signed.by.clone(),
        reason: pin.signed.reason.clone(),
        at: pin.signed.at,
    })
}

impl Governing {
    /// Reads what is in force, obeys it, and stores the texts of what is live.
    pub(super) async fn begin(
        connection: &Connection,
        owner: &str,
        registry: &Arc<RuleRegistry>,
        metrics: &Arc<Metrics>,
        stop: &CancellationToken,
    ) -> Result<Self, EngineError> {
        let (keeper, storing) = governance::keep(connection, owner, metrics, stop);
        tokio::spawn(storing);
        let board = Board::open(connection).await?;
        let mut governing = Self {
            connection: connection.clone(),
            registry: registry.clone(),
            metrics: metrics.clone(),
            switches: Arc::new(Listeners::new(board.governed().switches.clone())),
            told: board.governed().switches.clone(),
            board,
            obeyed: None,
            approved: None,
        };
        governing.pin().await?;
        governing.approve().await?;
        governing.show();
        let registry = registry.clone();
        tokio::task::spawn_blocking(move || registry.keep_with(keeper)).await?;
        Ok(governing)
    }

    /// What people have switched off, now and whenever that changes.
    pub(super) fn switches(&self) -> &Arc<Listeners<Arc<Switches>>> {
        &self.switches
    }

    /// Obeys whatever is written, until the engine stops.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), EngineError> {
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                changed = self.board.changed() => {
                    changed?;
                }
                _ = look.tick() => {}
            }
            self.switch();
            if let Err(error) = self.pin().await {
                tracing::error!(%error, "a pin cannot be obeyed now: what is live stays; it is tried again");
            }
            if let Err(error) = self.approve().await {
                tracing::error!(%error, "an approval cannot be obeyed now: what is live stays; it is tried again");
            }
            self.show();
        }
    }

    fn switch(&mut self) {
        let switches = &self.board.governed().switches;
        if self.told != *switches {
            self.told = switches.clone();
            self.switches.tell(switches.clone());
        }
    }

    /// Puts the pinned generation live, or the folder's if none is pinned any more.
    async fn pin(&mut self) -> Result<(), EngineError> {
        let Governed { pin, .. } = self.board.governed();
        if *pin == self.obeyed {
            return Ok(());
        }
        let (pin, registry) = (pin.clone(), self.registry.clone());
        match pin.as_deref().and_then(pinned) {
            None => tokio::task::spawn_blocking(move || registry.release()).await?,
            Some(pinned) => {
                let generation = pinned.generation.to_string();
                let sources = governance::texts::load(&self.connection, &generation).await?;
                let put = tokio::task::spawn_blocking(move || registry.pin(pinned, &sources));
                put.await?
                    .map_err(|faults| GovernanceError::NotCompiled(generation, render(&faults)))?;
            }
        }
        self.obeyed = pin;
        Ok(())
    }

    /// Lets the texts go live that were approved.
    async fn approve(&mut self) -> Result<(), EngineError> {
        let approved = self.board.governed().approved.clone();
        if self.approved.as_ref() == Some(&approved) {
            return Ok(());
        }
        let mut texts = ApprovedTexts::new();
        for (rule, of) in approved.iter() {
            let submission = &of.submission;
            let text = ApprovedText {
                sha256: submission.text.sha256().into(),
                text: submission.text.load(&self.connection).await?,
                asks: submission.asks,
            };
            texts.insert(rule.clone(), text);
        }
        let registry = self.registry.clone();
        tokio::task::spawn_blocking(move || registry.approve(texts)).await?;
        self.approved = Some(approved);
        Ok(())
    }

    fn show(&self) {
        for (kind, count) in self.told.counts(now_ms()) {
            self.metrics.switches_active(kind, count);
        }
    }
}
