//! The options that say how registries are reached, for every command that reaches any and for the workstation.

use std::path::PathBuf;

use clap::Args;

use crate::engine::registry::RegistryOptions;

/// How registries are reached.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Registry access")]
pub struct RegistryArgs {
    /// Speak plain HTTP to this host (loopback falls back by itself)
    #[arg(long, value_name = "HOST[:PORT]")]
    pub plain_http: Vec<String>,
    /// Do not verify the TLS certificate of this host
    #[arg(long, value_name = "HOST[:PORT]")]
    pub insecure: Vec<String>,
    /// Trust the certificate authorities in this PEM file too
    #[arg(long, value_name = "FILE")]
    pub ca: Vec<PathBuf>,
    /// Read credentials from this file instead of the usual ones
    #[arg(long, value_name = "FILE")]
    pub authfile: Option<PathBuf>,
}

impl RegistryArgs {
    /// As the engine takes it.
    pub fn options(&self) -> RegistryOptions {
        RegistryOptions {
            plain_http: self.plain_http.clone(),
            insecure: self.insecure.clone(),
            ca: self.ca.clone(),
            authfile: self.authfile.clone(),
        }
    }
}

impl From<RegistryOptions> for RegistryArgs {
    fn from(options: RegistryOptions) -> Self {
        let RegistryOptions { plain_http, insecure, ca, authfile } = options;
        Self { plain_http, insecure, ca, authfile }
    }
}
