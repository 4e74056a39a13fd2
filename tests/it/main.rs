//! Tests that need a lot of room: one binary with modules and a shared kit.

mod crash;
mod decide;
mod hostile_rules;
mod kit;
mod malformed;
mod nats_layer;
mod reload;
mod sandbox;
mod tidy;
mod windows;
