//! Sets of rules.

/// A set of rules by number, a bit for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits(Vec<u64>);

const WORD: usize = 64;

impl Bits {
    /// None of so many rules.
    #[must_use]
    pub fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(WORD)])
    }

    /// All of so many rules.
    #[must_use]
    pub fn all(count: usize) -> Self {
        let mut words = vec![u64::MAX; count.div_ceil(WORD)];
        if let Some(last) = words.last_mut().filter(|_| !count.is_multiple_of(WORD)) {
            *last = (1 << (count % WORD)) - 1;
        }
        Self(words)
    }

    /// Whether there is no rule in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Whether a rule is in it.
    #[must_use]
    pub fn has(&self, rule: u32) -> bool {
        let rule = rule as usize;
        self.0[rule / WORD] >> (rule % WORD) & 1 == 1
    }

    /// Puts a rule in.
    pub fn set(&mut self, rule: u32) {
        let rule = rule as usize;
        self.0[rule / WORD] |= 1 << (rule % WORD);
    }

    /// Takes a rule out.
    pub fn unset(&mut self, rule: u32) {
        let rule = rule as usize;
        self.0[rule / WORD] &= !(1 << (rule % WORD));
    }

    /// Whether they have a rule in common.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Takes others out.
    pub fn clear(&mut self, others: &Self) {
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word &= !other;
        }
    }

    /// Puts others in.
    pub fn add(&mut self, others: &Self) {
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word |= other;
        }
    }

    /// Takes out those that are in another set too, and puts them into a third.
    pub(super) fn move_common(&mut self, others: &Self, to: &mut Self) {
        let words = self.0.iter_mut().zip(&others.0).zip(&mut to.0);
        for ((word, other), to) in words {
            *to |= *word & other;
            *word &= !other;
        }
    }

    /// Those of both sets, in order.
    pub fn common<'b>(&'b self, other: &'b Self) -> impl Iterator<Item = u32> + 'b {
        let words = (0_u32..).zip(self.0.iter().zip(&other.0));
        words.flat_map(|(at, (a, b))| Ones(a & b).map(move |bit| at * 64 + bit))
    }

    /// The rules, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let words = (0_u32..).zip(&self.0);
        words.flat_map(|(at, word)| Ones(*word).map(move |bit| at * 64 + bit))
    }
}

/// The ones of a word.
struct Ones(u64);

impl Iterator for Ones {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let bit = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (bit < u64::BITS).then_some(bit)
    }
}

/// A set that is small beside all rules, or not.
#[derive(Debug)]
pub(super) enum Few {
    List(Box<[u32]>),
    Bits(Bits),
}

impl Few {
    pub(super) fn new(rules: Vec<u32>, count: usize) -> Self {
        // One rule costs about as much as four words.
        if rules.len() * 4 < count.div_ceil(WORD) {
            return Self::List(rules.into());
        }
        let mut bits = Bits::none(count);
        rules.into_iter().for_each(|rule| bits.set(rule));
        Self::Bits(bits)
    }

    pub(super) fn meets(&self, open: &Bits) -> bool {
        match self {
            Self::List(rules) => rules.iter().any(|rule| open.has(*rule)),
            Self::Bits(bits) => bits.meets(open),
        }
    }

    /// Those that are open, in order.
    pub(super) fn common(&self, open: &Bits) -> Vec<u32> {
        match self {
            Self::List(rules) => {
                let rules = rules.iter().copied();
                rules.filter(|rule| open.has(*rule)).collect()
            }
            Self::Bits(bits) => bits.common(open).collect(),
        }
    }

    pub(super) fn clear(&self, open: &mut Bits) {
        match self {
            Self::List(rules) => rules.iter().for_each(|rule| open.unset(*rule)),
            Self::Bits(bits) => open.clear(bits),
        }
    }

    pub(super) fn move_to(&self, open: &mut Bits, to: &mut Bits) {
        match self {
            Self::List(rules) => {
                for rule in rules.iter().filter(|rule| open.has(**rule)) {
                    to.set(*rule);
                }
                self.clear(open);
            }
            Self::Bits(bits) => open.move_common(bits, to),
        }
    }

    /// Takes all of its rules out but some.
    pub(super) fn keep(&self, open: &mut Bits, kept: Option<&Self>) {
        match (self, kept) {
            (_, None) => self.clear(open),
            (Self::Bits(all), Some(Self::Bits(kept))) => {
                let words = open.0.iter_mut().zip(&all.0).zip(&kept.0);
                for ((word, all), kept) in words {
                    *word &= !all | kept;
                }
            }
            (_, Some(kept)) => {
                let stay = kept.common(open);
                self.clear(open);
                stay.into_iter().for_each(|rule| open.set(rule));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in_across_words() {
        let mut bits = Bits::none(130);
        for rule in [0, 63, 64, 129] {
            bits.set(rule);
        }
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        bits.unset(63);
        assert!(!bits.has(63) && bits.has(64));
        assert_eq!(Bits::all(130).iter().count(), 130);
        assert_eq!(Bits::all(128).iter().count(), 128);
        assert_eq!(Bits::all(0).iter().count(), 0);
    }

    #[test]
    fn lists_and_bits_do_the_same() {
        // Few of many are a list, many of few are bits.
        for count in [130, 10_000] {
            let few = |rules: &[u32]| Few::new(rules.to_vec(), count);
            let mut open = Bits::all(count);
            few(&[1, 2, 70, 129]).keep(&mut open, Some(&few(&[70])));
            assert!(open.has(70) && open.has(3) && !open.has(1) && !open.has(129));
            let mut moved = Bits::none(count);
            few(&[2, 3, 70]).move_to(&mut open, &mut moved);
            assert_eq!(moved.iter().collect::<Vec<_>>(), [3, 70]);
            assert!(!few(&[1, 3, 70]).meets(&open) && few(&[4]).meets(&open));
        }
    }
}
