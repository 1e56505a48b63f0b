//! Subscriptions by pattern: the syntax of RE2, on the whole name of a topic.

use std::collections::{BTreeMap, BTreeSet};

use headwater_wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use regex::{Regex, RegexBuilder};

use crate::Timestamp;
use crate::groups::member::NAME_MAX;
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

/// The pattern of topics that a ConsumerGroupHeartbeat subscribes to, compiled.
///
/// That may take milliseconds, for which no other group should have to wait: the caller makes it
/// before it steps the coordinator. It takes up to some MiB, so it should not wait for long itself.
#[derive(Clone, Debug)]
pub struct TopicPattern {
    text: String,
    compiled: Result<Regex, regex::Error>,
}

impl TopicPattern {
    /// The pattern of a request. `None` if it has none, or one that is refused for its length.
    pub fn of(request: &ConsumerGroupHeartbeatRequest) -> Option<Self> {
        let text = request.subscribed_topic_regex.as_deref()?;
        (text.len() <= NAME_MAX).then(|| Self {
            text: text.to_owned(),
            compiled: compile(text),
        })
    }

    /// Whether it is what this request subscribes to.
    pub(in crate::groups) fn is_of(&self, request: &ConsumerGroupHeartbeatRequest) -> bool {
        request.subscribed_topic_regex.as_deref() == Some(&self.text)
    }

    /// Whether it can be used.
    pub(in crate::groups) fn check(&self) -> Result<(), &regex::Error> {
        self.compiled.as_ref().map(drop)
    }
}

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Compiles a pattern, to match whole names.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
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
/// taken by an earlier version with another opinion. `at_hand` is one that need not be compiled.
pub(in crate::groups) fn resolve<'a>(
    patterns: impl Iterator<Item = &'a str>,
    at_hand: Option<&TopicPattern>,
    topics: &Topics,
    at: Timestamp,
) -> BTreeMap<String, Resolved> {
    let regex_of = |pattern: &str| match at_hand {
        Some(at_hand) if at_hand.text == pattern => at_hand.compiled.clone().ok(),
        _ => compile(pattern).ok(),
    };
    let mut found: BTreeMap<String, (Option<Regex>, BTreeSet<String>)> = patterns
        .map(|pattern| (pattern.to_owned(), (regex_of(pattern), BTreeSet::new())))
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
    use std::sync::Arc;

    use headwater_wire::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
    use uuid::Uuid;

    use super::{TopicPattern, compile, resolve};
    use crate::Timestamp;
    use crate::groups::member::NAME_MAX;
    use crate::groups::topics::{Topics, TopicsView};

    struct Named(&'static [&'static str]);

    impl TopicsView for Named {
        fn version(&self) -> u64 {
            1
        }

        fn find(&self, _name: &str) -> Option<(Uuid, i32)> {
            None
        }

        fn name_of(&self, _id: Uuid) -> Option<&str> {
            None
        }

        fn for_each_name(&self, each: &mut dyn FnMut(&str)) {
            self.0.iter().for_each(|name| each(name));
        }
    }

    #[test]
    fn a_pattern_at_hand_is_not_compiled_again() {
        let topics = Topics::new(Arc::new(Named(&["ab", "cd"])));
        // One whose text says something else, to tell which of the two was used.
        let at_hand = TopicPattern {
            text: "a.*".to_owned(),
            compiled: compile("c.*"),
        };
        let patterns = ["a.*", "..|"].into_iter();
        let found = resolve(patterns, Some(&at_hand), &topics, Timestamp::from_millis(0));
        let topics_of = |pattern: &str| Vec::from_iter(&found[pattern].topics);
        assert_eq!(topics_of("a.*"), ["cd"]);
        assert_eq!(topics_of("..|"), ["ab", "cd"]);
    }

    #[test]
    fn a_pattern_beyond_the_length_of_names_is_not_compiled() {
        let request = |pattern: String| ConsumerGroupHeartbeatRequest {
            subscribed_topic_regex: Some(pattern),
            ..Default::default()
        };
        let longest = request("x".repeat(NAME_MAX));
        let pattern = TopicPattern::of(&longest).expect("it is not too long");
        assert!(pattern.is_of(&longest) && !pattern.is_of(&request("x".to_owned())));
        assert!(TopicPattern::of(&request("x".repeat(NAME_MAX + 1))).is_none());
        assert!(TopicPattern::of(&ConsumerGroupHeartbeatRequest::default()).is_none());
        let wrong = TopicPattern::of(&request("(".to_owned())).expect("it is short");
        assert!(wrong.check().is_err());
    }

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
