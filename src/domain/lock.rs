//! The lock file: which content each reference was resolved to, kept as sorted TOML so that a change shows as a small diff.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bundle::ImagePlatform;
use super::digest::Digest;
use super::reference::Reference;
use super::resolved::ResolvedImage;

/// `format` of the lock files this version reads and writes.
pub const FORMAT: &str = "airlift-lock/1";
/// The largest lock file that is read, in bytes.
pub const MAX_LOCK: u64 = 16 * 1024 * 1024;
const HEADER: &str =
    "# Written by `airlift resolve --lock`; `airlift pack --lock` carries exactly this content.\n\n";

/// A lock file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: String,
    #[serde(default, rename = "image")]
    images: Vec<Locked>,
}

/// One reference and its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// The full reference.
    pub reference: Reference,
    /// Digest of the top manifest.
    pub digest: Digest,
    /// Its type.
    pub media_type: String,
    /// What is carried of it.
    #[serde(default, rename = "platform", skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<ImagePlatform>,
}

/// How a reference differs between two lock files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// It names other content.
    Moved {
        /// Which.
        reference: Reference,
        /// Before.
        from: Digest,
        /// Now.
        to: Digest,
    },
    /// It was not there before.
    New {
        /// Which.
        reference: Reference,
        /// Now.
        to: Digest,
    },
    /// It is no longer asked for.
    Gone {
        /// Which.
        reference: Reference,
        /// Before.
        from: Digest,
    },
}

/// Why a text is no lock file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Not TOML of this shape.
    #[error("not a readable lock file: {0}")]
    Toml(String),
    /// Another format.
    #[error("format is {actual:?}, this version reads {FORMAT:?}")]
    Format {
        /// What it says.
        actual: String,
    },
    /// A reference twice.
    #[error("{0} is listed twice")]
    Twice(Reference),
}

impl Default for Lock {
    fn default() -> Self {
        Self { format: FORMAT.to_owned(), images: Vec::new() }
    }
}

impl Lock {
    /// A lock over what was resolved.
    pub fn of<'a>(images: impl IntoIterator<Item = &'a ResolvedImage>) -> Self {
        let entries = images.into_iter().map(|image| {
            let locked = Locked {
                reference: image.reference.clone(),
                digest: image.digest.clone(),
                media_type: image.media_type.clone(),
                platforms: image.platforms.clone(),
            };
            (image.reference.clone(), locked)
        });
        let sorted: BTreeMap<Reference, Locked> = entries.collect();
        Self { images: sorted.into_values().collect(), ..Self::default() }
    }

    /// Reads a lock file.
    ///
    /// # Errors
    /// [`LockError`], by what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        #[derive(Deserialize)]
        struct Only {
            format: String,
        }
        if let Ok(Only { format: actual }) = toml::from_str(text)
            && actual != FORMAT
        {
            return Err(LockError::Format { actual: actual.chars().take(80).collect() });
        }
        let mut lock: Self = toml::from_str(text).map_err(|error| LockError::Toml(error.to_string()))?;
        lock.images.sort_by(|a, b| a.reference.cmp(&b.reference));
        let twice = lock.images.windows(2).find(|pair| pair[0].reference == pair[1].reference);
        twice.map_or(Ok(()), |pair| Err(LockError::Twice(pair[0].reference.clone())))?;
        Ok(lock)
    }

    /// The text of the file: sorted by reference, the same for the same content.
    ///
    /// # Errors
    /// None in practice; the TOML writer's.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEADER}{}", toml::to_string(self)?))
    }

    /// The entries, sorted by reference.
    pub fn images(&self) -> &[Locked] {
        &self.images
    }

    /// The content a reference is held to.
    pub fn pin(&self, reference: &Reference) -> Option<&Digest> {
        let at = self.images.binary_search_by(|locked| locked.reference.cmp(reference)).ok()?;
        Some(&self.images[at].digest)
    }

    /// Keeps the entries of `old` for references that are still wanted and could not be resolved this time.
    #[must_use]
    pub fn keeping<'a>(mut self, old: &Self, failed: impl IntoIterator<Item = &'a Reference>) -> Self {
        for reference in failed {
            if self.pin(reference).is_none()
                && let Some(entry) = old.images.iter().find(|entry| entry.reference == *reference)
            {
                self.images.push(entry.clone());
                self.images.sort_by(|a, b| a.reference.cmp(&b.reference));
            }
        }
        self
    }

    /// What differs from an older lock, by reference.
    pub fn changes_since(&self, old: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for entry in &self.images {
            let (reference, to) = (entry.reference.clone(), entry.digest.clone());
            match old.pin(&reference) {
                None => changes.push(Change::New { reference, to }),
                Some(from) if *from != to => {
                    changes.push(Change::Moved { reference, from: from.clone(), to })
                }
                Some(_) => {}
            }
        }
        let gone = old.images.iter().filter(|entry| self.pin(&entry.reference).is_none());
        changes.extend(
            gone.map(|entry| Change::Gone { reference: entry.reference.clone(), from: entry.digest.clone() }),
        );
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(c: char) -> Digest {
        format!("sha256:{}", c.to_string().repeat(64)).parse().unwrap()
    }

    fn lock(entries: &[(&str, char)]) -> Lock {
        let mut images: Vec<Locked> = entries
            .iter()
            .map(|(name, c)| Locked {
                reference: name.parse().unwrap(),
                digest: digest(*c),
                media_type: crate::domain::media_type::OCI_INDEX.to_owned(),
                platforms: vec![ImagePlatform {
                    os: "linux".into(),
                    architecture: "arm".into(),
                    variant: Some("v7".into()),
                    digest: digest('0'),
                    size: 7,
                }],
            })
            .collect();
        images.sort_by(|a, b| a.reference.cmp(&b.reference));
        Lock { images, ..Lock::default() }
    }

    #[test]
    fn a_lock_is_read_back_as_it_was_written() {
        let written = lock(&[("redis:7", 'b'), ("nginx:1", 'a')]);
        let text = written.to_text().unwrap();
        assert_eq!(Lock::parse(&text).unwrap(), written);
        assert!(text.find("nginx").unwrap() < text.find("redis").unwrap());
        assert_eq!(Lock::parse(&Lock::default().to_text().unwrap()).unwrap(), Lock::default());
    }

    #[test]
    fn what_moved_came_and_went_is_told() {
        let old = lock(&[("a:1", 'a'), ("b:1", 'b'), ("c:1", 'c')]);
        let new = lock(&[("a:1", 'a'), ("b:1", 'd'), ("e:1", 'e')]);
        let name = |text: &str| text.parse::<Reference>().unwrap();
        assert_eq!(
            new.changes_since(&old),
            [
                Change::Moved { reference: name("b:1"), from: digest('b'), to: digest('d') },
                Change::New { reference: name("e:1"), to: digest('e') },
                Change::Gone { reference: name("c:1"), from: digest('c') },
            ]
        );
        assert_eq!(old.pin(&name("b:1")), Some(&digest('b')));
        assert_eq!(old.pin(&name("x:1")), None);
    }

    #[test]
    fn a_reference_that_failed_this_time_keeps_its_pin() {
        let old = lock(&[("a:1", 'a'), ("b:1", 'b')]);
        let failed: Reference = "a:1".parse().unwrap();
        let kept = lock(&[("c:1", 'c')]).keeping(&old, [&failed]);
        assert_eq!(kept, lock(&[("a:1", 'a'), ("c:1", 'c')]));
    }

    #[test]
    fn a_text_of_another_shape_is_refused_by_what_is_wrong() {
        let good = lock(&[("a:1", 'a')]).to_text().unwrap();
        let twice = format!(
            "{good}\n{}",
            good.split_once("[[image]]").map(|(_, b)| format!("[[image]]{b}")).unwrap()
        );
        assert!(matches!(Lock::parse(&twice), Err(LockError::Twice(_))));
        assert!(matches!(Lock::parse(&good.replace("lock/1", "lock/2")), Err(LockError::Format { .. })));
        for bad in [
            "",
            "{}",
            "format = 1",
            &good.replace("sha256:a", "sha256:A"),
            &good.replace("media_type", "type"),
        ] {
            assert!(matches!(Lock::parse(bad), Err(LockError::Toml(_))), "{bad}");
        }
    }
}
