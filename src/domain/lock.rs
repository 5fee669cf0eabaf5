//! The lock file: which content each reference was resolved to, kept as sorted TOML so that a change shows as a small diff.

mod hold;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bundle::ImagePlatform;
use super::digest::Digest;
use super::platform::Platform;
use super::reference::Reference;
use super::resolved::ResolvedImage;

pub use hold::{Hold, Outside};

/// `format` of the lock files this version reads and writes.
pub const FORMAT: &str = "airlift-lock/1";
/// The largest lock file that is read, in bytes.
pub const MAX_LOCK: u64 = 16 * 1024 * 1024;
const HEADER: &str = "# Written by `airlift resolve --lock`; `airlift pack --lock` carries exactly these images and platforms.\n\n";

/// A lock file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: String,
    /// What was asked for and failed; what is not in here either is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unresolved: Vec<String>,
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
    /// The platforms that were asked for; absent where all of them were.
    #[serde(default, with = "texts", skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Platform>,
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
        Self { format: FORMAT.to_owned(), unresolved: Vec::new(), images: Vec::new() }
    }
}

impl Lock {
    /// A lock over what was resolved with this platform filter.
    pub fn of<'a>(images: impl IntoIterator<Item = &'a ResolvedImage>, only: &[Platform]) -> Self {
        let entries = images.into_iter().map(|image| {
            let locked = Locked {
                reference: image.reference.clone(),
                digest: image.digest.clone(),
                media_type: image.media_type.clone(),
                only: only.to_vec(),
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
        Some(&self.entry(reference)?.digest)
    }

    /// The entry of a reference.
    pub fn entry(&self, reference: &Reference) -> Option<&Locked> {
        let at = self.images.binary_search_by(|locked| locked.reference.cmp(reference)).ok()?;
        self.images.get(at)
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

    /// Notes what was asked for and could not be resolved, whether or not an entry of old holds it.
    #[must_use]
    pub fn lacking(mut self, unresolved: impl IntoIterator<Item = String>) -> Self {
        self.unresolved.extend(unresolved);
        self.unresolved.sort();
        self.unresolved.dedup();
        self
    }

    /// The same without what is not wanted any more.
    #[must_use]
    pub fn without(mut self, dropped: &BTreeSet<Reference>) -> Self {
        self.images.retain(|locked| !dropped.contains(&locked.reference));
        let names: BTreeSet<String> = dropped.iter().map(ToString::to_string).collect();
        self.unresolved.retain(|lost| !names.contains(lost));
        self
    }

    /// What it says of these references alone.
    #[must_use]
    pub fn part(&self, of: &BTreeSet<Reference>) -> Self {
        let names: BTreeSet<String> = of.iter().map(ToString::to_string).collect();
        let images = self.images.iter().filter(|locked| of.contains(&locked.reference));
        let unresolved = self.unresolved.iter().filter(|lost| names.contains(*lost));
        Self {
            images: images.cloned().collect(),
            unresolved: unresolved.cloned().collect(),
            ..Self::default()
        }
    }

    /// The same with what another one says of references that this one says nothing of.
    #[must_use]
    pub fn with(self, part: &Self) -> Self {
        let known = self.names();
        let unresolved = part.unresolved.iter().filter(|name| !known.contains(*name));
        let mut whole = self.lacking(unresolved.cloned());
        let entries = part.images.iter().filter(|locked| !known.contains(&locked.reference.to_string()));
        whole.images.extend(entries.cloned());
        whole.images.sort_by(|a, b| a.reference.cmp(&b.reference));
        whole
    }

    /// Every reference that it holds, or says of that it failed.
    pub fn names(&self) -> BTreeSet<String> {
        let held = self.images.iter().map(|locked| locked.reference.to_string());
        held.chain(self.unresolved.iter().cloned()).collect()
    }

    /// What was asked for and failed.
    pub fn unresolved(&self) -> &[String] {
        &self.unresolved
    }

    /// What was asked for and is not in here: such a file is not the whole of what was wanted.
    pub fn missing(&self) -> impl Iterator<Item = &String> {
        let held: BTreeSet<String> = self.images.iter().map(|locked| locked.reference.to_string()).collect();
        self.unresolved.iter().filter(move |lost| !held.contains(*lost))
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

/// Platforms as people write them: `linux/arm/v7`.
mod texts {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Platform;

    pub(super) fn serialize<S: Serializer>(list: &[Platform], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Platform>, D::Error> {
        let texts = Vec::<String>::deserialize(reader)?;
        texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn digest(c: char) -> Digest {
        format!("sha256:{}", c.to_string().repeat(64)).parse().unwrap()
    }

    pub(super) fn lock(entries: &[(&str, char)]) -> Lock {
        let mut images: Vec<Locked> = entries
            .iter()
            .map(|(name, c)| Locked {
                reference: name.parse().unwrap(),
                digest: digest(*c),
                media_type: crate::domain::media_type::OCI_INDEX.to_owned(),
                only: vec!["linux/arm".parse().unwrap()],
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
    fn what_is_not_wanted_any_more_goes_from_what_is_held_and_from_what_is_lacking() {
        let whole = lock(&[("a:1", 'a'), ("b:1", 'b')]).lacking(["docker.io/library/c:1".to_owned()]);
        let dropped = ["b:1", "c:1", "never:1"].map(|name| name.parse().unwrap()).into();
        let taken = whole.part(&dropped);
        assert_eq!(taken, lock(&[("b:1", 'b')]).lacking(["docker.io/library/c:1".to_owned()]));
        let left = whole.clone().without(&dropped);
        assert_eq!(left, lock(&[("a:1", 'a')]));
        // What comes back is as it was; what was asked for again since is left as it is.
        assert_eq!(left.with(&taken), whole);
        assert_eq!(lock(&[("b:1", 'd')]).with(&taken).pin(&"b:1".parse().unwrap()), Some(&digest('d')));
        let all = ["a", "b", "c"].map(|name| format!("docker.io/library/{name}:1"));
        assert_eq!(whole.names(), all.into());
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
