//! Whether what is to be added fits into a store: each layer that it has not, once, as it is carried and as it unpacks.

use std::collections::HashSet;

use super::place::Place;
use super::{There, fit, todo};
use crate::domain::text;
use crate::engine::error::Result;
use crate::engine::import::error::ImportError;
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::target::existing_part;
use crate::engine::import::{Job, Planned, unpacked};

/// What is to be added, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Needs {
    /// Layers as they are carried: unpacked they are no smaller.
    carried: u64,
    /// The same once unpacked, about.
    unpacked: u64,
    /// The most that one image has of them: its layers lie beside the store while they are unpacked.
    beside: u64,
}

/// Fails where what is to be added surely does not fit, and says where it may not; about how many bytes it comes to once
/// unpacked, and how many are free. Blocks.
pub(super) fn room(
    job: &Job,
    place: &Place,
    there: &There,
    images: &[ImageGraph],
    planned: &[Planned],
) -> Result<(u64, Option<u64>)> {
    let (mut needs, mut seen) = (Needs::default(), HashSet::new());
    for (image, _) in images.iter().zip(planned).filter(|(_, planned)| todo(planned)) {
        let chosen = fit(job, place, image)?;
        let diff_ids = chosen.config(job, image)?.rootfs.diff_ids;
        let diff_ids: Vec<String> = diff_ids.iter().map(ToString::to_string).collect();
        let before = needs.carried;
        for (at, layer) in chosen.manifest.layers.iter().enumerate() {
            // A layer is had again where others are below it.
            let all = &diff_ids[..=at];
            if !there.records.has_layers(all) && seen.insert(all.to_vec()) {
                let about = unpacked::estimate(&job.bundle, &layer.digest, layer.size, &layer.media_type);
                needs.carried = needs.carried.saturating_add(layer.size);
                needs.unpacked = needs.unpacked.saturating_add(about);
            }
        }
        needs.beside = needs.beside.max(needs.carried - before);
    }
    let free = job.ctx.files.space(&existing_part(&place.directory))?.free;
    if let Some(free) = free {
        if needs.carried > free {
            return Err(
                ImportError::Space { path: place.directory.clone(), needed: needs.carried, free }.into()
            );
        }
        if let Some(words) = needs.tight(free) {
            job.ctx.warn(format!("{} may be too small: {words}", place.directory.display()));
        }
    }
    Ok((needs.unpacked, free))
}

impl Needs {
    /// What is to be said where there may not be room.
    fn tight(self, free: u64) -> Option<String> {
        let needed = self.unpacked.saturating_add(self.beside);
        (needed > free).then(|| {
            format!(
                "unpacked, the layers come to about {}, those of one image lie beside them meanwhile ({}), and its file \
                 system has {} free",
                text::bytes(self.unpacked),
                text::bytes(self.beside),
                text::bytes(free)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_beside_the_store_count_while_they_are_unpacked() {
        let needs = Needs { carried: 30, unpacked: 100, beside: 20 };
        assert_eq!(needs.tight(120), None);
        let said = needs.tight(119).unwrap_or_default();
        assert!(said.contains("about 100 B") && said.contains("119 B free"), "{said}");
    }
}
