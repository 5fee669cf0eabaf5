//! Hashes many files at once, one thread a core, largest first, each byte read once; with what layers unpack to, if asked.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::graph::LayerCheck;
use super::read::{BundleReader, ReadError};
use super::unpack::{Tee, unpack};
use crate::domain::bundle::Blob;
use crate::domain::digest::{Algorithm, Digest};
use crate::domain::progress::{Event, Phase};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Explain, Interrupted, Kind, Result};
use crate::engine::files::at_byte;
use crate::engine::hash::Hasher;
use crate::engine::meter::Meter;

/// Bytes per read; fits the second-level cache, so that hashing finds them there.
pub(super) const BUFFER: usize = 256 * 1024;
/// What one check found wrong.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// A layer that does not unpack to what its configuration says.
    #[error("layer {layer} unpacks to {actual}, its image configuration says {expected}")]
    DiffId {
        /// The layer.
        layer: Digest,
        /// From the configuration.
        expected: Digest,
        /// Computed.
        actual: Digest,
    },
    /// A layer that does not unpack at all.
    #[error("layer {layer} does not unpack: {reason}")]
    Unpack {
        /// The layer.
        layer: Digest,
        /// What the decoder said.
        reason: String,
    },
    /// More than one file is wrong.
    #[error("{} files are damaged: {}", .reasons.len(), .reasons.join("; "))]
    Several {
        /// Each with what is wrong.
        reasons: Vec<String>,
        /// Whether the device failed to read one of them.
        unreadable: bool,
    },
}

impl Explain for HashError {
    fn kind(&self) -> Kind {
        match self {
            Self::Several { unreadable: true, .. } => Kind::Medium,
            _ => Kind::Integrity,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Several { .. } => {
                vec![
                    "the medium or the copy is damaged: copy or pack it again; do not trust this medium"
                        .to_owned(),
                ]
            }
            _ => vec!["the image itself is wrong at its source; ask whoever built it".to_owned()],
        }
    }
}

/// One thing to hash.
enum Work<'a> {
    Blob(&'a Blob, Option<&'a LayerCheck>),
    File(&'a crate::domain::bundle::File),
}

impl Work<'_> {
    const fn size(&self) -> u64 {
        match self {
            Self::Blob(blob, _) => blob.size,
            Self::File(file) => file.size,
        }
    }
}

/// What is to be hashed besides every file of the list.
pub struct HashPlan<'a> {
    /// Blobs that were hashed already.
    pub skip: &'a HashSet<Digest>,
    /// Layers to unpack on the way, with `--deep`.
    pub layers: Option<&'a BTreeMap<Digest, LayerCheck>>,
    /// Only files, no blobs: the blobs will be hashed as they stream somewhere.
    pub files_only: bool,
}

/// Hashes every blob, part and file that `plan` leaves. Blocks; returns the bytes hashed.
///
/// # Errors
/// The error of the one damaged file, or [`HashError::Several`] with all of them; [`Interrupted`].
pub fn hash_all(bundle: &BundleReader, plan: &HashPlan<'_>, ctx: &JobCtx) -> Result<u64> {
    let (bytes, failures) = hash_each(bundle, plan, ctx)?;
    as_one(failures).map_or(Ok(bytes), Err)
}

/// What is told of a bundle in which something is wrong already: that, and every damaged file. A manifest that cannot
/// be read hides no other file, as each has its digest in the signed list.
pub fn with_all_damaged(bundle: &BundleReader, first: EngineError, ctx: &JobCtx) -> EngineError {
    let plan = HashPlan { skip: &HashSet::new(), layers: None, files_only: false };
    let mut failures = match hash_each(bundle, &plan, ctx) {
        Ok((_, failures)) => failures,
        Err(stopped) => return stopped,
    };
    if failures.iter().all(|failure| failure.message() != first.message()) {
        failures.insert(0, first);
    }
    as_one(failures).unwrap_or_else(|| Interrupted.into())
}

/// The one error, or all of them in one.
fn as_one(mut failures: Vec<EngineError>) -> Option<EngineError> {
    if failures.len() < 2 {
        return failures.pop();
    }
    let unreadable = failures.iter().any(|error| error.kind() == Kind::Medium);
    let reasons = failures.iter().map(EngineError::message).collect();
    Some(HashError::Several { reasons, unreadable }.into())
}

/// The bytes hashed, and the error of each damaged file; fails only where it is to stop.
fn hash_each(bundle: &BundleReader, plan: &HashPlan<'_>, ctx: &JobCtx) -> Result<(u64, Vec<EngineError>)> {
    let mut work: Vec<Work<'_>> = bundle.document().files.iter().map(Work::File).collect();
    if !plan.files_only {
        let blobs = bundle.document().blobs.iter().filter(|blob| !plan.skip.contains(&blob.digest));
        work.extend(
            blobs.map(|blob| Work::Blob(blob, plan.layers.and_then(|layers| layers.get(&blob.digest)))),
        );
    }
    work.sort_by_key(|item| std::cmp::Reverse(item.size()));
    let total = work.iter().map(Work::size).sum();
    // Counted as the signed list has them, with what was hashed before: a blob in parts is as many files.
    let document = bundle.document();
    let files = match plan.files_only {
        true => work.len() + plan.skip.len(),
        false => document.all_files().count(),
    };
    let meter = Meter::start(ctx, Phase::Verify, files as u64, total);
    let next = AtomicUsize::new(0);
    let failures: Mutex<Vec<EngineError>> = Mutex::new(Vec::new());
    let damaged: Mutex<BTreeSet<Digest>> = Mutex::default();
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(work.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut buffer = vec![0; BUFFER];
                while let Some(item) = work.get(next.fetch_add(1, Relaxed)) {
                    if ctx.cancel.is_cancelled() {
                        return;
                    }
                    if let Err(error) = one(bundle, item, &meter, &mut buffer, ctx) {
                        if ctx.cancel.is_cancelled() {
                            return;
                        }
                        ctx.say(Event::Failed {
                            phase: Phase::Verify,
                            item: name(item),
                            reason: error.message(),
                        });
                        if let Ok(mut failures) = failures.lock() {
                            failures.push(error);
                        }
                        if let (Work::Blob(blob, _), Ok(mut damaged)) = (item, damaged.lock()) {
                            damaged.insert(blob.digest.clone());
                        }
                    }
                }
            });
        }
    });
    ctx.check()?;
    let failures = failures.into_inner().unwrap_or_default();
    name_images(bundle, &damaged.into_inner().unwrap_or_default(), ctx);
    if failures.is_empty() {
        meter.finish();
    }
    Ok((meter.done(), failures))
}

/// Says which images cannot be whole without what is damaged.
fn name_images(bundle: &BundleReader, damaged: &BTreeSet<Digest>, ctx: &JobCtx) {
    if damaged.is_empty() {
        return;
    }
    for (item, needed) in super::graph::needing(bundle, damaged) {
        let first = needed.first().map_or_else(String::new, Digest::layout_path);
        let reason = match needed.len() {
            0 | 1 => format!("needs {first}, which is damaged"),
            more => format!("needs {first} and {} more that are damaged", more - 1),
        };
        ctx.say(Event::Failed { phase: Phase::Verify, item, reason });
    }
}

fn name(item: &Work<'_>) -> String {
    match item {
        Work::Blob(blob, _) => blob.digest.to_string(),
        Work::File(file) => file.path.clone(),
    }
}

fn one(bundle: &BundleReader, item: &Work<'_>, meter: &Meter, buffer: &mut [u8], ctx: &JobCtx) -> Result<()> {
    match item {
        Work::File(file) => {
            let open = bundle.open_listed(&file.path, file.size)?;
            let reader = Stoppable { inner: open.reader.take(file.size), ctx };
            let actual = drain(reader, Algorithm::Sha256, meter, buffer)
                .map_err(|source| super::graph::read_error(bundle, &file.path, source))?;
            expect_hex(&file.path, &file.sha256, actual)
        }
        Work::Blob(blob, check) => {
            let path = blob.path.clone().unwrap_or_else(|| blob.digest.to_string());
            let stream = Stoppable { inner: bundle.open(&blob.digest, 0)?, ctx };
            let whole = hash_stream(bundle, blob, *check, stream, &path, (meter, &mut *buffer));
            // The joined stream proves the parts; only when it fails is it worth finding out which one.
            if whole.is_err() && !blob.parts.is_empty() {
                parts(bundle, blob, meter, buffer, ctx)?;
            }
            whole
        }
    }
}

/// Each part by itself, so that the damaged one is named.
fn parts(bundle: &BundleReader, blob: &Blob, meter: &Meter, buffer: &mut [u8], ctx: &JobCtx) -> Result<()> {
    for part in &blob.parts {
        let open = bundle.open_listed(&part.path, part.size)?;
        let reader = Stoppable { inner: open.reader.take(part.size), ctx };
        let actual = drain(reader, Algorithm::Sha256, meter, buffer)
            .map_err(|source| super::graph::read_error(bundle, &part.path, source))?;
        expect_hex(&part.path, &part.sha256, actual)?;
    }
    Ok(())
}

fn expect_hex(path: &str, expected: &str, actual: Digest) -> Result<()> {
    if actual.hex() == expected {
        return Ok(());
    }
    match format!("sha256:{expected}").parse() {
        Ok(expected) => Err(ReadError::Content { path: path.to_owned(), expected, actual }.into()),
        Err(_) => {
            Err(ReadError::Listed { path: path.to_owned(), reason: format!("{expected:?} is no sha256") }
                .into())
        }
    }
}

fn hash_stream(
    bundle: &BundleReader,
    blob: &Blob,
    check: Option<&LayerCheck>,
    stream: impl Read,
    path: &str,
    (meter, buffer): (&Meter, &mut [u8]),
) -> Result<()> {
    let failed = |source| super::graph::read_error(bundle, path, source);
    let (actual, unpacked) = match check {
        None => (drain(stream, blob.digest.algorithm(), meter, buffer).map_err(failed)?, None),
        Some(check) => {
            let mut tee =
                Tee { inner: stream, hasher: Hasher::new(blob.digest.algorithm()), meter, broken: None };
            let unpacked = unpack(&mut tee, check, blob.size, buffer);
            // Whatever the decoder left unread still counts for the digest.
            let rest = io::copy(&mut tee, &mut io::sink());
            if let Some(source) = tee.broken.take() {
                return Err(failed(source).into());
            }
            rest.map_err(failed)?;
            (tee.hasher.finish(), Some(unpacked))
        }
    };
    if actual != blob.digest {
        return Err(
            ReadError::Content { path: path.to_owned(), expected: blob.digest.clone(), actual }.into()
        );
    }
    unpacked.unwrap_or(Ok(()))
}

fn drain(
    mut reader: impl Read,
    algorithm: Algorithm,
    meter: &Meter,
    buffer: &mut [u8],
) -> io::Result<Digest> {
    let mut hasher = Hasher::new(algorithm);
    let mut read = 0;
    loop {
        match reader.read(buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(got) => {
                hasher.update(&buffer[..got]);
                read += got as u64;
                meter.add(got as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(at_byte(read, error)),
        }
    }
}

/// Lets a stream stand still while the job is paused, and ends it with an error once it is to stop: a single file may
/// take hours on a slow medium.
pub(super) struct Stoppable<'a, R> {
    pub(super) inner: R,
    pub(super) ctx: &'a JobCtx,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ctx.pause_point_blocking().is_err() {
            return Err(io::Error::other(Interrupted));
        }
        self.inner.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bundle::{BundleManifest, FORMAT, File, Tool, Totals};
    use crate::engine::hash::sha256;

    #[test]
    fn a_cancel_ends_the_hashing_within_a_file() {
        let (ctx, root) = (JobCtx::silent(), tempfile::tempdir().unwrap());
        let bytes = vec![7; 3 * BUFFER];
        let (digest, size) = (sha256(&bytes), bytes.len() as u64);
        std::fs::create_dir_all(root.path().join("blobs/sha256")).unwrap();
        std::fs::write(root.path().join(digest.layout_path()), &bytes).unwrap();
        let (path, media_type) = (digest.layout_path(), String::new());
        let file = File { path: path.clone(), size, sha256: digest.hex().to_owned() };
        let blob = Blob { digest, size, media_type, path: Some(path), parts: Vec::new() };
        let document = BundleManifest {
            format: FORMAT.to_owned(),
            id: uuid::Uuid::now_v7(),
            name: "b".to_owned(),
            serial: 1,
            created: jiff::Timestamp::UNIX_EPOCH,
            expires: None,
            tool: Tool { version: "0".to_owned(), binaries: Vec::new() },
            base: None,
            complete: true,
            missing: Vec::new(),
            images: Vec::new(),
            blobs: vec![blob.clone()],
            files: vec![file.clone()],
            totals: Totals::default(),
        };
        let bundle = BundleReader::new(root.path().to_owned(), document, ctx.files.clone());
        let meter = Meter::start(&ctx, Phase::Verify, 2, 0);
        let mut buffer = vec![0; BUFFER];
        let mut hash = |item| one(&bundle, &item, &meter, &mut buffer, &ctx).is_ok();
        assert!(hash(Work::File(&file)) && hash(Work::Blob(&blob, None)));
        ctx.cancel.cancel();
        assert!(!hash(Work::File(&file)) && !hash(Work::Blob(&blob, None)));
        assert_eq!(meter.done(), 2 * size, "not a byte more");
    }
}
