//! The events: the same ones as `benches/comparison/flink/Comparison.java` makes, decoded.

use anyhow::Context as _;
use onscene::clock::{DAY, Millis, format_rfc3339};
use onscene::decode::Decoder;
use onscene::event::{Incoming, Schema, Stored};
use onscene::partition::Input;
use onscene::partitioning::{PARTITIONS_DEFAULT, bucket_of, partition_of};

/// When the live events begin: 2026-11-22T02:00:00Z.
const START: Millis = 1_795_312_800_000;
/// From one of a source's events to its next.
const STEP: Millis = 100;
/// From one entry of a customer's history to the next.
const HISTORY_STEP: Millis = 5 * DAY;
const CATEGORIES: u64 = 20;
const TENDERS: u64 = 3;
/// A movement's amount and balance are below this.
const RANGE: u64 = 1_000_000;

/// What rules look at, as `benches/comparison/generate.py` writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Equalities, an amount, and what was spent in one category in 30 days.
    Sums,
    /// Two ranges.
    Ranges,
    /// As sums, but the sum is any of 500.
    Windows,
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Sums => "sums",
            Self::Ranges => "ranges",
            Self::Windows => "windows",
        }
    }
}

/// Scatters numbers (SplitMix64).
pub(crate) const fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// One thread's events: of its own customers, first their history, then the live ones.
pub(crate) struct Traffic {
    source: u64,
    sources: u64,
    /// Customers of this source.
    customers: u64,
    /// Events of history.
    pub(crate) history: u64,
    kind: Kind,
    decoder: Decoder,
    schema: Schema,
}

impl Traffic {
    /// Of so many customers altogether, each with so many paid checkouts behind it.
    pub(crate) fn new(source: u64, sources: u64, customers: u64, entries: u64, kind: Kind) -> Self {
        let customers = customers / sources;
        Self {
            source,
            sources,
            customers,
            history: customers * entries,
            kind,
            decoder: Decoder::default(),
            schema: Schema::default(),
        }
    }

    /// An event by its number, decoded.
    pub(crate) fn input(&mut self, at: u64) -> anyhow::Result<Input> {
        let chance = scattered(self.source << 40 | at);
        let is_past = at < self.history;
        let (local, time) = if is_past {
            let entries = (self.history - at).div_ceil(self.customers);
            let within = i64::try_from((chance >> 40) % DAY.unsigned_abs())?;
            let time = START - i64::try_from(entries)? * HISTORY_STEP + within;
            (at % self.customers, time)
        } else {
            let live = at - self.history;
            let time = START + i64::try_from(live)? * STEP;
            (live * 7_919 % self.customers, time)
        };
        let customer = format!("C{:08}", local * self.sources + self.source);
        let (kind, data) = if self.kind == Kind::Ranges && !is_past {
            ("account.movement", movement(chance))
        } else {
            ("merchant.checkout", checkout(chance, is_past))
        };
        let source = self.source;
        let payload = format!(
            r#"{{"specversion":"1.0","id":"{source}-{at}","source":"bench","type":"{kind}","subject":"{customer}","time":"{}","data":{data}}}"#,
            format_rfc3339(time),
        );
        let partition = partition_of(&customer, PARTITIONS_DEFAULT);
        let bucket = bucket_of(&customer);
        let stored = Stored {
            sequence: at + 1,
            stored_at: time,
            subject: format!("scene.in.{partition}.{bucket}.{kind}"),
            headers: Vec::new(),
            payload: payload.into(),
        };
        let decoded = self.decoder.decode(&stored, &self.schema);
        let event = decoded.map_err(|rejection| anyhow::anyhow!("{rejection:?}"));
        Ok(Input {
            sequence: at + 1,
            stored_at: time,
            already: 0,
            what: Incoming::Event(event.context("the benchmark's event is rejected")?),
        })
    }
}

fn checkout(chance: u64, is_past: bool) -> String {
    let is_paid = is_past || chance >> 40 & 3 == 0;
    format!(
        r#"{{"stage":"{}","amount":"{}","currency":"CNY","tender":"t{}","merchant":{{"id":"M7","category":"c{:02}","partner":true}}}}"#,
        if is_paid { "paid" } else { "started" },
        (chance >> 16 & 0xffff) % 2_000 + 1,
        (chance >> 8 & 0xff) % TENDERS,
        (chance & 0xff) % CATEGORIES,
    )
}

fn movement(chance: u64) -> String {
    format!(
        r#"{{"account":"A-1","direction":"in","amount":"{}","currency":"CNY","balance":"{}"}}"#,
        (chance >> 16 & 0xff_ffff) % RANGE,
        (chance >> 40 & 0xff_ffff) % RANGE,
    )
}
