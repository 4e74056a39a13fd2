//! The streams and the buckets: created as the engine needs them, or verified to be so.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Republish, RetentionPolicy, StorageType, SubjectTransform,
};

use super::budgets::{BUDGETS, SUBJECTS as BUDGET_KEYS};
use super::connect::Connection;
use super::rule_bucket::{HISTORY as RULES_HISTORY, RULES, SUBJECTS as RULES_KEYS};
use crate::partitioning::{BUCKETS, PARTITIONS_DEFAULT, PARTITIONS_MAX};

/// The stream of what producers publish.
pub const EVENTS: &str = "SCENE_EVENTS";
/// The stream of what the engine decided: every partition's log.
pub const ACTIONS: &str = "SCENE_ACTIONS";
/// The stream of rejected events.
pub const DEAD_LETTERS: &str = "SCENE_DLQ";

/// Metadata of the streams: how many partitions the deployment has.
pub(super) const PARTITIONS_KEY: &str = "onscene.partitions";
/// Metadata of the streams: the version of this layout of subjects.
const LAYOUT_KEY: &str = "onscene.layout";
const LAYOUT: &str = "1";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Room for the headers that a dead letter has beyond the event's own. Producers' larger messages are
/// refused by the server.
const DEAD_LETTER_HEADROOM_BYTES: usize = 16 * 1024;

/// What of the streams is the deployment's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// Number of partitions: a power of two up to 4,096, chosen once.
    pub partitions: u16,
    /// Copies of each message that a cluster keeps, 1 to 5.
    pub replicas: usize,
    /// How long events are kept.
    pub events_max_age: Duration,
    /// How long actions and records are kept: at least the longest cap, budget or attribution window.
    pub actions_max_age: Duration,
    /// How long rejected events are kept.
    pub dlq_max_age: Duration,
    /// How large the events may become, in bytes; then new ones are refused, rather than unread ones lost.
    pub events_max_bytes: Option<u64>,
    /// How large the actions and records may become, in bytes; then the engine waits, rather than lose any.
    pub actions_max_bytes: Option<u64>,
    /// How large the rejected events may become, in bytes; then the engine waits, rather than lose any.
    pub dlq_max_bytes: Option<u64>,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            partitions: PARTITIONS_DEFAULT,
            replicas: 1,
            events_max_age: 7 * DAY,
            actions_max_age: 400 * DAY,
            dlq_max_age: 30 * DAY,
            events_max_bytes: None,
            actions_max_bytes: None,
            dlq_max_bytes: None,
        }
    }
}

/// What is known of the streams once they are as they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Number of partitions.
    pub partitions: u16,
    /// The last sequence in the events' stream when it was looked at; 0 if it never held any.
    pub events_last_sequence: u64,
    /// The last sequence in the actions' stream when it was looked at.
    pub actions_last_sequence: u64,
}

/// One setting of a stream that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name in the server's configuration of a stream.
    pub field: &'static str,
    /// What the stream has.
    pub have: String,
    /// What the engine wants.
    pub want: String,
}

/// Why the streams are not ready.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// A number of partitions that cannot be.
    #[error("use {0} partitions: the number must be a power of two from 1 to {PARTITIONS_MAX}")]
    Partitions(u16),
    /// A stream is there with other settings, or the server dropped some.
    #[error("{}", explain(stream, differences, *created))]
    Differs {
        /// Which stream.
        stream: &'static str,
        /// Each setting that differs.
        differences: Vec<Difference>,
        /// Whether it was created just now, so that the server dropped the settings.
        created: bool,
    },
    /// The server refused to create or show a stream.
    #[error("create or look at the stream {stream}")]
    Server {
        /// Which stream.
        stream: &'static str,
        /// What the server or the client library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn explain(stream: &str, differences: &[Difference], created: bool) -> String {
    let mut text = if created {
        format!("create the stream {stream} as asked: the server silently changed these settings:")
    } else {
        format!("use the stream {stream}: it exists with other settings:")
    };
    for Difference { field, have, want } in differences {
        text.push_str(&format!("\n  {field}: have {have}, want {want}"));
    }
    text.push_str(if created {
        "\nThe server is too old or restricts this account: upgrade it, or lift the account's limits"
    } else if differences.iter().any(|difference| difference.field == PARTITIONS_KEY) {
        "\nThe number of partitions is chosen once: configure the recorded one, or start with new streams"
    } else {
        "\nChange the engine's configuration to what is there, or the stream with `nats stream edit`; only what is \
         stored afterwards follows a changed transform, so rather start with new streams if that differs"
    });
    text
}

/// Creates the streams that are missing and verifies those that exist, setting by setting.
pub async fn ensure_streams(
    connection: &Connection,
    settings: &StreamSettings,
) -> Result<Streams, StreamsError> {
    if !settings.partitions.is_power_of_two() || settings.partitions > PARTITIONS_MAX {
        return Err(StreamsError::Partitions(settings.partitions));
    }
    let events_last_sequence = ensure(
        connection,
        EVENTS,
        events(settings, connection.max_payload()),
    )
    .await?;
    let actions_last_sequence = ensure(connection, ACTIONS, actions(settings)).await?;
    ensure(connection, DEAD_LETTERS, dead_letters(settings)).await?;
    ensure(connection, BUDGETS, budgets(settings)).await?;
    ensure(connection, RULES, rules(settings)).await?;
    Ok(Streams {
        partitions: settings.partitions,
        events_last_sequence,
        actions_last_sequence,
    })
}

async fn ensure(
    connection: &Connection,
    stream: &'static str,
    want: Config,
) -> Result<u64, StreamsError> {
    let server =
        |source: Box<dyn std::error::Error + Send + Sync>| StreamsError::Server { stream, source };
    let jetstream = connection.jetstream();
    let created = match jetstream.create_stream(want.clone()).await {
        Ok(_) => true,
        // It exists with other settings: which ones, we say ourselves.
        Err(error)
            if matches!(error.kind(), CreateStreamErrorKind::JetStream(cause)
                if cause.error_code() == ErrorCode::STREAM_NAME_EXIST) =>
        {
            false
        }
        Err(error) => return Err(server(error.into())),
    };
    // Read back, because a server may drop what it does not know without a word.
    let info = jetstream
        .get_stream(stream)
        .await
        .map_err(|error| server(error.into()))?
        .cached_info()
        .clone();
    let differences = compare(&info.config, &want);
    if differences.is_empty() {
        Ok(info.state.last_sequence)
    } else {
        // An identical stream counts as created by this server's answer, so an old one that
        // holds messages is told apart by them.
        let created = created && info.state.last_sequence == 0;
        Err(StreamsError::Differs {
            stream,
            differences,
            created,
        })
    }
}

fn base(stream: &str, subjects: &[&str], settings: &StreamSettings, max_age: Duration) -> Config {
    Config {
        name: stream.to_owned(),
        subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        num_replicas: settings.replicas,
        max_age,
        // The server stores −1 for "no limit"; asking for it makes what is read back equal.
        max_bytes: -1,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        max_message_size: -1,
        duplicate_window: DUPLICATE_WINDOW.min(max_age),
        allow_direct: true,
        metadata: HashMap::from([
            (PARTITIONS_KEY.to_owned(), settings.partitions.to_string()),
            (LAYOUT_KEY.to_owned(), LAYOUT.to_owned()),
        ]),
        ..Config::default()
    }
}

fn events(settings: &StreamSettings, max_payload: usize) -> Config {
    let subjects = ["scene.events.*.*.*", "scene.broadcast.*"];
    let mut config = base(EVENTS, &subjects, settings, settings.events_max_age);
    config.description = Some("What producers publish, stored by partition and bucket".to_owned());
    config.subject_transform = Some(SubjectTransform {
        source: "scene.events.*.*.*".to_owned(),
        destination: format!(
            "scene.in.{{{{partition({},3)}}}}.{{{{partition({BUCKETS},3)}}}}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}",
            settings.partitions
        ),
    });
    // What the server stores must fit into the dead letters with their headers.
    config.max_message_size =
        i32::try_from(max_payload.saturating_sub(DEAD_LETTER_HEADROOM_BYTES)).unwrap_or(i32::MAX);
    limit_bytes(&mut config, settings.events_max_bytes);
    config
}

/// A stream that has reached its size refuses what is new: nothing that is not yet read, or that state needs, goes.
fn limit_bytes(config: &mut Config, bytes: Option<u64>) {
    if let Some(bytes) = bytes {
        config.max_bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        config.discard = DiscardPolicy::New;
    }
}

fn actions(settings: &StreamSettings) -> Config {
    let subjects = ["scene.commit.*.*"];
    let mut config = base(ACTIONS, &subjects, settings, settings.actions_max_age);
    config.description = Some("What the engine decided: the log of every partition".to_owned());
    config.subject_transform = Some(SubjectTransform {
        source: "scene.commit.*.*".to_owned(),
        destination: "scene.actions.{{wildcard(1)}}.{{wildcard(2)}}".to_owned(),
    });
    config.republish = Some(Republish {
        source: "scene.actions.>".to_owned(),
        destination: "scene.live.>".to_owned(),
        headers_only: false,
    });
    config.allow_atomic_publish = true;
    limit_bytes(&mut config, settings.actions_max_bytes);
    config
}

fn dead_letters(settings: &StreamSettings) -> Config {
    let mut config = base(
        DEAD_LETTERS,
        &["scene.dlq.*"],
        settings,
        settings.dlq_max_age,
    );
    config.description = Some("Events that were rejected, with the reason".to_owned());
    limit_bytes(&mut config, settings.dlq_max_bytes);
    config
}

/// A key-value bucket is a stream whose subjects are the keys (ADR-8).
fn budgets(settings: &StreamSettings) -> Config {
    let mut config = base(BUDGETS, &[BUDGET_KEYS], settings, Duration::ZERO);
    config.description = Some("What engines have been granted of shared budgets".to_owned());
    config.duplicate_window = DUPLICATE_WINDOW;
    config.max_messages_per_subject = 1;
    config.discard = DiscardPolicy::New;
    config.allow_rollup = true;
    config.deny_delete = true;
    config
}

/// The number of partitions that a stream was made for.
pub(super) fn partitions_of(config: &Config) -> Option<u16> {
    config.metadata.get(PARTITIONS_KEY)?.parse().ok()
}

/// The texts of generations, switches, approvals: the latest values of each key.
fn rules(settings: &StreamSettings) -> Config {
    let mut config = budgets(settings);
    config.name = RULES.to_owned();
    config.subjects = vec![RULES_KEYS.to_owned()];
    config.description = Some("What governs the rules: texts, switches, approvals".to_owned());
    config.max_messages_per_subject = RULES_HISTORY;
    config
}

/// Each setting that matters to the engine and differs. What else an operator adds (a description, tags for
/// placement, compression) is theirs.
fn compare(have: &Config, want: &Config) -> Vec<Difference> {
    let pairs = settings_of(have).into_iter().zip(settings_of(want));
    pairs
        .filter(|((_, have), (_, want))| have != want)
        .map(|((field, have), (_, want))| Difference { field, have, want })
        .collect()
}

/// The settings that matter, by their name in the server's configuration, in words.
fn settings_of(config: &Config) -> Vec<(&'static str, String)> {
    let mut subjects = config.subjects.clone();
    subjects.sort();
    let transform = config.subject_transform.as_ref();
    let transform = transform.map(|to| format!("{} -> {}", to.source, to.destination));
    let metadata = |key: &str| or_none(config.metadata.get(key).cloned());
    let per_subject = config.max_messages_per_subject;
    let atomic = config.allow_atomic_publish;
    vec![
        (PARTITIONS_KEY, metadata(PARTITIONS_KEY)),
        (LAYOUT_KEY, metadata(LAYOUT_KEY)),
        ("subjects", subjects.join(", ")),
        ("subject_transform", or_none(transform)),
        (
            "republish",
            or_none(config.republish.as_ref().map(republish)),
        ),
        ("retention", format!("{:?}", config.retention)),
        ("storage", format!("{:?}", config.storage)),
        ("discard", format!("{:?}", config.discard)),
        ("num_replicas", config.num_replicas.to_string()),
        ("max_age", age(config.max_age)),
        ("max_bytes", limit(config.max_bytes)),
        ("max_msgs", limit(config.max_messages)),
        ("max_msgs_per_subject", limit(per_subject)),
        ("max_msg_size", limit(config.max_message_size.into())),
        ("max_consumers", limit(config.max_consumers.into())),
        ("duplicate_window", age(config.duplicate_window)),
        ("no_ack", config.no_ack.to_string()),
        ("sealed", config.sealed.to_string()),
        ("allow_direct", config.allow_direct.to_string()),
        ("allow_atomic", atomic.to_string()),
    ]
}

fn or_none(text: Option<String>) -> String {
    text.unwrap_or_else(|| "none".to_owned())
}

fn republish(to: &Republish) -> String {
    let headers_only = if to.headers_only {
        ", headers only"
    } else {
        ""
    };
    format!("{} -> {}{headers_only}", to.source, to.destination)
}

/// The server stores 0 or −1 for "no limit".
fn limit(limit: i64) -> String {
    or_none((limit > 0).then(|| limit.to_string()))
}

fn age(age: Duration) -> String {
    if age.is_zero() {
        "unlimited".to_owned()
    } else {
        format!("{} s", age.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_differs_is_named_with_what_is_there_and_what_is_wanted() {
        let settings = StreamSettings::default();
        let want = actions(&settings);
        assert_eq!(compare(&want, &want), []);
        let have = Config {
            republish: None,
            max_age: DAY,
            metadata: HashMap::new(),
            ..want.clone()
        };
        let differences = compare(&have, &want);
        let fields: Vec<_> = differences
            .iter()
            .map(|difference| difference.field)
            .collect();
        assert_eq!(fields, [PARTITIONS_KEY, LAYOUT_KEY, "republish", "max_age"]);
        let text = StreamsError::Differs {
            stream: ACTIONS,
            differences,
            created: false,
        }
        .to_string();
        assert!(
            text.contains("onscene.partitions: have none, want 16"),
            "{text}"
        );
        assert!(
            text.contains("max_age: have 86400 s, want 34560000 s"),
            "{text}"
        );
    }

    #[test]
    fn a_size_limit_refuses_new_events_and_never_drops_unread_ones() {
        let unlimited = events(&StreamSettings::default(), 1 << 20);
        assert_eq!(
            (unlimited.discard, unlimited.max_bytes),
            (DiscardPolicy::Old, -1)
        );
        let settings = StreamSettings {
            events_max_bytes: Some(1 << 30),
            ..StreamSettings::default()
        };
        let limited = events(&settings, 1 << 20);
        assert_eq!(
            (limited.discard, limited.max_bytes),
            (DiscardPolicy::New, 1 << 30)
        );
        let settings = StreamSettings {
            actions_max_bytes: Some(1 << 20),
            dlq_max_bytes: Some(1 << 21),
            ..settings
        };
        for (limited, bytes) in [
            (actions(&settings), 1 << 20),
            (dead_letters(&settings), 1 << 21),
        ] {
            assert_eq!(limited.discard, DiscardPolicy::New, "{}", limited.name);
            assert_eq!(limited.max_bytes, bytes, "{}", limited.name);
        }
    }
}
