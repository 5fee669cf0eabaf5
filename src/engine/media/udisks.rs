//! udisks2 over the system bus, where it is there: mounts, unmounts and powers off for those who are not root.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant};

const SERVICE: &str = "org.freedesktop.UDisks2";
const BLOCK: &str = "org.freedesktop.UDisks2.Block";
const FILE_SYSTEM: &str = "org.freedesktop.UDisks2.Filesystem";
const DRIVE: &str = "org.freedesktop.UDisks2.Drive";
/// A bus answers at once or never.
const CONNECT: Duration = Duration::from_secs(3);
/// Unmounting waits for a slow stick to take what memory still holds.
const WORK: Duration = Duration::from_secs(600);

/// A connection to a udisks2 that is there.
pub(super) struct Udisks(Connection);

/// What was done to a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It has no power any more.
    PoweredOff,
    /// It let its medium go, and has power.
    Ejected,
    /// It can do neither.
    Neither,
}

impl Done {
    /// What a drive is asked for: no power, where it can do without; else to let its medium go.
    const fn of(can_power_off: bool, ejectable: bool) -> Self {
        match (can_power_off, ejectable) {
            (true, _) => Self::PoweredOff,
            (false, true) => Self::Ejected,
            (false, false) => Self::Neither,
        }
    }

    const fn method(self) -> Option<&'static str> {
        match self {
            Self::PoweredOff => Some("PowerOff"),
            Self::Ejected => Some("Eject"),
            Self::Neither => None,
        }
    }
}

/// Why a call failed, in words.
pub(super) type Reason = String;

impl Udisks {
    /// Nothing where there is no system bus, or no udisks2 on it.
    pub(super) async fn connect() -> Option<Self> {
        let connection = tokio::time::timeout(CONNECT, Connection::system()).await.ok()?.ok()?;
        let bus = "org.freedesktop.DBus";
        for method in ["ListNames", "ListActivatableNames"] {
            let asked = connection.call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), method, &());
            let names: Vec<String> =
                tokio::time::timeout(CONNECT, asked).await.ok()?.ok()?.body().deserialize().ok()?;
            if names.iter().any(|name| name == SERVICE) {
                return Some(Self(connection));
            }
        }
        None
    }

    /// Mounts a device where udisks2 puts it; gives the place.
    pub(super) async fn mount(&self, device: &Path) -> Result<String, Reason> {
        let reply = self.call(&object(device)?, FILE_SYSTEM, "Mount", &(options(),)).await?;
        reply.body().deserialize().map_err(|error| error.to_string())
    }

    /// Unmounts a device; fails where files on it are in use.
    pub(super) async fn unmount(&self, device: &Path) -> Result<(), Reason> {
        self.call(&object(device)?, FILE_SYSTEM, "Unmount", &(options(),)).await.map(drop)
    }

    /// Cuts the power of the drive that a device is of, or ejects its medium.
    pub(super) async fn power_off(&self, device: &Path) -> Result<Done, Reason> {
        let drive: OwnedObjectPath = self.property(&object(device)?, BLOCK, "Drive").await?;
        if drive.as_str() == "/" {
            return Ok(Done::Neither);
        }
        let can_power_off = self.property(drive.as_str(), DRIVE, "CanPowerOff").await?;
        let ejectable = self.property(drive.as_str(), DRIVE, "Ejectable").await?;
        let done = Done::of(can_power_off, ejectable);
        if let Some(method) = done.method() {
            self.call(drive.as_str(), DRIVE, method, &(options(),)).await?;
        }
        Ok(done)
    }

    async fn property<T>(&self, object: &str, interface: &str, name: &str) -> Result<T, Reason>
    where
        T: TryFrom<OwnedVariant>,
    {
        let reply = self.call(object, "org.freedesktop.DBus.Properties", "Get", &(interface, name)).await?;
        let value: OwnedVariant = reply.body().deserialize().map_err(|error| error.to_string())?;
        T::try_from(value).map_err(|_| format!("{interface}.{name} is of another type"))
    }

    async fn call<B>(
        &self,
        object: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<zbus::Message, Reason>
    where
        B: serde::Serialize + zbus::DynamicType + Sync,
    {
        let call = self.0.call_method(Some(SERVICE), object, Some(interface), method, body);
        match tokio::time::timeout(WORK, call).await {
            Err(_) => Err(format!("{method} took longer than {} s", WORK.as_secs())),
            Ok(Err(zbus::Error::MethodError(name, words, _))) => {
                Err(words.unwrap_or_else(|| name.as_str().to_owned()))
            }
            Ok(other) => other.map_err(|error| error.to_string()),
        }
    }
}

fn options() -> HashMap<&'static str, Variant<'static>> {
    // No questions to a person: there may be none at this terminal.
    HashMap::from([("auth.no_user_interaction", Variant::from(true))])
}

/// Object of a device: what is no letter or digit in its name is written in hexadecimal (udisks2, "Object paths").
fn object(device: &Path) -> Result<String, Reason> {
    let name = device.strip_prefix("/dev").ok().and_then(Path::to_str);
    let name = name.ok_or_else(|| format!("{} is no device", device.display()))?;
    let mut object = String::from("/org/freedesktop/UDisks2/block_devices/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() {
            object.push(byte.into());
        } else {
            object.push_str(&format!("_{byte:02x}"));
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_is_said_to_be_off_only_where_its_power_was_cut() {
        for (can_power_off, ejectable, method, done) in [
            (true, true, Some("PowerOff"), Done::PoweredOff),
            (true, false, Some("PowerOff"), Done::PoweredOff),
            // As a card reader.
            (false, true, Some("Eject"), Done::Ejected),
            (false, false, None, Done::Neither),
        ] {
            let found = Done::of(can_power_off, ejectable);
            assert_eq!((found, found.method()), (done, method));
        }
    }

    #[test]
    fn a_device_has_its_object() {
        let of = |device: &str| object(Path::new(device));
        assert_eq!(of("/dev/sdb1").unwrap(), "/org/freedesktop/UDisks2/block_devices/sdb1");
        assert_eq!(of("/dev/mapper/a-b").unwrap(), "/org/freedesktop/UDisks2/block_devices/mapper_2fa_2db");
        assert!(of("/mnt/stick").is_err());
    }
}
