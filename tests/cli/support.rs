//! Runs the program in a cleared environment, and writes bundle documents for the commands that only read those.

use std::path::{Path, PathBuf};

use airlift::domain::bundle::{Blob, SIGNATURES};
use airlift::domain::bundle::{
    BundleManifest, FORMAT, Image, ImagePlatform, MANIFEST, Missing, Tool, Totals,
};
use airlift::domain::digest::Digest;
use assert_cmd::Command;

/// The program, with nothing of this process's environment but a home of its own.
pub(crate) fn airlift(home: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("airlift"));
    command.env_clear().env("HOME", home).current_dir(home);
    command
}

/// What one run gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs it with these words.
pub(crate) fn run(home: &Path, words: &[&str]) -> Ran {
    let output = airlift(home).args(words).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn digest(n: u8) -> Digest {
    Digest::sha256(&[n; 32])
}

/// An image of one platform.
pub(crate) fn image(reference: &str, n: u8) -> Image {
    Image {
        requested: reference.to_owned(),
        reference: reference.parse().unwrap(),
        digest: digest(n),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        source: "registry.example/library".to_owned(),
        resolved_at: jiff::Timestamp::UNIX_EPOCH,
        platforms: vec![ImagePlatform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
            digest: digest(n),
            size: 1_500_000,
        }],
        omitted_platforms: Vec::new(),
        signatures: Vec::new(),
        findings: Vec::new(),
    }
}

/// A document over these images, each with one blob of its digest.
pub(crate) fn document(serial: u64, images: Vec<Image>, missing: Vec<Missing>) -> BundleManifest {
    let blobs: Vec<Blob> = images
        .iter()
        .map(|image| Blob {
            digest: image.digest.clone(),
            size: 1_500_000,
            media_type: image.media_type.clone(),
            path: Some(image.digest.layout_path()),
            parts: Vec::new(),
        })
        .collect();
    let totals = Totals {
        images: images.len() as u64,
        blobs: blobs.len() as u64,
        bytes: blobs.iter().map(|blob| blob.size).sum(),
    };
    BundleManifest {
        format: FORMAT.to_owned(),
        id: "0190b3a0-0000-7000-8000-000000000001".parse().unwrap(),
        name: "site".to_owned(),
        serial,
        created: "2026-01-02T03:04:05Z".parse().unwrap(),
        expires: None,
        tool: Tool { version: "0.1.0".to_owned(), binaries: Vec::new() },
        base: None,
        complete: missing.is_empty(),
        missing,
        images,
        blobs,
        files: Vec::new(),
        totals,
    }
}

/// Writes the document alone; its blobs are not there, so no such bundle verifies.
pub(crate) fn write(dir: &Path, document: &BundleManifest) -> PathBuf {
    let root = dir.join(document.directory());
    std::fs::create_dir_all(root.join(SIGNATURES)).unwrap();
    std::fs::write(root.join(MANIFEST), document.to_bytes().unwrap()).unwrap();
    root
}
