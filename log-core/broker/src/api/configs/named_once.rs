//! What the ways of altering several things in one request have in common: each is named once in it,
//! and has an outcome of its own.

use std::collections::HashMap;

use headwater_wire::ErrorCode;

use crate::topic_creation::TopicRefused;

/// How often a request names each resource.
pub(in crate::api) struct NamedOnce(HashMap<(i8, String), u32>);

impl NamedOnce {
    pub(in crate::api) fn new<'a>(resources: impl Iterator<Item = (i8, &'a str)>) -> Self {
        let mut times = HashMap::new();
        for (kind, name) in resources {
            *times.entry((kind, name.to_owned())).or_insert(0) += 1;
        }
        Self(times)
    }

    /// Refuses a resource that is named more than once: which of its changes should come last?
    pub(in crate::api) fn check(&self, kind: i8, name: &str) -> Result<(), TopicRefused> {
        match self.0.get(&(kind, name.to_owned())) {
            Some(1) => Ok(()),
            _ => Err(TopicRefused::new(
                ErrorCode::InvalidRequest,
                "the resource is named more than once in the request",
            )),
        }
    }
}

/// Code and message of an answer about one of them.
pub(in crate::api) fn outcome(result: Result<(), TopicRefused>) -> (i16, Option<String>) {
    match result {
        Ok(()) => (ErrorCode::None.code(), None),
        Err(refused) => (refused.code.code(), Some(refused.message)),
    }
}
