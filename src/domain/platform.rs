//! Platforms (OCI image index, `platform`) and how a filter matches them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system, a CPU architecture and, for ARM, a variant, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, `windows` …
    pub os: String,
    /// `amd64`, `arm64` …
    pub architecture: String,
    /// `v7`, `v8` …; absent where the architecture has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Why a text is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a platform: expected OS/ARCH or OS/ARCH/VARIANT, as in linux/amd64 or linux/arm/v7")]
pub struct PlatformError {
    /// The text as given.
    pub text: String,
}

impl Platform {
    /// Whether an image for `other` is wanted when this one is asked for; `arm64` and `arm64/v8` are one.
    pub fn accepts(&self, other: &Self) -> bool {
        self.os == other.os
            && self.architecture == other.architecture
            && (self.variant.is_none() || self.normal_variant() == other.normal_variant())
    }

    /// Whether it is the same, however it is written: `arm64/v8` is `arm64`, `arm` is `arm/v7`, `amd64/v1` is `amd64`.
    pub fn is(&self, other: &Self) -> bool {
        (&self.os, &self.architecture) == (&other.os, &other.architecture)
            && self.normal_variant() == other.normal_variant()
    }

    /// The platform this program was built for, which is the node's when it runs there.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        Self { os: std::env::consts::OS.to_owned(), architecture: architecture.to_owned(), variant: None }
    }

    fn normal_variant(&self) -> Option<&str> {
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("arm64", None | Some("v8")) => None,
            ("arm", None) => Some("v7"),
            ("amd64", Some("v1")) => None,
            (_, variant) => variant,
        }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let refuse = || PlatformError { text: text.chars().take(80).collect() };
        let word = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let parts: Vec<&str> = text.split('/').collect();
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(|part| word(part)) {
            return Err(refuse());
        }
        Ok(Self {
            os: parts[0].to_ascii_lowercase(),
            architecture: match parts[1].to_ascii_lowercase().as_str() {
                "x86_64" => "amd64".to_owned(),
                "aarch64" => "arm64".to_owned(),
                other => other.to_owned(),
            },
            variant: parts.get(2).map(|v| v.to_ascii_lowercase()),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn a_filter_without_variant_takes_every_variant_and_arm64_is_v8() {
        for (filter, image, wanted) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/arm64", false),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm", "linux/arm/v6", true),
            ("linux/arm/v7", "linux/arm/v6", false),
            ("linux/arm/v7", "linux/arm", true),
            ("windows/amd64", "linux/amd64", false),
            ("linux/x86_64", "linux/amd64", true),
        ] {
            assert_eq!(platform(filter).accepts(&platform(image)), wanted, "{filter} {image}");
        }
    }

    #[test]
    fn a_text_of_another_shape_is_refused() {
        for bad in ["", "linux", "linux/", "linux/amd64/v1/x", "linux/am d64", "../x"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad:?}");
        }
    }
}
