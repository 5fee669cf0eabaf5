//! What a lock file holds a request to, and how what is found differs from that.

use super::{Lock, Locked};
use crate::domain::bundle::ImagePlatform;
use crate::domain::digest::Digest;
use crate::domain::platform::Platform;
use crate::domain::reference::Reference;

/// What a lock file holds a request to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Digest of the top manifest.
    pub digest: Digest,
    /// The platforms to look for; nothing means all of them.
    pub filter: Vec<Platform>,
    /// What has to be found.
    pub platforms: Vec<ImagePlatform>,
    /// Whether the reference failed when the file was written: the content is that of a time before.
    pub failed: bool,
}

/// A platform that is asked for and not among those the lock file was made for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("locked for {} alone, {asked} is not among them", join(.only, ", "))]
pub struct Outside {
    /// What it is locked for.
    pub only: Vec<Platform>,
    /// What was asked for.
    pub asked: Platform,
}

impl Lock {
    /// What a reference is held to, narrowed to the platforms that are asked for now; nothing where it has no entry. One
    /// that failed since for other platforms than its entry was made for stays held to its digest alone.
    ///
    /// # Errors
    /// One of them is not among those the entry was made for.
    pub fn hold(&self, reference: &Reference, asked: &[Platform]) -> Result<Option<Hold>, Outside> {
        let Some(entry) = self.entry(reference) else { return Ok(None) };
        let failed = self.unresolved.contains(&reference.to_string());
        match entry.hold(asked) {
            Ok(hold) => Ok(Some(Hold { failed, ..hold })),
            Err(_) if failed => {
                let (digest, filter) = (entry.digest.clone(), asked.to_vec());
                Ok(Some(Hold { digest, filter, platforms: Vec::new(), failed }))
            }
            Err(outside) => Err(outside),
        }
    }
}

impl Locked {
    fn hold(&self, asked: &[Platform]) -> Result<Hold, Outside> {
        let mut filter = Vec::new();
        for platform in asked.iter().filter(|_| !self.only.is_empty()) {
            let before = filter.len();
            filter.extend(self.only.iter().filter_map(|only| common(only, platform)).cloned());
            if filter.len() == before {
                return Err(Outside { only: self.only.clone(), asked: platform.clone() });
            }
        }
        if filter.is_empty() {
            filter = if asked.is_empty() { &self.only } else { asked }.to_vec();
        }
        let wanted = |image: &&ImagePlatform| {
            asked.is_empty() || filter.iter().any(|platform| platform.accepts(&image.platform()))
        };
        let platforms = self.platforms.iter().filter(wanted).cloned().collect();
        Ok(Hold { digest: self.digest.clone(), filter, platforms, failed: false })
    }
}

impl Hold {
    /// What is expected and not found, and what is found instead, in words; nothing where all is as it was.
    pub fn differs(&self, digest: &Digest, found: &[ImagePlatform]) -> Option<(String, String)> {
        if *digest != self.digest {
            return Some((self.digest.to_string(), digest.to_string()));
        }
        // Nobody noted which it has of those that are asked for; the digest says what they are.
        if self.platforms.is_empty() && self.failed {
            return None;
        }
        let lost = self.platforms.iter().filter(|platform| !found.contains(platform));
        let added = found.iter().filter(|platform| !self.platforms.contains(platform));
        let (lost, added): (Vec<_>, Vec<_>) = (lost.map(words).collect(), added.map(words).collect());
        if lost.is_empty() && added.is_empty() {
            return None;
        }
        let or_nothing =
            |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
        Some((or_nothing(lost), or_nothing(added)))
    }
}

/// What two filters both take, which is the narrower one; nothing where they have nothing in common.
fn common<'a>(a: &'a Platform, b: &'a Platform) -> Option<&'a Platform> {
    let narrower = if a.variant.is_some() { a } else { b };
    (a.accepts(b) || b.accepts(a)).then_some(narrower)
}

fn words(image: &ImagePlatform) -> String {
    format!("{} {} of {} bytes", image.platform(), image.digest, image.size)
}

fn join(platforms: &[Platform], between: &str) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{digest, lock};
    use super::*;

    #[test]
    fn a_hold_is_narrowed_within_its_platforms_and_tells_what_differs() {
        let entry = |os: &str, architecture: &str, variant: Option<&str>, c| ImagePlatform {
            os: os.into(),
            architecture: architecture.into(),
            variant: variant.map(Into::into),
            digest: digest(c),
            size: 7,
        };
        let v6 = entry("linux", "arm", Some("v6"), '6');
        let v7 = entry("linux", "arm", Some("v7"), '7');
        let amd64 = entry("linux", "amd64", None, 'a');
        let mut locked = lock(&[("a:1", 'a')]).images.remove(0);
        locked.platforms = vec![v6.clone(), v7.clone()];
        let hold = |locked: &Locked, asked: &[&str]| {
            let asked: Vec<Platform> = asked.iter().map(|text| text.parse().unwrap()).collect();
            locked.hold(&asked).map(|hold| (join(&hold.filter, " "), hold.platforms))
        };
        let both = vec![v6.clone(), v7.clone()];
        assert_eq!(hold(&locked, &[]).unwrap(), ("linux/arm".to_owned(), both.clone()));
        assert_eq!(hold(&locked, &["linux/arm/v7"]).unwrap(), ("linux/arm/v7".to_owned(), vec![v7.clone()]));
        let outside = hold(&locked, &["linux/arm", "linux/amd64"]).unwrap_err().to_string();
        assert!(outside.contains("locked for linux/arm alone, linux/amd64 is not"), "{outside}");
        locked.only.clear();
        locked.platforms.push(amd64.clone());
        assert_eq!(hold(&locked, &["linux/amd64"]).unwrap(), ("linux/amd64".to_owned(), vec![amd64.clone()]));
        locked.only = vec!["linux/arm/v7".parse().unwrap()];
        assert_eq!(hold(&locked, &["linux/arm"]).unwrap().0, "linux/arm/v7");
        let hold = locked.hold(&[]).unwrap();
        assert_eq!(hold.differs(&digest('a'), &[amd64.clone(), v6.clone(), v7.clone()]), None);
        assert!(hold.differs(&digest('b'), &hold.platforms).is_some());
        let longer = ImagePlatform { size: 8, ..v7 };
        let (expected, actual) = hold.differs(&digest('a'), &[v6, longer, amd64]).unwrap();
        assert!(expected.contains("of 7 bytes") && actual.contains("of 8 bytes"), "{expected} {actual}");
    }

    #[test]
    fn what_failed_for_other_platforms_than_it_is_locked_for_stays_held_to_its_digest() {
        let (name, amd64) = ("a:1".parse().unwrap(), ["linux/amd64".parse().unwrap()]);
        let entry = lock(&[("a:1", 'a')]);
        assert!(entry.hold(&name, &amd64).is_err());
        let hold = entry.lacking([Reference::to_string(&name)]).hold(&name, &amd64).unwrap().unwrap();
        assert_eq!(
            (&hold.digest, join(&hold.filter, " ").as_str(), hold.failed),
            (&digest('a'), "linux/amd64", true)
        );
        let found = [ImagePlatform { variant: None, ..lock(&[("a:1", 'a')]).images[0].platforms[0].clone() }];
        assert!(hold.differs(&digest('a'), &found).is_none() && hold.differs(&digest('b'), &found).is_some());
    }
}
