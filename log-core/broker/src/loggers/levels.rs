//! The levels that loggers were given, and what follows from them.

use std::collections::BTreeMap;

use super::names::{LoggerNames, logger_of, target_of};
use super::{LevelsNotChanged, LogLevel, ROOT};

/// The levels that loggers were given. A logger without one has that of the longest name that its
/// own begins with, and if there is none that of the root: as `tracing_subscriber` reads its
/// directives.
#[derive(Debug, Clone)]
pub(super) struct LogLevels {
    root: LogLevel,
    own: BTreeMap<String, LogLevel>,
    /// Directives that no logger stands for, such as those about spans. They stay.
    others: Vec<String>,
}

impl LogLevels {
    /// The levels of directives, as `EnvFilter` writes them out. The loggers in them are added to
    /// `names`.
    pub(super) fn new(directives: &str, names: &mut LoggerNames) -> Self {
        let mut levels = Self {
            root: LogLevel::Off,
            own: BTreeMap::new(),
            others: Vec::new(),
        };
        for directive in directives
            .split(',')
            .filter(|directive| !directive.is_empty())
        {
            let (target, level) = directive.rsplit_once('=').unwrap_or(("", directive));
            names.add(target);
            match (LogLevel::of_directive(level), logger_of(target)) {
                (Some(level), None) if target.is_empty() => levels.root = level,
                (Some(level), Some(name)) => drop(levels.own.insert(name, level)),
                _ => levels.others.push(directive.to_owned()),
            }
        }
        levels
    }

    /// The level in force of a logger.
    fn of(&self, name: &str) -> LogLevel {
        let longest = self
            .own
            .iter()
            .filter(|(own, _)| name.starts_with(own.as_str()))
            .max_by_key(|(own, _)| own.len());
        longest.map_or(self.root, |(_, level)| *level)
    }

    /// The levels in force of all loggers.
    pub(super) fn in_force(&self, names: &LoggerNames) -> BTreeMap<String, LogLevel> {
        let named = names.iter().map(|name| (name.to_owned(), self.of(name)));
        named.chain([(ROOT.to_owned(), self.root)]).collect()
    }

    /// Gives a logger a level of its own, or takes it away.
    pub(super) fn change(
        &mut self,
        names: &LoggerNames,
        name: &str,
        level: Option<LogLevel>,
    ) -> Result<(), LevelsNotChanged> {
        match level {
            Some(level) if name == ROOT => self.root = level,
            None if name == ROOT => return Err(LevelsNotChanged::RootHasLevel),
            _ if !names.contains(name) => {
                return Err(LevelsNotChanged::NoSuchLogger(name.to_owned()));
            }
            Some(level) => drop(self.own.insert(name.to_owned(), level)),
            None => drop(self.own.remove(name)),
        }
        Ok(())
    }

    /// The directives that these levels are, for `EnvFilter`.
    pub(super) fn directives(&self) -> String {
        let own = self.own.iter();
        let own = own.map(|(name, level)| format!("{}={}", target_of(name), level.directive()));
        let all = [self.root.directive().to_owned()].into_iter().chain(own);
        let all = all.chain(self.others.iter().cloned());
        all.collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;
    use tracing::Level;
    use tracing_subscriber::filter::Targets;

    use super::*;

    fn levels(directives: &str, names: &[&str]) -> (LogLevels, LoggerNames) {
        let mut known = LoggerNames::default();
        names.iter().for_each(|name| known.add(name));
        (LogLevels::new(directives, &mut known), known)
    }

    fn shown(levels: &LogLevels, names: &LoggerNames) -> Vec<String> {
        let in_force = levels.in_force(names).into_iter();
        in_force
            .map(|(name, level)| format!("{name} {level}"))
            .collect()
    }

    #[test]
    fn loggers_begin_with_what_the_process_was_started_with() {
        let (levels, names) = levels("openraft=error,warn", &["a::b", "openraft::core"]);
        let expected = [
            "a WARN",
            "a.b WARN",
            "openraft ERROR",
            "openraft.core ERROR",
            "root WARN",
        ];
        assert_eq!(shown(&levels, &names), expected);
        assert_eq!(levels.directives(), "warn,openraft=error");
    }

    #[test]
    fn without_a_directive_for_all_the_root_is_off() {
        for (directives, written) in [("", "off"), ("a=info", "off,a=info")] {
            let (levels, names) = levels(directives, &[]);
            assert_eq!(levels.in_force(&names)[ROOT], LogLevel::Off);
            assert_eq!(levels.directives(), written);
        }
    }

    #[test]
    fn directives_that_are_no_loggers_stay() {
        let about = "a[span{field=7}]=trace";
        let (mut levels, names) = levels(&format!("info,{about},[task]=debug,root=debug"), &["a"]);
        levels.change(&names, "a", Some(LogLevel::Error)).unwrap();
        let written = format!("info,a=error,{about},[task]=debug,root=debug");
        assert_eq!(levels.directives(), written);
        assert_eq!(shown(&levels, &names), ["a ERROR", "root INFO"]);
    }

    #[test]
    fn a_level_is_inherited_until_a_logger_has_its_own() {
        let (mut levels, names) = levels("warn,a=info", &["a::b", "c"]);
        let mut then = |name, level, expected: &str| {
            levels.change(&names, name, level).unwrap();
            assert_eq!(shown(&levels, &names).join(", "), expected);
        };
        then(
            "a",
            Some(LogLevel::Debug),
            "a DEBUG, a.b DEBUG, c WARN, root WARN",
        );
        then(
            "a.b",
            Some(LogLevel::Trace),
            "a DEBUG, a.b TRACE, c WARN, root WARN",
        );
        then(
            "a",
            Some(LogLevel::Fatal),
            "a FATAL, a.b TRACE, c WARN, root WARN",
        );
        then("a.b", None, "a FATAL, a.b FATAL, c WARN, root WARN");
        // What the process was started with is no more than a level that was set.
        then("a", None, "a WARN, a.b WARN, c WARN, root WARN");
        then(
            ROOT,
            Some(LogLevel::Error),
            "a ERROR, a.b ERROR, c ERROR, root ERROR",
        );
    }

    #[test]
    fn what_is_no_logger_gets_no_level() {
        let (mut levels, names) = levels("warn", &["a"]);
        for level in [None, Some(LogLevel::Info)] {
            let refused = levels.change(&names, "b", level);
            assert_eq!(refused, Err(LevelsNotChanged::NoSuchLogger("b".to_owned())));
        }
        let refused = levels.change(&names, ROOT, None);
        assert_eq!(refused, Err(LevelsNotChanged::RootHasLevel));
        assert_eq!(levels.directives(), "warn");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_shown_is_what_is_filtered(
            changes in prop::collection::vec(("(a|b|ab)(\\.(a|b|ab)){0,2}|root", 0..7_usize), 0..12)
        ) {
            let known = ["a::a::a", "a::b::ab", "ab::a", "b::ab", "b::a::b", "ab::ab::ab"];
            let (mut levels, names) = levels("info,b=debug", &known);
            for (name, level) in &changes {
                let _ = levels.change(&names, name, LogLevel::SETTABLE.get(*level).copied());
            }
            let targets: Targets = levels.directives().parse().unwrap();
            let of_tracing = [
                (Level::ERROR, LogLevel::Error),
                (Level::WARN, LogLevel::Warn),
                (Level::INFO, LogLevel::Info),
                (Level::DEBUG, LogLevel::Debug),
                (Level::TRACE, LogLevel::Trace),
            ];
            for (name, shown) in levels.in_force(&names) {
                let target = if name == ROOT { "elsewhere".to_owned() } else { target_of(&name) };
                for (level, logged) in of_tracing {
                    prop_assert_eq!(targets.would_enable(&target, &level), logged <= shown);
                }
            }
        }
    }
}
