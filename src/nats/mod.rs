//! Everything that talks to NATS; no other module names the client library.
//!
//! * [`server`]: a nats-server of our own, as a child process
//! * [`connect`]: one connection, and when it broke
//! * [`streams`]: the streams, created or verified
//! * [`budgets`]: what engines have been granted of shared budgets
//! * [`rule_bucket`]: what governs the rules
//! * [`message`]: a message as a stream holds it
//! * [`reader`]: events of one partition, in order, each once
//! * [`event_feed`]: one consumer of all events, dealt out to the partitions
//! * [`history`]: what was stored up to now, of a partition, a customer or all
//! * [`log_reader`]: the log of one partition, up to a sequence
//! * [`log_store`]: what a chain needs of a broker
//! * [`log_write`]: what is written to a log
//! * [`chain`]: the log as a chain that only its owner can extend
//! * [`chain_link`]: the hash by which each message of a log shows what came before it
//! * [`log_period`]: the logs of all partitions, as stored, for a period
//! * [`control_reader`]: from where on switches were in force
//! * [`dead_letters`]: rejected events, kept and named
//! * [`waiting`]: what waits for the broker, and why
//! * [`publish`]: events to the engine, and the live feed from it

pub mod budgets;
pub mod chain;
mod chain_error;
pub mod chain_link;
mod chain_pace;
mod chain_wire;
pub mod connect;
pub mod control_reader;
pub mod dead_letters;
pub mod event_feed;
pub mod history;
pub mod log_period;
pub mod log_reader;
pub mod log_store;
mod log_tail;
pub mod log_write;
pub mod message;
pub mod publish;
mod publish_retry;
mod pull;
mod pull_careful;
mod pull_open;
mod pull_place;
pub mod reader;
pub mod rule_bucket;
pub mod server;
mod stream_state;
pub mod streams;
pub mod waiting;

pub use budgets::{budget_keys, read_budget, write_budget};
pub use chain::Chain;
pub use chain_error::{ChainError, ChainState};
pub use chain_link::ChainHash;
pub use chain_wire::Outcome;
pub use connect::{ConnectError, Connection};
pub use control_reader::{ControlReader, owners, recorded_partitions};
pub use dead_letters::{DeadLetter, DeadLetterError, DeadLetters};
pub use history::{Edge, History, HistoryProgress, Period, Whose, deployed_partitions};
pub use log_period::{LogPeriod, PeriodError};
pub use log_reader::LogReader;
pub use log_store::{Behind, Extent, LogStore};
pub use log_write::LogWrite;
pub use message::{Headers, LogMessage, StoredEvent, StoredMessage};
pub use publish::{EventPublisher, LiveFeed, LiveMessage, PatientPublisher, PublishError, Stored};
pub use pull::ReadError;
pub use reader::EventReader;
pub use rule_bucket::{
    RulesEntry, RulesWatch, read_rules, rules_created, rules_history, write_rules,
};
pub use server::{LocalCluster, LocalServer, LocalServerOptions, ServerError, SyncInterval};
pub use stream_state::{EventsIdentity, EventsState, InfoError, events_identity, events_state};
pub use streams::{StreamSettings, Streams, StreamsError, ensure_streams};
pub use waiting::{WaitCause, Waiting};
