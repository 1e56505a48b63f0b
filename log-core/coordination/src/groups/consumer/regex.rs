//! Subscriptions by pattern: the syntax of RE2, on the whole name of a topic.

use std::collections::{BTreeMap, BTreeSet};

use regex::{Regex, RegexBuilder};

use crate::Timestamp;
use crate::groups::topics::Topics;

/// Bytes that a compiled pattern may take.
const SIZE_MAX: usize = 1 << 20;

/// The topics that a pattern matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::groups) struct Resolved {
    pub(in crate::groups) topics: BTreeSet<String>,
    /// Version of the topics they were found in.
    pub(in crate::groups) version: u64,
    pub(in crate::groups) at: Timestamp,
}

/// Compiles a pattern, to match whole names.
pub(in crate::groups) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    let expanded = expand_quotes(pattern);
    // The pattern must be whole by itself: `a)|(b` is not.
    RegexBuilder::new(&expanded)
        .size_limit(SIZE_MAX)
        .build()
        .and_then(|_| {
            RegexBuilder::new(&format!("^(?:{expanded})$"))
                .size_limit(SIZE_MAX)
                .build()
        })
}

/// Writes out `\Q...\E`, which RE2 knows and this library does not: what stands between is taken
/// literally.
fn expand_quotes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        if let Some(quoted) = escape.strip_prefix("\\Q") {
            let (literal, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(literal));
            rest = after;
        } else {
            // The escape and what it escapes, so that a second backslash begins nothing.
            let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
            let (escape, after) = escape.split_at(length.min(escape.len()));
            out.push_str(escape);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// The topics that each pattern matches. A pattern that does not compile matches none: it was
/// taken by an earlier version with another opinion.
pub(in crate::groups) fn resolve<'a>(
    patterns: impl Iterator<Item = &'a str>,
    topics: &Topics,
    at: Timestamp,
) -> BTreeMap<String, Resolved> {
    let mut found: BTreeMap<String, (Option<Regex>, BTreeSet<String>)> = patterns
        .map(|pattern| (pattern.to_owned(), (compile(pattern).ok(), BTreeSet::new())))
        .collect();
    topics.for_each_name(&mut |name| {
        for (regex, matching) in found.values_mut() {
            if regex.as_ref().is_some_and(|regex| regex.is_match(name)) {
                matching.insert(name.to_owned());
            }
        }
    });
    found
        .into_iter()
        .map(|(pattern, (_, matching))| {
            let resolved = Resolved {
                topics: matching,
                version: topics.version(),
                at,
            };
            (pattern, resolved)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn the_whole_name_has_to_match() {
        let regex = compile("a|b.*").expect("valid");
        assert!(regex.is_match("a") && regex.is_match("bc"));
        assert!(!regex.is_match("ab") && !regex.is_match("xa"));
        assert!(compile("a)|(b").is_err());
        assert!(compile("[").is_err());
        assert!(compile("(?:a{1000}){1000}").is_err(), "too large");
    }

    #[test]
    fn quoted_text_is_literal() {
        assert!(compile(r"\Qa.b\E.*").expect("valid").is_match("a.bc"));
        assert!(!compile(r"\Qa.b\E.*").expect("valid").is_match("axbc"));
        assert!(compile(r"\\Qa").expect("valid").is_match(r"\Qa"));
        assert!(compile(r"x\Q(").expect("valid").is_match("x("));
    }
}
