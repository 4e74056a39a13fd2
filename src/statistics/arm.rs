//! What was seen of one side of an experiment.

/// How many units succeeded, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proportion {
    /// Units that did what the experiment counts; at most `of`.
    pub successes: u64,
    /// Units.
    pub of: u64,
}

/// Numbers that were seen, one a unit, as their count, mean and squared deviations.
///
/// Source: B. P. Welford, "Note on a method for calculating corrected sums of squares and products",
/// Technometrics 4 (1962): it does not lose digits as sums of squares do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    units: u64,
    other_than_zero: u64,
    mean: f64,
    deviations: f64,
}

/// One side of an experiment, as far as a comparison needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arm {
    /// Independent units: customers.
    pub units: u64,
    /// The mean over all units.
    pub mean: f64,
    /// The variance of one unit.
    pub variance: f64,
}

impl Proportion {
    /// The share of those that succeeded; 0 of none.
    #[must_use]
    pub fn rate(self) -> f64 {
        if self.of == 0 {
            0.0
        } else {
            self.successes as f64 / self.of as f64
        }
    }

    /// As a side of an experiment. The variance is taken at a rate with one success and one failure added,
    /// so that a side that has seen no success yet is not taken for one without any variance.
    ///
    /// Source: A. Agresti and B. Caffo, "Simple and effective confidence intervals for proportions and
    /// differences of proportions result from adding two successes and two failures", The American
    /// Statistician 54 (2000).
    #[must_use]
    pub fn arm(self) -> Arm {
        let careful = (self.successes as f64 + 1.0) / (self.of as f64 + 2.0);
        Arm {
            units: self.of,
            mean: self.rate(),
            variance: careful * (1.0 - careful),
        }
    }
}

impl Sample {
    /// Adds what was seen of one more unit.
    pub fn add(&mut self, value: f64) {
        self.units += 1;
        self.other_than_zero += u64::from(value != 0.0);
        let before = value - self.mean;
        self.mean += before / self.units as f64;
        self.deviations += before * (value - self.mean);
    }

    /// The mean; 0 of nothing.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The variance of one unit, without bias; 0 of fewer than two.
    #[must_use]
    pub fn variance(&self) -> f64 {
        match self.units {
            0 | 1 => 0.0,
            units => self.deviations / (units - 1) as f64,
        }
    }

    /// Units of which something else than zero was seen.
    #[must_use]
    pub fn other_than_zero(&self) -> u64 {
        self.other_than_zero
    }

    /// How many units there are.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.units
    }

    /// As a side of an experiment.
    #[must_use]
    pub fn arm(&self) -> Arm {
        Arm {
            units: self.units,
            mean: self.mean,
            variance: self.variance(),
        }
    }
}
