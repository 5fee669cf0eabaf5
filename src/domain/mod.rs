//! Pure types and rules: no runtime, file system, network, terminal or logging in here.

pub mod bundle;
pub mod carrier;
pub mod diff;
pub mod digest;
pub mod expiry;
pub mod import;
pub mod job;
pub mod k3s;
pub mod lint;
pub mod lock;
pub mod manifest;
pub mod media;
pub mod media_type;
pub mod plan;
pub mod platform;
pub mod probe;
pub mod progress;
pub mod reference;
pub mod resolved;
pub mod selection;
pub mod sheet;
pub mod shell;
pub mod strict_json;
pub mod text;
pub mod trust;
pub mod view;
