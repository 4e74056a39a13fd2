//! A customer's state: packed as if it were not, and the same after a way through bytes.

mod bytes;
mod golden;
mod journal;
mod people;
