//! The files of a capacity check on the medium: reserved, marked, read back cold, removed; nothing else is touched.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FallocateFlags;

use crate::domain::probe::{Judgement, MARK, MarkId, PROBE, ProbePlan};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{OpenFile, refuses_direct};
use crate::engine::meter::Meter;

/// Where the files lie, at the top of what is checked.
pub(super) const DIRECTORY: &str = "airlift-probe.tmp";
/// Bytes per write and read; a multiple of every block size.
const CHUNK: usize = 1 << 20;
/// O_DIRECT wants memory aligned like this.
const ALIGN: usize = 4096;

/// A file with marks in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    /// 0 is the dense one.
    pub(super) number: u32,
    /// Bytes that are marked, from its start.
    pub(super) bytes: u64,
}

/// Files that were laid and not read yet.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) directory: PathBuf,
    pub(super) seed: [u8; 16],
    pub(super) files: Vec<Marked>,
    /// Bytes of free space that the files reach over.
    pub(super) spread: u64,
    /// Whether the file system reserves room that is not written; without that only the written bytes are reached.
    pub(super) reserved: bool,
    /// Whether the time was up, or the room, before all were laid.
    pub(super) cut: bool,
    /// Bytes a second, the waiting for the device included.
    pub(super) rate: u64,
}

/// A mark that did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spoilt {
    pub(super) file: u32,
    pub(super) index: u32,
    pub(super) judgement: Judgement,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) bytes: u64,
    pub(super) direct: bool,
    pub(super) spoilt: Vec<Spoilt>,
    pub(super) rate: u64,
}

/// O_DIRECT wants memory aligned like this.
#[repr(align(4096))]
struct AlignedMark([u8; MARK]);

fn name(number: u32) -> String {
    format!("{number:08}.probe")
}

/// Removes the files of a check, this one's or one that was cut off; says whether there were any. What is not of a
/// check stays, and so does its directory.
pub(super) fn clear(directory: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let file_name = entry.file_name();
        let number = file_name.to_str().and_then(|name| name.strip_suffix(".probe"));
        let ours =
            number.is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()));
        if ours && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir(directory).map(|()| true)
}

/// Writes all files of a plan and waits until the device has them.
///
/// # Errors
/// A file error; a cancel.
pub(super) fn lay(directory: &Path, plan: &ProbePlan, limit: Duration, ctx: &JobCtx) -> Result<Laid> {
    let (began, mut seed) = (Instant::now(), [0; 16]);
    rand_core::RngCore::fill_bytes(&mut rand_core::OsRng, &mut seed);
    let meter = Meter::start(ctx, crate::domain::progress::Phase::Probe, plan.probes + 1, plan.bytes());
    let mut laid = Laid {
        directory: directory.to_owned(),
        seed,
        files: Vec::new(),
        spread: 0,
        reserved: true,
        cut: false,
        rate: 0,
    };
    for number in 0..=u32::try_from(plan.probes).unwrap_or(u32::MAX) {
        ctx.check()?;
        let bytes = if number == 0 { plan.dense } else { PROBE };
        if number > 0 && began.elapsed() > limit || !laid.one(Marked { number, bytes }, plan, &meter, ctx)? {
            laid.cut = true;
            break;
        }
    }
    let failed = |source: io::Error| FileError { operation: "sync", path: directory.to_owned(), source };
    let held = File::open(directory).map_err(failed)?;
    rustix::fs::syncfs(&held).map_err(|errno| failed(errno.into()))?;
    laid.rate = per_second(meter.done(), began);
    meter.finish();
    Ok(laid)
}

impl Laid {
    /// One file; false where there is no room for it.
    fn one(&mut self, file: Marked, plan: &ProbePlan, meter: &Meter, ctx: &JobCtx) -> Result<bool> {
        let path = self.directory.join(name(file.number));
        let failed = |source: io::Error| FileError { operation: "write", path: path.clone(), source };
        let mut out = File::options().write(true).create_new(true).open(&path).map_err(failed)?;
        let reach = if file.number == 0 { plan.dense } else { plan.stride };
        if self.reserved {
            match rustix::fs::fallocate(&out, FallocateFlags::KEEP_SIZE, 0, reach) {
                Ok(()) => {}
                Err(rustix::io::Errno::NOSPC) => return Ok(false),
                // FUSE, NTFS: what is not written is not reserved.
                Err(_) => self.reserved = false,
            }
        }
        self.files.push(file);
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < file.bytes {
            ctx.check()?;
            let length = CHUNK.min(usize::try_from(file.bytes - at).unwrap_or(CHUNK));
            for (offset, block) in buffer[..length].chunks_mut(MARK).enumerate() {
                self.mark(file.number, at, offset).fill(block);
            }
            out.write_all(&buffer[..length]).map_err(failed)?;
            at += length as u64;
            meter.add(length as u64);
        }
        self.spread += if self.reserved { reach } else { file.bytes };
        Ok(true)
    }

    fn mark(&self, file: u32, at: u64, offset: usize) -> MarkId {
        let index = at / MARK as u64 + offset as u64;
        MarkId { seed: self.seed, file, index: u32::try_from(index).unwrap_or(u32::MAX) }
    }

    /// Reads every mark from the device. A place that cannot be read is a finding, not an error.
    ///
    /// # Errors
    /// A file that cannot be opened; a cancel.
    pub(super) fn read(&self, ctx: &JobCtx) -> Result<Read> {
        let (began, total) = (Instant::now(), self.files.iter().map(|file| file.bytes).sum());
        let phase = crate::domain::progress::Phase::ReadBack;
        let meter = Meter::start(ctx, phase, self.files.len() as u64, total);
        let mut read = Read { bytes: 0, direct: true, spoilt: Vec::new(), rate: 0 };
        let mut buffer = vec![0; CHUNK + ALIGN];
        let skew = buffer.as_ptr().align_offset(ALIGN);
        let aligned = &mut buffer[skew..skew + CHUNK];
        for file in &self.files {
            self.read_one(*file, aligned, &mut read, (&meter, ctx))?;
        }
        read.rate = per_second(read.bytes, began);
        meter.finish();
        Ok(read)
    }

    /// Opens a file to be read from its device. That it cannot be opened is an error, and says nothing of marks.
    fn open_cold(&self, number: u32, read: &mut Read, ctx: &JobCtx) -> Result<File> {
        let name = name(number);
        let open = |direct| ctx.files.open_cold(&self.directory, &name, direct);
        // Opening with O_DIRECT may succeed where reading then does not.
        let refuses = |opened: &OpenFile| {
            let mut first = AlignedMark([0; MARK]);
            let tried = opened.file.as_ref().map(|file| file.read_at(&mut first.0, 0));
            tried.is_some_and(|tried| tried.is_err_and(|error| refuses_direct(&error)))
        };
        let opened = match open(true) {
            Err(error) if refuses_direct(&error.source) => None,
            opened => Some(opened?).filter(|opened| !refuses(opened)),
        };
        let opened = match opened {
            Some(opened) => opened,
            None => {
                read.direct = false;
                open(false)?
            }
        };
        let source = || io::Error::from(io::ErrorKind::Unsupported);
        let failed =
            || FileError { operation: "read back", path: self.directory.join(&name), source: source() };
        Ok(opened.file.ok_or_else(failed)?)
    }

    fn read_one(
        &self,
        file: Marked,
        buffer: &mut [u8],
        read: &mut Read,
        (meter, ctx): (&Meter, &JobCtx),
    ) -> Result<()> {
        let from = self.open_cold(file.number, read, ctx)?;
        let (mut at, mut scratch) = (0, [0; MARK]);
        while at < file.bytes {
            ctx.check()?;
            let length = CHUNK.min(usize::try_from(file.bytes - at).unwrap_or(CHUNK));
            let piece = &mut buffer[..length];
            if !fetch(&from, piece, at) {
                // One bad block must not hide the good ones around it.
                for (offset, block) in piece.chunks_mut(MARK).enumerate() {
                    let place = at + (offset * MARK) as u64;
                    if !fetch(&from, block, place) {
                        block.fill(0);
                    }
                }
            }
            for (offset, block) in piece.chunks(MARK).enumerate() {
                let mark = self.mark(file.number, at, offset);
                let judgement = mark.judge(block, &mut scratch);
                if judgement != Judgement::Kept {
                    read.spoilt.push(Spoilt { file: mark.file, index: mark.index, judgement });
                }
            }
            at += length as u64;
            read.bytes += length as u64;
            meter.add(length as u64);
        }
        Ok(())
    }
}

fn fetch(file: &File, buffer: &mut [u8], at: u64) -> bool {
    file.read_exact_at(buffer, at).is_ok()
}

fn per_second(bytes: u64, since: Instant) -> u64 {
    let millis = since.elapsed().as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / millis).unwrap_or(u64::MAX)
}
