//! What a runtime's own configuration says about images: where they are kept, the sandbox image, additional stores.

use std::path::PathBuf;

use toml::{Table, Value};

use super::Reader;
use crate::domain::node::RuntimeKind;

/// As far as it matters here; defaults are those of the runtimes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    /// The file that was read.
    pub(super) file: Option<PathBuf>,
    /// Where images are kept, as the runtime sees it.
    pub(super) root: PathBuf,
    /// The sandbox image.
    pub(super) sandbox: Option<String>,
    /// Additional image stores.
    pub(super) stores: Vec<PathBuf>,
}

impl Config {
    /// Reads what a runtime of that kind would.
    pub(super) fn read(reader: &mut Reader<'_>, kind: RuntimeKind) -> Self {
        match kind {
            RuntimeKind::Containerd => {
                containerd(reader, "etc/containerd/config.toml", "/var/lib/containerd")
            }
            RuntimeKind::K3s => rancher(reader, "k3s"),
            RuntimeKind::Rke2 => rancher(reader, "rke2"),
            RuntimeKind::CriO => crio(reader),
            RuntimeKind::Podman => storage(reader),
            RuntimeKind::Docker => docker(reader),
        }
    }
}

/// containerd, configuration versions 1 to 4; the sandbox image has another place from version 3 on.
fn containerd(reader: &mut Reader<'_>, path: &str, root: &str) -> Config {
    let mut config = Config { root: root.into(), ..Config::default() };
    let Some(table) = reader.toml(path) else { return config };
    config.file = Some(reader.shown(path));
    let mut tables = vec![table];
    let imports = tables.first().and_then(|table| strings(table.get("imports"))).unwrap_or_default();
    let imported: Vec<String> = imports.iter().flat_map(|import| imported(reader, import)).collect();
    for path in imported {
        tables.extend(reader.toml(&path));
    }
    for table in &tables {
        let root = table.get("root").and_then(Value::as_str).filter(|root| !root.is_empty());
        config.root = root.map_or(config.root, PathBuf::from);
        let sandbox = text(table, &["plugins", "io.containerd.cri.v1.images", "pinned_images", "sandbox"])
            .or_else(|| text(table, &["plugins", "io.containerd.grpc.v1.cri", "sandbox_image"]))
            .or_else(|| text(table, &["plugins", "cri", "sandbox_image"]));
        config.sandbox = sandbox.or(config.sandbox);
    }
    config
}

/// The files that one line of `imports` names: a path, or a pattern with `*` in its last part alone.
fn imported(reader: &Reader<'_>, import: &str) -> Vec<String> {
    match import.rsplit_once('/') {
        Some((directory, pattern)) if pattern.starts_with('*') => {
            reader.drop_ins(directory, pattern.trim_start_matches('*'))
        }
        _ => vec![import.to_owned()],
    }
}

/// k3s and RKE2 write containerd's configuration at each start.
fn rancher(reader: &mut Reader<'_>, name: &str) -> Config {
    let data = format!("/var/lib/rancher/{name}/agent");
    containerd(reader, &format!("{data}/etc/containerd/config.toml"), &format!("{data}/containerd"))
}

/// CRI-O: `crio.conf`, then its drop-ins, a later value in place of an earlier one; storage is that of `storage.conf`
/// unless it says otherwise (crio.conf(5)).
fn crio(reader: &mut Reader<'_>) -> Config {
    let mut config = storage(reader);
    config.file = None;
    let mut paths = vec!["etc/crio/crio.conf".to_owned()];
    paths.extend(reader.drop_ins("etc/crio/crio.conf.d", ""));
    for path in paths {
        let Some(table) = reader.toml(&path) else { continue };
        config.file = Some(reader.shown(&path));
        config.root = text(&table, &["crio", "root"]).map_or(config.root, PathBuf::from);
        config.sandbox = text(&table, &["crio", "image", "pause_image"]).or(config.sandbox);
        let options = at(&table, &["crio", "storage_option"]).and_then(|value| strings(Some(value)));
        let stores = options.unwrap_or_default().into_iter().filter_map(|option| {
            let (key, value) = option.split_once('=')?;
            key.ends_with("imagestore").then(|| PathBuf::from(value))
        });
        config.stores.extend(stores);
    }
    config
}

/// containers-storage.conf(5): one file, the first that is there.
fn storage(reader: &mut Reader<'_>) -> Config {
    let mut config = Config { root: "/var/lib/containers/storage".into(), ..Config::default() };
    for path in ["etc/containers/storage.conf", "usr/share/containers/storage.conf"] {
        let Some(table) = reader.toml(path) else { continue };
        config.file = Some(reader.shown(path));
        config.root = text(&table, &["storage", "graphroot"]).map_or(config.root, PathBuf::from);
        let stores = at(&table, &["storage", "options", "additionalimagestores"]);
        let stores = stores.and_then(|value| strings(Some(value)));
        config.stores = stores.unwrap_or_default().into_iter().map(PathBuf::from).collect();
        break;
    }
    config
}

fn docker(reader: &mut Reader<'_>) -> Config {
    let path = "etc/docker/daemon.json";
    let mut config = Config { root: "/var/lib/docker".into(), ..Config::default() };
    let Some(json) = reader.text(path) else { return config };
    config.file = Some(reader.shown(path));
    match serde_json::from_str::<serde_json::Value>(&json) {
        Ok(value) => {
            config.root = value["data-root"].as_str().map_or(config.root, PathBuf::from);
        }
        Err(error) => {
            let path = reader.shown(path);
            reader.problem::<()>(&path, &error.to_string());
        }
    }
    config
}

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

fn text(table: &Table, path: &[&str]) -> Option<String> {
    at(table, path)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    let list = value?.as_array()?;
    Some(list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
}
