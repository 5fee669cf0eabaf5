//! Files of a node and additions to its units, written for the tools that configure nodes: Butane, Ignition, a MachineConfig.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// The specification that these are written for: Ignition 3.2.0, which Butane 1.2.0 is translated into and every
/// OpenShift from 4.7 reads.
const IGNITION: &str = "3.2.0";
const BUTANE: &str = "1.2.0";

/// A file of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFile {
    /// Its absolute path on the node.
    pub path: String,
    /// All of it.
    pub contents: String,
}

/// An addition to a systemd unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitDropIn {
    /// The unit, as `crio.service`.
    pub unit: String,
    /// The file's name, as `50-images.conf`.
    pub name: String,
    /// All of it.
    pub contents: String,
}

/// What a node gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFiles {
    /// Files, which replace what is there.
    pub files: Vec<NodeFile>,
    /// Additions to units.
    pub drop_ins: Vec<UnitDropIn>,
}

impl NodeFiles {
    /// As a Butane configuration for Fedora CoreOS.
    pub fn butane(&self) -> String {
        let mut text = format!("variant: fcos\nversion: {BUTANE}\n");
        let block = |text: &mut String, indent: usize, contents: &str| {
            for line in contents.lines() {
                let line = if line.is_empty() { String::new() } else { format!("{:indent$}{line}", "") };
                // Writing to a string does not fail.
                let _ = writeln!(text, "{line}");
            }
        };
        if !self.files.is_empty() {
            text += "storage:\n  files:\n";
        }
        for file in &self.files {
            let _ = write!(
                text,
                "    - path: {}\n      mode: 0644\n      overwrite: true\n      contents:\n        inline: |\n",
                json!(file.path)
            );
            block(&mut text, 10, &file.contents);
        }
        if !self.drop_ins.is_empty() {
            text += "systemd:\n  units:\n";
        }
        for drop_in in &self.drop_ins {
            let _ = write!(
                text,
                "    - name: {}\n      dropins:\n        - name: {}\n          contents: |\n",
                json!(drop_in.unit),
                json!(drop_in.name)
            );
            block(&mut text, 12, &drop_in.contents);
        }
        text
    }

    /// As an Ignition configuration; a file's text goes in as `encoded`, its base64.
    pub fn ignition(&self, encoded: impl Fn(&str) -> String) -> Value {
        let file = |file: &NodeFile| {
            let source = format!("data:text/plain;charset=utf-8;base64,{}", encoded(&file.contents));
            json!({ "path": file.path, "mode": 0o644, "overwrite": true, "contents": { "source": source } })
        };
        let unit = |drop_in: &UnitDropIn| json!({ "name": drop_in.unit, "dropins": [{ "name": drop_in.name, "contents": drop_in.contents }] });
        json!({
            "ignition": { "version": IGNITION },
            "storage": { "files": self.files.iter().map(file).collect::<Vec<_>>() },
            "systemd": { "units": self.drop_ins.iter().map(unit).collect::<Vec<_>>() },
        })
    }

    /// As a MachineConfig of OpenShift for a pool, `worker` or `master`; JSON, which is YAML.
    pub fn machine_config(&self, name: &str, pool: &str, encoded: impl Fn(&str) -> String) -> Value {
        json!({
            "apiVersion": "machineconfiguration.openshift.io/v1",
            "kind": "MachineConfig",
            "metadata": { "name": name, "labels": { "machineconfiguration.openshift.io/role": pool } },
            "spec": { "config": self.ignition(encoded) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> NodeFiles {
        NodeFiles {
            files: vec![NodeFile {
                path: "/etc/containers/storage.conf".to_owned(),
                contents: "[storage]\n\ndriver = \"overlay\"\n".to_owned(),
            }],
            drop_ins: vec![UnitDropIn {
                unit: "crio.service".to_owned(),
                name: "50-images.conf".to_owned(),
                contents: "[Unit]\nRequiresMountsFor=/var/images\n".to_owned(),
            }],
        }
    }

    #[test]
    fn butane_has_every_line_where_it_belongs() {
        insta::assert_snapshot!(files().butane(), @r#"
        variant: fcos
        version: 1.2.0
        storage:
          files:
            - path: "/etc/containers/storage.conf"
              mode: 0644
              overwrite: true
              contents:
                inline: |
                  [storage]

                  driver = "overlay"
        systemd:
          units:
            - name: "crio.service"
              dropins:
                - name: "50-images.conf"
                  contents: |
                    [Unit]
                    RequiresMountsFor=/var/images
        "#);
    }

    #[test]
    fn ignition_and_machine_config_carry_the_same() {
        let encoded = |text: &str| text.len().to_string();
        let ignition = files().ignition(encoded);
        assert_eq!(ignition["storage"]["files"][0]["mode"], 420);
        assert_eq!(
            ignition["storage"]["files"][0]["contents"]["source"],
            "data:text/plain;charset=utf-8;base64,30"
        );
        assert_eq!(ignition["systemd"]["units"][0]["dropins"][0]["name"], "50-images.conf");
        let config = files().machine_config("99-worker-images", "worker", encoded);
        assert_eq!(config["spec"]["config"], ignition);
        assert_eq!(config["metadata"]["labels"]["machineconfiguration.openshift.io/role"], "worker");
    }
}
