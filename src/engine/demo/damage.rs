//! Copies a bundle and changes one byte of the copy, to show that it is found.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::engine::error::{FileError, Result};

/// Copies the directory `from` to `to`, which must not be there, and inverts the byte at `offset` of `file` in the copy.
///
/// # Errors
/// The file that could not be read or written.
pub fn copy(from: &Path, to: &Path, file: &str, offset: u64) -> Result<()> {
    copy_tree(from, to).map_err(|source| FileError { operation: "copy to", path: to.to_owned(), source })?;
    let path = to.join(file);
    invert(&path, offset).map_err(|source| FileError { operation: "change", path, source })?;
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn invert(path: &Path, offset: u64) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(&[!byte[0]])
}
