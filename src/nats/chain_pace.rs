//! Whether a batch is quicker than one write after another.
//!
//! That depends on the server more than on us. Measured on nats-server 2.15.1 on two cores, without
//! replicas: a single write 0.07 ms, an atomic batch about 10 ms whatever its size, and batches of
//! several chains wait for each other; on three replicas a single write takes 0.5 ms and a batch 3 ms. So the
//! chain goes by what it has seen itself.

use std::time::Duration;

/// Expected before anything was measured, in µs.
const SINGLE_US: f64 = 200.0;
const BATCH_US: f64 = 10_000.0;
/// What each message adds to a batch, in µs.
const BATCH_MESSAGE_US: f64 = 20.0;
/// Weight of a new measurement.
const WEIGHT: f64 = 1.0 / 8.0;
/// A measurement counts for at most so many times what was expected: a single pause of the machine must not
/// make all singles look slow, since then every chain writes batches, which wait for each other.
const OUTLIER: f64 = 4.0;
/// How far, with each single write, the memory of slow batches goes back to what was expected at first, so that
/// they are tried again some day.
const FORGET: f64 = 1.0 / 1_000.0;

/// What single writes and batches took lately.
#[derive(Debug)]
pub(super) struct Pace {
    single_us: f64,
    /// A batch, less what its messages add.
    batch_us: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            single_us: SINGLE_US,
            batch_us: BATCH_US,
        }
    }
}

impl Pace {
    /// Whether to send so many writes as a batch.
    pub(super) fn batch_pays(&self, count: usize) -> bool {
        let count = as_f64(count);
        count * self.single_us > self.batch_us + count * BATCH_MESSAGE_US
    }

    pub(super) fn single_took(&mut self, time: Duration) {
        let time = micros(time).min(self.single_us * OUTLIER);
        self.single_us += (time - self.single_us) * WEIGHT;
        self.batch_us += (BATCH_US - self.batch_us) * FORGET;
    }

    pub(super) fn batch_took(&mut self, time: Duration, count: usize) {
        let fixed = (micros(time) - as_f64(count) * BATCH_MESSAGE_US).max(0.0);
        self.batch_us += (fixed - self.batch_us) * WEIGHT;
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn break_even(pace: &Pace) -> usize {
        (1..10_000)
            .find(|count| pace.batch_pays(*count))
            .unwrap_or(usize::MAX)
    }

    #[test]
    fn a_single_pause_does_not_make_singles_look_slow() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.single_took(Duration::from_micros(200));
        }
        let before = break_even(&pace);
        pace.single_took(Duration::from_millis(300));
        assert!(break_even(&pace) > before / 2, "{}", break_even(&pace));
    }

    #[test]
    fn the_break_even_follows_what_was_measured() {
        let mut pace = Pace::default();
        assert_eq!(break_even(&pace), 56);
        // Without replicas: singles are quick.
        for _ in 0..100 {
            pace.single_took(Duration::from_micros(70));
        }
        assert!(
            (195..210).contains(&break_even(&pace)),
            "{}",
            break_even(&pace)
        );
        // On three replicas: batches are worth it soon.
        for _ in 0..100 {
            pace.single_took(Duration::from_micros(500));
            pace.batch_took(Duration::from_micros(3_400), 20);
        }
        assert!(break_even(&pace) < 16, "{}", break_even(&pace));
        // Batches that wait for each other are soon left alone, and tried again much later.
        for _ in 0..100 {
            pace.batch_took(Duration::from_millis(160), 64);
        }
        assert!(break_even(&pace) > 250, "{}", break_even(&pace));
        for _ in 0..5_000 {
            pace.single_took(Duration::from_micros(400));
        }
        assert!(break_even(&pace) < 30, "{}", break_even(&pace));
    }
}
