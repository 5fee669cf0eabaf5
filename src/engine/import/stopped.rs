//! An import that ended early: the error that ended it, and which images are in which target by then.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::error::shortened;
use crate::engine::error::{EngineError, Explain, Kind};

/// The images that a target has, noted as each gets its name there.
#[derive(Debug, Default)]
pub(super) struct Arrived(Mutex<BTreeSet<(String, String)>>);

impl Arrived {
    /// Notes one.
    pub(super) fn note(&self, target: &str, image: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((target.to_owned(), image.to_owned()));
    }

    fn has(&self, target: &str, image: &str) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.contains(&(target.to_owned(), image.to_owned()))
    }

    /// One line for a target: which of the images are in it and which are not.
    pub(super) fn standing(&self, target: &str, images: &[String]) -> String {
        let (there, not): (Vec<_>, Vec<_>) =
            images.iter().cloned().partition(|image| self.has(target, image));
        match (there.is_empty(), not.is_empty()) {
            (true, _) => format!("{target}: none of the images is in it: {}", shortened(&not)),
            (false, true) => format!("{target}: all images are in it"),
            (false, false) => {
                format!("{target}: in it: {}; not in it: {}", shortened(&there), shortened(&not))
            }
        }
    }
}

/// What ended it, with where that leaves every target.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Stopped {
    kind: Kind,
    transient: bool,
    message: String,
    hints: Vec<String>,
}

impl Stopped {
    /// From the error and a line for each target.
    pub(super) fn new(error: &EngineError, standing: impl IntoIterator<Item = String>) -> Self {
        let mut hints = error.hints();
        hints.extend(standing);
        Self { kind: error.kind(), transient: error.transient(), message: error.message(), hints }
    }
}

impl Explain for Stopped {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn transient(&self) -> bool {
        self.transient
    }

    fn hints(&self) -> Vec<String> {
        self.hints.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_image_is_said_to_be_in_a_target_or_not() {
        let arrived = Arrived::default();
        let images = ["a:1".to_owned(), "b:1".to_owned()];
        assert_eq!(arrived.standing("oci:x", &images), "oci:x: none of the images is in it: a:1, b:1");
        arrived.note("oci:x", "b:1");
        arrived.note("oci:y", "a:1");
        assert_eq!(arrived.standing("oci:x", &images), "oci:x: in it: b:1; not in it: a:1");
        arrived.note("oci:x", "a:1");
        assert_eq!(arrived.standing("oci:x", &images), "oci:x: all images are in it");
    }
}
