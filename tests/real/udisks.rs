//! A real udisks2 on a bus of its own, in a mount name space of its own: mounting and letting go through it.

use std::process::Command;

use serde_json::Value;

use crate::rig::{TempRoot, need, need_root, skip};

/// The daemons and the medium; everything ends with the name space and the processes started here.
///
/// No udev runs here: what it would tell udisks2 of the medium is written where it would write it.
const SCRIPT: &str = r#"
set -eu
cd "$1"; airlift=$2; udisksd=$3
mount -t tmpfs tmpfs /run; mkdir -p /run/udev/data /run/udisks2
mount -t tmpfs tmpfs /media
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$1/bus
dbus-daemon --config-file=bus.conf --nofork --nopidfile 2>bus.log & bus=$!
truncate -s 64M image; mkfs.ext4 -q -F image
device=$(losetup --find --show image); name=${device#/dev/}
trap 'kill $bus ${disks-} 2>/dev/null || true; umount "$device" 2>/dev/null || true; losetup -d "$device" || true' EXIT
printf 'E:ID_FS_USAGE=filesystem\nE:ID_FS_TYPE=ext4\n' >"/run/udev/data/b$(cat "/sys/block/$name/dev")"
for try in $(seq 100); do [ ! -S bus ] || break; sleep 0.1; done
"$udisksd" >disks.log 2>&1 & disks=$!
for try in $(seq 100); do udisksctl info -b "$device" >/dev/null 2>&1 && break; sleep 0.1; done
"$airlift" media mount --json "$device" >mount.json
point=$(findmnt -n -o TARGET --source "$device"); echo "$point" >point
"$airlift" media list --json "$point" >list.json
exec 9<"$point"
"$airlift" media mount --unmount --json "$device" >busy.json || echo $? >busy.code
exec 9<&-
"$airlift" media eject --json "$device" >eject.json
if findmnt -n --source "$device"; then exit 9; fi
[ ! -e "$point" ] || echo left >left
"#;

const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=BUS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_type="method_call"/> <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/> <allow receive_type="method_call"/>
    <allow receive_type="method_return"/> <allow receive_type="error"/> <allow receive_type="signal"/>
  </policy>
</busconfig>
"#;

#[test]
fn udisks_mounts_a_medium_and_lets_it_go() {
    const DAEMON: &str = "/usr/libexec/udisks2/udisksd";
    for program in ["udisksctl", "dbus-daemon", "mkfs.ext4", "losetup", "findmnt"] {
        if need(program).is_none() {
            return;
        }
    }
    let Some(unshare) = need("unshare").filter(|_| need_root()) else { return };
    if !std::path::Path::new("/dev/loop-control").exists() {
        return skip("loop");
    }
    let root = TempRoot::new();
    root.write("bus.conf", BUS.replace("BUS", root.join("bus").to_str().unwrap()));
    let mut command = Command::new(unshare);
    command.args(["-m", "bash", "-c", SCRIPT, "udisks"]).arg(root.path());
    command.args([env!("CARGO_BIN_EXE_airlift"), DAEMON]).env("HOME", root.join("home"));
    let output = command.output().unwrap();
    let log = std::fs::read_to_string(root.join("disks.log")).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{log}");

    let result = |name: &str| -> Value {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    };
    let point = std::fs::read_to_string(root.join("point")).unwrap();
    let point = Value::from(point.trim());
    assert_eq!(result("mount.json")["report"]["mountPoint"], point);
    assert_eq!(result("list.json")["report"]["medium"]["volumes"][0]["mountPoints"][0], point);
    assert_eq!(std::fs::read_to_string(root.join("busy.code")).unwrap().trim(), "13");
    assert!(
        result("busy.json")["message"].as_str().unwrap().contains("bash (process "),
        "{}",
        result("busy.json")
    );
    let eject = &result("eject.json")["report"];
    assert_eq!((&eject["synced"]["holds"], &eject["unmounted"][0]), (&Value::from(true), &point));
    let words = eject["poweredOff"]["words"].as_str().unwrap();
    assert!(words.contains("cannot be powered off"), "a loop device has no power of its own: {words}");
    assert!(!root.join("left").exists(), "udisks2 removed the directory that it made");
}
