//! What tests share.

mod folder;
mod nats;

pub(crate) use folder::Folder;
pub(crate) use nats::Nats;
