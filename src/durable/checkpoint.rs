//! A checkpoint as bytes: what a partition knew at one place of its streams.
//!
//! ```text
//! file  = head block* end
//! head  = "ONSCNCKP", format u16, codec u16, length u32, cut (JSON), crc u32
//! block = length u32 (above 0), customers, crc u32
//! end   = 0 u32, number of customers u64, length of the file u64, crc u32
//! ```
//!
//! Numbers are little endian. A crc is CRC-32 (IEEE 802.3) of everything in its part before it, so every byte of
//! the file is under one: a byte that was flipped, wherever, is noticed.

use crate::clock::Millis;
use crate::partition::{Partition, Rest};
use crate::partitioning::CustomerId;
use crate::state::{CODEC_VERSION, Customer, CustomerDecoder, Names};
use serde::{Deserialize, Serialize};
use std::ops::Range;

const MAGIC: &[u8; 8] = b"ONSCNCKP";
/// Version of the file's layout.
pub const FORMAT_VERSION: u16 = 1;
/// From the beginning up to and with the length of the cut.
const PREFIX_BYTES: usize = 16;
const CRC_BYTES: usize = 4;
const END_BYTES: usize = 4 + 8 + 8 + CRC_BYTES;
/// A block is handed over for writing from this size on, in bytes.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// Where in its streams a checkpoint was taken, and what the partition knew beside its customers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// The partition.
    pub partition: u16,
    /// Of how many.
    pub partitions: u16,
    /// Every event up to this sequence of `SCENE_EVENTS` is in it, and none after.
    pub through: u64,
    /// Every message of the partition's log up to this sequence of `SCENE_ACTIONS` is in it, and none after.
    pub log: u64,
    /// The id of that message, by which another stream's is told apart; empty if it is not known.
    pub log_id: String,
    /// When, by the wall clock.
    pub taken_at: Millis,
    /// The version of the engine that took it.
    pub version: String,
    /// What the partition knew beside its customers.
    pub rest: Rest,
}

/// Why bytes are not a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is something else, or its beginning is damaged.
    #[error("it does not begin as a checkpoint does")]
    NotOne,
    /// A later version wrote it.
    #[error(
        "it has format {format} with codec {codec}, and this version reads up to {FORMAT_VERSION} with {CODEC_VERSION}"
    )]
    Later {
        /// Of the file's layout.
        format: u16,
        /// Of the customers' bytes.
        codec: u16,
    },
    /// It ends before its end.
    #[error("it is cut off at byte {0}")]
    CutOff(usize),
    /// A part of it is not what was written.
    #[error("its checksum is wrong in the part that begins at byte {0}")]
    Checksum(usize),
    /// It goes on behind its end, or counts otherwise.
    #[error("its end does not fit it")]
    End,
    /// What was written cannot be understood.
    #[error("{what} at byte {at}")]
    Content {
        /// What.
        what: String,
        /// Where the part begins.
        at: usize,
    },
}

/// The beginning of the file.
#[must_use]
pub fn head(cut: &Cut) -> Vec<u8> {
    let json = serde_json::to_vec(cut).expect("invariant: text and numbers serialise");
    let mut out = Vec::with_capacity(PREFIX_BYTES + json.len() + CRC_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&CODEC_VERSION.to_le_bytes());
    out.extend_from_slice(&length(json.len()).to_le_bytes());
    out.extend_from_slice(&json);
    seal(out)
}

/// A block of customers, as [`CutCustomers::write`](crate::partition::CutCustomers::write) gives them.
#[must_use]
pub fn block(customers: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(customers.len() + 4 + CRC_BYTES);
    out.extend_from_slice(&length(customers.len()).to_le_bytes());
    out.extend_from_slice(customers);
    seal(out)
}

/// The end of the file, behind so many bytes.
#[must_use]
pub fn end(customers: u64, bytes_before: u64) -> Vec<u8> {
    let mut out = vec![0; 4];
    out.extend_from_slice(&customers.to_le_bytes());
    out.extend_from_slice(&(bytes_before + END_BYTES as u64).to_le_bytes());
    seal(out)
}

fn seal(mut part: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&part);
    part.extend_from_slice(&crc.to_le_bytes());
    part
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes)
        .expect("invariant: parts of a checkpoint are handed over before they reach 4 GiB")
}

/// A file whose every byte was checked.
#[derive(Debug)]
pub struct Checkpoint {
    bytes: Vec<u8>,
    cut: Cut,
    blocks: Vec<Range<usize>>,
    customers: u64,
}

impl Checkpoint {
    /// Checks a file's bytes.
    ///
    /// # Errors
    /// When they are not exactly what was written.
    pub fn check(bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let (cut, mut at) = read_head(&bytes)?;
        let mut blocks = Vec::new();
        loop {
            let length = number::<4>(&bytes, at).map(u32::from_le_bytes)? as usize;
            if length == 0 {
                let customers = read_end(&bytes, at)?;
                return Ok(Self {
                    cut,
                    blocks,
                    customers,
                    bytes,
                });
            }
            let part = checked(&bytes, at, 4 + length)?;
            blocks.push(at + 4..part.end);
            at = part.end + CRC_BYTES;
        }
    }

    /// Where it was taken.
    #[must_use]
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// How many customers it holds.
    #[must_use]
    pub fn customers(&self) -> u64 {
        self.customers
    }

    /// How many bytes the file has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Some of the customers as they were, with words as `names` has them.
    ///
    /// # Errors
    /// When what was written cannot be understood.
    pub fn customers_that(
        &self,
        names: &Names,
        keep: impl Fn(&CustomerId, &Customer) -> bool,
    ) -> Result<Vec<(CustomerId, Customer)>, CheckpointError> {
        let mut decoder = CustomerDecoder::new();
        let mut found = Vec::new();
        for block in &self.blocks {
            let mut bytes = &self.bytes[block.clone()];
            let mut next = || {
                let decoded = decoder.decode(&mut bytes, names);
                decoded.map_err(|error| CheckpointError::Content {
                    what: error.to_string(),
                    at: block.start,
                })
            };
            while let Some((id, customer)) = next()? {
                if keep(&id, &customer) {
                    found.push((id, customer));
                }
            }
        }
        Ok(found)
    }

    /// Puts its customers and all else into a partition that knows nothing yet.
    ///
    /// # Errors
    /// When what was written cannot be understood; the partition may hold a part of it then.
    pub fn restore(&self, partition: &mut Partition) -> Result<(), CheckpointError> {
        let mut customers = 0;
        let mut reader = partition.restoring();
        for block in &self.blocks {
            let taken = reader.take(partition, &self.bytes[block.clone()]);
            customers += taken.map_err(|error| CheckpointError::Content {
                what: error.to_string(),
                at: block.start,
            })?;
        }
        if customers != self.customers {
            return Err(CheckpointError::End);
        }
        partition.restore(&self.cut.rest);
        Ok(())
    }
}

/// Reads the cut alone, without looking at the customers.
///
/// # Errors
/// When the beginning of the file is damaged or of a later version.
pub fn read_cut(bytes: &[u8]) -> Result<Cut, CheckpointError> {
    read_head(bytes).map(|(cut, _)| cut)
}

fn read_head(bytes: &[u8]) -> Result<(Cut, usize), CheckpointError> {
    if !bytes.starts_with(MAGIC) {
        return Err(CheckpointError::NotOne);
    }
    let format = number::<2>(bytes, 8).map(u16::from_le_bytes)?;
    let codec = number::<2>(bytes, 10).map(u16::from_le_bytes)?;
    let length = number::<4>(bytes, 12).map(u32::from_le_bytes)? as usize;
    let part = checked(bytes, 0, PREFIX_BYTES.saturating_add(length))?;
    // Only a head that is as it was written can say that it is of a later version.
    if format > FORMAT_VERSION || codec > CODEC_VERSION {
        return Err(CheckpointError::Later { format, codec });
    }
    let cut = serde_json::from_slice(&bytes[PREFIX_BYTES..part.end]);
    let cut = cut.map_err(|error| CheckpointError::Content {
        what: error.to_string(),
        at: PREFIX_BYTES,
    })?;
    Ok((cut, part.end + CRC_BYTES))
}

fn read_end(bytes: &[u8], at: usize) -> Result<u64, CheckpointError> {
    checked(bytes, at, END_BYTES - CRC_BYTES)?;
    let customers = number::<8>(bytes, at + 4).map(u64::from_le_bytes)?;
    let length = number::<8>(bytes, at + 12).map(u64::from_le_bytes)?;
    if length == bytes.len() as u64 && at + END_BYTES == bytes.len() {
        Ok(customers)
    } else {
        Err(CheckpointError::End)
    }
}

/// The part of so many bytes at a place, if its checksum, which follows it, is right.
fn checked(bytes: &[u8], at: usize, length: usize) -> Result<Range<usize>, CheckpointError> {
    let end = at.saturating_add(length);
    let part = bytes
        .get(at..end)
        .ok_or(CheckpointError::CutOff(bytes.len()))?;
    let crc = number::<4>(bytes, end).map(u32::from_le_bytes)?;
    if crc32fast::hash(part) == crc {
        Ok(at..end)
    } else {
        Err(CheckpointError::Checksum(at))
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], CheckpointError> {
    let part = bytes.get(at..at.saturating_add(N));
    let part = part.and_then(|part| part.try_into().ok());
    part.ok_or(CheckpointError::CutOff(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Customers, JournalLimits};
    use jiff::tz::TimeZone;
    use std::sync::Arc;

    fn partition() -> Partition {
        Partition::new(
            Arc::new(Customers::default()),
            JournalLimits::default(),
            TimeZone::UTC,
        )
    }

    fn cut(rest: Rest) -> Cut {
        Cut {
            partition: 3,
            partitions: 16,
            through: 1_000,
            log: 70,
            log_id: "x".to_owned(),
            taken_at: 5,
            version: "0.1.0".to_owned(),
            rest,
        }
    }

    /// Of everything that there can be, one.
    fn rest() -> Rest {
        serde_json::from_str(
            r#"{"position":1000,"clock":17,"sweeps":[{"key":{"broadcast":12},"occasion":{"id":"1","source":"s",
            "type":"broadcast.goal","time":3,"sequence":12,"data":"{\"team\":\"home\"}"},"at":17}],"broadcasts":[7,9],
            "spending":[{"rule":"r","account":"M1","total":50000,"days":[["2026-11-22",50000]]}],
            "quarantines":[{"rule":"r","digest":"00000000000000ff","until":99,"times":2}]}"#,
        )
        .unwrap()
    }

    /// A whole file of a few customers, in two blocks.
    fn file() -> Vec<u8> {
        let mut partition = partition();
        partition.restore(&rest());
        for number in 0..5 {
            let id = CustomerId::new(&format!("C{number}")).unwrap();
            partition.adopt(id, Customer::new(number));
        }
        let (rest, mut customers) = partition.begin_cut();
        let mut bytes = head(&cut(rest));
        let mut is_last = false;
        while !is_last {
            let mut part = Vec::new();
            is_last = customers.write(3, &mut part);
            bytes.extend(block(&part));
        }
        let end = end(customers.written(), bytes.len() as u64);
        bytes.extend(end);
        bytes
    }

    #[test]
    fn what_was_written_is_read_back() {
        let checkpoint = Checkpoint::check(file()).unwrap();
        assert_eq!((checkpoint.customers(), checkpoint.cut().log), (5, 70));
        let mut restored = partition();
        checkpoint.restore(&mut restored).unwrap();
        let (rest, mut customers) = restored.begin_cut();
        assert_eq!(rest, checkpoint.cut().rest);
        assert!(customers.write(usize::MAX, &mut Vec::new()));
        assert_eq!(customers.written(), 5);
    }

    #[test]
    fn some_customers_of_it_are_read_alone() {
        let checkpoint = Checkpoint::check(file()).unwrap();
        let names = Names::default();
        let of = |wanted: &str| {
            let found = checkpoint.customers_that(&names, |id, _| id.as_str() == wanted);
            found.unwrap()
        };
        let id = CustomerId::new("C4").unwrap();
        assert_eq!(of("C4"), [(id, Customer::new(4))]);
        assert_eq!(of("C5"), []);
    }

    /// A file that was written once must be understood for ever. What is written today is the same but for the
    /// number of the customers' bytes, and the checksum over it: another change gets a version, and a file of its
    /// own beside this one.
    #[test]
    fn a_file_of_version_1_is_understood() {
        let golden = include_str!("../../tests/it/golden/state/checkpoint-v1.hex");
        let digits: Vec<u8> = golden.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let golden: Vec<u8> = digits.chunks(2).map(byte).collect();
        let checkpoint = Checkpoint::check(golden.clone()).unwrap();
        assert_eq!(
            (checkpoint.cut(), checkpoint.customers()),
            (&cut(rest()), 5)
        );
        let mut restored = partition();
        checkpoint.restore(&mut restored).unwrap();
        assert_eq!(restored.begin_cut().0, rest());
        let (today, head) = (file(), head(&cut(rest())).len());
        assert_eq!((golden[10], today[10]), (1, 2));
        assert_eq!(golden[..10], today[..10]);
        assert_eq!(golden[12..head - CRC_BYTES], today[12..head - CRC_BYTES]);
        assert_eq!(golden[head..], today[head..]);
    }

    /// Whichever bit of whichever byte is flipped, it is not taken for a checkpoint.
    #[test]
    fn every_flipped_bit_is_noticed() {
        let whole = file();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                assert!(Checkpoint::check(damaged).is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_off_or_goes_on_is_noticed() {
        let whole = file();
        for length in 0..whole.len() {
            assert!(Checkpoint::check(whole[..length].to_vec()).is_err());
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(Checkpoint::check(longer).unwrap_err(), CheckpointError::End);
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut later = head(&cut(Rest::default()));
        later.truncate(later.len() - CRC_BYTES);
        later[8] = 9;
        let error = Checkpoint::check(seal(later)).unwrap_err();
        assert_eq!(
            error,
            CheckpointError::Later {
                format: 9,
                codec: CODEC_VERSION
            }
        );
    }
}
