//! What tests share.

mod cluster;
pub(crate) mod desk;
mod disk;
mod engine;
mod folder;
pub(crate) mod malformed;
mod nats;
mod random;
mod scene;

pub(crate) use cluster::Cluster;
pub(crate) use desk::Desk;
pub(crate) use disk::SmallDisk;
pub(crate) use engine::{Engine, eventually, onscene};
pub(crate) use folder::Folder;
pub(crate) use nats::{Nats, nats_binary};
pub(crate) use random::Random;
pub(crate) use scene::{
    StoredAction, actions, answering_rule, answers, checkout, publish, save, stream_messages,
    wait_actions,
};
