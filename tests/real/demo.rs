//! The demonstration does what it says, keeps what it was told to keep and nothing else.

use std::process::Command;

use crate::rig::{TempRoot, need};

#[test]
fn everything_holds_and_nothing_is_left_behind() {
    let root = TempRoot::new();
    let run = root.airlift().args(["demo", "--fast"]).assert().success();
    let words = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    for step in ["resolve", "pack", "verify", "import", "serve and pull", "damage", "distrust"] {
        assert!(words.contains(&format!("ok  {step} ")), "{step} is not in {words}");
    }
    assert_eq!(std::fs::read_dir(root.join("tmp")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(root.join("home")).unwrap().count(), 0);
}

#[test]
fn a_kept_bundle_is_read_by_stock_tools() {
    let Some(skopeo) = need("skopeo") else { return };
    let root = TempRoot::new();
    let kept = root.join("kept");
    root.airlift().args(["demo", "--fast", "--keep"]).arg(&kept).assert().success();
    let bundle = std::fs::read_dir(kept.join("medium")).unwrap().map(|entry| entry.unwrap().path());
    let bundle = bundle.into_iter().find(|path| path.join("oci-layout").exists()).unwrap();
    let index = std::fs::read(bundle.join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let name = index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap();
    let read = Command::new(skopeo)
        .args(["inspect", "--raw"])
        .arg(format!("oci:{}:{name}", bundle.display()))
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    // A second run does not take over what the first one left.
    root.airlift().args(["demo", "--fast", "--keep"]).arg(&kept).assert().code(2);
}
