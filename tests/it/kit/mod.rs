//! What tests share.

pub(crate) mod desk;
mod folder;
pub(crate) mod malformed;
mod nats;
mod random;

pub(crate) use desk::Desk;
pub(crate) use folder::Folder;
pub(crate) use nats::Nats;
pub(crate) use random::Random;
