//! Runs a seed: engines come, go, stop and are taken over from, while producers publish; then everything heals, a
//! last engine finishes the work, and the laws are checked.

use super::super::EngineError;
use super::super::assembly::{Parts, assemble};
use super::super::checkpoints::Checkpoints;
use super::super::listeners::Listeners;
use super::books::Books;
use super::check::{self, Evidence};
use super::disk::Disk;
use super::faults::Planted;
use super::link::Link;
use super::plan::{Operation, Plan};
use super::portrait::Portrait;
use super::random::Random;
use super::time::{Time, pause};
use super::workload::Producers;
use super::world::{Server, World};
use crate::clock::{MINUTE, Millis};
use crate::decode::Decoder;
use crate::health::Health;
use crate::nats::ChainError;
use crate::policy::{Change, Position, Signed, Switches, Target};
use crate::registry::RuleRegistry;
use crate::state::{Customers, Ledger};
use crate::telemetry::Metrics;
use jiff::tz::TimeZone;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Engines that run at the same time.
const ENGINES_MAX: usize = 3;
/// How long the last engine may take until it is ready, and until everything is done, in the runtime's
/// milliseconds.
const READY_MS_MAX: u64 = 20_000;
const QUIET_MS_MAX: u64 = 60_000;
/// How long nothing must have happened at the end.
const QUIET_MS: u64 = 150;

/// What all seeds share.
#[derive(Clone, Debug)]
pub(super) struct Kit {
    patient: Books,
    impatient: Books,
    zone: TimeZone,
    metrics: Arc<Metrics>,
}

impl Kit {
    pub(super) fn new() -> Self {
        Self {
            patient: Books::compile("365d"),
            impatient: Books::compile("3s"),
            zone: TimeZone::get("Asia/Shanghai").unwrap(),
            metrics: Arc::new(Metrics::new()),
        }
    }
}

/// What a seed was like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) engines: u64,
    pub(super) fenced: u64,
    pub(super) crashes: u64,
    pub(super) events: u64,
    pub(super) entries: u64,
    pub(super) compared: u64,
    /// Outcomes that were recorded.
    pub(super) outcomes: u64,
    /// What was said again on another channel, and what waited for that.
    pub(super) fallbacks: u64,
    pub(super) fallbacks_waited: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.engines += other.engines;
        self.fenced += other.fenced;
        self.crashes += other.crashes;
        self.events += other.events;
        self.entries += other.entries;
        self.compared += other.compared;
        self.outcomes += other.outcomes;
        self.fallbacks += other.fallbacks;
        self.fallbacks_waited += other.fallbacks_waited;
    }
}

/// A law that does not hold.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) law: &'static str,
    pub(super) what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.what)
    }
}

pub(super) fn failure(law: &'static str, what: impl Into<String>) -> Failure {
    Failure {
        law,
        what: what.into(),
    }
}

/// What came of a seed, and what happened, if that was asked for.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) result: Result<Tally, Failure>,
    pub(super) history: String,
}

/// Runs one seed from its beginning to its end, in a runtime of its own.
pub(super) fn run(kit: &Kit, seed: u64, planted: Planted, tells: bool) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut run = Run::new(kit, seed, planted, tells);
        let result = run.all().await;
        let history = run.server.lock().history().to_owned();
        Report { result, history }
    })
}

/// An engine that was started.
struct Engine {
    number: u64,
    link: Link,
    stop: CancellationToken,
    skew: Arc<AtomicI64>,
    registry: Arc<RuleRegistry>,
    customers: Arc<Customers>,
    ledger: Arc<Ledger>,
    health: Arc<Health>,
    task: JoinHandle<Result<(), EngineError>>,
}

struct Run<'a> {
    kit: &'a Kit,
    plan: Plan,
    random: Random,
    server: Server,
    producers: Producers,
    disks: Vec<Disk>,
    engines: Vec<Engine>,
    /// What people have switched off: every engine hears of it at once.
    switches: Arc<Listeners<Arc<Switches>>>,
    switched: Arc<Switches>,
    /// The generation that engines start with.
    generation: usize,
    tally: Tally,
}

impl<'a> Run<'a> {
    fn new(kit: &'a Kit, seed: u64, planted: Planted, tells: bool) -> Self {
        let mut random = Random::new(seed, 2);
        let plan = Plan::draw(&mut random);
        let time = Time::new(plan.rate);
        let mut world = World::new(seed, plan.partitions, time, planted);
        if tells {
            world.tell_history();
        }
        world.faults = plan.faults;
        world.tell(|_| format!("{plan:?}"));
        Self {
            kit,
            producers: Producers::new(Random::new(seed, 3), plan.partitions),
            disks: (0..plan.machines).map(|_| Disk::new(planted)).collect(),
            plan,
            random,
            server: Server::new(world),
            engines: Vec::new(),
            switches: Arc::new(Listeners::new(Arc::default())),
            switched: Arc::default(),
            generation: 0,
            tally: Tally::default(),
        }
    }

    async fn all(&mut self) -> Result<Tally, Failure> {
        self.start();
        for _ in 0..self.plan.operations {
            let (wait, operation) = self.plan.next(&mut self.random);
            pause(wait).await;
            self.collect().await?;
            self.perform(operation).await;
        }
        self.finish().await?;
        self.tally.events = self.producers.published.len() as u64;
        self.tally.entries = self.server.lock().log.len() as u64;
        let evidence = Evidence::gather(&self.server.lock(), &self.producers, &self.plan)?;
        check::all(&evidence)?;
        check::links(&self.server.lock().log)?;
        evidence.count(&mut self.tally);
        let expected = self.is_comparable();
        if expected {
            self.tally.compared =
                check::oracle(&evidence, &self.books().generation(0), &self.kit.zone)?;
        }
        self.fold().await?;
        Ok(self.tally)
    }

    /// Whether an uninterrupted run must have decided the same.
    fn is_comparable(&self) -> bool {
        let changes = self.plan.swaps_rules || self.plan.pauses_rules;
        self.plan.is_patient && !changes && !self.plan.sets_clock_back
    }

    fn books(&self) -> &'a Books {
        match self.plan.is_patient {
            true => &self.kit.patient,
            false => &self.kit.impatient,
        }
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        self.server.lock().tell(|_| what());
    }

    fn start(&mut self) {
        self.tally.engines += 1;
        let number = self.tally.engines;
        let owner = format!("engine-{number}");
        self.tell(|| format!("{owner} starts"));
        let link = Link::new(&self.server, &owner);
        let skew = Arc::new(AtomicI64::new(0));
        let stop = CancellationToken::new();
        let owns: Vec<u16> = (0..self.plan.partitions).collect();
        let metrics = self.kit.metrics.clone();
        let set = self.books().generation(self.generation);
        let checkpoints = self.checkpoints();
        let clock = self.server.lock().time.clock(skew.clone());
        let parts = Parts {
            owner,
            health: Arc::new(Health::new(&owns, || None)),
            owns,
            decoder: Decoder {
                partitions: self.plan.partitions,
                ..Decoder::default()
            },
            registry: RuleRegistry::of(set, metrics.clone()),
            metrics,
            customers: Arc::default(),
            ledger: Arc::new(Ledger::by_grant()),
            clock,
            batch_events_max: self.random.index(40) + 1,
            turns: Arc::new(Semaphore::new(1)),
            through_interval: Millis::try_from(self.random.within(20..400)).unwrap(),
            journal: self.plan.journal,
            zone: self.kit.zone.clone(),
            checkpoints,
            drained: Arc::new(Semaphore::new(0)),
            switches: self.switches.clone(),
        };
        self.engines.push(Engine {
            number,
            stop: stop.clone(),
            skew,
            registry: parts.registry.clone(),
            customers: parts.customers.clone(),
            ledger: parts.ledger.clone(),
            health: parts.health.clone(),
            task: tokio::spawn(operate(link.clone(), parts, stop)),
            link,
        });
    }

    /// Those of the machine that the next engine is started on.
    fn checkpoints(&mut self) -> Option<Checkpoints> {
        let interval = self.plan.checkpoint_interval?;
        let machine = self.random.index(self.disks.len());
        let disk = self.disks[machine].clone();
        let kept = self.plan.checkpoints_kept;
        Some(Checkpoints::new(Arc::new(disk), interval, kept))
    }

    /// Notices engines that have ended, and whether they may.
    async fn collect(&mut self) -> Result<(), Failure> {
        let (ended, running) = std::mem::take(&mut self.engines)
            .into_iter()
            .partition::<Vec<_>, _>(|engine| engine.task.is_finished());
        self.engines = running;
        for engine in ended {
            let outcome = engine.task.await;
            self.tell(|| format!("engine-{} ended: {outcome:?}", engine.number));
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(EngineError::Chain(
                    ChainError::Fenced { .. } | ChainError::Contended { .. },
                ))) => self.tally.fenced += 1,
                Ok(Err(error)) => {
                    let what = format!("engine-{} gave up: {error:?}", engine.number);
                    return Err(failure("an engine goes on", what));
                }
                Err(panicked) => {
                    let what = format!("engine-{}: {panicked:?}", engine.number);
                    return Err(failure("nothing panics", what));
                }
            }
        }
        Ok(())
    }

    async fn perform(&mut self, operation: Operation) {
        let some = self.random.index(self.engines.len());
        let engine = self.engines.get(some);
        match operation {
            Operation::Publish => {
                while self.server.lock().is_down() {
                    pause(1).await;
                }
                let server = self.server.clone();
                self.producers.publish(&mut server.lock());
            }
            Operation::Crash => self.crash(some),
            Operation::Start if self.engines.len() < ENGINES_MAX => self.start(),
            Operation::Start => {}
            Operation::Leave => {
                if let Some(engine) = engine {
                    self.tell(|| format!("engine-{} leaves", engine.number));
                    engine.stop.cancel();
                }
            }
            Operation::Stop(ms) => {
                if let Some(engine) = engine {
                    self.tell(|| format!("engine-{} is stopped for {ms} ms", engine.number));
                    engine.link.stop(ms);
                }
            }
            Operation::Outage(ms) => self.server.lock().go_down(ms),
            Operation::Jump(by) => {
                self.tell(|| format!("the clocks are set by {by} ms"));
                self.server.lock().time.jump(by);
            }
            Operation::Skew(by) => {
                if let Some(engine) = engine {
                    self.tell(|| format!("engine-{}'s clock is off by {by} ms", engine.number));
                    engine.skew.store(by, Ordering::Relaxed);
                }
            }
            Operation::SwapRules => {
                self.generation += 1;
                let set = self.books().generation(self.generation);
                if let Some(engine) = engine {
                    self.tell(|| format!("engine-{} gets other rules", engine.number));
                    engine.registry.put_live(set);
                }
            }
            Operation::Switch => self.switch(),
        }
    }

    /// Pauses a rule, or resumes it if it is paused.
    fn switch(&mut self) {
        let set = self.books().generation(0);
        let rule = self.random.pick(set.rules()).terms.name.clone();
        let now = self.switched.clone();
        let position = match now.rules.contains_key(&*rule) {
            true => Position::Resumed,
            false => Position::Paused { until: None },
        };
        self.tell(|| format!("{rule} is {}", position.word()));
        let change = Change {
            target: Target::Rule((&*rule).into()),
            position,
            signed: Signed {
                by: "somebody".into(),
                reason: "some reason".into(),
                at: 0,
            },
        };
        self.switched = Arc::new(now.with(&change, now.revision + 1));
        self.switches.tell(self.switched.clone());
    }

    fn crash(&mut self, at: usize) {
        if at < self.engines.len() {
            self.tally.crashes += 1;
            let engine = self.engines.remove(at);
            self.tell(|| format!("engine-{} is killed", engine.number));
            engine.link.kill();
            engine.task.abort();
            let machine = self.random.index(self.disks.len());
            let suffered = self.disks[machine].suffer(&mut self.random);
            self.tell(|| format!("machine {machine}: {suffered}"));
            // Mostly somebody starts it again at once.
            if self.random.chance(800) {
                self.start();
            }
        }
    }

    /// Heals everything and lets a last engine finish the work.
    async fn finish(&mut self) -> Result<(), Failure> {
        self.server.lock().heal();
        for engine in &self.engines {
            engine.link.go_on();
        }
        self.start();
        // Former owners have time to notice, or are killed with requests on their way.
        pause(self.random.within(0..120)).await;
        self.collect().await?;
        for engine in std::mem::take(&mut self.engines) {
            engine.link.kill();
            engine.task.abort();
        }
        self.start();
        self.wait_ready().await?;
        self.wait_quiet().await?;
        // Whatever still waits becomes due.
        for _ in 0..2 {
            self.tell(|| "the clocks are set two minutes forward".to_owned());
            self.server.lock().time.jump(2 * MINUTE);
            self.wait_quiet().await?;
        }
        Ok(())
    }

    async fn wait_ready(&mut self) -> Result<(), Failure> {
        for _ in 0..READY_MS_MAX / 10 {
            self.keep_one().await?;
            if self.last()?.health.obstacles().is_empty() {
                return Ok(());
            }
            pause(10).await;
        }
        let obstacles = self.last()?.health.obstacles();
        Err(failure(
            "what has healed becomes ready",
            format!("{obstacles:?}"),
        ))
    }

    /// As a supervisor does: two engines that start at the same time may take partitions from each other until
    /// both stop.
    async fn keep_one(&mut self) -> Result<(), Failure> {
        self.collect().await?;
        if self.engines.is_empty() {
            self.start();
        }
        Ok(())
    }

    /// Waits until nothing happens any more and every event is done.
    async fn wait_quiet(&mut self) -> Result<(), Failure> {
        let mut quiet = 0;
        let mut length = 0;
        for _ in 0..QUIET_MS_MAX / 10 {
            pause(10).await;
            self.keep_one().await?;
            let now = self.server.lock().log.len();
            quiet = if now == length { quiet + 10 } else { 0 };
            length = now;
            if quiet >= QUIET_MS && check::is_done(&self.server.lock(), self.plan.partitions) {
                return Ok(());
            }
        }
        let through = check::through(&self.server.lock(), self.plan.partitions);
        let events = self.server.lock().events.len();
        let what = format!("{length} messages in the log, {events} events, done up to {through:?}");
        Err(failure("every event gets done", what))
    }

    /// Law 2: a fresh engine that folds both streams knows what the last one knew, and says nothing new.
    async fn fold(&mut self) -> Result<(), Failure> {
        let before = self.portrait()?;
        self.disks = vec![Disk::default()];
        let said = check::said(&self.server.lock());
        self.start();
        self.wait_ready().await?;
        self.wait_quiet().await?;
        let again = check::said(&self.server.lock());
        if said != again {
            let what = format!("{said} entries became {again} by a restart");
            return Err(failure("what the log says is not decided again", what));
        }
        let fresh = self.portrait()?;
        before.same_as(&fresh)
    }

    /// What the engine that was started last knows.
    fn portrait(&self) -> Result<Portrait, Failure> {
        let engine = self.last()?;
        Ok(Portrait::take(&engine.customers, &engine.ledger))
    }

    /// The engine that was started last.
    fn last(&self) -> Result<&Engine, Failure> {
        let last = self.engines.last();
        last.ok_or_else(|| failure("the last engine stays", "none runs"))
    }
}

/// What `onscene run` does: after the first failure the others are told to stop.
async fn operate(link: Link, parts: Parts, stop: CancellationToken) -> Result<(), EngineError> {
    let mut tasks = assemble(&link, parts, &stop).await?;
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(EngineError::from).and_then(|ended| ended);
        if result.is_ok() && ended.is_err() {
            result = ended;
            stop.cancel();
        }
    }
    result
}
