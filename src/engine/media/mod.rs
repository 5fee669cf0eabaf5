//! Media: which devices there are and what lies on them, whether they keep what is written, and how they are let go.

mod bundles;
mod busy;
pub mod check;
pub mod eject;
mod error;
pub mod find;
mod flush;
mod holder;
mod marks;
mod mount;
pub(crate) mod mounts;
mod room;
mod superblock;
mod sysfs;
mod udev;
mod udisks;
mod watch;

pub use check::{CheckReport, CheckSpec, check};
pub use eject::{EjectReport, EjectSpec, Truth, eject};
pub use error::{MediaError, around, expect};
pub use find::{Host, ListSpec, MediaReport, Place, is_on_medium, list, place_of, removable};
pub use flush::flush;
pub use holder::Holder;
pub use mount::{MountReport, MountSpec, mount};
pub use room::{Mounted, room};
pub use watch::Watch;
