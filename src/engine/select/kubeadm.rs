//! The images of a Kubernetes version: from the tables of `assets/kubeadm.toml`, and from a real `kubeadm` where one is on PATH.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::SelectError;
use crate::domain::selection::{Candidate, Origin, Selection};
use crate::engine::child;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;

const TABLE: &str = include_str!("../../../assets/kubeadm.toml");
/// kubeadm may try to reach the network; it answers by itself after ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    repository: String,
    read: String,
    minor: Vec<Minor>,
    runtime: Vec<Runtime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Minor {
    version: String,
    patch: u32,
    pause: String,
    coredns: Vec<From>,
    etcd: Vec<From>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    from: u32,
    tag: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Runtime {
    name: String,
    #[serde(default)]
    minor: Vec<String>,
    pause: String,
}

impl Runtime {
    /// Whether it may run a node of this Kubernetes minor; CRI-O follows it, containerd does not.
    fn applies(&self, minor: &str) -> bool {
        self.minor.is_empty() || self.minor.iter().any(|known| known == minor)
    }
}

/// A Kubernetes version; the patch may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    minor: String,
    patch: Option<u32>,
    /// `-rc.1` and the like, with its dash.
    pre: String,
}

impl Version {
    fn parse(text: &str) -> std::result::Result<Self, SelectError> {
        let refuse = || SelectError::Version { text: text.chars().take(80).collect() };
        let number = |part: &str| {
            let plain = !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| part.parse::<u32>().ok()).flatten()
        };
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (core, pre) = bare.find('-').map_or((bare, ""), |at| bare.split_at(at));
        let parts: Vec<&str> = core.split('.').collect();
        let numbers: Option<Vec<u32>> = parts.iter().map(|part| number(part)).collect();
        let pre_ok = pre.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        match numbers.as_deref() {
            Some([major, minor]) if pre.is_empty() => {
                Ok(Self { minor: format!("{major}.{minor}"), patch: None, pre: String::new() })
            }
            Some([major, minor, patch]) if pre_ok && pre != "-" => {
                Ok(Self { minor: format!("{major}.{minor}"), patch: Some(*patch), pre: pre.to_owned() })
            }
            _ => Err(refuse()),
        }
    }
}

/// Images of a version. Where the table and a real kubeadm differ, both spellings are taken and the difference is said.
///
/// # Errors
/// [`SelectError::Version`], or [`SelectError::UnknownMinor`] where no kubeadm on PATH knows it either.
pub async fn select(text: &str, ctx: &JobCtx) -> Result<Selection> {
    let version = Version::parse(text)?;
    let table: Table = toml::from_str(TABLE).map_err(|error| SelectError::Table(error.to_string()))?;
    let listed = from_table(&table, &version);
    let full = match (version.patch, &listed) {
        (Some(patch), _) => format!("v{}.{patch}{}", version.minor, version.pre),
        (None, Ok((_, patch))) => format!("v{}.{patch}", version.minor),
        (None, Err(_)) => format!("v{}.0", version.minor),
    };
    let real = run_kubeadm(&full, ctx).await?;
    Ok(match (listed, real) {
        (Ok((selection, _)), Real::Absent) => selection,
        (Ok((mut selection, _)), Real::Failed(reason)) => {
            selection
                .notes
                .push(format!("kubeadm on PATH gave no list for {full}, the table is used: {reason}"));
            selection
        }
        (Ok((selection, _)), Real::Listed(images)) => reconcile(selection, images, &full),
        (Err(_), Real::Listed(mut images)) => {
            images.candidates.extend(pauses(&table, &version.minor));
            images.notes.extend(why_pauses(&images));
            images
        }
        (Err(error), _) => return Err(error.into()),
    })
}

/// The newest known patch of each minor version in the table, the newest minor first.
///
/// # Errors
/// [`SelectError::Table`].
pub fn known() -> std::result::Result<Vec<String>, SelectError> {
    let table: Table = toml::from_str(TABLE).map_err(|error| SelectError::Table(error.to_string()))?;
    Ok(table.minor.iter().rev().map(|minor| format!("{}.{}", minor.version, minor.patch)).collect())
}

/// The table's images and the patch they are for.
fn from_table(table: &Table, version: &Version) -> std::result::Result<(Selection, u32), SelectError> {
    let Some(minor) = table.minor.iter().find(|minor| minor.version == version.minor) else {
        let known: Vec<&str> = table.minor.iter().map(|minor| minor.version.as_str()).collect();
        return Err(SelectError::UnknownMinor { minor: version.minor.clone(), known: known.join(", ") });
    };
    let patch = version.patch.unwrap_or(minor.patch);
    let assumed = patch > minor.patch || !version.pre.is_empty();
    let full = format!("v{}.{patch}{}", version.minor, version.pre);
    let origin = Origin::named(format!("kubeadm {full} (table of {})", table.read));
    let mut selection = Selection::default();
    let image =
        |name: &str, tag: &str| Candidate::sure(format!("{}/{name}:{tag}", table.repository), origin.clone());
    for name in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"] {
        selection.candidates.push(image(name, &full));
    }
    let patch_known = patch.min(minor.patch);
    for (name, tag) in [
        ("coredns/coredns", tag_at(&minor.coredns, patch_known)),
        ("pause", minor.pause.as_str()),
        ("etcd", tag_at(&minor.etcd, patch_known)),
    ] {
        selection.candidates.push(Candidate { assumed, ..image(name, tag) });
    }
    selection.candidates.extend(pauses(table, &version.minor));
    if !table
        .runtime
        .iter()
        .any(|runtime| runtime.name.starts_with("CRI-O") && runtime.applies(&version.minor))
    {
        selection.notes.push(format!(
            "the sandbox image of CRI-O {} is not in the table: see pause_image in its crio.conf and name it too",
            version.minor
        ));
    }
    if assumed {
        selection.notes.push(format!(
            "{full} is newer than the table, which ends with v{}.{}: coredns, pause and etcd are assumed to be as there",
            minor.version, minor.patch
        ));
    }
    if version.patch.is_none() {
        selection.notes.push(format!("{} was taken as {full}, the newest patch known", version.minor));
    }
    selection.notes.extend(why_pauses(&selection));
    selection.notes.push(
        "coredns is coredns/coredns here, but kubeadm looks for REPOSITORY/coredns once imageRepository is set"
            .to_owned(),
    );
    Ok((selection, patch))
}

fn tag_at(entries: &[From], patch: u32) -> &str {
    entries.iter().rev().find(|entry| entry.from <= patch).map_or("", |entry| entry.tag.as_str())
}

/// Every pause image that a runtime for this minor may start pods with, each once.
fn pauses(table: &Table, minor: &str) -> Vec<Candidate> {
    let applies = |runtime: &&Runtime| runtime.applies(minor);
    let tags: BTreeSet<&str> =
        table.runtime.iter().filter(applies).map(|runtime| runtime.pause.as_str()).collect();
    let of = |tag: &&str| {
        let names: Vec<&str> = table
            .runtime
            .iter()
            .filter(applies)
            .filter(|runtime| runtime.pause == **tag)
            .map(|runtime| runtime.name.as_str())
            .collect();
        let note = format!("sandbox image of {}", names.join(", "));
        let origin = Origin::named(note.clone());
        Candidate { note: Some(note), ..Candidate::sure(format!("{}/pause:{tag}", table.repository), origin) }
    };
    tags.iter().map(of).collect()
}

/// Why there is more than one of them, where there is.
fn why_pauses(selection: &Selection) -> Option<String> {
    let name = |candidate: &Candidate| candidate.text.rsplit_once('/').map(|(_, name)| name.to_owned());
    let names: BTreeSet<String> = selection.candidates.iter().filter_map(name).collect();
    let count = names.iter().filter(|name| name.starts_with("pause:")).count();
    (count > 1).then(|| {
        format!(
            "{count} pause images: kubeadm lists one, but containerd and CRI-O start pods with their own, by version; \
             those of runtimes that no node has can go"
        )
    })
}

fn reconcile(mut table: Selection, real: Selection, version: &str) -> Selection {
    let texts = |selection: &Selection| -> BTreeSet<String> {
        selection.candidates.iter().map(|candidate| candidate.text.clone()).collect()
    };
    let (known, actual) = (texts(&table), texts(&real));
    let main = |candidate: &&Candidate| candidate.note.is_none() && !actual.contains(&candidate.text);
    let only_table: Vec<String> = table.candidates.iter().filter(main).map(|c| c.text.clone()).collect();
    let only_real: Vec<String> = actual.difference(&known).cloned().collect();
    if !only_table.is_empty() || !only_real.is_empty() {
        table.notes.push(format!(
            "kubeadm on PATH and the table differ for {version}, both are taken: only kubeadm has [{}], only the table has [{}]",
            only_real.join(", "),
            only_table.join(", ")
        ));
    }
    // What kubeadm itself says is not assumed.
    for candidate in &mut table.candidates {
        candidate.assumed &= !actual.contains(&candidate.text);
    }
    table.candidates.extend(real.candidates.into_iter().filter(|candidate| !known.contains(&candidate.text)));
    table.problems.extend(real.problems);
    table
}

enum Real {
    Absent,
    Failed(String),
    Listed(Selection),
}

/// Asks the kubeadm on PATH. It is killed when it takes too long or the job stops.
async fn run_kubeadm(version: &str, ctx: &JobCtx) -> Result<Real> {
    let mut command = child::program("kubeadm");
    command.args(["config", "images", "list", "--kubernetes-version", version]);
    let output = tokio::select! {
        () = ctx.cancel.cancelled() => { ctx.check()?; return Ok(Real::Absent); }
        done = tokio::time::timeout(PATIENCE, command.output()) => done,
    };
    Ok(match output {
        Err(_) => Real::Failed(format!("it did not answer within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Real::Absent,
        Ok(Err(error)) => Real::Failed(error.to_string()),
        Ok(Ok(output)) if output.status.success() => {
            let name = format!("kubeadm config images list ({version})");
            let selection = super::list::parse(&output.stdout, &name);
            if selection.candidates.is_empty() {
                Real::Failed("it printed no image".to_owned())
            } else {
                Real::Listed(selection)
            }
        }
        Ok(Ok(output)) => {
            let words: String = String::from_utf8_lossy(&output.stderr).chars().take(300).collect();
            Real::Failed(format!("{}: {}", output.status, words.trim()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        toml::from_str(TABLE).unwrap()
    }

    fn listed(version: &str) -> (Selection, u32) {
        from_table(&table(), &Version::parse(version).unwrap()).unwrap()
    }

    fn tag(version: &str, name: &str) -> (String, bool) {
        let prefix = format!("registry.k8s.io/{name}:");
        let (selection, _) = listed(version);
        let found = selection.candidates.iter().find(|c| c.text.starts_with(&prefix)).unwrap();
        (found.text[prefix.len()..].to_owned(), found.assumed)
    }

    #[test]
    fn the_etcd_and_coredns_tags_change_inside_a_minor_line() {
        for (version, etcd, coredns, pause) in [
            ("1.28.0", "3.5.9-0", "v1.10.1", "3.9"),
            ("1.28.5", "3.5.9-0", "v1.10.1", "3.9"),
            ("1.28.6", "3.5.10-0", "v1.10.1", "3.9"),
            ("1.28.13", "3.5.12-0", "v1.10.1", "3.9"),
            ("1.28.15", "3.5.15-0", "v1.10.1", "3.9"),
            ("1.29.2", "3.5.10-0", "v1.11.1", "3.9"),
            ("1.29.11", "3.5.16-0", "v1.11.1", "3.9"),
            ("v1.30.4", "3.5.12-0", "v1.11.1", "3.9"),
            ("v1.30.5", "3.5.15-0", "v1.11.3", "3.9"),
            ("1.31.0", "3.5.15-0", "v1.11.1", "3.10"),
            ("1.31.13", "3.5.15-0", "v1.11.3", "3.10"),
            ("1.31.14", "3.5.24-0", "v1.11.3", "3.10"),
            ("1.32.9", "3.5.16-0", "v1.11.3", "3.10"),
            ("1.33.6", "3.5.24-0", "v1.12.0", "3.10"),
            ("1.34.1", "3.6.4-0", "v1.12.1", "3.10.1"),
            ("1.34.2", "3.6.5-0", "v1.12.1", "3.10.1"),
            ("1.35.7", "3.6.6-0", "v1.13.1", "3.10.1"),
            ("1.36.3", "3.6.8-0", "v1.14.2", "3.10.2"),
        ] {
            assert_eq!(tag(version, "etcd"), (etcd.to_owned(), false), "{version}");
            assert_eq!(tag(version, "coredns/coredns"), (coredns.to_owned(), false), "{version}");
            assert_eq!(tag(version, "pause"), (pause.to_owned(), false), "{version}");
        }
    }

    #[test]
    fn a_patch_beyond_the_table_is_that_of_the_newest_one_and_assumed() {
        assert_eq!(tag("1.31.99", "etcd"), ("3.5.24-0".to_owned(), true));
        assert_eq!(tag("1.36.0-rc.1", "kube-proxy"), ("v1.36.0-rc.1".to_owned(), false));
        assert!(tag("1.36.0-rc.1", "etcd").1);
        let (selection, patch) = listed("1.33");
        assert_eq!(patch, 13);
        assert!(selection.candidates.iter().all(|c| !c.assumed));
        assert!(selection.notes[0].contains("v1.33.13"), "{:?}", selection.notes);
    }

    #[test]
    fn r22_every_pause_image_a_runtime_may_want_is_listed_with_the_runtime() {
        for (version, wanted) in [
            ("1.30.0", vec!["3.10", "3.10.1", "3.10.2", "3.8", "3.9"]),
            ("1.36.3", vec!["3.10", "3.10.1", "3.10.2", "3.8"]),
        ] {
            let (selection, _) = listed(version);
            let found: BTreeSet<&str> = selection
                .candidates
                .iter()
                .filter_map(|c| c.text.strip_prefix("registry.k8s.io/pause:"))
                .collect();
            assert_eq!(found.into_iter().collect::<Vec<_>>(), wanted, "{version}");
        }
        for (version, unknown) in [("1.29.2", true), ("1.30.0", false)] {
            let said =
                listed(version).0.notes.iter().any(|note| note.contains("CRI-O 1.29 is not in the table"));
            assert_eq!(said, unknown, "{version}");
        }
        let (selection, _) = listed("1.36.3");
        let why = selection.notes.iter().find(|note| note.starts_with("4 pause images: kubeadm lists one"));
        assert!(why.is_some(), "{:?}", selection.notes);
        let crio = selection.candidates.iter().find(|c| c.text.ends_with("pause:3.10.1")).unwrap();
        assert_eq!(crio.note.as_deref(), Some("sandbox image of containerd 2.2, CRI-O 1.34 to 1.37"));
    }

    #[test]
    fn every_entry_of_the_table_is_a_reference_and_ranges_ascend() {
        let table = table();
        for minor in &table.minor {
            for entries in [&minor.etcd, &minor.coredns] {
                assert_eq!(entries[0].from, 0, "{}", minor.version);
                assert!(entries.windows(2).all(|pair| pair[0].from < pair[1].from), "{}", minor.version);
                assert!(entries.iter().all(|entry| entry.from <= minor.patch), "{}", minor.version);
            }
            let (selection, _) = listed(&minor.version);
            assert_eq!(selection.into_requests().problems, []);
        }
    }

    #[test]
    fn the_versions_on_offer_are_full_ones_the_newest_first() {
        let known = known().unwrap();
        assert_eq!((known[0].as_str(), known.len()), ("1.36.3", table().minor.len()));
        assert!(known.iter().all(|version| !listed(version).0.candidates[0].assumed), "{known:?}");
    }

    #[test]
    fn a_text_that_is_no_version_and_a_minor_that_is_not_known_are_named() {
        for bad in [
            "",
            "v",
            "1",
            "1.x",
            "1.31.",
            "1.31.2.3",
            "1.31-rc",
            "latest",
            "1.31.2-$(x)",
            "1.31.2-",
            "99999.1",
        ] {
            assert!(Version::parse(bad).is_err(), "{bad:?}");
        }
        let error = from_table(&table(), &Version::parse("1.99.0").unwrap()).unwrap_err().to_string();
        assert!(error.contains("1.99") && error.contains("1.28, 1.29") && error.contains("1.36"), "{error}");
    }

    #[test]
    fn where_kubeadm_and_the_table_differ_both_are_taken_and_it_is_said() {
        let real = super::super::list::parse(
            b"registry.k8s.io/etcd:3.5.15-0\nregistry.k8s.io/pause:3.10\n",
            "kubeadm",
        );
        let merged = reconcile(listed("1.31.14").0, real, "v1.31.14");
        let note = merged.notes.iter().find(|note| note.contains("differ")).unwrap();
        assert!(note.contains("only kubeadm has [registry.k8s.io/etcd:3.5.15-0]"), "{note}");
        for etcd in ["registry.k8s.io/etcd:3.5.15-0", "registry.k8s.io/etcd:3.5.24-0"] {
            assert!(merged.candidates.iter().any(|c| c.text == etcd));
        }
        let agreed = reconcile(listed("1.31.99").0, listed("1.31.99").0, "v1.31.99");
        assert!(agreed.candidates.iter().all(|c| !c.assumed));
    }
}
