//! What a registry means that refuses a manifest, and the ways out; pure, from the answer and the image alone.

use super::error::ImportError;
use super::graph::{ImageGraph, Node};
use crate::domain::media_type as mt;
use crate::engine::error::EngineError;
use crate::engine::registry::{Problem, RegistryError};

/// Turns the refusal of a manifest into what it likely means; any other error stays as it is.
pub(super) fn explain(image: &ImageGraph, node: &Node, target: &str, error: RegistryError) -> EngineError {
    let answer = match &*error.problem {
        Problem::ManifestRefused { answer, .. } | Problem::BlobUnknown(answer) => answer,
        _ => return error.into(),
    };
    let said = answer.to_string();
    let missing = matches!(&*error.problem, Problem::BlobUnknown(_));
    let invalid = answer.code.as_deref() == Some("MANIFEST_INVALID");
    let (reason, ways) = if mt::is_docker(&node.media_type) && !missing && (answer.status == 415 || invalid) {
        docker(&node.media_type)
    } else if mt::is_index(&node.media_type) && image.is_sparse() && (missing || invalid) {
        sparse(image)
    } else {
        return error.into();
    };
    ImportError::Refused {
        image: image.name(),
        target: target.to_owned(),
        reason: format!("{reason} (it said {said})"),
        ways,
        source: error,
    }
    .into()
}

fn docker(media_type: &str) -> (String, Vec<String>) {
    let reason = format!("it takes OCI manifests only, and this image is {media_type}");
    let ways = [
        "zot: set \"http\": {\"compat\": [\"docker2s2\"]} in its configuration, restart it, and run this again",
        "or use a registry that takes both, such as distribution; or oci:DIR, or `airlift serve` on the bundle",
        "converting the image to OCI would give it another digest, and whatever pins this one would no longer \
         find it: Airlift does not convert",
    ];
    (reason, ways.map(str::to_owned).to_vec())
}

fn sparse(image: &ImageGraph) -> (String, Vec<String>) {
    let platforms = |list: &[crate::domain::bundle::ImagePlatform]| {
        list.iter().map(|one| one.platform().to_string()).collect::<Vec<_>>().join(", ")
    };
    let reason = format!(
        "its index names {} manifests that a platform filter left out of the bundle, and this registry wants all of them",
        image.omitted.len()
    );
    let mut ways = vec![
        "pack this image again without --platform, so that the index is whole".to_owned(),
        "distribution 3: set validation.manifests.indexes.platforms to none, or to list with the platforms you \
         carry, and run this again; distribution 2.8 has no such switch"
            .to_owned(),
        "or use `airlift serve` on the bundle, or oci:DIR: both keep an index with manifests left out".to_owned(),
    ];
    let (carried, omitted) = (platforms(&image.image.platforms), platforms(&image.image.omitted_platforms));
    if !carried.is_empty() && !omitted.is_empty() {
        ways.push(format!("carried: {carried}; left out: {omitted}"));
    }
    ways.extend(image.image.platforms.iter().map(|one| {
        format!(
            "{} alone is there now as {}@{}: pods that pin that digest will find it, pods that pin {} will not",
            one.platform(),
            image.image.reference.repository(),
            one.digest,
            image.image.digest
        )
    }));
    (reason, ways)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bundle::Image;
    use crate::domain::digest::Digest;
    use crate::engine::registry::error::Answer;

    fn image(media_type: &str, omitted: usize) -> (ImageGraph, Node) {
        let digest = Digest::sha256(&[1; 32]);
        let image = Image {
            requested: "a/b:1".to_owned(),
            reference: "docker.io/a/b:1".parse().unwrap(),
            digest: digest.clone(),
            media_type: media_type.to_owned(),
            source: "docker.io/a/b".to_owned(),
            resolved_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            platforms: Vec::new(),
            omitted_platforms: Vec::new(),
            signatures: Vec::new(),
            findings: Vec::new(),
        };
        let graph = ImageGraph {
            image,
            blobs: Vec::new(),
            documents: Vec::new(),
            omitted: vec![Digest::sha256(&[2; 32]); omitted],
            carried: Vec::new(),
            referrers: Vec::new(),
            tags: Vec::new(),
            damaged: None,
        };
        (graph, Node { digest, size: 1, media_type: media_type.to_owned() })
    }

    fn refused(status: u16, code: &str, missing: bool, media_type: &str, omitted: usize) -> EngineError {
        let answer = Answer { status, code: Some(code.to_owned()), message: "m".to_owned() };
        let problem = if missing {
            Problem::BlobUnknown(answer)
        } else {
            Problem::ManifestRefused { answer, media_type: media_type.to_owned() }
        };
        let (operation, host) = ("push the manifest", "m.example".to_owned());
        let object = "m.example/a/b:1".to_owned();
        let error = RegistryError { operation, object, host, problem: Box::new(problem) };
        let (graph, node) = image(media_type, omitted);
        explain(&graph, &node, "registry:m.example", error)
    }

    #[test]
    fn r06_a_refused_schema_2_manifest_is_explained_with_the_setting_that_lets_it_in() {
        for (status, media_type) in
            [(415, mt::DOCKER_MANIFEST), (415, mt::DOCKER_LIST), (400, mt::DOCKER_MANIFEST)]
        {
            let error = refused(status, "MANIFEST_INVALID", false, media_type, 0);
            assert!(error.message().contains("OCI manifests only"), "{error}");
            assert!(error.message().contains("MANIFEST_INVALID"), "what it said stays: {error}");
            assert!(error.hints()[0].contains("docker2s2"), "{:?}", error.hints());
        }
        let other = refused(400, "MANIFEST_INVALID", false, mt::OCI_MANIFEST, 0);
        assert!(!other.message().contains("OCI manifests only"), "{other}");
    }

    #[test]
    fn r04_a_refused_sparse_index_is_explained_and_a_whole_one_is_not() {
        for (code, missing) in [("MANIFEST_BLOB_UNKNOWN", true), ("MANIFEST_INVALID", false)] {
            let error = refused(400, code, missing, mt::OCI_INDEX, 2);
            assert!(error.message().contains("names 2 manifests that a platform filter left out"), "{error}");
            assert!(error.hints().join("").contains("validation.manifests.indexes.platforms"));
            let whole = refused(400, code, missing, mt::OCI_INDEX, 0);
            assert!(!whole.message().contains("platform filter"), "{whole}");
        }
    }
}
