//! Which loggers there are.

use std::collections::BTreeSet;

use super::ROOT;

/// Loggers that are known at most. Code names its targets, so that there are a few hundred; a
/// library that makes up names as it goes must not fill the memory with them.
const LOGGERS_MAX: usize = 4_096;

/// Bytes of a logger's name at most.
const NAME_BYTES_MAX: usize = 256;

/// The names of all loggers but the root.
#[derive(Debug, Clone, Default)]
pub(super) struct LoggerNames(BTreeSet<String>);

impl LoggerNames {
    /// Adds the logger of a target and all that it is a part of: for `a::b::c` also those of
    /// `a::b` and `a`. A target that has no logger is left out.
    pub(super) fn add(&mut self, target: &str) {
        let name = logger_of(target);
        let mut rest = name.as_deref();
        while let Some(name) = rest {
            if self.contains(name) || self.0.len() >= LOGGERS_MAX {
                return;
            }
            self.0.insert(name.to_owned());
            rest = name.rsplit_once('.').map(|(parent, _)| parent);
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The logger that a target is: dots in the place of `::`, which Kafka's tools do not take in the
/// name of a configuration. None of a target that has no such name, or that no directive can name.
pub(super) fn logger_of(target: &str) -> Option<String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let name = target.replace("::", ".");
    let is_one = target != ROOT
        && target.len() <= NAME_BYTES_MAX
        && target.starts_with(|first: char| first.is_ascii_alphabetic())
        && !target.contains('.')
        && !name.ends_with('.')
        && name.chars().all(fits);
    is_one.then_some(name)
}

/// The target that a logger stands for.
pub(super) fn target_of(logger: &str) -> String {
    logger.replace('.', "::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_logger_is_a_part_of_is_a_logger() {
        let mut names = LoggerNames::default();
        names.add("a::b::c");
        names.add("a::d");
        assert_eq!(
            names.iter().collect::<Vec<_>>(),
            ["a", "a.b", "a.b.c", "a.d"]
        );
    }

    #[test]
    fn what_cannot_be_written_in_a_directive_is_no_logger() {
        let mut names = LoggerNames::default();
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in [
            "",
            "a,b=trace",
            "a=b",
            "a[b]",
            " a",
            "a b",
            "{a}",
            "::a",
            "a::",
            "a.b",
            "a:b",
            "root",
            &long,
        ] {
            names.add(name);
        }
        assert_eq!(names.iter().count(), 0);
    }

    #[test]
    fn a_logger_stands_for_one_target() {
        for target in ["a", "a::b_c::d-e", "a1::b"] {
            let logger = logger_of(target).map(|logger| target_of(&logger));
            assert_eq!(logger.as_deref(), Some(target));
        }
    }

    #[test]
    fn there_are_only_so_many() {
        let mut names = LoggerNames::default();
        for number in 0..2 * LOGGERS_MAX {
            names.add(&format!("made_up_{number}"));
        }
        assert_eq!(names.iter().count(), LOGGERS_MAX);
    }
}
