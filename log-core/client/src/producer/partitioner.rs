//! Which partition a record goes to: its key's hash, or a sticky choice without one.

use rand::Rng;

/// The 32-bit MurmurHash2 of Kafka's Java client, seed included.
///
/// Records with equal keys meet in one partition only if every producer uses this function.
pub fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    // The Java client's seed, and its length as a 32-bit number.
    let mut h: u32 = 0x9747_b28c ^ (data.len() as u32);
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (i, byte) in tail.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^= h >> 15;
    h as i32
}

/// The partition of a key among `partitions`, as the Java client's default partitioner chooses it.
///
/// Zero if there are no partitions.
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    if partitions <= 0 {
        return 0;
    }
    // The sign bit is dropped, not the number negated: that is how Kafka makes it positive.
    (murmur2(key) & i32::MAX) % partitions
}

/// Keeps records without a key on one partition until it has had `batch.size` bytes, so that
/// batches fill, and then moves on to another at random (KIP-794).
#[derive(Debug, Default)]
pub(crate) struct StickyPartitioner {
    current: Option<i32>,
    bytes: usize,
}

/// A partition to choose, and how many batches wait for it already.
pub(crate) type Candidate = (i32, usize);

impl StickyPartitioner {
    /// The partition for a record of `size` bytes: one of `available`, or of all `count` if none
    /// is available. `available` is only asked when the partition changes; the more batches wait
    /// for one of them, the less likely it is chosen.
    pub(crate) fn next(
        &mut self,
        available: impl FnOnce() -> Vec<Candidate>,
        count: i32,
        size: usize,
        batch_size: usize,
    ) -> i32 {
        let is_known = |partition: &i32| *partition < count;
        let current = match self
            .current
            .filter(is_known)
            .filter(|_| self.bytes < batch_size)
        {
            Some(current) => current,
            None => {
                self.bytes = 0;
                let chosen = self.choose(available(), count);
                self.current = Some(chosen);
                chosen
            }
        };
        self.bytes = self.bytes.saturating_add(size);
        current
    }

    fn choose(&self, mut available: Vec<Candidate>, count: i32) -> i32 {
        let mut rng = rand::rng();
        if available.len() > 1 {
            available.retain(|(partition, _)| Some(*partition) != self.current);
        }
        let longest = available.iter().map(|(_, backlog)| *backlog).max();
        let Some(longest) = longest else {
            return rng.random_range(0..count.max(1));
        };
        // One more than the longest backlog, less the own: equal backlogs are equally likely.
        let weight = |backlog: usize| longest + 1 - backlog;
        let total: usize = available.iter().map(|(_, backlog)| weight(*backlog)).sum();
        let mut pick = rng.random_range(0..total.max(1));
        for (partition, backlog) in available {
            match pick.checked_sub(weight(backlog)) {
                Some(rest) => pick = rest,
                None => return partition,
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own UtilsTest.
    #[test]
    fn murmur2_is_the_java_clients() {
        let vectors: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (
                b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key), hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn keys_map_into_the_partitions() {
        for partitions in 1..20 {
            for key in 0..200u32 {
                let partition = partition_for_key(&key.to_be_bytes(), partitions);
                assert!((0..partitions).contains(&partition));
            }
        }
        assert_eq!(
            partition_for_key(b"foobar", 10),
            (-790_332_482 & i32::MAX) % 10
        );
        assert_eq!(partition_for_key(b"any", 0), 0);
    }

    #[test]
    fn a_partition_is_kept_for_a_batch_and_then_left() {
        let mut sticky = StickyPartitioner::default();
        let mut last = None;
        for _ in 0..50 {
            let first = sticky.next(|| even([0, 1, 2]), 3, 100, 1_000);
            assert_ne!(Some(first), last);
            for _ in 0..9 {
                assert_eq!(sticky.next(|| even([0, 1, 2]), 3, 100, 1_000), first);
            }
            last = Some(first);
        }
    }

    #[test]
    fn partitions_without_a_leader_are_passed_over() {
        let mut sticky = StickyPartitioner::default();
        for _ in 0..50 {
            assert!([1, 4].contains(&sticky.next(|| even([1, 4]), 6, 10, 1)));
        }
        for _ in 0..50 {
            assert!((0..6).contains(&sticky.next(Vec::new, 6, 10, 1)));
        }
    }

    fn even<const N: usize>(partitions: [i32; N]) -> Vec<Candidate> {
        partitions.map(|partition| (partition, 0)).to_vec()
    }

    #[test]
    fn partitions_with_a_backlog_are_chosen_less() {
        let mut sticky = StickyPartitioner::default();
        let mut counts = [0; 3];
        for _ in 0..3_000 {
            sticky.current = None;
            let chosen = sticky.next(|| vec![(0, 0), (1, 0), (2, 8)], 3, 10, 1);
            counts[chosen as usize] += 1;
        }
        assert!(counts[2] < 400, "{counts:?}");
        assert!(counts[0] > 1_000 && counts[1] > 1_000, "{counts:?}");
    }
}
