//! The images of the demonstration: a plain one with this program in it, one for two platforms, one tagged `latest`.

use std::path::{Path, PathBuf};

use super::layer::{Content, LayerSpec};
use super::sample::{ImageSpec, SampleLayout, Spacing};
use crate::domain::digest::Digest;
use crate::domain::media_type::Compression;
use crate::domain::platform::Platform;
use crate::engine::error::Result;

/// The sample images and what they must still be at the end.
pub(super) struct Samples {
    /// The layout they lie in.
    pub(super) layout: PathBuf,
    /// Repository and tag, without a host, and the digest.
    pub(super) images: Vec<(&'static str, Digest)>,
}

/// Builds them; with `fast` this program is left out.
///
/// # Errors
/// The file that could not be read or written.
pub(super) fn build(dir: &Path, fast: bool) -> Result<Samples> {
    let mut layout = SampleLayout::create(dir)?;
    let on = |text: &str| Platform { os: "linux".to_owned(), architecture: text.to_owned(), variant: None };
    let program = if fast { None } else { crate::engine::bundle::contents::running_program().ok() };
    let base = LayerSpec::text("etc/motd", "Carried by Airlift.\n");
    let mut layers = vec![base.clone(), LayerSpec::noise(1, 1 << 20)];
    if let Some(program) = &program {
        layers.push(LayerSpec::executable("usr/bin/airlift", program).compressed(Compression::Zstd));
    }
    let plain_name = "airlift/plain:1.0";
    let host = |name: &str| format!("samples.airlift.invalid/{name}");
    let plain =
        layout.image(&host(plain_name), &ImageSpec::new(layers).run(&["/usr/bin/airlift", "demo"]))?;
    layout.cosign_signature(&host(plain_name), &plain)?;
    layout.referrer(&host(plain_name), &plain, "application/spdx+json")?;
    let for_platform = |architecture: &str, seed| {
        let own = Content::Bytes(format!("built for {architecture}\n").into_bytes());
        let mut text = LayerSpec::noise(seed, 256 << 10);
        text.files.push(("etc/platform".to_owned(), own, 0o644));
        ImageSpec::new(vec![base.clone(), text]).on(on(architecture)).spaced(Spacing::Odd)
    };
    let multi_name = "airlift/multi:2.1";
    let multi = layout.index(&host(multi_name), &[for_platform("amd64", 2), for_platform("arm64", 3)])?;
    let latest_name = "airlift/latest:latest";
    let latest = layout
        .image(&host(latest_name), &ImageSpec::new(vec![base, LayerSpec::noise(4, 64 << 10)]).docker())?;
    let images = vec![(plain_name, plain), (multi_name, multi), (latest_name, latest)];
    Ok(Samples { layout: dir.to_owned(), images })
}
