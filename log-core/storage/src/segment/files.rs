//! Names of a segment's files.

/// What a file beside a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// The batches.
    Log,
    /// The sparse index.
    Index,
    /// Producer state as of the segment's first offset.
    Producers,
    /// Transactions whose abort marker is in the segment.
    Aborted,
}

impl FileKind {
    const ALL: [Self; 4] = [Self::Log, Self::Index, Self::Producers, Self::Aborted];

    const fn extension(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Index => "index",
            Self::Producers => "producers",
            Self::Aborted => "aborted",
        }
    }
}

pub(crate) fn file_name(base_offset: i64, kind: FileKind) -> String {
    format!("{base_offset:020}.{}", kind.extension())
}

pub(crate) fn parse_file_name(name: &str) -> Option<(i64, FileKind)> {
    let (base_offset, extension) = name.split_once('.')?;
    let kind = FileKind::ALL
        .into_iter()
        .find(|kind| kind.extension() == extension)?;
    let base_offset = base_offset.parse().ok().filter(|offset| *offset >= 0)?;
    (file_name(base_offset, kind) == name).then_some((base_offset, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_nothing_else_is() {
        for kind in FileKind::ALL {
            assert_eq!(parse_file_name(&file_name(42, kind)), Some((42, kind)));
        }
        for bad in [
            "1.log",
            "00000000000000000001.log.tmp",
            "x.log",
            "-0000000000000000001.log",
        ] {
            assert_eq!(parse_file_name(bad), None, "{bad}");
        }
    }
}
