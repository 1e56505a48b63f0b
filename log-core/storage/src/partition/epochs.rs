//! Where each leader epoch began (KIP-101, KIP-279).

use crate::encoding::{Fields, PutFields};

/// Leader epochs of a log with the offset of their first batch, both rising.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeaderEpochs {
    starts: Vec<(i32, i64)>,
}

impl LeaderEpochs {
    /// Notes a batch of `epoch` at `offset`. Epochs below the latest are none of this log's.
    pub(crate) fn note(&mut self, epoch: i32, offset: i64) {
        if epoch >= 0 && self.starts.last().is_none_or(|(latest, _)| *latest < epoch) {
            self.starts.push((epoch, offset));
        }
    }

    /// Forgets what ended before `log_start`.
    pub(crate) fn trim(&mut self, log_start: i64) {
        let ended = self
            .starts
            .partition_point(|(_, start)| *start <= log_start)
            .saturating_sub(1);
        self.starts.drain(..ended);
        if let Some((_, start)) = self.starts.first_mut() {
            *start = (*start).max(log_start);
        }
    }

    /// The largest epoch not above `epoch` and the offset behind its last batch.
    pub(crate) fn end_of(&self, epoch: i32, log_end: i64) -> Option<(i32, i64)> {
        let after = self.starts.partition_point(|(e, _)| *e <= epoch);
        let (found, _) = self.starts.get(after.checked_sub(1)?)?;
        let end = self.starts.get(after).map_or(log_end, |(_, start)| *start);
        Some((*found, end))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_len(self.starts.len());
        for (epoch, start) in &self.starts {
            out.put_i32(*epoch);
            out.put_i64(*start);
        }
    }

    pub(crate) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let mut epochs = Self::default();
        for _ in 0..fields.u32()? {
            epochs.starts.push((fields.i32()?, fields.i64()?));
        }
        Some(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let mut epochs = LeaderEpochs::default();
        for (epoch, offset) in [(1, 0), (1, 5), (3, 10), (2, 12), (7, 20)] {
            epochs.note(epoch, offset);
        }
        assert_eq!(epochs.end_of(0, 30), None);
        assert_eq!(epochs.end_of(2, 30), Some((1, 10)));
        assert_eq!(epochs.end_of(3, 30), Some((3, 20)));
        assert_eq!(epochs.end_of(9, 30), Some((7, 30)));
        let mut bytes = Vec::new();
        epochs.encode(&mut bytes);
        assert_eq!(
            LeaderEpochs::decode(&mut Fields::new(&bytes)),
            Some(epochs.clone())
        );
        epochs.trim(12);
        assert_eq!(epochs.end_of(2, 30), None);
        assert_eq!(epochs.end_of(3, 30), Some((3, 20)));
    }
}
