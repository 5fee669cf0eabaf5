//! Writes sample layers: a tar of named files, compressed while it is written, hashed on both sides of the compressor.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use crate::domain::digest::{Algorithm, Digest};
use crate::domain::media_type::Compression;
use crate::engine::error::FileError;
use crate::engine::hash::Hasher;

/// What a file in a layer holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// So many bytes that look random, do not compress and are the same on every run.
    Noise {
        /// Another seed gives other bytes.
        seed: u64,
        /// Length in bytes.
        size: u64,
    },
    /// A copy of a file of this machine.
    Copy(PathBuf),
}

/// A file system layer: its files in order, and how its tar is compressed.
#[derive(Clone, Debug)]
pub struct LayerSpec {
    /// Path inside the layer (relative, with `/`), content, and mode bits.
    pub files: Vec<(String, Content, u32)>,
    /// Compression of the tar.
    pub compression: Compression,
}

impl LayerSpec {
    /// A layer of one text file.
    pub fn text(path: &str, text: &str) -> Self {
        let content = Content::Bytes(text.as_bytes().to_vec());
        Self { files: vec![(path.to_owned(), content, 0o644)], compression: Compression::Gzip }
    }

    /// A layer of one file of `size` bytes that do not compress.
    pub fn noise(seed: u64, size: u64) -> Self {
        let content = Content::Noise { seed, size };
        let path = format!("data/noise-{seed}");
        Self { files: vec![(path, content, 0o644)], compression: Compression::Gzip }
    }

    /// A layer that holds one executable of this machine.
    pub fn executable(path: &str, from: &Path) -> Self {
        let content = Content::Copy(from.to_owned());
        Self { files: vec![(path.to_owned(), content, 0o755)], compression: Compression::Gzip }
    }

    /// The same files, compressed in another way.
    #[must_use]
    pub fn compressed(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The media type of this layer, of OCI's or Docker's kind. Docker has no registered type for zstd; BuildKit's is used.
    pub const fn media_type(&self, docker: bool) -> &'static str {
        match (docker, self.compression) {
            (false, Compression::None) => "application/vnd.oci.image.layer.v1.tar",
            (false, Compression::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (false, Compression::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (true, Compression::None) => "application/vnd.docker.image.rootfs.diff.tar",
            (true, Compression::Gzip) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            (true, Compression::Zstd) => "application/vnd.docker.image.rootfs.diff.tar.zstd",
        }
    }
}

/// A layer that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the (compressed) blob.
    pub digest: Digest,
    /// Digest of the tar inside.
    pub diff_id: Digest,
    /// Length of the blob in bytes.
    pub size: u64,
}

/// Writes a layer into `path`, streaming.
///
/// # Errors
/// The file that could not be read or written.
pub fn write(spec: &LayerSpec, path: &Path) -> Result<Layer, FileError> {
    let at = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| FileError { operation, path, source }
    };
    let out = Hashed::new(File::create(path).map_err(at("create", path))?);
    let packer = Packer::new(spec.compression, out).map_err(at("compress into", path))?;
    let mut tar = tar::Builder::new(Hashed::new(packer));
    for (name, content, mode) in &spec.files {
        append(&mut tar, name, content, *mode).map_err(at("add a file to the layer", Path::new(name)))?;
    }
    let tar = tar.into_inner().map_err(at("write", path))?;
    let (diff_id, _, packer) = tar.finish();
    let (digest, size, _) = packer.finish().map_err(at("write", path))?.finish();
    Ok(Layer { digest, diff_id, size })
}

fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, content: &Content, mode: u32) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_mtime(0);
    match content {
        Content::Bytes(bytes) => {
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, name, bytes.as_slice())
        }
        Content::Noise { seed, size } => {
            header.set_size(*size);
            tar.append_data(&mut header, name, Noise::new(*seed).take(*size))
        }
        Content::Copy(from) => {
            let file = File::open(from)?;
            let size = file.metadata()?.len();
            header.set_size(size);
            tar.append_data(&mut header, name, file.take(size))
        }
    }
}

/// Counts and hashes what it passes on.
struct Hashed<W> {
    inner: W,
    hasher: Hasher,
    size: u64,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: Hasher::new(Algorithm::Sha256), size: 0 }
    }

    fn finish(self) -> (Digest, u64, W) {
        (self.hasher.finish(), self.size, self.inner)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        self.size += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

enum Packer<W: Write> {
    None(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Packer<W> {
    fn new(compression: Compression, out: W) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(out),
            Compression::Gzip => Self::Gzip(GzEncoder::new(out, flate2::Compression::fast())),
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(out, 3)?),
        })
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::None(out) => Ok(out),
            Self::Gzip(gzip) => gzip.finish(),
            Self::Zstd(zstd) => zstd.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(out) => out.write(bytes),
            Self::Gzip(gzip) => gzip.write(bytes),
            Self::Zstd(zstd) => zstd.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(out) => out.flush(),
            Self::Gzip(gzip) => gzip.flush(),
            Self::Zstd(zstd) => zstd.flush(),
        }
    }
}

/// SplitMix64 as an endless stream: no secret, only incompressible and the same everywhere.
struct Noise {
    state: u64,
}

impl Noise {
    const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Whole words only, so that the bytes do not depend on how they are read.
        let words = buffer.len() / 8;
        if words == 0 {
            let word = self.next().to_le_bytes();
            let taken = buffer.len();
            buffer.copy_from_slice(&word[..taken]);
            return Ok(taken);
        }
        for chunk in buffer[..words * 8].chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes());
        }
        Ok(words * 8)
    }
}
