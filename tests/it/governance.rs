//! Who may change what, and what was changed: real engines, a real broker.

mod approvals;
mod http;
mod load;
mod rollback;
mod switches;
mod texts;
