//! What a plan says of a runtime that would otherwise be known after the import alone: its sandbox image, and pins.

use super::graph::ImageGraph;
use super::proof::{self, Sandbox};
use super::{Job, Plan};
use crate::domain::bundle::Image;
use crate::domain::reference::Reference;
use crate::engine::error::Result;
use crate::engine::runtime::cri::Cri;

/// Adds it to a plan that is shown; an import itself says it with its proof, and so once.
///
/// # Errors
/// As the runtime answers.
pub(super) async fn add(job: &Job, cri: &Cri, images: &[ImageGraph], plan: &mut Plan) -> Result<()> {
    if !job.spec.dry_run {
        return Ok(());
    }
    if let Some(sandbox) = proof::sandbox(cri).await? {
        let planned = images.iter().zip(&plan.images);
        let brought =
            planned.filter(|(_, planned)| planned.refused().is_none()).map(|(image, _)| &image.image);
        let all = &job.bundle.document().images;
        plan.notes.extend(missing(&sandbox, &proof::said(cri), brought, all));
    }
    plan.facts.extend(proof::unheeded(cri).filter(|_| !plan.images.is_empty()));
    Ok(())
}

/// What is to be said of a sandbox image that is neither there nor brought; `all` is what the bundle has.
fn missing<'a>(
    sandbox: &Sandbox,
    runtime: &str,
    mut brought: impl Iterator<Item = &'a Image>,
    all: &[Image],
) -> Option<String> {
    let wanted = sandbox.name.parse::<Reference>().ok();
    let is = |image: &Image| wanted.as_ref().is_some_and(|wanted| names(image, wanted));
    if brought.any(is) {
        return None;
    }
    let way = if all.iter().any(is) { "it is in this bundle: import it too" } else { proof::PACK_TOO };
    sandbox.warning(runtime, way)
}

/// Whether an image is what a reference names.
fn names(image: &Image, wanted: &Reference) -> bool {
    let same = match wanted.digest() {
        Some(digest) => image.digest == *digest,
        None => image.reference.tag() == wanted.tag(),
    };
    same && image.reference.name() == wanted.name()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;

    fn image(reference: &str) -> Image {
        Image {
            requested: reference.to_owned(),
            reference: reference.parse().unwrap(),
            digest: Digest::sha256(&[1; 32]),
            media_type: String::new(),
            source: String::new(),
            resolved_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            platforms: Vec::new(),
            omitted_platforms: Vec::new(),
            signatures: Vec::new(),
            findings: Vec::new(),
        }
    }

    #[test]
    fn r22_a_sandbox_image_that_is_missing_is_said_before_the_import_unless_the_bundle_brings_it() {
        let name = "registry.k8s.io/pause:3.10".to_owned();
        let sandbox = Sandbox { name, configured: true, present: false };
        let (app, pause) = (image("quay.io/a/b:1"), image("registry.k8s.io/pause:3.10"));
        let said =
            |brought: &[Image], all: &[Image]| missing(&sandbox, "containerd 2.1", brought.iter(), all);
        let one = std::slice::from_ref(&app);
        let none = said(one, one).unwrap();
        assert!(
            none.contains("pause:3.10, which is not there") && none.contains("pack and import it too"),
            "{none}"
        );
        assert_eq!(said(&[app.clone(), pause.clone()], &[]), None);
        let left_out = said(one, &[app.clone(), pause]).unwrap();
        assert!(left_out.contains("in this bundle: import it too"), "{left_out}");
        assert!(said(&[image("registry.k8s.io/pause:3.9")], &[]).is_some(), "another tag is another image");
        let there = Sandbox { present: true, ..sandbox.clone() };
        assert_eq!(missing(&there, "containerd 2.1", [&app].into_iter(), &[]), None);
    }
}
