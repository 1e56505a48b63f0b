//! Rows of comma-separated values, found in bytes that come piece by piece.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Finds one row at a time at the start of some bytes (RFC 4180, LF or CRLF), and says exactly how
/// many bytes it took, so that a reader can go on there after a restart. Blank lines are skipped.
pub(super) struct CsvSplitter {
    core: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    length: usize,
    fields: usize,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// A row, in this many bytes.
    Row(usize),
    /// No whole row: more bytes are needed.
    Incomplete,
    /// Only blank lines, of this many bytes, and the input has ended.
    End(usize),
}

impl CsvSplitter {
    pub(super) fn new(delimiter: u8) -> Self {
        let core = ReaderBuilder::new().delimiter(delimiter).build();
        Self {
            core,
            text: Vec::new(),
            ends: vec![0; 64],
            length: 0,
            fields: 0,
        }
    }

    /// Looks for a row at the start of `input`. `ended` says that no more bytes will come, so that
    /// a last row needs no line end.
    pub(super) fn split(&mut self, input: &[u8], ended: bool) -> Split {
        // A row whose end has not come yet is read again from its start once more bytes are here.
        self.core.reset();
        // What is between quotes or delimiters is never longer than the input.
        if self.text.len() < input.len() {
            self.text.resize(input.len(), 0);
        }
        let (mut taken, mut length, mut fields) = (0, 0, 0);
        loop {
            let rest = input.get(taken..).unwrap_or_default();
            if rest.is_empty() && !ended {
                return Split::Incomplete;
            }
            let text = self.text.get_mut(length..).unwrap_or_default();
            let ends = self.ends.get_mut(fields..).unwrap_or_default();
            let (result, read, written, ended_fields) = self.core.read_record(rest, text, ends);
            taken += read;
            length += written;
            fields += ended_fields;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2 + 64, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    (self.length, self.fields) = (length, fields);
                    return Split::Row(taken);
                }
                ReadRecordResult::End => return Split::End(taken),
            }
        }
    }

    /// The fields of the row found last, without quotes. `None` if it is not UTF-8.
    pub(super) fn fields(&self) -> Option<impl Iterator<Item = &str>> {
        let text = std::str::from_utf8(self.text.get(..self.length)?).ok()?;
        let ends = self.ends.get(..self.fields)?;
        let mut start = 0;
        let fields: Vec<&str> = ends
            .iter()
            .map(|&end| text.get(std::mem::replace(&mut start, end)..end))
            .collect::<Option<_>>()?;
        Some(fields.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All rows, feeding the input in pieces of this size.
    fn rows(input: &[u8], piece: usize) -> Vec<(Vec<String>, usize)> {
        let mut splitter = CsvSplitter::new(b',');
        let (mut position, mut available, mut found) = (0, 0, Vec::new());
        loop {
            let ended = available == input.len();
            match splitter.split(&input[position..available], ended) {
                Split::Row(taken) => {
                    position += taken;
                    let fields = splitter.fields().unwrap().map(str::to_owned).collect();
                    found.push((fields, position));
                }
                Split::Incomplete => available = (available + piece).min(input.len()),
                Split::End(_) => return found,
            }
        }
    }

    fn plain(input: &str) -> Vec<Vec<String>> {
        rows(input.as_bytes(), usize::MAX / 2)
            .into_iter()
            .map(|(fields, _)| fields)
            .collect()
    }

    #[test]
    fn quotes_line_ends_and_blank_lines() {
        assert_eq!(plain("a,b\n1,2\n"), [["a", "b"], ["1", "2"]]);
        assert_eq!(plain("a,b\r\n1,2\r\n"), [["a", "b"], ["1", "2"]]);
        assert_eq!(plain("a,b\n\n\r\n1,2"), [["a", "b"], ["1", "2"]]);
        assert_eq!(plain("\"x, \"\"y\"\"\nz\",\"\"\n"), [["x, \"y\"\nz", ""]]);
        assert_eq!(plain("a,\n"), [["a", ""]]);
        assert_eq!(plain("\u{feff}a,b\n"), [["a", "b"]]);
        assert_eq!(plain(""), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_row_without_its_line_end_waits_for_it() {
        let mut splitter = CsvSplitter::new(b',');
        assert_eq!(splitter.split(b"1,2", false), Split::Incomplete);
        assert_eq!(splitter.split(b"1,\"2\n", false), Split::Incomplete);
        assert_eq!(splitter.split(b"1,2\n3", false), Split::Row(4));
        assert_eq!(splitter.split(b"1,2", true), Split::Row(3));
        assert_eq!(splitter.split(b"\n\n", true), Split::End(2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// What the csv crate writes comes back, however the bytes are cut into pieces, and a
        /// reader that begins at any row's position sees exactly the rows after it.
        #[test]
        fn rows_come_back_and_positions_are_exact(
            table in prop::collection::vec(prop::collection::vec("[a-z,\"\r\né]{0,6}", 3), 0..12),
            crlf: bool,
            piece in 1usize..9,
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
            for row in &table {
                writer.write_record(row).unwrap();
            }
            let bytes = writer.into_inner().unwrap();
            let found = rows(&bytes, piece);
            let fields: Vec<Vec<String>> = found.iter().map(|(fields, _)| fields.clone()).collect();
            prop_assert_eq!(&fields, &table);
            for (index, (_, position)) in found.iter().enumerate() {
                let rest = rows(&bytes[*position..], piece);
                let rest: Vec<Vec<String>> = rest.into_iter().map(|(fields, _)| fields).collect();
                prop_assert_eq!(&rest[..], &table[index + 1..]);
            }
        }
    }
}
