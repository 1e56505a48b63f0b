//! The known name that a mistyped one was probably meant to be.

/// Names longer than this are not compared: the work grows with the product of the lengths.
const LENGTH_MAX: usize = 128;

/// The name that takes the fewest changes of letters to get to from `name`, if that is few enough
/// for a slip.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LENGTH_MAX {
        return None;
    }
    let limit = (name.len() / 4).max(2);
    known
        .map(|other| (distance(name, other), other))
        .filter(|(changes, _)| *changes <= limit)
        .min()
        .map(|(_, other)| other)
}

/// Letters to be inserted, removed or replaced between two words.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let above = *cell;
            left = (diagonal + usize::from(x != y))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances_count_changes() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("flaw", "lawn"), 2);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_none() {
        let names = ["num.partitions", "log.retention.ms", "log.retention.bytes"];
        assert_eq!(
            nearest("num.partition", names.into_iter()),
            Some("num.partitions")
        );
        assert_eq!(
            nearest("log.retetnion.ms", names.into_iter()),
            Some("log.retention.ms")
        );
        assert_eq!(nearest("colour", names.into_iter()), None);
    }
}
