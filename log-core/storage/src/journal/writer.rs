//! Group commit: take all that gathered, write it, sync once, publish, wake.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::file::{self, FileHeader, JournalFile};
use super::frame::{FRAME_HEADER, FrameRef, GROUP_HEADER, GroupHeader, chain, group_size};
use super::pool::{FrameEnd, Placement, Pool, header_of};
use super::staging::{Group, Publish, Reservation, ReserveError, Staging, frame_size};
use crate::error::{OpenError, Stopped};
use crate::lsn::Lsn;
use crate::medium::Medium;
use crate::options::JournalOptions;

/// How far the journal is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) durable: Lsn,
    pub(crate) is_stopped: bool,
}

/// The journal of one incarnation.
#[derive(Debug)]
pub(crate) struct Journal {
    medium: Medium,
    dir: PathBuf,
    incarnation: u64,
    staging: Mutex<Staging>,
    /// Held for the whole of a commit: groups are written one after the other.
    writer: Mutex<Writer>,
    /// Something was staged, or the journal is closing.
    work: Condvar,
    /// Room may have been made.
    room: Condvar,
    progress: watch::Sender<Progress>,
    /// For those who wait without a runtime.
    settled: Condvar,
    settled_lock: Mutex<()>,
}

#[derive(Debug)]
struct Writer {
    /// Checksum of the last frame.
    chain: u32,
    synced: Lsn,
    empty: Option<Group>,
    next_file: u64,
}

impl Journal {
    /// Starts incarnation `incarnation` in `dir`: whatever the files there hold is void once the
    /// caller has made the incarnation durable. The first block of the first file is durable when
    /// this returns, so that recovery can tell a lost file from an unused one.
    pub(crate) fn start(
        medium: Medium,
        dir: &Path,
        options: &JournalOptions,
        incarnation: u64,
    ) -> Result<Self, OpenError> {
        let (mut files, mut next_file) = open_files(&medium, dir)?;
        // The largest first: a small file is only for a start without any.
        files.sort_by_key(|file| std::cmp::Reverse(file.len));
        files.retain(|file| file.capacity() > 0);
        if files.is_empty() {
            let path = dir.join(file::name(next_file));
            next_file += 1;
            files.push(JournalFile::create(
                &medium,
                path,
                options.first_file_bytes,
            )?);
        }
        let first = files.remove(0);
        let predecessor = seed(incarnation);
        let header = FileHeader {
            incarnation,
            sequence: 0,
            first: Lsn::ZERO.next(),
            predecessor,
        }
        .encode();
        first
            .file
            .write_all_at(&header, 0)
            .map_err(crate::error::FileError::new("write", &first.path))?;
        medium.sync_file(first.file.as_ref(), &first.path)?;
        let pool = Pool::new(first, files, options.files_max, options.file_bytes);
        let progress = Progress {
            durable: Lsn::ZERO,
            is_stopped: false,
        };
        Ok(Self {
            medium,
            dir: dir.to_owned(),
            incarnation,
            staging: Mutex::new(Staging::new(pool, options.group_bytes)),
            writer: Mutex::new(Writer {
                chain: predecessor,
                synced: Lsn::ZERO,
                empty: None,
                next_file,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            progress: watch::Sender::new(progress),
            settled: Condvar::new(),
            settled_lock: Mutex::new(()),
        })
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Last number given out.
    pub(crate) fn last(&self) -> Lsn {
        self.staging.lock().last()
    }

    /// Reserves room for a frame with `payload` bytes; `None` while there is none.
    pub(crate) fn try_reserve(
        &self,
        payload: u64,
    ) -> Result<Option<Reservation<'_>>, ReserveError> {
        self.medium.check()?;
        let bytes = frame_size(payload);
        let is_reserved = self.staging.lock().reserve(bytes)?;
        Ok(is_reserved.then(|| Reservation::new(self, bytes)))
    }

    /// Waits until room may have been made, or a while.
    pub(crate) fn wait_for_room(&self) {
        let mut staging = self.staging.lock();
        if self.medium.check().is_ok() {
            // The time limit only bounds the harm of a missed wake-up.
            self.room.wait_for(&mut staging, Duration::from_millis(100));
        }
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.staging.lock().give_back(bytes);
    }

    /// Adds a frame to the next group. The payload must not exceed what was reserved.
    pub(crate) fn stage(
        &self,
        reservation: Reservation<'_>,
        frame: &FrameRef<'_>,
        publish: Option<Publish>,
    ) -> Lsn {
        let mut staging = self.staging.lock();
        let (lsn, is_first) = staging.stage(frame, self.incarnation, publish);
        staging.give_back(reservation.bytes());
        drop(staging);
        std::mem::forget(reservation);
        if is_first {
            self.work.notify_one();
        }
        lsn
    }

    /// Waits for something to commit; false once the journal is closing and empty, or stopped.
    pub(crate) fn wait_for_work(&self) -> bool {
        let mut staging = self.staging.lock();
        while staging.is_empty() {
            if staging.is_closing || self.medium.check().is_err() {
                return false;
            }
            self.work.wait(&mut staging);
        }
        true
    }

    /// Lets [`Journal::wait_for_work`] end once all is committed.
    pub(crate) fn close(&self) {
        self.staging.lock().is_closing = true;
        self.work.notify_all();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.staging.lock().is_closing
    }

    /// Writes and syncs what gathered, then publishes it. False if there was nothing.
    pub(crate) fn commit(&self) -> Result<bool, Stopped> {
        let mut writer = self.writer.lock();
        self.medium.check()?;
        let empty = writer.empty.take().unwrap_or_else(Group::empty);
        let mut staging = self.staging.lock();
        if staging.is_empty() {
            drop(staging);
            writer.empty = Some(empty);
            return Ok(false);
        }
        let mut group = staging.take(empty);
        let placements = self.place(&mut staging.pool, &group, &mut writer);
        drop(staging);
        let written = placements
            .and_then(|placements| self.write_group(&mut group, &placements, &mut writer));
        if let Err(stopped) = written {
            self.publish_stop();
            return Err(stopped);
        }
        for publish in &group.publishes {
            publish.watch.publish(publish.state);
        }
        let durable = writer.synced;
        writer.empty = Some(group.recycle());
        drop(writer);
        self.publish(Progress {
            durable,
            is_stopped: false,
        });
        Ok(true)
    }

    fn publish(&self, progress: Progress) {
        self.progress.send_modify(|current| {
            current.durable = current.durable.max(progress.durable);
            current.is_stopped |= progress.is_stopped;
        });
        drop(self.settled_lock.lock());
        self.settled.notify_all();
        let mut staging = self.staging.lock();
        let is_starved = std::mem::take(&mut staging.is_starved);
        drop(staging);
        if is_starved {
            self.room.notify_all();
        }
    }

    /// Wakes all who wait, to find the journal stopped.
    pub(crate) fn publish_stop(&self) {
        self.publish(Progress {
            durable: Lsn::ZERO,
            is_stopped: true,
        });
        self.work.notify_all();
        self.room.notify_all();
    }

    fn place(
        &self,
        pool: &mut Pool,
        group: &Group,
        writer: &mut Writer,
    ) -> Result<Vec<Placement>, Stopped> {
        let mut placements = Vec::with_capacity(1);
        let mut rest = group.frames.as_slice();
        let (mut start, mut last) = (GROUP_HEADER, writer.synced);
        while let Some(end) = rest.last() {
            let Some(placement) = pool.place(start, rest, last) else {
                // Reservations see to it that there is room; should the sum ever be wrong, a file
                // too many is better than an append lost.
                tracing::warn!("the journal needs a file beyond its limit");
                let len = pool
                    .file_bytes()
                    .max(group_size((end.end - start) as u64) * 2);
                let file = self.create_file(len, &mut writer.next_file)?;
                pool.open(file, last);
                continue;
            };
            let (done, more) = rest.split_at(placement.frames);
            if let Some(frame) = done.last() {
                (start, last) = (frame.end, frame.lsn);
            }
            rest = more;
            placements.push(placement);
        }
        Ok(placements)
    }

    fn create_file(&self, len: u64, next_file: &mut u64) -> Result<JournalFile, Stopped> {
        let path = self.dir.join(file::name(*next_file));
        *next_file += 1;
        JournalFile::create(&self.medium, path, len).map_err(|error| {
            self.medium
                .fail(&format!("cannot make a journal file: {error}"))
        })
    }

    fn write_group(
        &self,
        group: &mut Group,
        placements: &[Placement],
        writer: &mut Writer,
    ) -> Result<(), Stopped> {
        let mut frames = group.frames.as_slice();
        let mut start = GROUP_HEADER;
        for placement in placements {
            let (mine, rest) = frames.split_at(placement.frames);
            let end = mine.last().map_or(start, |frame| frame.end);
            if start == GROUP_HEADER && rest.is_empty() {
                self.write_part(&mut group.buffer, mine, start, placement, writer)?;
            } else {
                let mut part = vec![0; GROUP_HEADER];
                part.extend_from_slice(group.buffer.get(start..end).unwrap_or_default());
                self.write_part(&mut part, mine, start, placement, writer)?;
            }
            (start, frames) = (end, rest);
        }
        Ok(())
    }

    /// Writes frames, whose ends count from `base - GROUP_HEADER`, as one group and syncs it.
    fn write_part(
        &self,
        buffer: &mut Vec<u8>,
        frames: &[FrameEnd],
        base: usize,
        placement: &Placement,
        writer: &mut Writer,
    ) -> Result<(), Stopped> {
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
            return Ok(());
        };
        let predecessor = writer.chain;
        let mut at = GROUP_HEADER;
        for frame in frames {
            let end = frame.end - base + GROUP_HEADER;
            if let Some(bytes) = buffer.get_mut(at..end) {
                writer.chain = chain(bytes, writer.chain);
            }
            at = end;
        }
        let header = GroupHeader {
            incarnation: self.incarnation,
            first: first.lsn,
            last_synced: writer.synced,
            sequence: placement.sequence,
            frame_bytes: u32::try_from(at - GROUP_HEADER).unwrap_or(u32::MAX),
            predecessor,
        };
        if let Some(room) = buffer.first_chunk_mut() {
            *room = header.encode();
        }
        let size = group_size((at - GROUP_HEADER) as u64);
        buffer.resize(usize::try_from(size).unwrap_or(at), 0);
        self.write_file(buffer, first.lsn, predecessor, placement)?;
        writer.synced = last.lsn;
        Ok(())
    }

    fn write_file(
        &self,
        group: &[u8],
        first: Lsn,
        predecessor: u32,
        placement: &Placement,
    ) -> Result<(), Stopped> {
        let JournalFile { path, file, .. } = &placement.file;
        let write = |bytes: &[u8], at| {
            file.write_all_at(bytes, at).map_err(|error| {
                self.medium
                    .fail(&format!("cannot write {}: {error}", path.display()))
            })
        };
        if placement.opens_file {
            let header = header_of(placement, self.incarnation, first, predecessor);
            write(&header.encode(), 0)?;
        }
        write(group, placement.position)?;
        self.medium.sync_file(file.as_ref(), path)
    }

    /// Waits until `lsn` is durable.
    pub(crate) fn wait_durable_blocking(&self, lsn: Lsn) -> Result<(), Stopped> {
        let mut guard = self.settled_lock.lock();
        loop {
            let progress = self.progress();
            if progress.durable >= lsn {
                return Ok(());
            }
            if progress.is_stopped {
                return Err(Stopped);
            }
            self.settled.wait(&mut guard);
        }
    }

    /// Frees what lies below `tail`, which must be durable in a checkpoint.
    pub(crate) fn release(&self, tail: Lsn) {
        let surplus = self.staging.lock().pool.release(tail);
        for file in surplus {
            if let Err(error) = self.medium.disk.remove_file(&file.path) {
                tracing::warn!(path = %file.path.display(), %error, "cannot remove journal file");
            }
        }
        self.room.notify_all();
    }

    /// Makes a file ahead of need. An error only leaves appends waiting for checkpoints instead.
    pub(crate) fn make_spare(&self) -> Result<bool, Stopped> {
        let staging = self.staging.lock();
        let is_wanted =
            staging.pool.wants_spare() || (staging.is_starved && staging.pool.may_grow());
        let len = staging.pool.file_bytes();
        drop(staging);
        if !is_wanted {
            return Ok(false);
        }
        let number = {
            let mut writer = self.writer.lock();
            writer.next_file += 1;
            writer.next_file - 1
        };
        let path = self.dir.join(file::name(number));
        match JournalFile::create(&self.medium, path.clone(), len) {
            Ok(file) => {
                self.staging.lock().pool.add_free(file);
                self.room.notify_all();
                Ok(true)
            }
            Err(OpenError::Stopped(stopped)) => Err(stopped),
            Err(error) => {
                tracing::warn!(%error, "cannot make a journal file ahead of need");
                if let Err(error) = self.medium.disk.remove_file(&path) {
                    tracing::debug!(%error, "nothing to remove of the journal file");
                }
                Ok(false)
            }
        }
    }

    /// Whether checkpoints should be pushed on now, and up to which frame at least.
    pub(crate) fn pressure(&self) -> Option<Lsn> {
        let staging = self.staging.lock();
        if !staging.is_starved && !staging.pool.is_half_full() {
            return None;
        }
        Some(staging.pool.oldest_filled().unwrap_or(staging.last()))
    }
}

/// What the first frame's checksum starts from.
pub(super) fn seed(incarnation: u64) -> u32 {
    crc32c::crc32c(&incarnation.to_le_bytes())
}

fn open_files(medium: &Medium, dir: &Path) -> Result<(Vec<JournalFile>, u64), OpenError> {
    let mut files = Vec::new();
    let mut next = 0;
    let entries = medium
        .disk
        .list(dir)
        .map_err(crate::error::FileError::new("list", dir))?;
    for entry in entries {
        if let Some(number) = file::parse_name(&entry.name) {
            next = next.max(number + 1);
            files.push(JournalFile::open(medium, dir.join(&entry.name))?);
        }
    }
    Ok((files, next))
}

const _: () = assert!(FRAME_HEADER < GROUP_HEADER);
