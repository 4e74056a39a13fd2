//! Goes through an export line by line, and says which is the first that is not as it was written, and why.
//!
//! What can be seen of the file alone: that a line was changed, taken out, put in or moved, and that the end is missing.
//! What cannot: that somebody has written the whole rest anew from some line on, with hashes that fit. That is seen by
//! comparing with an [`Anchor`](super::Anchor), with the stream, or with the links in the messages.

use std::fmt;

use super::line::{FORMAT, Head, Line, Unsealed};
use super::tally::{Tail, Tally};
use crate::nats::ChainHash;

/// A sound export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its first line.
    pub head: Head,
    /// Its last line.
    pub tail: Tail,
    /// How many lines it has.
    pub lines: u64,
    /// The hash of the last one.
    pub hash: ChainHash,
}

/// The first line that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which line, from 1.
    pub line: u64,
    /// Why.
    pub fault: Fault,
}

/// Why a line is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its bytes are others.
    Changed,
    /// It was not there: the line that belongs here comes next, or this one was there before.
    Inserted,
    /// Lines that belong here are not in the file.
    Missing {
        /// The first one's number.
        from: u64,
        /// The last one's.
        to: u64,
    },
    /// The line that belongs here is further down.
    Reordered {
        /// Where it is.
        found_at: u64,
    },
    /// The file ends before its last line.
    Truncated,
    /// It is as it was written, but says what cannot be so.
    Contradicts(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match &self.fault {
            Fault::Changed => write!(f, "line {line} was changed"),
            Fault::Inserted => write!(f, "line {line} was put in"),
            Fault::Missing { from, to } if from == to => {
                write!(f, "line {from} is missing: line {line} is a later one")
            }
            Fault::Missing { from, to } => {
                write!(
                    f,
                    "lines {from} to {to} are missing: line {line} is a later one"
                )
            }
            Fault::Reordered { found_at } => write!(
                f,
                "line {line} was moved: the one that belongs here is line {found_at}"
            ),
            Fault::Truncated => write!(
                f,
                "line {line} is missing and so is all behind it: an export ends with a line that says so"
            ),
            Fault::Contradicts(what) => write!(f, "line {line} says what cannot be so: {what}"),
        }
    }
}

/// What became of looking at a file: it is sound, or broken, or could not be read.
pub type Verdict<E> = Result<Result<Verified, Broken>, E>;

/// Verifies the lines of one file, each with its line break, and shows each that is as it was written, with its number
/// and hash.
///
/// # Errors
/// When a line could not be read. What is wrong with the export is in the answer.
pub fn verify<E>(
    lines: impl Iterator<Item = Result<Vec<u8>, E>>,
    mut show: impl FnMut(u64, ChainHash, &Line),
) -> Verdict<E> {
    let mut lines = lines;
    let mut state = State::default();
    while let Some(bytes) = lines.next().transpose()? {
        match state.take(&bytes) {
            Ok(line) => show(state.number, state.hash, &line),
            Err(Wrong::Bytes) => return diagnose(&state, &bytes, lines).map(Err),
            Err(Wrong::Words(what)) => {
                return Ok(Err(Broken {
                    line: state.number + 1,
                    fault: Fault::Contradicts(what),
                }));
            }
        }
    }
    Ok(state.finish())
}

/// What is known after the lines so far.
#[derive(Default)]
struct State {
    /// Lines so far.
    number: u64,
    hash: ChainHash,
    head: Option<Head>,
    tail: Option<Tail>,
    tally: Tally,
    last_sequence: u64,
}

/// How a line is wrong: the bytes are others than were hashed, or it says what cannot be so.
enum Wrong {
    Bytes,
    Words(String),
}

impl State {
    fn take(&mut self, bytes: &[u8]) -> Result<Line, Wrong> {
        let unsealed = Unsealed::read(bytes).ok_or(Wrong::Bytes)?;
        let parsed = Line::parse(unsealed.body);
        if let (0, Ok((_, Line::Head(head)))) = (self.number, &parsed) {
            self.hash = head.previous.unwrap_or(ChainHash::NONE);
        }
        if self.tail.is_some() || !unsealed.follows(self.hash) {
            return Err(Wrong::Bytes);
        }
        let (n, line) = parsed.map_err(Wrong::Words)?;
        if n != self.number + 1 {
            return Err(Wrong::Words(format!("that it is line {n}")));
        }
        self.check(&line).map_err(Wrong::Words)?;
        self.number = n;
        self.hash = unsealed.hash;
        Ok(line)
    }

    fn check(&mut self, line: &Line) -> Result<(), String> {
        match (line, &self.head) {
            (Line::Head(head), None) => {
                if head.format != FORMAT {
                    return Err(format!(
                        "format {}; this version of onscene reads format {FORMAT}",
                        head.format
                    ));
                }
                self.last_sequence = head.after_sequence;
                self.head = Some(head.clone());
            }
            (Line::Head(_), Some(_)) => return Err("an export begins in the midst".to_owned()),
            (_, None) => return Err("an export must begin with its head".to_owned()),
            (Line::Record(record), Some(_)) => {
                if record.sequence <= self.last_sequence {
                    return Err(format!(
                        "message {} behind {}",
                        record.sequence, self.last_sequence
                    ));
                }
                self.last_sequence = record.sequence;
                self.tally.add(record);
            }
            (Line::Tail(tail), Some(_)) => {
                let mut counted = tail.clone();
                for generation in &mut counted.generations {
                    generation.texts = None;
                }
                if counted != self.tally.tail(tail.until_sequence) {
                    return Err("other counts than the lines before it have".to_owned());
                }
                self.tail = Some(tail.clone());
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Verified, Broken> {
        let (Some(head), Some(tail)) = (self.head, self.tail) else {
            return Err(Broken {
                line: self.number + 1,
                fault: Fault::Truncated,
            });
        };
        Ok(Verified {
            head,
            tail,
            lines: self.number,
            hash: self.hash,
        })
    }
}

/// The number that a line claims, and what it says, if it has the form of one.
fn read(bytes: &[u8]) -> Option<(u64, Line)> {
    Line::parse(Unsealed::read(bytes)?.body).ok()
}

fn claims(bytes: &[u8]) -> Option<u64> {
    Some(read(bytes)?.0)
}

/// Whether a line is the one that comes behind the last sound one.
fn belongs_behind(sound: &State, bytes: &[u8]) -> bool {
    let before = match read(bytes) {
        Some((n, _)) if n != sound.number + 1 => return false,
        Some((1, Line::Head(head))) => head.previous.unwrap_or(ChainHash::NONE),
        Some(_) => sound.hash,
        None => return false,
    };
    Unsealed::read(bytes).is_some_and(|line| line.follows(before))
}

/// Says what became of the line behind the last sound one. The number that each line carries, and whether its neighbour
/// fits without it, tell the cases apart.
fn diagnose<E>(
    sound: &State,
    bytes: &[u8],
    mut rest: impl Iterator<Item = Result<Vec<u8>, E>>,
) -> Result<Broken, E> {
    let place = sound.number + 1;
    let broken = |fault| Ok(Broken { line: place, fault });
    if sound.tail.is_some() {
        return broken(Fault::Inserted);
    }
    let found = read(bytes);
    let claimed = found.as_ref().map(|(n, _)| *n);
    let next = rest.next().transpose()?;
    if next
        .as_deref()
        .is_some_and(|next| belongs_behind(sound, next))
    {
        let third = rest.next().transpose()?;
        let is_here_twice = third.as_deref().and_then(claims) == Some(place + 1);
        // The two have changed places, rather than that this one was added.
        return broken(if claimed == Some(place + 1) && !is_here_twice {
            Fault::Reordered {
                found_at: place + 1,
            }
        } else {
            Fault::Inserted
        });
    }
    let Some(later) = claimed.filter(|claimed| *claimed > place) else {
        return broken(Fault::Changed);
    };
    let next_number = next.as_deref().and_then(claims);
    let mut at = place + 1;
    let mut rest = next.map(Ok).into_iter().chain(rest);
    while let Some(line) = rest.next().transpose()? {
        if claims(&line) == Some(place) {
            return broken(Fault::Reordered { found_at: at });
        }
        at += 1;
    }
    // Nothing else is out of its place, so it is the number in this line that was changed.
    let is_the_number = match found {
        Some((_, Line::Tail(tail))) => later != tail.records + 2,
        _ => next_number == Some(place + 1),
    };
    broken(if is_the_number {
        Fault::Changed
    } else {
        Fault::Missing {
            from: place,
            to: later - 1,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Record, Sealer};
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn record(sequence: u64) -> Record {
        Record {
            sequence,
            partition: u16::try_from(sequence % 3).unwrap(),
            stored_at: "2026-11-22T10:00:00.000Z".to_owned(),
            subject: format!("scene.actions.push.{}", sequence % 3),
            headers: vec![("Onscene-Kind".to_owned(), "action".to_owned())],
            payload: Bytes::from(format!(
                "{{\"data\":{{\"generation\":\"g{}\"}}}}",
                sequence % 2
            )),
        }
    }

    fn export(records: u64, previous: Option<ChainHash>) -> Vec<Vec<u8>> {
        let mut sealer = Sealer::new(previous);
        let mut tally = Tally::default();
        let head = Head {
            format: FORMAT,
            engine: "0.1.0".to_owned(),
            exported_at: "2026-11-22T10:00:00.000Z".to_owned(),
            stream_created: "1".to_owned(),
            from: None,
            to: None,
            after_sequence: 0,
            previous,
        };
        let mut lines = vec![sealer.seal(&Line::Head(head))];
        for sequence in 1..=records {
            let record = record(sequence * 2);
            tally.add(&record);
            lines.push(sealer.seal(&Line::Record(record)));
        }
        lines.push(sealer.seal(&Line::Tail(tally.tail(records * 2))));
        lines
    }

    fn look(lines: &[Vec<u8>]) -> Result<Verified, Broken> {
        let bytes = lines.concat();
        // As they are read from a file, whatever became of the line breaks.
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let lines = lines.map(|line| Ok::<_, Infallible>(line.to_vec()));
        match verify(lines, |_, _, _| {}) {
            Ok(verdict) => verdict,
        }
    }

    fn fault(lines: &[Vec<u8>]) -> (u64, Fault) {
        let broken = look(lines).unwrap_err();
        (broken.line, broken.fault)
    }

    #[test]
    fn an_untouched_export_is_sound_whatever_it_goes_on_from() {
        for previous in [None, Some(ChainHash([7; 32]))] {
            let verified = look(&export(5, previous)).unwrap();
            assert_eq!((verified.lines, verified.tail.records), (7, 5));
            assert_eq!(verified.tail.generations.len(), 1);
        }
        assert_eq!(look(&export(0, None)).unwrap().lines, 2);
    }

    #[test]
    fn a_rest_that_was_written_anew_is_sound_in_itself_and_has_another_last_hash() {
        let (one, other) = (export(5, None), export(4, None));
        assert_eq!(one[..5], other[..5]);
        assert_ne!(look(&one).unwrap().hash, look(&other).unwrap().hash);
    }

    #[test]
    fn what_is_behind_the_end_was_put_in_and_what_says_nonsense_is_named() {
        let mut lines = export(2, None);
        lines.push(lines[1].clone());
        assert_eq!(fault(&lines), (5, Fault::Inserted));
        let mut sealer = Sealer::new(None);
        let lines = [sealer.seal(&Line::Record(record(1)))];
        assert!(matches!(fault(&lines), (1, Fault::Contradicts(_))));
        assert_eq!(fault(&[]), (1, Fault::Truncated));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn any_flipped_bit_is_noticed_at_its_line(
            records in 0_u64..6,
            line in any::<prop::sample::Index>(),
            byte in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut lines = export(records, None);
            let line = line.index(lines.len());
            let byte = byte.index(lines[line].len());
            lines[line][byte] ^= 1 << bit;
            let (at, fault) = fault(&lines);
            prop_assert_eq!(at, line as u64 + 1);
            prop_assert_eq!(fault, Fault::Changed);
        }

        #[test]
        fn lines_that_were_taken_out_are_named(
            records in 1_u64..9,
            first in any::<prop::sample::Index>(),
            count in 1_usize..4,
        ) {
            let mut lines = export(records, None);
            // From any line but the last: without that one, the end is missing.
            let first = first.index(lines.len() - 1);
            let last = (first + count).min(lines.len() - 1);
            lines.drain(first..last);
            let (from, to) = (first as u64 + 1, last as u64);
            prop_assert_eq!(fault(&lines), (from, Fault::Missing { from, to }));
        }

        #[test]
        fn a_missing_end_is_noticed(records in 0_u64..6, kept in any::<prop::sample::Index>()) {
            let mut lines = export(records, None);
            lines.truncate(kept.index(lines.len()));
            prop_assert_eq!(fault(&lines), (lines.len() as u64 + 1, Fault::Truncated));
        }

        #[test]
        fn lines_that_changed_places_are_named(
            records in 1_u64..9,
            one in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(),
        ) {
            let mut lines = export(records, None);
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            prop_assume!(one < other);
            lines.swap(one, other);
            let found_at = other as u64 + 1;
            prop_assert_eq!(fault(&lines), (one as u64 + 1, Fault::Reordered { found_at }));
        }

        #[test]
        fn a_line_that_was_put_in_is_named(
            records in 0_u64..6,
            at in any::<prop::sample::Index>(),
            copy in any::<prop::sample::Index>(),
            is_foreign in any::<bool>(),
        ) {
            let mut lines = export(records, None);
            let copy = if is_foreign {
                Sealer::new(Some(ChainHash([1; 32]))).seal(&Line::Record(record(3)))
            } else {
                lines[copy.index(lines.len())].clone()
            };
            let at = at.index(lines.len());
            // Put before itself, a line cannot be told from its copy: the second one is one too many.
            let place = if lines[at] == copy { at + 1 } else { at };
            lines.insert(at, copy);
            prop_assert_eq!(fault(&lines), (place as u64 + 1, Fault::Inserted));
        }
    }
}
