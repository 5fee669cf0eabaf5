//! Reads a kubelet's configuration as far as it matters to imported images (KubeletConfiguration, kubelet.config.k8s.io/v1beta1).

use saphyr_parser::{Event, Parser};

use super::Reader;
use crate::domain::node::Kubelet;

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
        let endpoint = flags
            .split(|c: char| c.is_whitespace() || c == '"')
            .find_map(|flag| flag.strip_prefix("--container-runtime-endpoint="));
        kubelet.endpoint = endpoint.map(str::to_owned).or(kubelet.endpoint);
    }
    (!kubelet.config.is_empty()).then_some(kubelet)
}

/// Takes over the top-level scalars of a document. YAML is read by its events, so that nothing in it is expanded.
fn apply(text: &str, kubelet: &mut Kubelet) -> Result<(), String> {
    let (mut depth, mut key) = (0, None);
    for event in Parser::new_from_str(text) {
        match event.map_err(|error| error.info().to_owned())?.0 {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                depth += 1;
                key = None;
            }
            Event::MappingEnd | Event::SequenceEnd => depth -= 1,
            Event::Scalar(value, ..) if depth == 1 => match key.take() {
                None => key = Some(value.into_owned()),
                Some(key) => set(&key, &value, kubelet),
            },
            _ => {}
        }
    }
    Ok(())
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
