//! The proof of an import: the runtime's CRI is asked for every name as the kubelet asks, and its answers are compared.

use std::time::Duration;

use serde::Serialize;

use crate::domain::digest::Digest;
use crate::domain::platform::Platform;
use crate::domain::progress::{Event, Phase};
use crate::domain::reference::Reference;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::runtime::cri::{Cri, CriImage, Version};
use crate::engine::waited::Waited;

/// How long a runtime may take to notice images that it was given behind the back of its CRI.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long apart it is asked meanwhile.
const APART: Duration = Duration::from_millis(50);

/// What to do about a sandbox image that is nowhere.
pub(super) const PACK_TOO: &str = "pack and import it too";

/// What a runtime must know of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The image.
    pub reference: Reference,
    /// Its digest in the bundle.
    pub digest: Digest,
    /// Every name that pods may use: with the tag, with digests.
    pub names: Vec<String>,
    /// Digests of the configurations that are right; the CRI's id is one of them.
    pub ids: Vec<Digest>,
    /// Their platforms.
    pub platforms: Vec<Platform>,
    /// Whether it must be kept from the kubelet's garbage collection.
    pub pinned: bool,
}

/// What the CRI answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The runtime and its version, as it says them.
    pub runtime: String,
    /// One per name, in the order of the bundle.
    pub names: Vec<NameProof>,
    /// The image that every pod needs.
    pub sandbox: Option<Sandbox>,
    /// What the operator should know of it.
    pub notes: Vec<String>,
}

/// What it answered for one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NameProof {
    /// The name.
    pub name: String,
    /// The image of the bundle that it should be.
    pub reference: Reference,
    /// The CRI's id of what it is there.
    pub id: Option<String>,
    /// Its platform, where the runtime tells.
    pub platform: Option<String>,
    /// Whether the kubelet's garbage collection leaves it.
    pub pinned: bool,
    /// What is wrong; nothing where all is as in the bundle.
    pub problem: Option<String>,
}

/// The image of the container that holds a pod's name spaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sandbox {
    /// Its name.
    pub name: String,
    /// Whether the runtime told that it is set to this one; else it is what that version has by default.
    pub configured: bool,
    /// Whether it is there.
    pub present: bool,
}

impl Proof {
    /// One line for each name that is not as it should be.
    pub fn problems(&self) -> Vec<String> {
        let line = |name: &NameProof| Some(format!("{}: {}", name.name, name.problem.as_ref()?));
        self.names.iter().filter_map(line).collect()
    }

    /// How many names answer as the bundle has it.
    pub fn answered(&self) -> usize {
        self.names.iter().filter(|name| name.problem.is_none()).count()
    }
}

impl Sandbox {
    /// What is to be said of it, where it is not there; `way` is what to do.
    pub(super) fn warning(&self, runtime: &str, way: &str) -> Option<String> {
        let set = if self.configured { "is set to" } else { "has by default" };
        let words = format!(
            "{runtime} {set} the sandbox image {}, which is not there: without it no pod starts; {way}",
            self.name
        );
        (!self.present).then_some(words)
    }
}

/// How long it is waited, from the last answer that was right: a runtime that goes on noticing images is never hurried,
/// and one that does not is waited for once.
struct Waiting {
    patience: Duration,
    /// How long answers have been wrong; nothing where the last one was right.
    wrong: Option<Duration>,
}

impl Waiting {
    /// Whether an answer that came so long after the one before counts, and is not to be asked for again.
    fn ends(&mut self, right: bool, took: Duration) -> bool {
        self.wrong = (!right).then(|| self.wrong.map_or(Duration::ZERO, |wrong| wrong + took));
        self.wrong.is_none_or(|wrong| wrong > self.patience)
    }
}

/// Asks for all names. What a runtime has not noticed yet is asked for again as long as `patience` lasts.
///
/// # Errors
/// As the runtime answers; that a name is missing is none, it is in the proof.
pub async fn prove(cri: &Cri, expected: &[Expected], patience: Duration, ctx: &JobCtx) -> Result<Proof> {
    let count = expected.iter().map(|image| image.names.len()).sum::<usize>() as u64;
    ctx.say(Event::Started { phase: Phase::Prove, items: count, bytes: 0 });
    let mut waiting = Waiting { patience, wrong: None };
    let pins = pins(cri.version());
    let mut names = Vec::new();
    for image in expected {
        for name in &image.names {
            names.push(loop {
                ctx.check()?;
                let apart = waiting.wrong.map_or(Duration::ZERO, |_| APART);
                let asked = async {
                    tokio::time::sleep(apart).await;
                    cri.image(name).await
                };
                let (answer, took) = Waited::during(asked).await;
                let answer = compared((name, pins), image, answer?);
                if waiting.ends(answer.problem.is_none(), took) {
                    break answer;
                }
            });
        }
    }
    let (sandbox, runtime) = (sandbox(cri).await?, said(cri));
    let notes = sandbox.iter().filter_map(|sandbox| sandbox.warning(&runtime, PACK_TOO)).collect();
    let proof = Proof { runtime, names, sandbox, notes };
    ctx.say(Event::Finished { phase: Phase::Prove });
    Ok(proof)
}

/// The runtime and its version, as it says them.
pub(super) fn said(cri: &Cri) -> String {
    let Version { name, version } = cri.version();
    format!("{name} {version}")
}

/// The sandbox image of a runtime, where that is known, and whether it is there.
///
/// # Errors
/// As the runtime answers.
pub(super) async fn sandbox(cri: &Cri) -> Result<Option<Sandbox>> {
    let Some((name, configured)) = sandbox_name(cri).await? else { return Ok(None) };
    let present = cri.image(&name).await?.is_some();
    Ok(Some(Sandbox { name, configured, present }))
}

/// That a runtime does not heed pins, where it does not: nothing that an import could change.
pub(super) fn unheeded(cri: &Cri) -> Option<String> {
    (!pins(cri.version())).then(|| {
        format!(
            "{} does not tell the kubelet that images are pinned: it may remove them when the disk fills up; keep enough \
             room, or use containerd 1.7.10 or newer",
            said(cri)
        )
    })
}

async fn sandbox_name(cri: &Cri) -> Result<Option<(String, bool)>> {
    if let Some(name) = cri.sandbox_image().await? {
        return Ok(Some((name, true)));
    }
    let Version { name, version } = cri.version();
    Ok(default_sandbox(name, version).map(|name| (name.to_owned(), false)))
}

/// Whether a runtime heeds the label that pins images. containerd 1.6.22 and 1.7.3 pin what their CRI pulls as the sandbox
/// image; the label that another client gives is heeded from 1.6.25 and 1.7.10 on (their release notes: "fix using the
/// pinned label to pin image").
fn pins(version: &Version) -> bool {
    version.name != "containerd"
        || match numbers(&version.version) {
            Some((1, 6)) => patch(&version.version) >= Some(25),
            Some((1, 7)) => patch(&version.version) >= Some(10),
            Some((major, minor)) => (major, minor) > (1, 7),
            None => true,
        }
}

/// The numbers of a version, each where it is one.
fn parts(version: &str) -> impl Iterator<Item = Option<u32>> {
    version.trim_start_matches('v').split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse::<u32>().ok()
    })
}

/// The first two of them.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = parts(version);
    Some((numbers.next()??, numbers.next()??))
}

/// The third.
fn patch(version: &str) -> Option<u32> {
    parts(version).nth(2)?
}

/// What a version of a runtime uses where nothing is set, for those that do not show what they are set to.
fn default_sandbox(runtime: &str, version: &str) -> Option<&'static str> {
    if runtime == "cri-o" {
        return match numbers(version)? {
            (1, 30) => Some("registry.k8s.io/pause:3.9"),
            (1, 31..=33) => Some("registry.k8s.io/pause:3.10"),
            (1, 34..=37) => Some("registry.k8s.io/pause:3.10.1"),
            _ => None,
        };
    }
    if runtime != "containerd" {
        return None;
    }
    match numbers(version)? {
        (2, 0 | 1) => Some("registry.k8s.io/pause:3.10"),
        (2, 2) => Some("registry.k8s.io/pause:3.10.1"),
        (2, 3 | 4) => Some("registry.k8s.io/pause:3.10.2"),
        _ => None,
    }
}

fn compared((name, pins): (&str, bool), wanted: &Expected, answer: Option<CriImage>) -> NameProof {
    let problem = match &answer {
        None => Some("the CRI does not know it, a pod would try to pull it".to_owned()),
        Some(there) => difference((name, pins), wanted, there),
    };
    let (id, platform, pinned) = match answer {
        None => (None, None, false),
        Some(there) => (Some(there.id), there.platform, there.pinned),
    };
    NameProof { name: name.to_owned(), reference: wanted.reference.clone(), id, platform, pinned, problem }
}

/// How what is there differs from the bundle.
fn difference((name, pins): (&str, bool), wanted: &Expected, there: &CriImage) -> Option<String> {
    let id = there.id.rsplit(':').next().unwrap_or(&there.id);
    if !wanted.ids.iter().any(|wanted| wanted.hex() == id) {
        let ids: Vec<String> = wanted.ids.iter().map(ToString::to_string).collect();
        return Some(format!("it is image {} there, expected {}", there.id, ids.join(" or ")));
    }
    let platform = there.platform.as_ref().and_then(|text| text.parse::<Platform>().ok());
    if let Some(is) = platform.filter(|is| !wanted.platforms.iter().any(|wanted| is.accepts(wanted))) {
        let platforms: Vec<String> = wanted.platforms.iter().map(ToString::to_string).collect();
        return Some(format!("it is for {is} there, expected {}", platforms.join(" or ")));
    }
    // By a tag, the manifest can still be another one than the bundle's with the same configuration.
    let pinned_name = format!("{}@{}", wanted.reference.name(), wanted.digest);
    if !there.digests.contains(&pinned_name) {
        return Some(format!(
            "the CRI lists it without {pinned_name}, but with {}",
            there.digests.join(", ")
        ));
    }
    if !name.contains('@') && !there.tags.iter().any(|tag| tag == name) {
        return Some(format!("the CRI lists it without that tag, but with {}", there.tags.join(", ")));
    }
    if wanted.pinned && pins && !there.pinned {
        return Some("it is not pinned, the kubelet may remove it when the disk fills up".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        Digest::sha256(&[n; 32])
    }

    fn wanted() -> Expected {
        Expected {
            reference: "quay.io/a/b:1".parse().unwrap(),
            digest: digest(1),
            names: vec!["quay.io/a/b:1".to_owned()],
            ids: vec![digest(2)],
            platforms: vec!["linux/arm64/v8".parse().unwrap()],
            pinned: true,
        }
    }

    fn right() -> CriImage {
        CriImage {
            id: digest(2).to_string(),
            tags: vec!["quay.io/a/b:1".to_owned()],
            digests: vec![format!("quay.io/a/b@{}", digest(1))],
            pinned: true,
            platform: Some("linux/arm64".to_owned()),
        }
    }

    #[test]
    fn an_answer_that_differs_in_anything_is_a_problem() {
        let name = "quay.io/a/b:1";
        assert_eq!(compared((name, true), &wanted(), Some(right())).problem, None);
        let bare = CriImage { id: digest(2).hex().to_owned(), platform: None, ..right() };
        assert_eq!(
            compared((name, true), &wanted(), Some(bare)).problem,
            None,
            "CRI-O's ids have no algorithm"
        );
        for (answer, words) in [
            (None, "does not know it"),
            (Some(CriImage { id: digest(3).to_string(), ..right() }), "it is image"),
            (Some(CriImage { platform: Some("linux/amd64".to_owned()), ..right() }), "for linux/amd64"),
            (
                Some(CriImage { digests: vec![format!("quay.io/a/b@{}", digest(4))], ..right() }),
                "lists it without",
            ),
            (Some(CriImage { tags: vec![], ..right() }), "without that tag"),
            (Some(CriImage { pinned: false, ..right() }), "not pinned"),
        ] {
            let problem = compared((name, true), &wanted(), answer).problem.unwrap();
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn each_answer_that_is_right_gives_the_next_one_its_time() {
        let mut waiting = Waiting { patience: PATIENCE, wrong: None };
        for (quarters, right, ends) in [
            // How long the first answer takes is none of it.
            (5, false, false),
            (3, false, false),
            (0, true, true),
            (3, false, false),
            (3, false, false),
            (1, false, false),
            (1, false, true),
            (0, false, true),
            (0, true, true),
            (3, false, false),
        ] {
            assert_eq!(waiting.ends(right, PATIENCE / 4 * quarters), ends, "{quarters} {right}");
        }
    }

    #[test]
    fn r22_a_sandbox_image_that_is_not_there_is_said() {
        for (version, image) in [
            ("v2.1.4", Some("registry.k8s.io/pause:3.10")),
            ("2.3.4", Some("registry.k8s.io/pause:3.10.2")),
            ("v2.2.0-rc.1", Some("registry.k8s.io/pause:3.10.1")),
            ("1.6.20~ds1", None),
            ("unknown", None),
        ] {
            assert_eq!(default_sandbox("containerd", version), image, "{version}");
        }
        assert_eq!(default_sandbox("cri-o", "1.34.0"), Some("registry.k8s.io/pause:3.10.1"));
        assert_eq!(default_sandbox("cri-o", "2.1.0"), None);
        let sandbox = Sandbox { name: "p:1".to_owned(), configured: true, present: false };
        assert!(
            sandbox.warning("containerd 2.1", PACK_TOO).unwrap().contains("is set to the sandbox image p:1")
        );
        assert_eq!(Sandbox { present: true, ..sandbox }.warning("containerd 2.1", PACK_TOO), None);
    }

    #[test]
    fn r19_only_runtimes_that_know_pins_are_held_to_them() {
        let unpinned = CriImage { pinned: false, ..right() };
        assert_eq!(compared(("quay.io/a/b:1", false), &wanted(), Some(unpinned.clone())).problem, None);
        let lost = |version: &str| {
            let version = Version { name: "containerd".to_owned(), version: version.to_owned() };
            compared(("quay.io/a/b:1", pins(&version)), &wanted(), Some(unpinned.clone())).problem.is_some()
        };
        assert!(lost("v1.7.10") && !lost("1.6.20~ds1"), "a pin that is lost is told where pins are known");
        for (name, version, heeds) in [
            ("containerd", "1.6.20~ds1", false),
            ("containerd", "1.6.24", false),
            ("containerd", "1.6.25", true),
            ("containerd", "v1.7.9", false),
            ("containerd", "v1.7.10", true),
            ("containerd", "v1.7.27-k3s1", true),
            ("containerd", "1.7", false),
            ("containerd", "1.5.18", false),
            ("containerd", "v2.1.4", true),
            ("cri-o", "1.34.0", true),
        ] {
            let version = Version { name: name.to_owned(), version: version.to_owned() };
            assert_eq!(pins(&version), heeds, "{version:?}");
        }
    }
}
