//! Reads a kubelet's configuration as far as it matters to imported images (KubeletConfiguration, kubelet.config.k8s.io/v1beta1).

use super::Reader;
use crate::domain::node::Kubelet;
use crate::engine::yaml::values;

/// Where kubeadm, OpenShift, k3s and RKE2 keep it; the first that is there counts.
const FILES: &[&str] =
    &["var/lib/kubelet/config.yaml", "etc/kubernetes/kubelet.conf", "etc/kubernetes/kubelet-config.yaml"];
/// Directories of drop-ins, which apply on top (`--config-dir`).
const DROP_INS: &[&str] = &[
    "etc/kubernetes/kubelet.conf.d",
    "var/lib/rancher/k3s/agent/etc/kubelet.conf.d",
    "var/lib/rancher/rke2/agent/etc/kubelet.conf.d",
];
/// Flags that kubeadm hands over besides.
const FLAGS: &str = "var/lib/kubelet/kubeadm-flags.env";
/// Where k3s and RKE2 are configured, and so their kubelets.
const RANCHER: &[&str] = &["etc/rancher/k3s", "etc/rancher/rke2"];

/// Reads it; nothing where there is none.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Kubelet> {
    let mut kubelet = Kubelet::default();
    let main = FILES.iter().find_map(|path| {
        // A kubeconfig has the same name on some distributions.
        let text = reader.text(path).filter(|text| text.contains("KubeletConfiguration"))?;
        Some(((*path).to_owned(), text))
    });
    let mut read: Vec<(String, String)> = main.into_iter().collect();
    let drop_ins: Vec<String> =
        DROP_INS.iter().flat_map(|directory| reader.drop_ins(directory, ".conf")).collect();
    for path in drop_ins {
        read.extend(reader.text(&path).map(|text| (path, text)));
    }
    for (path, text) in read {
        kubelet.config.push(reader.shown(&path));
        if let Err(reason) = apply(&text, &mut kubelet) {
            let path = reader.shown(&path);
            reader.problem::<()>(&path, &reason);
        }
    }
    if let Some(flags) = reader.text(FLAGS) {
        kubelet.config.push(reader.shown(FLAGS));
        flags.split(|c: char| c.is_whitespace() || c == '"').for_each(|one| flag(one, &mut kubelet));
    }
    RANCHER.iter().for_each(|configuration| handed_over(reader, configuration, &mut kubelet));
    (!kubelet.config.is_empty()).then_some(kubelet)
}

/// Takes over the top-level scalars of a document.
fn apply(text: &str, kubelet: &mut Kubelet) -> Result<(), String> {
    for (keys, value) in values(text)? {
        if let [key] = keys.as_slice() {
            set(key, &value, kubelet);
        }
    }
    Ok(())
}

/// What k3s or RKE2 hands over to its kubelet as flags: its `config.yaml` and drop-ins, each of which replaces the list
/// unless its key ends with a plus.
fn handed_over(reader: &mut Reader<'_>, configuration: &str, kubelet: &mut Kubelet) {
    let mut paths = reader.drop_ins(&format!("{configuration}/config.yaml.d"), "");
    paths.retain(|path| path.ends_with(".yaml") || path.ends_with(".yml"));
    paths.insert(0, format!("{configuration}/config.yaml"));
    let mut flags: Vec<String> = Vec::new();
    for path in paths {
        let Some(text) = reader.text(&path) else { continue };
        let shown = reader.shown(&path);
        let found = match values(&text) {
            Ok(found) => found,
            Err(reason) => {
                reader.problem::<()>(&shown, &reason);
                continue;
            }
        };
        let of = |key: &str| {
            let own = found.iter().filter(|(keys, _)| keys == &[key]).map(|(_, value)| value.clone());
            own.collect::<Vec<_>>()
        };
        let (replaced, added) = (of("kubelet-arg"), of("kubelet-arg+"));
        if !replaced.is_empty() {
            flags = replaced;
        } else if added.is_empty() {
            continue;
        }
        flags.extend(added);
        kubelet.config.push(shown);
    }
    flags.iter().for_each(|one| flag(one, kubelet));
}

/// Takes over a flag, as in `--name=value`; k3s leaves out the dashes.
fn flag(text: &str, kubelet: &mut Kubelet) {
    let Some((name, value)) = text.trim_start_matches('-').split_once('=') else { return };
    let key = match name {
        "image-gc-high-threshold" => "imageGCHighThresholdPercent",
        "image-gc-low-threshold" => "imageGCLowThresholdPercent",
        "minimum-image-ttl-duration" => "imageMinimumGCAge",
        "container-runtime-endpoint" => "containerRuntimeEndpoint",
        _ => return,
    };
    set(key, value, kubelet);
}

fn set(key: &str, value: &str, kubelet: &mut Kubelet) {
    let percent = |old: u8| value.parse::<u8>().ok().filter(|percent| *percent <= 100).unwrap_or(old);
    match key {
        "imageGCHighThresholdPercent" => kubelet.gc_high = percent(kubelet.gc_high),
        "imageGCLowThresholdPercent" => kubelet.gc_low = percent(kubelet.gc_low),
        "imageMinimumGCAge" => value.clone_into(&mut kubelet.gc_minimum_age),
        "imageMaximumGCAge" => value.clone_into(&mut kubelet.gc_maximum_age),
        "imagePullCredentialsVerificationPolicy" => value.clone_into(&mut kubelet.verification),
        "containerRuntimeEndpoint" if !value.is_empty() => kubelet.endpoint = Some(value.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kubeadm_node_says_is_taken_over_and_its_zero_ages_are_kept() {
        let text = "apiVersion: kubelet.config.k8s.io/v1beta1\nauthentication:\n  anonymous:\n    enabled: false\n\
                    containerRuntimeEndpoint: unix:///var/run/crio/crio.sock\nimageMaximumGCAge: 0s\n\
                    imageGCHighThresholdPercent: 70\nimageGCLowThresholdPercent: 300\nkind: KubeletConfiguration\n\
                    clusterDNS:\n- 10.96.0.10\nimagePullCredentialsVerificationPolicy: AlwaysVerify\n";
        let mut kubelet = Kubelet::default();
        apply(text, &mut kubelet).unwrap();
        assert_eq!((kubelet.gc_high, kubelet.gc_low), (70, 80), "what is no percentage changes nothing");
        assert_eq!(kubelet.socket().unwrap().to_str(), Some("/var/run/crio/crio.sock"));
        let warnings = kubelet.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("AlwaysVerify"));
        apply("imageMaximumGCAge: 168h\n", &mut kubelet).unwrap();
        assert!(kubelet.warnings()[0].contains("168h"));
    }

    #[test]
    fn a_nested_key_of_the_same_name_is_not_the_kubelets() {
        let mut kubelet = Kubelet::default();
        apply("logging:\n  imageGCHighThresholdPercent: 5\nx:\n- imageMaximumGCAge: 1h\n", &mut kubelet)
            .unwrap();
        assert_eq!(kubelet, Kubelet::default());
    }
}
