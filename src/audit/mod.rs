//! An export of the logs that shows whether anybody has touched it, and what is checked of it.
//!
//! * [`line`]: one line, and the hash that chains it to the line before
//! * [`record`]: a message of the log as a line
//! * [`tally`]: what an export holds, for its last line
//! * [`links`]: whether the messages of each partition follow each other
//! * [`verify`]: the first line that is not as it was written, and why
//! * [`anchor`]: a hash to be kept elsewhere
//!
//! `docs/audit.md` says what each of these shows, and what none of them can.

pub mod anchor;
pub mod line;
pub mod links;
pub mod record;
pub mod tally;
pub mod verify;

pub use anchor::Anchor;
pub use line::{FORMAT, Head, Line, Sealer};
pub use links::{LinkFault, Links};
pub use record::Record;
pub use tally::{Tail, Tally};
pub use verify::{Broken, Fault, Verified, verify};
