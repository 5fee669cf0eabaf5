//! What lies where a bundle goes, by paths in it and lengths, and what a pack still writes beside it.

use std::collections::HashMap;

use super::bundle::PARTS;
use super::digest::Digest;
use super::platform::Platform;

/// The files of a bundle, or of what was to become one, by path and length; nothing of it is proof.
pub type Lying = HashMap<String, u64>;

/// What is still to be written of blobs beside what lies there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// Those that do not lie there whole.
    pub to_write: Vec<(Digest, u64)>,
    /// Bytes of the other files of blobs: they are gone on with or replaced, and count as free.
    pub freed: u64,
    /// How many files that are.
    pub freed_files: u64,
}

/// Holds blobs, by digest and length, against what lies there, right or not.
pub fn lacking<'a>(blobs: impl Iterator<Item = (&'a Digest, u64)>, there: &Lying) -> Lacking {
    let mut lacking = Lacking::default();
    let files = there.iter().filter(|(path, _)| is_blobs(path));
    for (_, size) in files {
        lacking.freed = lacking.freed.saturating_add(*size);
        lacking.freed_files += 1;
    }
    for (digest, size) in blobs {
        if there.get(&digest.layout_path()) == Some(&size) {
            lacking.freed = lacking.freed.saturating_sub(size);
            lacking.freed_files = lacking.freed_files.saturating_sub(1);
        } else {
            lacking.to_write.push((digest.clone(), size));
        }
    }
    lacking
}

/// Whether a path lies where blobs and their parts do.
pub fn is_blobs(path: &str) -> bool {
    path.starts_with("blobs/") || path.starts_with(PARTS)
}

/// Where this program lies in a bundle.
pub fn program_path() -> String {
    let Platform { os, architecture, .. } = Platform::host();
    format!("airlift/bin/{os}-{architecture}/airlift")
}

/// Bytes of this program, which has so many, that do not lie there yet.
pub fn program_lacking(size: u64, there: &Lying) -> u64 {
    size.saturating_sub(there.get(&program_path()).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_there_whole_is_not_written_and_the_rest_counts_as_free() {
        let [whole, cut, new] = [1, 2, 3].map(|n| Digest::sha256(&[n; 32]));
        let blobs = [(&whole, 10), (&cut, 20), (&new, 30)];
        let there = Lying::from([
            (whole.layout_path(), 10),
            (format!("{}.tmp", cut.layout_path()), 15),
            ("index.json".to_owned(), 100),
            (program_path(), 7),
        ]);
        let expected =
            Lacking { to_write: vec![(cut.clone(), 20), (new.clone(), 30)], freed: 15, freed_files: 1 };
        assert_eq!(lacking(blobs.into_iter(), &there), expected);
        assert_eq!([5, 7, 9].map(|size| program_lacking(size, &there)), [0, 0, 2]);
    }
}
