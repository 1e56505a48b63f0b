//! Applying journal frames over what the checkpoint left.

use bytes::Bytes;
use headwater_wire::records::RecordBatch;

use super::{PartitionLog, Writer};
use crate::error::{Corruption, OpenError};
use crate::journal::{FrameKind, RecoveredFrame};
use crate::segment::{SEGMENT_HEADER, marker_of};

impl PartitionLog {
    /// Applies the next frame of this partition. Frames come in order and each exactly once.
    pub(crate) fn replay(&self, frame: &RecoveredFrame) -> Result<(), OpenError> {
        let mut writer = self.writer.lock();
        writer.note_frame(frame.lsn);
        match frame.kind {
            FrameKind::Append => self.replay_append(&mut writer, frame),
            FrameKind::Truncate => self.replay_truncate(&mut writer, frame.position),
            FrameKind::LogStart => {
                writer.log_start = writer.log_start.max(frame.position);
                let log_start = writer.log_start;
                writer.epochs.trim(log_start);
                self.view.write().log_start = log_start;
                Ok(())
            }
            // Recovery removed the files, and skips all frames up to this one.
            FrameKind::Delete => Ok(()),
        }
    }

    fn replay_append(&self, writer: &mut Writer, frame: &RecoveredFrame) -> Result<(), OpenError> {
        let wall = self.core.clock.wall().as_millis();
        let interval = self.config().index_interval_bytes;
        let batches = split(&frame.payload).map_err(|reason| self.misfit(frame, reason))?;
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return Ok(());
        };
        if first.header.base_offset < writer.end {
            let reason = format!("its log already ends at {}", writer.end);
            return Err(self.misfit(frame, reason));
        }
        let bytes = frame.payload.len() as u64;
        let segment = self.segment_for(writer, &first.header, last.header.last_offset(), bytes)?;
        let mut position = segment.write(&[&frame.payload])?;
        for batch in &batches {
            segment.note(&batch.header, position, interval);
            position += batch.bytes.len() as u64;
            let marker = marker_of(batch).map_err(|error| self.misfit(frame, error.to_string()))?;
            self.note_batch(writer, &batch.header, marker, wall);
        }
        writer.unsynced.note_segment(&segment, bytes);
        Ok(())
    }

    fn replay_truncate(&self, writer: &mut Writer, end: i64) -> Result<(), OpenError> {
        if self.view.read().segments.is_empty() {
            writer.end = writer.end.min(end);
            return Ok(());
        }
        let cut = self.find_cut(end)?;
        (writer.producers, writer.epochs) = self.state_at(&cut)?;
        writer.generation += 1;
        writer.end = end;
        let place = (cut.segment.base_offset(), cut.position);
        // All of the damage lies in what was cut, and perhaps rewritten, before the crash.
        writer.suspect.take_if(|suspect| {
            place
                <= (
                    suspect.from.base_offset,
                    suspect.from.position.max(SEGMENT_HEADER),
                )
        });
        self.cut_files(writer, &cut)?;
        Ok(())
    }

    fn misfit(&self, frame: &RecoveredFrame, reason: String) -> OpenError {
        OpenError::Corrupt(Corruption {
            path: self.dir.clone(),
            position: 0,
            reason: format!(
                "journal frame {} for offset {}: {reason}",
                frame.lsn, frame.position
            ),
        })
    }
}

fn split(payload: &Bytes) -> Result<Vec<RecordBatch>, String> {
    let mut rest = payload.clone();
    let mut batches = Vec::new();
    while !rest.is_empty() {
        match RecordBatch::split_from(&mut rest) {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => return Err("it ends inside a batch".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(batches)
}
