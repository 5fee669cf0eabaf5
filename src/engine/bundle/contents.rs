//! Everything in a bundle that is no blob: the layout marker, the index, the README and the program itself.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::domain::bundle::{self, Binary, BundleManifest, File};
use crate::domain::digest::Digest;
use crate::domain::lying::{program_lacking, program_path};
use crate::domain::media_type as mt;
use crate::domain::resolved::ResolvedImage;
use crate::engine::error::{FileError, Result};
use crate::engine::files::Files;
use crate::engine::store::write_stream;

/// `oci-layout` (OCI image layout 1.0.0).
pub const LAYOUT_BYTES: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The ELF header and the program headers of any program lie in its first bytes.
const HEADERS: u64 = 64 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'a str,
    manifests: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    media_type: &'a str,
    digest: &'a Digest,
    size: u64,
    annotations: std::collections::BTreeMap<&'a str, String>,
}

/// `index.json`: for each reference its top manifest under its name, then once more under `repo@digest`;
/// carried signatures last, under a name that no runtime takes for an image.
///
/// # Errors
/// The JSON writer's; none in practice.
pub fn index_json(images: &[ResolvedImage]) -> std::result::Result<Vec<u8>, serde_json::Error> {
    let mut manifests = Vec::new();
    for image in images {
        let Some(top) = image.documents.first() else { continue };
        let mut entry = |names: &[(&'static str, String)]| {
            manifests.push(Entry {
                media_type: &image.media_type,
                digest: &image.digest,
                size: top.bytes.len() as u64,
                annotations: names.iter().cloned().collect(),
            });
        };
        let name = image.reference.to_string();
        let pinned = image.reference.at_digest(&image.digest).to_string();
        entry(&[(bundle::REF_NAME, name.clone()), (bundle::CONTAINERD_NAME, name.clone())]);
        if pinned != name {
            entry(&[(bundle::CONTAINERD_NAME, pinned)]);
        }
    }
    manifests.extend(images.iter().flat_map(carried));
    let mut bytes =
        serde_json::to_vec_pretty(&Index { schema_version: 2, media_type: mt::OCI_INDEX, manifests })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Descriptors of signature and referrer documents; those that a registry keeps under a tag carry it.
fn carried(image: &ResolvedImage) -> Vec<Entry<'_>> {
    let tagged = image.extra_tags.iter().map(|(tag, digest)| (digest, Some(tag)));
    let bare = image.signatures.iter().filter(|d| !image.extra_tags.iter().any(|(_, tagged)| tagged == *d));
    tagged
        .chain(bare.map(|digest| (digest, None)))
        .filter_map(|(digest, tag)| {
            let document = image.documents.iter().find(|document| document.digest == *digest)?;
            let annotations =
                tag.map(|tag| (bundle::CARRIED_TAG, format!("{}:{tag}", image.reference.name())));
            Some(Entry {
                media_type: &document.media_type,
                digest: &document.digest,
                size: document.bytes.len() as u64,
                annotations: annotations.into_iter().collect(),
            })
        })
        .collect()
}

/// The README for people on the other side.
pub fn readme(document: &BundleManifest) -> String {
    let expires = document.expires.map_or_else(|| "never".to_owned(), |time| time.to_string());
    let example =
        document.images.first().map_or_else(|| "REFERENCE".to_owned(), |image| image.reference.to_string());
    let values = [
        ("{directory}", document.directory()),
        ("{id}", document.id.to_string()),
        ("{name}", document.name.clone()),
        ("{serial}", document.serial.to_string()),
        ("{created}", document.created.to_string()),
        ("{expires}", expires),
        ("{images}", document.totals.images.to_string()),
        ("{blobs}", document.totals.blobs.to_string()),
        ("{bytes}", document.totals.bytes.to_string()),
        ("{example}", example),
    ];
    let template = include_str!("../../../assets/bundle-readme.txt").to_owned();
    values.iter().fold(template, |text, (key, value)| text.replace(key, value))
}

/// Whether the program can run on a host that shares nothing with this one: an ELF file without interpreter.
///
/// Reads the ELF64 header and its program headers (System V ABI, "ELF Header", "Program Header").
pub fn is_static(program: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = program.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    // Magic, 64 bit, little endian: the two targets there are.
    if program.get(..6) != Some(b"\x7fELF\x02\x01") {
        return false;
    }
    let (Some(table), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2)) else {
        return false;
    };
    (0..count).all(|index| {
        let at = usize::try_from(table + index * size).unwrap_or(usize::MAX - 8);
        number(at, 4).is_some_and(|kind| kind != u64::from(PT_INTERP))
    })
}

/// Where the running program lies.
///
/// # Errors
/// The kernel's, where neither `/proc` nor the name it was called by tells.
pub fn running_program() -> std::io::Result<PathBuf> {
    std::env::current_exe().or_else(|error| {
        // A root without /proc: the name it was called by, if that is a path.
        let called = std::env::args_os().next().map(PathBuf::from);
        called.filter(|path| path.is_absolute() && path.is_file()).ok_or(error)
    })
}

/// The first bytes of the running program, and the rest of it; or why it cannot be carried.
fn open_program() -> std::result::Result<(Vec<u8>, std::fs::File), String> {
    let open = || {
        let mut program = std::fs::File::open(running_program()?)?;
        let mut head = Vec::new();
        (&mut program).take(HEADERS).read_to_end(&mut head)?;
        Ok((head, program))
    };
    let (head, program) =
        open().map_err(|error: std::io::Error| format!("this program cannot be read: {error}"))?;
    if is_static(&head) {
        return Ok((head, program));
    }
    Err("this airlift is not static and may not run elsewhere; take a static build along".to_owned())
}

/// Why a pack that is asked to carry this program would not do so; nothing where it would.
pub fn not_carried() -> Option<String> {
    open_program().err()
}

/// Bytes that carrying this program into a bundle takes which holds these files, by path and length; none where it
/// lies there already, or cannot be carried.
pub fn program_room(there: &HashMap<String, u64>) -> u64 {
    let size = open_program().ok().and_then(|(_, file)| Some(file.metadata().ok()?.len())).unwrap_or(0);
    program_lacking(size, there)
}

/// What became of carrying the program.
pub enum Program {
    /// It lies in the bundle.
    Carried(File, Binary),
    /// It does not, for this reason.
    Left(String),
}

/// Copies the running program under `airlift/bin/<os>-<arch>/` if it is static.
///
/// # Errors
/// A file error on the medium; that the program cannot be read is a reason, not an error.
pub fn carry_program(files: &Arc<dyn Files>, root: &Path) -> Result<Program> {
    let (head, rest) = match open_program() {
        Ok(opened) => opened,
        Err(reason) => return Ok(Program::Left(format!("the program is not carried: {reason}"))),
    };
    let path = program_path();
    make_parent(&**files, root, &path)?;
    let file = write_stream(&**files, root, &path, head.as_slice().chain(rest))?;
    let digest = format!("sha256:{}", file.sha256).parse()?;
    Ok(Program::Carried(file, Binary { path, digest }))
}

/// Creates the directory a path of the bundle lies in.
///
/// # Errors
/// A file error.
pub fn make_parent(files: &dyn Files, root: &Path, path: &str) -> std::result::Result<PathBuf, FileError> {
    let full = root.join(path);
    let parent = full.parent().unwrap_or(root).to_owned();
    files.create_dir(&parent)?;
    Ok(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_that_the_readme_names_can_be_typed() {
        let text = include_str!("../../../assets/bundle-readme.txt");
        let named = text
            .split_once("said what it would take:\n")
            .unwrap()
            .1
            .split_once("\nThe workstation")
            .unwrap()
            .0;
        let targets: Vec<&str> = named
            .split_whitespace()
            .filter(|word| {
                ["containerd", "containers-storage:", "k3s", "registry:"]
                    .iter()
                    .any(|kind| word.starts_with(kind))
            })
            .map(|word| word.trim_end_matches(','))
            .collect();
        for kind in ["containerd", "containers-storage:/var/images", "k3s", "registry:HOST:PORT"] {
            assert!(targets.contains(&kind), "{kind}: {targets:?}");
        }
        for target in targets {
            let typed = target.replace("PORT", "5000");
            assert!(typed.parse::<crate::domain::import::Target>().is_ok(), "{typed}");
        }
    }

    #[test]
    fn only_an_elf_file_without_interpreter_counts_as_static() {
        assert!(!is_static(b""));
        assert!(!is_static(b"#!/bin/sh\n"));
        assert!(!is_static(b"\x7fELF\x02\x01"));
        // A header and one program header, of kind 3 (PT_INTERP) or 1 (PT_LOAD).
        let elf = |kind: u8| {
            let mut bytes = vec![0; 64 + 56];
            bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
            (bytes[32], bytes[54], bytes[56], bytes[64]) = (64, 56, 1, kind);
            bytes
        };
        assert!(!is_static(&elf(3)));
        assert!(is_static(&elf(1)));
        assert!(!is_static(&elf(1)[..64]), "its program headers are cut off");
    }
}
