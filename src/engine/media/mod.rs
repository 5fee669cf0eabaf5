//! Media: which devices there are and what lies on them. Nothing here changes what is on a medium.

mod bundles;
pub mod find;
pub(crate) mod mounts;
mod superblock;
mod sysfs;
mod udev;

pub use find::{Host, ListSpec, MediaReport, Place, list, place_of};
