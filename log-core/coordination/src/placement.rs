//! Which partition of an internal topic answers for a group or a transactional id.

/// The partition of `__consumer_offsets` that holds a group, out of `partitions`.
///
/// Kafka's rule: the absolute value of Java's `String.hashCode`, modulo the number of partitions.
/// Zero if `partitions` is not positive.
#[must_use]
pub fn group_partition(group_id: &str, partitions: i32) -> i32 {
    partition_for(group_id, partitions)
}

/// The partition of `__transaction_state` that holds a transactional id, out of `partitions`.
///
/// The same rule as [`group_partition`].
#[must_use]
pub fn transaction_partition(transactional_id: &str, partitions: i32) -> i32 {
    partition_for(transactional_id, partitions)
}

fn partition_for(name: &str, partitions: i32) -> i32 {
    // Kafka's `Utils.abs` clears the sign bit instead of negating, so that the smallest integer
    // has a partition too.
    (java_hash(name) & i32::MAX)
        .checked_rem(partitions)
        .unwrap_or(0)
}

/// Java's `String.hashCode`: over UTF-16 code units, wrapping.
pub(crate) fn java_hash(name: &str) -> i32 {
    name.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("a"), 97);
        assert_eq!(java_hash("hello"), 99_162_322);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        // A character outside the basic plane counts as its two surrogates.
        assert_eq!(java_hash("\u{1F600}"), 1_772_899);
    }

    #[test]
    fn every_name_has_a_partition() {
        assert_eq!(group_partition("polygenelubricants", 50), 0);
        assert_eq!(group_partition("hello", 50), 22);
        assert_eq!(transaction_partition("hello", 0), 0);
    }
}
