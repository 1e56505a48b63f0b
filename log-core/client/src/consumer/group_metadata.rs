//! Who a consumer is in its group.

/// A member's identity at one generation: what fences its commits inside and outside transactions.
///
/// A consumer that has lost its membership has the identity it had, until it joins again: offsets
/// committed under it are refused. One that has unsubscribed has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroupMetadata {
    /// `group.id`.
    pub group_id: String,
    /// The generation or epoch of the membership that the consumer has or had last, -1 before any.
    pub generation_id: i32,
    /// The member's id in that generation, empty before any.
    pub member_id: String,
    /// `group.instance.id`.
    pub group_instance_id: Option<String>,
}

impl ConsumerGroupMetadata {
    /// A group without membership: commits are not fenced by a generation.
    pub fn new(group_id: impl Into<String>) -> Self {
        Self {
            group_id: group_id.into(),
            generation_id: -1,
            member_id: String::new(),
            group_instance_id: None,
        }
    }
}
