//! Nothing lost, nothing doubled, whatever happens: real nats-servers and real engine processes are killed, stopped,
//! starved of room and cut off under load, and a checker that reads nothing but the streams says what must have come out.
//!
//! The counts are samples; `make long` runs the full ones:
//!
//! | variable | default | what |
//! |---|---|---|
//! | `ONSCENE_KILLS` | 8 | kills of the engine, in rounds of at most 10 |
//! | `ONSCENE_BROKER_KILLS` | 3 | kills of the broker |
//! | `ONSCENE_ZOMBIES` | 2 | engines that sleep through a take-over |
//! | `ONSCENE_LEADER_KILLS` | 1 | kills of a server of three |
//! | `ONSCENE_RATE` | 1000 | events a second |
//! | `ONSCENE_SEED` | 1 | what "at random" means |
//! | `ONSCENE_DEDUPE_WAIT` | – | `1`: wait for the broker's two minutes, rather than shorten them |

mod broker_kills;
mod checker;
mod cluster;
mod ending;
mod engine_kills;
mod limits;
mod load;
mod model;
mod outage;
mod state;
mod world;
mod zombies;

/// A number from the environment.
fn setting(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text}: not a number")),
        Err(_) => default,
    }
}

/// One line for `make long`, which shows such lines.
fn tell(what: std::fmt::Arguments<'_>) {
    // The name of the test stands before it on the line, unless it runs beside others.
    println!("\nresult: {what}");
}
