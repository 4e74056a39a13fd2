//! What a started contender does, until its standard input is closed.

use crate::contender::Role;
use crate::{Arguments, bare, fair, plain};
use onscene::config::{Config, Setting};
use onscene::engine::Engine;
use std::io::Read as _;
use std::time::Duration;

/// Plays a role.
pub(crate) async fn play(role: Role, arguments: &Arguments) -> anyhow::Result<()> {
    let inner = &arguments.inner;
    match role {
        Role::Bare => {
            let echo = bare::run(&inner.nats, inner.first, inner.every);
            tokio::select! { ended = echo => ended, () = told_to_end() => Ok(()) }
        }
        Role::Plain => {
            let echo = plain::run(&inner.nats, inner.first, inner.every);
            tokio::select! { ended = echo => ended, () = told_to_end() => Ok(()) }
        }
        Role::Fair => {
            let echo = fair::run(&inner.nats, inner.first, inner.every);
            tokio::select! { ended = echo => ended, () = told_to_end() => Ok(()) }
        }
        Role::Engine => engine(&inner.nats, &arguments.settings).await,
    }
}

/// Says that it has caught up.
pub(crate) fn ready() {
    println!("ready");
}

/// Waits until the standard input is closed. On a thread of its own, which nobody waits for.
async fn told_to_end() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Closed, or broken: the benchmark has gone.
        let _ = std::io::stdin().read(&mut [0]);
        let _ = sender.send(());
    });
    let _ = receiver.await;
}

/// Where the rules are.
pub(crate) const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/rules");

async fn engine(nats: &str, settings: &[String]) -> anyhow::Result<()> {
    let mut flags = vec![
        Setting::flag("bench", "nats.url", nats),
        Setting::flag("bench", "rules.folder", RULES),
        Setting::flag("bench", "http.address", "127.0.0.1:0"),
    ];
    for setting in settings {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| anyhow::anyhow!("`{setting}` is not key=value"))?;
        flags.push(Setting::flag("--set", key, value));
    }
    let mut running = Engine::start(Config::load(None, [], flags)?).await?;
    let health = running.health().clone();
    let caught_up = tokio::spawn(async move {
        while !health.obstacles().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ready();
    });
    tokio::select! {
        error = running.failed() => return Err(error.into()),
        () = told_to_end() => {}
    }
    caught_up.abort();
    Ok(running.stop().await?)
}
