//! Every metric, in one catalogue. Names and units follow the Prometheus conventions.

use crate::action::Verdict;
use crate::clock::Millis;
use crate::decode::Reason;
use crate::rules::Tally;
use prometheus::core::Collector as _;
use prometheus::{
    Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Bounds of latency histograms, in seconds: 50 µs to 10 s.
const LATENCY_SECONDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 10.0,
];

/// After so many types of event, former generations' among them, quiet verdicts are added without a reader: they
/// keep their rules in memory.
const QUIET_KINDS_MAX: usize = 64;

/// Handles of all metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Decoded events by type; undeclared ones as `other`. Imported ones are not among them.
    pub events: IntCounterVec,
    /// Imported events by type; undeclared ones as `other`.
    pub imported: IntCounterVec,
    /// Events whose source and id were seen before.
    pub duplicates: IntCounter,
    /// Refused events by reason.
    rejected: IntCounterVec,
    /// Verdicts by rule.
    verdicts: IntCounterVec,
    /// Verdicts that are added to these when somebody reads them: nearly every rule gets one at nearly every event.
    quiet: Mutex<Tally>,
    /// Held while they are added.
    settling: Mutex<()>,
    /// Failures of rules' functions by rule, function and line.
    rule_errors: IntCounterVec,
    /// How often a rule was put into quarantine.
    pub quarantines: IntCounterVec,
    /// What came back of actions, by outcome and whether it was news.
    pub outcomes: IntCounterVec,
    /// Decisions that did what they were for, by rule and whether the customer had got them.
    pub conversions: IntCounterVec,
    /// What became of actions that failed on one channel and were tried on another, by rule and verdict.
    pub fallbacks: IntCounterVec,
    /// Customers by the group in which a rule first decided about them.
    pub experiment_customers: IntCounterVec,
    /// How well those fit the groups' shares.
    pub experiment_sizes_p_value: GaugeVec,
    /// Actions and held-out decisions stored in the log, by channel.
    pub committed: IntCounterVec,
    /// Events for which a rule asked for a window over the trimmed edge of the journal.
    pub trimmed_windows: IntCounter,
    /// Seconds a batch spends in the partition's step.
    pub step_seconds: Histogram,
    /// Seconds until a batch's decisions are acknowledged.
    pub commit_seconds: Histogram,
    /// Seconds from the event's store timestamp to the acknowledgement of its action.
    pub event_to_action_seconds: Histogram,
    /// Customers in memory.
    pub customers: IntGauge,
    /// Events stored and not yet read.
    pub pending: IntGauge,
    /// How often a reader had to start its consumer anew.
    pub readers_reopened: IntCounter,
    /// Partitions that have caught up with their events since the start.
    pub partitions_ready: IntGauge,
    /// Partitions this engine owns.
    pub partitions_owned: IntGauge,
    /// What waits for NATS, and why.
    waiting: IntGaugeVec,
    /// How often this engine's write was refused because another engine owns the partition.
    pub fences: IntCounter,
    /// Checkpoints by result: `written` or `failed`.
    checkpoints: IntCounterVec,
    /// When each partition's last checkpoint was written, in seconds since the Unix epoch.
    checkpoint_timestamp: GaugeVec,
    /// Bytes of each partition's last checkpoint.
    checkpoint_bytes: IntGaugeVec,
    /// Seconds from a checkpoint's cut to its end.
    checkpoint_seconds: Histogram,
    /// The longest time that events of a partition waited for a checkpoint since the start, in seconds.
    checkpoint_longest_pause: Gauge,
    /// Rules in the live generation.
    pub rules: IntGauge,
    /// Reloads of the rule set by result: `swapped` or `refused`.
    pub reloads: IntCounterVec,
    /// Seconds from noticing a change to the swap.
    pub reload_seconds: Histogram,
    /// What each rule's budget has spent in the partitions of this engine, in base currency.
    pub budget_spent: GaugeVec,
    /// What the partitions of this engine have been granted of it.
    pub budget_granted: GaugeVec,
    /// What nobody has been granted of it, for budgets with one account and a total.
    pub budget_free: GaugeVec,
    /// Seconds a partition waited for a grant.
    pub budget_wait_seconds: Histogram,
    /// How often another engine had changed a budget's grants first.
    pub budget_conflicts: IntCounter,
    /// 1 while the files in the rules folder are faulty and an older generation is live.
    pub rules_faulty: IntGauge,
    /// Switches that are set, by what they are about.
    switches: IntGaugeVec,
    /// Rules whose files wait for approval.
    pub approvals_pending: IntGauge,
    /// 1 while a generation is pinned and the rules folder's changes do not go live.
    pub rules_pinned: IntGauge,
    /// Generations that went live of which the texts are not stored yet.
    pub generations_unstored: IntGauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A catalogue of its own, all at zero.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let c = Catalogue(&registry);
        let metrics = Self {
            events: c.counters(
                "events_total",
                "Events decoded, by type; undeclared types as other. Without imported ones.",
                &["type"],
            ),
            imported: c.counters(
                "imported_events_total",
                "Imported events, which no rule answers, by type; undeclared types as other.",
                &["type"],
            ),
            duplicates: c.counter(
                "duplicate_events_total",
                "Events whose source and id were seen before.",
            ),
            rejected: c.counters(
                "rejected_events_total",
                "Events refused and kept in SCENE_DLQ, by reason.",
                &["reason"],
            ),
            quiet: Mutex::default(),
            settling: Mutex::default(),
            verdicts: c.counters(
                "verdicts_total",
                "What became of each rule at each event it listens to.",
                &["rule", "verdict"],
            ),
            rule_errors: c.counters(
                "rule_errors_total",
                "Failures of a rule's functions, by the line of its file; rule <name> is the file <name>.rhai.",
                &["rule", "function", "line"],
            ),
            quarantines: c.counters(
                "rule_quarantines_total",
                "How often a rule was put into quarantine because it failed again and again.",
                &["rule"],
            ),
            outcomes: c.counters(
                "outcomes_total",
                "Outcomes of actions: recorded once for each action and kind, repeated, of an unknown action, or of one that was not sent.",
                &["outcome", "result"],
            ),
            conversions: c.counters(
                "conversions_total",
                "Decisions that did what they were for, by whether the customer had got them: sent, holdout, control, shadow.",
                &["rule", "delivery"],
            ),
            fallbacks: c.counters(
                "fallbacks_total",
                "What became of actions that failed on one channel and were tried on the next, by verdict.",
                &["rule", "verdict"],
            ),
            experiment_customers: c.counters(
                "experiment_customers_total",
                "Customers about whom a rule decided for the first time, by their group: control, holdout, treated.",
                &["rule", "group", "variant"],
            ),
            experiment_sizes_p_value: c.numbers(
                "experiment_sizes_p_value",
                "How well the groups of a rule's experiment have their shares since the start; below 0.001 it is a sample-ratio mismatch. May be looked at at any time.",
                &["rule"],
            ),
            committed: c.counters(
                "committed_actions_total",
                "Actions stored in SCENE_ACTIONS, by channel; _holdout is the control groups, _shadow rules in shadow mode.",
                &["channel"],
            ),
            trimmed_windows: c.counter(
                "trimmed_windows_total",
                "Events for which a rule asked for a window over the trimmed edge of the journal.",
            ),
            step_seconds: c.histogram(
                "step_seconds",
                "Time a batch spends in the partition's step.",
            ),
            commit_seconds: c.histogram(
                "commit_seconds",
                "Time until a batch's decisions are acknowledged.",
            ),
            event_to_action_seconds: c.histogram(
                "event_to_action_seconds",
                "Time from an event's store timestamp to the acknowledgement of its action.",
            ),
            customers: c.gauge("customers", "Customers in memory."),
            pending: c.gauge("pending_events", "Events stored and not yet read."),
            readers_reopened: c.counter(
                "readers_reopened_total",
                "How often a reader had to start its consumer anew.",
            ),
            partitions_ready: c.gauge(
                "partitions_ready",
                "Partitions that have caught up with their events since the start.",
            ),
            partitions_owned: c.gauge("partitions_owned", "Partitions this engine owns."),
            waiting: c.gauges(
                "waiting",
                "What waits for NATS, by cause: partitions that store decisions (commit), reading events (read), keeping refused events (dead_letters).",
                &["what", "cause"],
            ),
            fences: c.counter(
                "fence_losses_total",
                "How often a write was refused because another engine owns the partition.",
            ),
            checkpoints: c.counters(
                "checkpoints_total",
                "Checkpoints of partitions: written, or failed.",
                &["result"],
            ),
            checkpoint_timestamp: c.numbers(
                "checkpoint_timestamp_seconds",
                "When the partition's last checkpoint was written, since the Unix epoch; its age is time() less this.",
                &["partition"],
            ),
            checkpoint_bytes: c.gauges(
                "checkpoint_bytes",
                "Size of the partition's last checkpoint.",
                &["partition"],
            ),
            checkpoint_seconds: c.histogram(
                "checkpoint_seconds",
                "Time from a checkpoint's cut until it is durable.",
            ),
            checkpoint_longest_pause: c.number(
                "checkpoint_longest_pause_seconds",
                "The longest time that a partition's events waited for a checkpoint to begin since the start; it is written beside them.",
            ),
            rules: c.gauge("rules", "Rules in the live generation."),
            reloads: c.counters(
                "rule_reloads_total",
                "Reloads of the rule set: swapped in, or refused for faults.",
                &["result"],
            ),
            reload_seconds: c.histogram(
                "rule_reload_seconds",
                "Time from noticing a change in the rules folder to the swap.",
            ),
            budget_spent: c.numbers(
                "budget_spent",
                "What a rule's budget has spent in the partitions of this engine, in base currency.",
                &["rule"],
            ),
            budget_granted: c.numbers(
                "budget_granted",
                "What the partitions of this engine have been granted of a rule's budget, in base currency.",
                &["rule"],
            ),
            budget_free: c.numbers(
                "budget_free",
                "What no engine has been granted of a rule's total budget, in base currency.",
                &["rule"],
            ),
            budget_wait_seconds: c.histogram(
                "budget_wait_seconds",
                "Time that a partition waited for the grant of a budget.",
            ),
            budget_conflicts: c.counter(
                "budget_conflicts_total",
                "How often another engine had changed a budget's grants first.",
            ),
            rules_faulty: c.gauge(
                "rules_faulty",
                "1 while the rules folder is faulty and an older generation is live.",
            ),
            switches: c.gauges(
                "switches_active",
                "Pauses in force by what they are about (all, scene, rule, channel), and rules in shadow mode (shadow).",
                &["kind"],
            ),
            approvals_pending: c.gauge(
                "approvals_pending",
                "Rules whose files wait for a second person's approval and do not go live.",
            ),
            rules_pinned: c.gauge(
                "rules_pinned",
                "1 while a generation is pinned and changes of the rules folder do not go live.",
            ),
            generations_unstored: c.gauge(
                "generations_unstored",
                "Generations that went live of which the texts are not stored in SCENE_RULES yet.",
            ),
            registry,
        };
        for reason in Reason::ALL {
            metrics.rejected.with_label_values(&[reason.word()]);
        }
        for result in ["written", "failed"] {
            metrics.checkpoints.with_label_values(&[result]);
        }
        for result in ["swapped", "refused"] {
            metrics.reloads.with_label_values(&[result]);
        }
        metrics
    }

    /// Notes a checkpoint that was written at a time.
    pub fn checkpointed(
        &self,
        partition: u16,
        bytes: u64,
        at: Millis,
        took: Duration,
        pause: Duration,
    ) {
        let partition = partition.to_string();
        let labels = [&*partition];
        self.checkpoints.with_label_values(&["written"]).inc();
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.checkpoint_bytes.with_label_values(&labels).set(bytes);
        // Milliseconds of this age stay exact.
        let seconds = at as f64 / 1e3;
        self.checkpoint_timestamp
            .with_label_values(&labels)
            .set(seconds);
        self.checkpoint_seconds.observe(took.as_secs_f64());
        let longest = &self.checkpoint_longest_pause;
        longest.set(longest.get().max(pause.as_secs_f64()));
    }

    /// Counts a checkpoint that could not be written.
    pub fn checkpoint_failed(&self) {
        self.checkpoints.with_label_values(&["failed"]).inc();
    }

    /// Counts a refused event.
    pub fn reject(&self, reason: Reason) {
        self.rejected.with_label_values(&[reason.word()]).inc();
    }

    /// How many events were refused for a reason.
    #[must_use]
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.rejected.with_label_values(&[reason.word()]).get()
    }

    /// Counts a failure of a rule's function; `line` is 0 if it is not known.
    pub fn rule_failed(&self, rule: &str, function: &str, line: usize) {
        let line = line.to_string();
        let labels = [rule, function, &line];
        self.rule_errors.with_label_values(&labels).inc();
    }

    /// Sets how many of `what` wait for NATS because of `cause`.
    pub fn waiting(&self, what: &str, cause: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.waiting.with_label_values(&[what, cause]).set(count);
    }

    /// Sets how many switches of a kind are set.
    pub fn switches_active(&self, kind: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.switches.with_label_values(&[kind]).set(count);
    }

    /// Counts verdicts of rules that had nothing to say.
    pub fn quiet(&self, more: Tally) {
        let is_much = {
            let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
            quiet.append(more);
            quiet.kinds() > QUIET_KINDS_MAX
        };
        if is_much {
            self.settle();
        }
    }

    /// Adds them to the others. Who comes meanwhile waits, so that everybody reads all that was counted before.
    fn settle(&self) {
        let _settling = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = std::mem::take(&mut *self.quiet.lock().unwrap_or_else(PoisonError::into_inner));
        for (index, rule, verdict, times) in quiet.totals() {
            self.verdict(index.name(rule), verdict, times);
        }
    }

    /// Counts verdicts of a rule.
    pub fn verdict(&self, rule: &str, verdict: Verdict, times: u64) {
        self.verdicts
            .with_label_values(&[rule, verdict.word()])
            .inc_by(times);
    }

    /// How often each rule got each verdict, by their words.
    #[must_use]
    pub fn verdicts(&self) -> HashMap<(String, String), u64> {
        self.settle();
        let series = self.verdicts.collect();
        let counters = series.iter().flat_map(|family| family.get_metric());
        counters
            .map(|counter| {
                let label = |name| {
                    let labels = counter.get_label().iter();
                    let found = labels.clone().find(|label| label.name() == name);
                    found.map_or("", |label| label.value()).to_owned()
                };
                // A counter of whole numbers below 2^53 stays exact.
                let times = counter.get_counter().get_value() as u64;
                ((label("rule"), label("verdict")), times)
            })
            .collect()
    }

    /// All metrics in the Prometheus text format.
    ///
    /// # Errors
    /// When the encoder refuses a metric, which would be a fault of the catalogue.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        self.settle();
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

/// Makes and registers metrics.
struct Catalogue<'a>(&'a Registry);

const VALID: &str = "invariant: names in the catalogue are valid and different";

impl Catalogue<'_> {
    fn register<M: prometheus::core::Collector + Clone + 'static>(&self, metric: M) -> M {
        self.0.register(Box::new(metric.clone())).expect(VALID);
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::with_opts(opts(name, help)).expect(VALID))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(opts(name, help), labels).expect(VALID))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::with_opts(opts(name, help)).expect(VALID))
    }

    fn number(&self, name: &str, help: &str) -> Gauge {
        self.register(Gauge::with_opts(opts(name, help)).expect(VALID))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(opts(name, help), labels).expect(VALID))
    }

    fn numbers(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.register(GaugeVec::new(opts(name, help), labels).expect(VALID))
    }

    fn histogram(&self, name: &str, help: &str) -> Histogram {
        let opts = HistogramOpts::from(opts(name, help)).buckets(LATENCY_SECONDS.to_vec());
        self.register(Histogram::with_opts(opts).expect(VALID))
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("onscene")
}
