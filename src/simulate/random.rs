//! The dice: a small seeded generator, the same on every machine.

/// `SplitMix64`: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
/// 2014, with the constants of Vigna's public-domain version. Enough for traffic; not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

/// FNV-1a: a stream for a text, which depends on every byte of it.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    })
}

impl Random {
    /// A generator for one purpose: the same `seed` and `stream` always give the same numbers.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = Self { state: seed };
        let state = mixed.next_u64() ^ stream.wrapping_mul(0xD134_2543_DE82_EF95);
        Self { state }
    }

    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `n` − 1, by multiplication instead of modulo (Lemire 2019); 0 if `n` is 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        debug_assert!(low <= high, "a range starts before it ends");
        low + self.below((high - low + 1).unsigned_abs()) as i64
    }

    /// True in `permille` of a thousand cases.
    pub(super) fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < u64::from(permille)
    }

    /// One of `all`, each as likely.
    pub(super) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// One of `all`, as likely as its weight says.
    pub(super) fn weighted<T: Copy>(&mut self, all: &[(T, u32)]) -> T {
        let total: u64 = all.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut rest = self.below(total);
        for (item, weight) in all {
            if rest < u64::from(*weight) {
                return *item;
            }
            rest -= u64::from(*weight);
        }
        all[all.len() - 1].0
    }
}
