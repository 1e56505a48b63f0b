//! The caller's name for one request.

/// Names one request until its reply. Chosen by the caller, never reused while the request is
/// unanswered; every request is answered exactly once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u64);
