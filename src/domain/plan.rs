//! The plan of a pack: which bytes the bundle holds, each shared blob once, and what the medium must be able to take.

use std::collections::BTreeMap;
use std::fmt;

use super::digest::Digest;
use super::manifest::Descriptor;
use super::text;

/// Part size where the file system's limit, not the operator, asks for parts: 1 GiB.
pub const DEFAULT_PART: u64 = 1 << 30;
/// Parts are numbered with three digits.
pub const MAX_PARTS: u64 = 1000;
/// Room for index, document, sums and signatures beyond the blobs, in bytes.
const OVERHEAD: u64 = 1 << 20;

/// A blob to be carried and where it can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Its type.
    pub media_type: String,
    /// Names of the images it belongs to, the first one for progress lines.
    pub image: String,
    /// Index into the plan's list of sources, each one worth a try.
    pub sources: Vec<usize>,
}

/// All blobs of a pack, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobPlan {
    /// The blobs, largest first.
    pub blobs: Vec<PlannedBlob>,
    /// Their bytes.
    pub bytes: u64,
}

/// Why no plan can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Two descriptors give one blob two lengths.
    #[error("{image} says that blob {digest} has {actual} bytes, another image says {expected}")]
    Size {
        /// The blob.
        digest: Digest,
        /// From the first descriptor.
        expected: u64,
        /// From the later one.
        actual: u64,
        /// The image of the later one.
        image: String,
    },
    /// More bytes than a file system can count.
    #[error("the sizes of all blobs add up to more than 2^64 bytes")]
    Overflow,
    /// A blob would need too many parts.
    #[error("blob {digest} of {size} bytes would need more than {MAX_PARTS} parts of {part} bytes")]
    Parts {
        /// The blob.
        digest: Digest,
        /// Its length.
        size: u64,
        /// The size of a part.
        part: u64,
    },
    /// A file-size limit of this process.
    #[error("a file of {size} bytes is over the file-size limit of this process, {limit} bytes")]
    FileLimit {
        /// The largest file to be written.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Not enough room.
    #[error("{room}, {} are free", text::bytes(*free))]
    Space {
        /// What is needed.
        room: Room,
        /// As the file system says, in bytes.
        free: u64,
    },
    /// Not enough inodes.
    #[error("{needed} new files are needed, the file system has room for {free}")]
    Inodes {
        /// Files to be created.
        needed: u64,
        /// As the file system says.
        free: u64,
    },
}

/// The room that a bundle takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What is still to be written of its images.
    pub images: u64,
    /// This program, where it is carried and not there yet.
    pub program: u64,
}

impl Room {
    /// What the file system takes for itself, and what surrounds the images.
    pub const fn margin(&self) -> u64 {
        let bytes = self.images.saturating_add(self.program).saturating_add(OVERHEAD);
        OVERHEAD.saturating_add(bytes / 20)
    }

    /// All of it.
    pub const fn needed(&self) -> u64 {
        self.images.saturating_add(self.program).saturating_add(self.margin())
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [needed, images, program, margin] =
            [self.needed(), self.images, self.program, self.margin()].map(text::bytes);
        match self.program {
            0 => write!(f, "{needed} are needed ({images} of images, {margin} of margin)"),
            _ => write!(
                f,
                "{needed} are needed ({images} of images, {program} of this program, {margin} of margin)"
            ),
        }
    }
}

/// What a plan adds up while images are put in.
#[derive(Debug, Default)]
pub struct Planner {
    blobs: BTreeMap<Digest, PlannedBlob>,
}

impl Planner {
    /// Adds the blobs of an image that can be had from `source`.
    ///
    /// # Errors
    /// [`PlanError::Size`].
    pub fn add(&mut self, image: &str, source: usize, descriptors: &[Descriptor]) -> Result<(), PlanError> {
        for descriptor in descriptors {
            let blob = self.blobs.entry(descriptor.digest.clone()).or_insert_with(|| PlannedBlob {
                digest: descriptor.digest.clone(),
                size: descriptor.size,
                media_type: descriptor.media_type.clone(),
                image: image.to_owned(),
                sources: Vec::new(),
            });
            if blob.size != descriptor.size {
                return Err(PlanError::Size {
                    digest: descriptor.digest.clone(),
                    expected: blob.size,
                    actual: descriptor.size,
                    image: image.to_owned(),
                });
            }
            if !blob.sources.contains(&source) {
                blob.sources.push(source);
            }
        }
        Ok(())
    }

    /// The plan, largest blob first, equal ones by digest.
    ///
    /// # Errors
    /// [`PlanError::Overflow`].
    pub fn finish(self) -> Result<BlobPlan, PlanError> {
        let mut blobs: Vec<PlannedBlob> = self.blobs.into_values().collect();
        blobs.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.digest.cmp(&b.digest)));
        let bytes =
            blobs.iter().try_fold(0u64, |sum, blob| sum.checked_add(blob.size)).ok_or(PlanError::Overflow)?;
        Ok(BlobPlan { blobs, bytes })
    }
}

/// What limits the files of a medium.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The largest file the operator wants.
    pub wanted: Option<u64>,
    /// The largest file the file system can hold.
    pub file_system: Option<u64>,
    /// The largest file this process may write.
    pub process: Option<u64>,
    /// Bytes free, where known.
    pub free: Option<u64>,
    /// Inodes free, where known.
    pub inodes: Option<u64>,
}

impl Limits {
    /// The size of a part for a blob of `size`, or nothing where one file holds it.
    pub fn part_size(&self, size: u64) -> Option<u64> {
        match (self.wanted, self.file_system) {
            (Some(wanted), _) if size > wanted => Some(wanted),
            (None, Some(limit)) if size > limit => Some(DEFAULT_PART.min(limit)),
            _ => None,
        }
    }

    /// Refuses before the first byte what could not be finished.
    /// `to_write` holds the lengths of the files that are not there yet; `program` is that of this program, where it is
    /// carried and not there yet.
    ///
    /// # Errors
    /// [`PlanError`] with the figures.
    pub fn check(&self, to_write: &[(Digest, u64)], program: u64, other_files: u64) -> Result<(), PlanError> {
        let mut files = other_files;
        let mut images = 0u64;
        let mut largest = 0;
        for (digest, size) in to_write {
            let part = self.part_size(*size);
            let count = part.map_or(1, |part| size.div_ceil(part));
            if count > MAX_PARTS {
                return Err(PlanError::Parts {
                    digest: digest.clone(),
                    size: *size,
                    part: part.unwrap_or(*size),
                });
            }
            files += count;
            images = images.saturating_add(*size);
            largest = largest.max(part.unwrap_or(*size));
        }
        if let Some(limit) = self.process.filter(|limit| largest > *limit) {
            return Err(PlanError::FileLimit { size: largest, limit });
        }
        let room = Room { images, program };
        match (self.free, self.inodes) {
            (Some(free), _) if room.needed() > free => Err(PlanError::Space { room, free }),
            (_, Some(free)) if files > free => Err(PlanError::Inodes { needed: files, free }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(n: u8, size: u64) -> Descriptor {
        Descriptor {
            media_type: "x".into(),
            digest: Digest::sha256(&[n; 32]),
            size,
            annotations: BTreeMap::new(),
            platform: None,
            urls: Vec::new(),
            artifact_type: None,
        }
    }

    #[test]
    fn a_shared_blob_is_planned_once_with_every_source_and_largest_comes_first() {
        let mut planner = Planner::default();
        planner.add("a", 0, &[descriptor(1, 10), descriptor(2, 500)]).unwrap();
        planner.add("b", 1, &[descriptor(2, 500), descriptor(3, 20)]).unwrap();
        let plan = planner.finish().unwrap();
        assert_eq!(plan.blobs.iter().map(|b| b.size).collect::<Vec<_>>(), [500, 20, 10]);
        assert_eq!(plan.blobs[0].sources, [0, 1]);
        assert_eq!(plan.bytes, 530);
    }

    #[test]
    fn two_lengths_for_one_blob_and_endless_sums_are_refused() {
        let mut planner = Planner::default();
        planner.add("a", 0, &[descriptor(1, 10)]).unwrap();
        assert!(matches!(
            planner.add("b", 0, &[descriptor(1, 11)]),
            Err(PlanError::Size { expected: 10, actual: 11, .. })
        ));
        let mut planner = Planner::default();
        planner.add("a", 0, &[descriptor(1, u64::MAX), descriptor(2, 1)]).unwrap();
        assert_eq!(planner.finish(), Err(PlanError::Overflow));
    }

    #[test]
    fn what_cannot_be_finished_is_refused_before_the_first_byte() {
        let blob = |size| vec![(Digest::sha256(&[1; 32]), size)];
        let fat = Limits { file_system: Some(u64::from(u32::MAX)), ..Limits::default() };
        assert_eq!(fat.part_size(5 << 30), Some(DEFAULT_PART));
        assert_eq!(fat.part_size(1 << 30), None);
        assert_eq!(fat.check(&blob(5 << 30), 0, 3), Ok(()));
        let wanted = Limits { wanted: Some(100), ..Limits::default() };
        assert_eq!(wanted.part_size(101), Some(100));
        assert!(matches!(wanted.check(&blob(100_001), 0, 0), Err(PlanError::Parts { .. })));
        let process = Limits { process: Some(50), ..Limits::default() };
        assert!(matches!(process.check(&blob(51), 0, 0), Err(PlanError::FileLimit { size: 51, limit: 50 })));
        let full = Limits { free: Some(10 << 20), ..Limits::default() };
        assert_eq!(full.check(&blob(8 << 20), 0, 0), Ok(()));
        assert!(matches!(full.check(&blob(9 << 20), 0, 0), Err(PlanError::Space { .. })));
        let refused = full.check(&blob(8 << 20), 2 << 20, 0).unwrap_err().to_string();
        let words = "12.6 MB are needed (8.4 MB of images, 2.1 MB of this program, 2.1 MB of margin), 10.5 MB are free";
        assert!(
            refused.contains("of this program") && refused.ends_with("10.5 MB are free"),
            "{refused} {words}"
        );
        let inodes = Limits { inodes: Some(4), ..Limits::default() };
        assert!(matches!(inodes.check(&blob(1), 0, 4), Err(PlanError::Inodes { needed: 5, free: 4 })));
        assert_eq!(Limits::default().check(&blob(u64::MAX - (2 << 20)), 0, 0), Ok(()));
    }
}
