//! Statistics of experiments: pure functions of counts, each with its source. Only here, and in what shows
//! it, is a number an approximate one; money stays exact elsewhere.
//!
//! * [`arm`]: what was seen of one side of an experiment
//! * [`association`]: how strongly a trait goes together with a result
//! * [`confidence_sequence`]: how far two sides differ, with an interval that may be looked at every day
//! * [`srm`]: whether an experiment's groups have the sizes that they should have

pub mod arm;
pub mod association;
pub mod confidence_sequence;
mod gamma;
pub mod srm;

#[cfg(test)]
mod tests;

pub use arm::{Arm, Proportion, Sample};
pub use association::cramers_v;
pub use confidence_sequence::{ConfidenceSequence, Difference, Interval};
pub use srm::SampleRatio;
