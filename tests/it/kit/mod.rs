//! What tests share.

mod engine;
mod folder;
mod nats;
mod scene;

pub(crate) use engine::{Engine, eventually};
pub(crate) use folder::Folder;
pub(crate) use nats::Nats;
pub(crate) use scene::{
    StoredAction, actions, answering_rule, answers, checkout, publish, save, stream_messages,
    wait_actions,
};
