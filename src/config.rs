//! Configuration: `onscene.toml`, then `ONSCENE_*` environment variables, then flags. Everything
//! that is wrong is reported at once, and a key that nobody knows is wrong.

mod reader;

use crate::clock::{DAY, Millis, SECOND};
use crate::money::Rates;
use crate::partitioning::PARTITIONS_MAX;
use crate::state::JournalLimits;
use jiff::tz::TimeZone;
use reader::Reader;
pub use reader::{ConfigError, Setting};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything that can be set, validated.
#[derive(Clone, Debug)]
pub struct Config {
    /// `nats.url`: where NATS is; several separated by commas.
    pub nats_url: String,
    /// `nats.replicas`: replicas of each stream that is created.
    pub replicas: usize,
    /// `engine.partitions`: a power of two up to 4,096, chosen once.
    pub partitions: u16,
    /// `engine.owns`: the partitions that this engine takes over, in order; all by default.
    pub owns: Vec<u16>,
    /// `engine.batch_events_max`: the most events stepped before a commit.
    pub batch_events_max: usize,
    /// `engine.through_interval_s`: how often progress without decisions is written to the log.
    pub through_interval: Millis,
    /// `rules.folder`.
    pub rules: PathBuf,
    /// `rules.require_tests_pass`: rules whose tests fail do not go live.
    pub require_tests_pass: bool,
    /// `run --plain`: Rhai is asked for every condition. A flag alone, for whoever doubts the native code.
    pub plain: bool,
    /// `data.folder`: for checkpoints.
    pub data: PathBuf,
    /// `checkpoints.interval_s`: how often each partition takes a checkpoint; `None` if none are taken.
    pub checkpoint_interval: Option<Millis>,
    /// `checkpoints.keep`: how many of each partition are kept.
    pub checkpoints_kept: usize,
    /// `http.address`.
    pub http: SocketAddr,
    /// `money.base` and `money.rates`.
    pub rates: Rates,
    /// `time.zone`: of customers whose profile names none.
    pub zone: TimeZone,
    /// `journal.days` and `journal.entries_max`.
    pub journal: JournalLimits,
    /// `events.future_tolerance_s`.
    pub future_tolerance: Millis,
    /// `events.max_age_days`.
    pub events_max_age: Millis,
    /// `events.max_bytes`: size limit of the events stream; none by default.
    pub events_max_bytes: Option<i64>,
    /// `actions.max_age_days`.
    pub actions_max_age: Millis,
    /// `actions.max_bytes`: size limit of the actions stream; none by default.
    pub actions_max_bytes: Option<i64>,
    /// `dead_letters.max_age_days`.
    pub dead_letters_max_age: Millis,
    /// `dead_letters.max_bytes`: size limit of the stream of rejected events; none by default.
    pub dead_letters_max_bytes: Option<i64>,
}

impl Config {
    /// Puts together the text of a file, environment variables and flags, each stronger than the
    /// one before.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn load(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: Vec<Setting>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(file, environment, flags);
        let config = Self::read(&mut reader);
        reader.finish()?;
        Ok(config)
    }

    fn read(reader: &mut Reader) -> Self {
        let days = |reader: &mut Reader, key: &str, default: i64| {
            reader.whole(key, default, 1, 36_500).saturating_mul(DAY)
        };
        let bytes = |reader: &mut Reader, key: &str| {
            Some(reader.whole(key, 0, 0, i64::MAX)).filter(|bytes| *bytes > 0)
        };
        let partitions = partitions(reader);
        Self {
            nats_url: reader.text("nats.url", "nats://127.0.0.1:4222"),
            replicas: size(reader.whole("nats.replicas", 1, 1, 5)),
            partitions,
            owns: owns(reader, partitions),
            batch_events_max: size(reader.whole("engine.batch_events_max", 4_000, 1, 10_000)),
            through_interval: reader.whole("engine.through_interval_s", 60, 1, 3_600) * SECOND,
            rules: reader.text("rules.folder", "rules").into(),
            require_tests_pass: reader.boolean("rules.require_tests_pass", true),
            plain: false,
            data: reader.text("data.folder", "data").into(),
            checkpoint_interval: Some(reader.whole("checkpoints.interval_s", 60, 0, 86_400))
                .filter(|seconds| *seconds > 0)
                .map(|seconds| seconds * SECOND),
            checkpoints_kept: size(reader.whole("checkpoints.keep", 3, 1, 100)),
            http: reader
                .parsed(
                    "http.address",
                    "an address and a port, such as 127.0.0.1:8080",
                    |text| text.parse().ok(),
                )
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            rates: rates(reader),
            zone: reader
                .parsed(
                    "time.zone",
                    "an IANA time zone, such as Asia/Shanghai",
                    |text| TimeZone::get(text).ok(),
                )
                .or_else(|| TimeZone::get("Asia/Shanghai").ok())
                .unwrap_or(TimeZone::UTC),
            journal: JournalLimits {
                horizon: days(reader, "journal.days", 400),
                entries_max: size(reader.whole("journal.entries_max", 4_096, 8, 1_000_000)),
            },
            future_tolerance: reader.whole("events.future_tolerance_s", 300, 0, 86_400) * SECOND,
            events_max_age: days(reader, "events.max_age_days", 7),
            events_max_bytes: bytes(reader, "events.max_bytes"),
            actions_max_age: days(reader, "actions.max_age_days", 400),
            actions_max_bytes: bytes(reader, "actions.max_bytes"),
            dead_letters_max_age: days(reader, "dead_letters.max_age_days", 30),
            dead_letters_max_bytes: bytes(reader, "dead_letters.max_bytes"),
        }
    }
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn partitions(reader: &mut Reader) -> u16 {
    let number = reader.whole("engine.partitions", 16, 1, PARTITIONS_MAX.into());
    let number = u16::try_from(number).unwrap_or(PARTITIONS_MAX);
    if !number.is_power_of_two() {
        reader.fault(
            "engine.partitions",
            &format!("is {number}: write a power of two"),
        );
    }
    number
}

/// `all`, or numbers and ranges such as `0-3,8`.
fn owns(reader: &mut Reader, partitions: u16) -> Vec<u16> {
    let wanted = "`all`, or partitions from 0 to one less than engine.partitions, such as `0-3,8`";
    let owned = reader.parsed("engine.owns", wanted, |text| {
        if text == "all" {
            return Some((0..partitions).collect());
        }
        let mut owned = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            owned.extend((first <= last && last < partitions).then_some(first..=last)?);
        }
        Some(owned.into_iter().collect())
    });
    owned.unwrap_or_else(|| (0..partitions).collect())
}

fn rates(reader: &mut Reader) -> Rates {
    let base = reader.text("money.base", "CNY");
    let mut table = BTreeMap::new();
    for currency in reader.keys_below("money.rates") {
        let key = format!("money.rates.{currency}");
        let wanted = "the units of the base currency that one unit is worth, as text: \"7.10\"";
        let rate = reader.parsed(&key, wanted, |text| {
            text.parse::<Decimal>()
                .ok()
                .filter(|rate| *rate > Decimal::ZERO)
        });
        table.extend(rate.map(|rate| (currency, rate)));
    }
    Rates::new(base, table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::load(Some(("onscene.toml", text)), environment, Vec::new())
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let text = "[nats]\nurl = \"nats://file\"\n[money.rates]\nUSD = \"7.10\"\n";
        let config = load(text, &[("ONSCENE_ENGINE_PARTITIONS", "4"), ("OTHER", "x")]).unwrap();
        assert_eq!(config.nats_url, "nats://file");
        assert_eq!(config.partitions, 4);
        assert_eq!(config.rates.rate("USD").unwrap().to_string(), "7.10");
        let flag = Setting::flag("--nats", "nats.url", "nats://flag");
        let environment = [("ONSCENE_NATS_URL".to_owned(), "nats://env".to_owned())];
        let config = Config::load(Some(("f", text)), environment, vec![flag]).unwrap();
        assert_eq!(config.nats_url, "nats://flag");
    }

    #[test]
    fn an_engine_owns_all_partitions_or_those_it_is_told() {
        let owns = |text: &str| {
            let text = format!("[engine]\npartitions = 8\n{text}");
            load(&text, &[]).map(|config| config.owns)
        };
        assert_eq!(owns("").unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(owns("owns = \"all\"").unwrap().len(), 8);
        assert_eq!(owns("owns = \"0-2, 7,1\"").unwrap(), [0, 1, 2, 7]);
        for wrong in ["8", "3-1", "", "0-", "x"] {
            let error = owns(&format!("owns = \"{wrong}\"")).unwrap_err();
            assert!(error.to_string().contains("engine.owns"), "{error}");
        }
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let text = "[nats]\nurll = \"x\"\n[engine]\npartitions = 12\n[http]\naddress = \"here\"\n[journal]\ndays = \"many\"\n";
        let error = load(text, &[("ONSCENE_TIME_ZONE", "Mars/Olympus")]).unwrap_err();
        let text = error.to_string();
        for part in [
            "nats.urll",
            "did you mean `nats.url`",
            "power of two",
            "http.address",
            "journal.days",
            "ONSCENE_TIME_ZONE",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
    }
}
