//! What a consumer subscribes to.

use std::collections::BTreeSet;

use regex::Regex;

use crate::error::ClientError;

/// What a consumer wants of its group.
#[derive(Clone, Debug, Default)]
pub(crate) enum Subscription {
    /// Nothing: it is in no group.
    #[default]
    None,
    /// These topics.
    Topics(BTreeSet<String>),
    /// All topics with such names: matched here, against the cluster's metadata.
    Pattern {
        pattern: Pattern,
        topics: BTreeSet<String>,
    },
    /// All topics with such names: matched by the coordinator (KIP-848).
    Regex(String),
}

impl Subscription {
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The topics, as far as this side knows them.
    pub(crate) fn topics(&self) -> BTreeSet<String> {
        match self {
            Self::None | Self::Regex(_) => BTreeSet::new(),
            Self::Topics(topics) | Self::Pattern { topics, .. } => topics.clone(),
        }
    }

    /// Whether `other` asks for the same; what a pattern has matched so far does not count.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Topics(a), Self::Topics(b)) => a == b,
            (Self::Regex(a), Self::Regex(b)) => a == b,
            (Self::Pattern { pattern: a, .. }, Self::Pattern { pattern: b, .. }) => {
                a.text == b.text
            }
            _ => false,
        }
    }
}

/// A regular expression that whole topic names are matched against.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    compiled: Regex,
}

impl Pattern {
    /// Compiles it.
    ///
    /// # Errors
    /// [`ClientError::IllegalState`] with what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, ClientError> {
        // As a whole: what matches only a part of a name does not match it.
        let compiled = Regex::new(&format!("^(?:{text})$")).map_err(|error| {
            ClientError::IllegalState(format!("the pattern {text:?} cannot be used: {error}"))
        })?;
        Ok(Self {
            text: text.to_owned(),
            compiled,
        })
    }

    pub(crate) fn matches(&self, topic: &str) -> bool {
        self.compiled.is_match(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let pattern = Pattern::new("flights-.*|weather").expect("valid");
        assert!(pattern.matches("flights-2013"));
        assert!(pattern.matches("weather"));
        assert!(!pattern.matches("weather-2013"));
        assert!(!pattern.matches("old-flights-2013"));
        assert!(Pattern::new("(").is_err());
    }
}
