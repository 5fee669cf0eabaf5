//! Import into a tar file as `docker save` writes it: names and layers stay, manifests and so digests cannot.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::archive::{self, Member, There};
use super::error::ImportError;
use super::graph::{ImageGraph, Node};
use super::report::Outcome;
use super::single::{Chosen, Single};
use super::{Job, Planned, Written, oci_archive};
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::engine::error::Result;

/// One entry of `manifest.json` (Docker image specification 1.2).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Says what would become of each image; an archive that is there is compared byte by byte.
pub(super) fn plan(job: &Job, file: &Path, images: &[ImageGraph]) -> Result<Vec<Planned>> {
    let mut planned = Vec::with_capacity(images.len());
    let mut fit = Vec::new();
    for image in images {
        match choose(job, file, image) {
            Ok(_) => {
                fit.push(image);
                planned.push(Planned::Add);
            }
            Err(error) if job.spec.dry_run => planned.push(Planned::Refused(Outcome::failed(&error))),
            Err(error) => planned.push(Planned::Refused(job.failed(image, error)?)),
        }
    }
    if fit.is_empty() {
        return Ok(planned);
    }
    let there = match archive::compare(job, file, &members(job, file, &fit)?)? {
        There::Nothing => Planned::Add,
        There::Same => Planned::Skip,
        There::Other => Planned::taken(job, "another archive".to_owned()),
    };
    let settle = |one: Planned| if matches!(one, Planned::Add) { there.clone() } else { one };
    Ok(planned.into_iter().map(settle).collect())
}

/// Writes. Blocks.
pub(super) fn apply(job: &Job, file: &Path, images: &[ImageGraph], plan: &[Planned]) -> Result<Written> {
    let mut outcomes: Vec<Outcome> = plan.iter().map(|planned| planned.done(false)).collect();
    let same = outcomes.contains(&Outcome::Skipped);
    let mut present = 0;
    let mut written = 0;
    if same {
        present = super::preview::distinct_bytes(images);
        job.meter.add_kept(present);
    } else {
        written = oci_archive::write(job, images, &mut outcomes, None, |chosen| {
            let members = members(job, file, chosen)?;
            oci_archive::expect(job, chosen, &members);
            archive::commit(job, file, &members)
        })?;
        oci_archive::landed(job, &Target::DockerArchive(file.to_owned()), images, &outcomes);
    }
    let notes = images.iter().zip(&outcomes).map(|(image, outcome)| notes(image, outcome)).collect();
    Ok(Written { outcomes, notes, written, present, ..Written::default() })
}

fn notes(image: &ImageGraph, outcome: &Outcome) -> Vec<String> {
    if !outcome.arrived() {
        return Vec::new();
    }
    let digest = &image.image.digest;
    let mut notes = vec![format!(
        "a docker-archive keeps no manifest: what is loaded from it has not the digest {digest}, pods that pin it will not find it"
    )];
    if image.image.reference.tag().is_none() {
        notes.push("it has no tag, so the archive has no name for it; it loads by image id only".to_owned());
    }
    if !image.carried.is_empty() {
        notes.push("its signatures are left out: the format has no place for them".to_owned());
    }
    notes
}

/// The one manifest of an image that goes into the archive.
fn choose(job: &Job, file: &Path, image: &ImageGraph) -> Result<Chosen> {
    let single = Single {
        target: format!("docker-archive:{}", file.display()),
        platform: None,
        other_platform: "give --platform with one of those, or use oci-archive:FILE",
        several: "give --platform OS/ARCH, or use oci-archive:FILE, which holds them all",
        artifact: "use oci:DIR, oci-archive:FILE or a registry, which hold artifacts of any kind",
    };
    single.choose(job, image)
}

/// `manifest.json` first, then each configuration and layer once, layers compressed as they are: podman, docker and
/// containerd tell by the bytes.
fn members(job: &Job, file: &Path, images: &[&ImageGraph]) -> Result<Vec<Member>> {
    let mut saved: BTreeMap<usize, Saved> = BTreeMap::new();
    let mut by_config: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut contents: Vec<Member> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (at, image) in images.iter().enumerate() {
        let chosen = choose(job, file, image)?;
        chosen.config(job, image)?;
        let manifest = chosen.manifest;
        let config = format!("{}.json", manifest.config.digest.hex());
        let layer = |digest: &Digest| format!("{}.tar", digest.hex());
        let layers = manifest.layers.iter().map(|one| layer(&one.digest)).collect();
        let slot = *by_config.entry(manifest.config.digest.clone()).or_insert(at);
        let entry =
            saved.entry(slot).or_insert(Saved { config: config.clone(), repo_tags: Vec::new(), layers });
        let reference = &image.image.reference;
        entry.repo_tags.extend(reference.tag().map(|tag| format!("{}:{tag}", reference.name())));
        let configs = std::iter::once((config, &manifest.config));
        for (name, descriptor) in configs.chain(manifest.layers.iter().map(|one| (layer(&one.digest), one))) {
            if seen.insert(name.clone()) {
                let node = Node {
                    digest: descriptor.digest.clone(),
                    size: descriptor.size,
                    media_type: descriptor.media_type.clone(),
                };
                contents.push(Member::Blob(name, node, image.name()));
            }
        }
    }
    let list: Vec<Saved> = saved.into_values().collect();
    let json = serde_json::to_vec(&list).map_err(|error| ImportError::NoLayout {
        path: file.to_owned(),
        reason: format!("its manifest.json cannot be written: {error}"),
    })?;
    let mut members = vec![Member::Bytes("manifest.json".to_owned(), json)];
    members.append(&mut contents);
    Ok(members)
}
