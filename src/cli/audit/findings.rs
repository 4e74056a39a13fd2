//! What `audit verify` found, for people and for machines.

use super::super::check::Format;

/// Findings of one kind that are told one by one.
const TOLD_MAX: u64 = 20;

/// Tells findings as they come, and remembers whether all was as it should be.
pub(super) struct Findings {
    format: Format,
    faults: u64,
    /// The kind of the last finding, and how many of it there were in a row.
    same: (&'static str, u64),
}

impl Findings {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            faults: 0,
            same: ("", 0),
        }
    }

    pub(super) fn sound(&mut self, check: &'static str, of: &str, says: &str) {
        self.tell(true, check, of, says);
    }

    pub(super) fn fault(&mut self, check: &'static str, of: &str, says: &str) {
        self.faults += 1;
        self.same = match self.same {
            (same, count) if same == check => (check, count + 1),
            _ => (check, 1),
        };
        match (self.same.1, self.format) {
            (..=TOLD_MAX, _) | (_, Format::Json) => self.tell(false, check, of, says),
            (count, _) if count == TOLD_MAX + 1 => println!("         … and more of {check}"),
            _ => {}
        }
    }

    fn tell(&self, sound: bool, check: &str, of: &str, says: &str) {
        match self.format {
            Format::Text => {
                let word = if sound { "sound" } else { "BROKEN" };
                println!("{word:<7}  {check:<7}  {of}  {says}");
            }
            Format::Json => println!(
                "{}",
                serde_json::json!({"sound": sound, "check": check, "of": of, "says": says})
            ),
        }
    }

    pub(super) fn faults(&self) -> u64 {
        self.faults
    }
}
