//! How the workstation was asked to start: what the command line says about it, before any file is read.

use std::path::PathBuf;

use crate::domain::access::RegistryOptions;

/// The flags that concern the workstation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A theme's name, or its file.
    pub theme: Option<String>,
    /// ASCII alone.
    pub ascii: bool,
    /// Colours: always, never, or as the terminal has them.
    pub color: Option<bool>,
    /// The configuration file, instead of the usual one.
    pub config: Option<PathBuf>,
    /// Numbered prompts on plain lines instead of screens.
    pub plain: bool,
    /// How registries are reached, where it is said here.
    pub registry: RegistryOptions,
}
