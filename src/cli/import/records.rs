//! The records of an input, one after another, each with its bytes and with where it ends: lines of
//! NDJSON, or records of CSV (RFC 4180), which may be longer than a line.

use super::Input;
use crate::decode::{Reason, Rejection};
use csv_core::{ReadRecordResult, ReaderBuilder};
use std::io::{self, BufRead as _, BufReader, Read};

/// The longest record that is looked at, in bytes: far more than any server takes.
const RECORD_BYTES_MAX: usize = 8 << 20;
const BUFFER_BYTES: usize = 1 << 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where reading goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes from the beginning.
    pub(super) offset: u64,
    /// The line there, from 1.
    pub(super) line: u64,
}

impl Place {
    pub(super) const START: Self = Self { offset: 0, line: 1 };
}

/// Reads record after record; [`raw`](Self::raw) and [`cells`](Self::cells) show the last one.
pub(super) struct Records {
    input: BufReader<Box<dyn Read + Send>>,
    place: Place,
    raw: Vec<u8>,
    table: Option<Table>,
}

/// What of a record is taken apart by its delimiters.
struct Table {
    core: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    text_length: usize,
    count: usize,
}

impl Records {
    /// Reads from `place` on, to which `input` has been wound forward.
    pub(super) fn new(
        input: Box<dyn Read + Send>,
        kind: Input,
        delimiter: u8,
        place: Place,
    ) -> Self {
        let table = (kind == Input::Csv).then(|| {
            let mut core = ReaderBuilder::new().delimiter(delimiter).build();
            core.set_line(place.line);
            Table {
                core,
                text: vec![0; 1 << 10],
                ends: vec![0; 1 << 6],
                text_length: 0,
                count: 0,
            }
        });
        Self {
            input: BufReader::with_capacity(BUFFER_BYTES, input),
            place,
            raw: Vec::new(),
            table,
        }
    }

    /// Goes to the next record and tells the line on which it begins, and what is wrong with its shape;
    /// none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Result<(), Rejection>)>> {
        match self.table.take() {
            None => self.next_line(),
            Some(mut table) => {
                let next = self.next_row(&mut table);
                self.table = Some(table);
                next
            }
        }
    }

    /// Behind the last record.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Whether the next record is not read yet, so that it may be long in coming.
    pub(super) fn is_drained(&self) -> bool {
        self.input.buffer().is_empty()
    }

    /// The bytes of the record, without the ends of lines around it.
    pub(super) fn raw(&self) -> &[u8] {
        let raw = self.raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.raw);
        let is_end = |byte: &u8| b"\r\n".contains(byte);
        let start = raw.iter().position(|byte| !is_end(byte));
        let end = raw.iter().rposition(|byte| !is_end(byte));
        match (start, end) {
            (Some(start), Some(end)) => &raw[start..=end],
            _ => &[],
        }
    }

    /// The cells of a CSV record, without the blanks around them.
    pub(super) fn cells(&self) -> Result<Vec<&str>, Rejection> {
        let Some(table) = &self.table else {
            return Ok(Vec::new());
        };
        let not_utf8 = |_| {
            Rejection::new(
                Reason::NotUtf8,
                "the row is not UTF-8: convert the file, as with `iconv -f GB18030 -t UTF-8`",
            )
        };
        let text = std::str::from_utf8(&table.text[..table.text_length]).map_err(not_utf8)?;
        let mut cells = Vec::with_capacity(table.count);
        let mut start = 0;
        for end in &table.ends[..table.count] {
            // A character that is cut in two by a delimiter is no character.
            let cell = text.get(start..*end).unwrap_or_default();
            cells.push(cell.trim());
            start = *end;
        }
        Ok(cells)
    }

    fn next_line(&mut self) -> io::Result<Option<(u64, Result<(), Rejection>)>> {
        loop {
            self.raw.clear();
            let line = self.place.line;
            if self.read_line()? == 0 {
                return Ok(None);
            }
            let is_cut = self.raw.len() >= RECORD_BYTES_MAX && !self.raw.ends_with(b"\n");
            if is_cut {
                self.skip_line()?;
            }
            self.place.line += 1;
            if is_cut {
                return Ok(Some((line, Err(too_long("line")))));
            }
            if !self.raw().trim_ascii().is_empty() {
                return Ok(Some((line, Ok(()))));
            }
        }
    }

    /// Adds what is left of a line to the record, up to a limit.
    fn read_line(&mut self) -> io::Result<usize> {
        let mut limited = (&mut self.input).take(RECORD_BYTES_MAX as u64);
        let read = limited.read_until(b'\n', &mut self.raw)?;
        self.place.offset += read as u64;
        Ok(read)
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let start = self.raw.len();
            let read = self.read_line()?;
            let ends = self.raw.ends_with(b"\n");
            self.raw.truncate(start);
            if read == 0 || ends {
                return Ok(());
            }
        }
    }

    fn next_row(&mut self, table: &mut Table) -> io::Result<Option<(u64, Result<(), Rejection>)>> {
        self.raw.clear();
        let before = table.core.line();
        (table.text_length, table.count) = (0, 0);
        let at_end = loop {
            let buffer = self.input.fill_buf()?;
            let at_end = buffer.is_empty();
            let (result, read, written, ended) = table.core.read_record(
                buffer,
                &mut table.text[table.text_length..],
                &mut table.ends[table.count..],
            );
            self.raw.extend_from_slice(&buffer[..read]);
            self.input.consume(read);
            self.place.offset += read as u64;
            table.text_length += written;
            table.count += ended;
            match result {
                ReadRecordResult::InputEmpty if self.raw.len() > RECORD_BYTES_MAX => {
                    self.read_line()?;
                    table.core.reset();
                    let lines = self.raw.iter().filter(|byte| **byte == b'\n').count();
                    table.core.set_line(before + lines as u64);
                    self.place.line = table.core.line();
                    return Ok(Some((before, Err(too_long("row")))));
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => table.text.resize(table.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => table.ends.resize(table.ends.len() * 2, 0),
                ReadRecordResult::Record => break at_end,
                ReadRecordResult::End => {
                    self.place.line = table.core.line();
                    return Ok(None);
                }
            }
        };
        self.place.line = table.core.line();
        // What ends the line before, and blank lines, come first.
        let blank = self.raw.iter().take_while(|byte| b"\r\n".contains(byte));
        let line = before + blank.filter(|byte| **byte == b'\n').count() as u64;
        let quotes = self.raw.iter().filter(|byte| **byte == b'"').count();
        if at_end && quotes % 2 == 1 {
            let detail = "a quote is opened here and never closed: close it, or double it";
            return Ok(Some((
                line,
                Err(Rejection::new(Reason::InvalidValue, detail)),
            )));
        }
        Ok(Some((line, Ok(()))))
    }
}

fn too_long(what: &str) -> Rejection {
    Rejection::new(
        Reason::TooLarge,
        format!(
            "the {what} has more than {} MiB: is a quote opened and not closed, or a line end missing?",
            RECORD_BYTES_MAX >> 20
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Vec<(u64, String, Vec<String>)>;

    fn all(text: &'static str, kind: Input, place: Place) -> (Seen, Place) {
        let input = &text.as_bytes()[usize::try_from(place.offset).unwrap()..];
        let mut records = Records::new(Box::new(input), kind, b',', place);
        let mut seen = Vec::new();
        while let Some((line, shape)) = records.next().unwrap() {
            shape.unwrap();
            let cells = records.cells().unwrap().into_iter().map(str::to_owned);
            let cells = cells.collect();
            let raw = String::from_utf8(records.raw().to_vec()).unwrap();
            seen.push((line, raw, cells));
        }
        (seen, records.place())
    }

    #[test]
    fn reading_goes_on_from_behind_any_record_as_if_it_had_not_stopped() {
        for (kind, text) in [
            (
                Input::Csv,
                "\u{feff}a,b\r\n1,\"x\r\ny\"\"z\"\r\n\r\n 2 , 3\r\n4,客户",
            ),
            (Input::Csv, "a,b\n1,\"x\ny\"\n\n\n2,3\n4,\"5,6\"\n\n"),
            (
                Input::Ndjson,
                "\u{feff}{\"a\":1}\r\n\r\n{\"b\":2}\n\n{\"c\":3}",
            ),
        ] {
            let (whole, end) = all(text, kind, Place::START);
            assert_eq!(end.offset, text.len() as u64);
            for stop in 1..whole.len() {
                let mut records = Records::new(Box::new(text.as_bytes()), kind, b',', Place::START);
                for _ in 0..stop {
                    records.next().unwrap().unwrap().1.unwrap();
                }
                let (rest, _) = all(text, kind, records.place());
                assert_eq!(rest, whole[stop..], "{text:?} from {:?}", records.place());
            }
        }
    }

    #[test]
    fn cells_and_lines_are_what_an_editor_shows() {
        let (seen, _) = all(
            "a,b\r\n1,\"x\r\ny\"\"z\"\r\n\r\n 2 , 3\r\n",
            Input::Csv,
            Place::START,
        );
        let cells: Vec<_> = seen
            .iter()
            .map(|(line, _, cells)| (*line, cells.join("|")))
            .collect();
        assert_eq!(
            cells,
            [
                (1, "a|b".to_owned()),
                (2, "1|x\r\ny\"z".to_owned()),
                (5, "2|3".to_owned())
            ]
        );
        assert_eq!(seen[1].1, "1,\"x\r\ny\"\"z\"");
    }

    #[test]
    fn a_quote_that_is_never_closed_is_said() {
        let text: &[u8] = b"a,b\n1,\"x\n2,y\n";
        let mut records = Records::new(Box::new(text), Input::Csv, b',', Place::START);
        records.next().unwrap().unwrap().1.unwrap();
        let (line, shape) = records.next().unwrap().unwrap();
        assert_eq!(line, 2);
        assert!(shape.unwrap_err().detail.contains("never closed"));
        assert!(records.next().unwrap().is_none());
    }
}
