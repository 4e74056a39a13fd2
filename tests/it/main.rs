//! Tests that need a lot of room: one binary with modules, a real nats-server, and a shared kit.

mod crash;
mod decide;
mod documents;
mod examples;
mod hostile_rules;
mod kit;
mod malformed;
mod nats_layer;
mod refused;
mod reload;
mod sandbox;
mod tidy;
mod windows;
