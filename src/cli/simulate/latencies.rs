//! Durations counted in buckets, so that a run without end needs no more memory than a short one.

use std::time::Duration;

/// Each power of two of microseconds is split into this many buckets: an error of at most 3 %.
const BUCKETS_PER_OCTAVE: u64 = 32;
/// Enough for 2^36 µs, nineteen hours; what is longer counts as that.
const OCTAVES: u64 = 32;

/// How long something took, many times.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let length = (BUCKETS_PER_OCTAVE * OCTAVES) as usize;
        Self {
            buckets: vec![0; length],
            count: 0,
        }
    }
}

impl Latencies {
    pub(in crate::cli) fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let last = self.buckets.len() - 1;
        self.buckets[bucket(micros).min(last)] += 1;
        self.count += 1;
    }

    #[cfg(test)]
    /// How many were recorded.
    pub(in crate::cli) fn count(&self) -> u64 {
        self.count
    }

    /// Those recorded after `before` was cloned from the same.
    pub(in crate::cli) fn since(&self, before: &Self) -> Self {
        let pairs = self.buckets.iter().zip(&before.buckets);
        Self {
            buckets: pairs.map(|(now, before)| now - before).collect(),
            count: self.count - before.count,
        }
    }

    /// The time within which `percent` of a hundred were done, never understated; `None` if there were none.
    pub(in crate::cli) fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let nth = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_micros(upper_edge(nth as u64)))
    }

    /// For a human: `p50 0.8 ms, p99 2.4 ms`.
    pub(in crate::cli) fn summary(&self) -> String {
        let [median, high] = [50, 99].map(|percent| millis(self.percentile(percent)));
        format!("p50 {median}, p99 {high}")
    }
}

/// A duration in milliseconds, as fine as matters: `0.84 ms`, `12.3 ms`, `250 ms`; `–` for none.
pub(in crate::cli) fn millis(took: Option<Duration>) -> String {
    let Some(took) = took else {
        return "–".to_owned();
    };
    let millis = took.as_secs_f64() * 1_000.0;
    match millis {
        ..10.0 => format!("{millis:.2} ms"),
        10.0..100.0 => format!("{millis:.1} ms"),
        _ => format!("{millis:.0} ms"),
    }
}

/// Below one octave's worth, a bucket for each microsecond; above, equal parts of each octave.
fn bucket(micros: u64) -> usize {
    let number = if micros < BUCKETS_PER_OCTAVE {
        micros
    } else {
        let shift = micros.ilog2() - BUCKETS_PER_OCTAVE.ilog2();
        u64::from(shift) * BUCKETS_PER_OCTAVE + (micros >> shift)
    };
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The largest number of microseconds that falls into a bucket.
fn upper_edge(bucket: u64) -> u64 {
    if bucket < BUCKETS_PER_OCTAVE {
        return bucket;
    }
    let shift = bucket / BUCKETS_PER_OCTAVE - 1;
    let within = bucket % BUCKETS_PER_OCTAVE + BUCKETS_PER_OCTAVE;
    ((within + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_into_a_bucket_that_overstates_it_by_at_most_a_thirtieth() {
        for micros in (0..2_000).chain((2_000..90_000_000).step_by(12_345)) {
            let edge = upper_edge(bucket(micros) as u64);
            assert!(edge >= micros, "{micros} in a bucket up to {edge}");
            assert!(edge - micros <= micros / 30, "{micros} told as {edge}");
        }
    }

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        assert_eq!(latencies.summary(), "p50 –, p99 –");
        (1..=100).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        let within = |percent, ms: f64| {
            let found = latencies.percentile(percent).unwrap().as_secs_f64() * 1e3;
            assert!((ms..ms * 1.04).contains(&found), "{percent} %: {found} ms");
        };
        within(50, 50.0);
        within(99, 99.0);
        within(100, 100.0);
        latencies.record(Duration::MAX);
        assert_eq!(latencies.count(), 101);
    }

    #[test]
    fn what_was_recorded_before_can_be_left_out() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_secs(5));
        let before = latencies.clone();
        latencies.record(Duration::from_micros(7));
        let later = latencies.since(&before);
        assert_eq!(later.count(), 1);
        assert_eq!(later.percentile(100), Some(Duration::from_micros(7)));
    }

    #[test]
    fn milliseconds_are_as_fine_as_matters() {
        let shown = |micros| millis(Some(Duration::from_micros(micros)));
        assert_eq!(shown(840), "0.84 ms");
        assert_eq!(shown(12_345), "12.3 ms");
        assert_eq!(shown(250_400), "250 ms");
        assert_eq!(millis(None), "–");
    }
}
