//! Tests that need a lot of room: one binary, a real nats-server, a shared kit.

mod crash;
mod kit;
mod nats_layer;
mod reload;
