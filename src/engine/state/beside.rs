//! Documents beside the history, each in a file of its own: read strictly, and replaced as a whole under the lock of all.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{State, StateError};
use crate::domain::strict_json;
use crate::engine::error::{FileError, Result};
use crate::engine::files::read_whole;

/// Bytes of one that are read at most.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Such a document.
pub(super) trait Beside: Default + Serialize + DeserializeOwned {
    /// Its file.
    const FILE: &'static str;
    /// What it says that it is.
    const FORMAT: &'static str;
    /// Whether one that cannot be read is kept aside and begun anew. Else it stays, and nothing is remembered any more.
    const ANEW: bool = false;

    /// Where it says that.
    fn format(&mut self) -> &mut String;
}

impl State {
    /// What is remembered there; nothing yet where there is no file.
    ///
    /// # Errors
    /// It cannot be read, or is not of this format.
    pub(super) fn beside<D: Beside>(&self) -> Result<D> {
        let path = self.directory.join(D::FILE);
        let foreign = |reason: String| StateError::Foreign { path: path.clone(), reason };
        let open = match self.files.open(&self.directory, D::FILE) {
            Ok(open) => open,
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(D::default()),
            Err(error) => return Err(error.into()),
        };
        if open.size > MAX_FILE {
            return Err(foreign(format!("it has {} bytes, at most {MAX_FILE} are read", open.size)).into());
        }
        let bytes = read_whole(open, MAX_FILE).map_err(|source| FileError {
            operation: "read",
            path: path.clone(),
            source,
        })?;
        let mut document: D = strict_json::parse(&bytes).map_err(|error| foreign(error.to_string()))?;
        let found = document.format();
        if *found != D::FORMAT {
            let reason = format!("its format is {found:.80?}, this version reads {:?}", D::FORMAT);
            return Err(foreign(reason).into());
        }
        Ok(document)
    }

    /// Changes what is remembered there; the change says whether there is anything to be written.
    ///
    /// # Errors
    /// A file error, or what is there must not be written over.
    pub(super) fn remember<D: Beside>(&self, change: impl FnOnce(&mut D) -> bool) -> Result<()> {
        let _lock = self.held()?;
        let path = self.directory.join(D::FILE);
        let mut document = match self.beside::<D>() {
            Err(_) if D::ANEW => {
                self.files.rename(&path, &self.free_name(D::FILE)?)?;
                D::default()
            }
            read => read?,
        };
        if !change(&mut document) {
            return Ok(());
        }
        D::FORMAT.clone_into(document.format());
        super::write(&*self.files, &path, &document)
    }
}
