//! The job that adds a signature: whoever signed before is told so, and asked for no passphrase.

use std::path::Path;

use super::run::{keep_off, open, public};
use super::{Host, SignJob};
use crate::domain::progress::Event;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::media::{ListSpec, MediaError, place_of};
use crate::engine::sign::countersign::{
    self, CountersignReport, CountersignSpec, countersign, signed_before,
};
use crate::engine::sign::fingerprint;

/// Adds a signature.
///
/// # Errors
/// What is wrong with the bundle, the key's, or a file error.
pub(super) async fn sign_job(job: SignJob, host: &Host, ctx: &JobCtx) -> Result<CountersignReport> {
    is_meant(&job, ctx).await?;
    if let Some(medium) = job.bundle.canonicalize().ok().as_deref().and_then(Path::parent) {
        keep_off(&job.signer, medium, ctx)?;
    }
    if let Some(report) = signed_already(&job, ctx).await? {
        return Ok(report);
    }
    let signer = open(&job.signer, host, ctx).await?;
    // Whoever typed a passphrase had time to take the medium out.
    is_meant(&job, ctx).await?;
    let would_sign = job.dry_run.then(|| fingerprint(signer.public().key_data()));
    let signer = (!job.dry_run).then_some(signer);
    let spec = CountersignSpec { bundle: job.bundle, signer, document: job.document };
    Ok(CountersignReport { would_sign, ..countersign(spec, ctx).await? })
}

/// Refuses a bundle on something else, and another one in its place.
async fn is_meant(job: &SignJob, ctx: &JobCtx) -> Result<()> {
    if let Some(only) = &job.only {
        let path = job.bundle.clone();
        let now = place_of(path.clone(), ListSpec::default(), ctx).await?.carrier();
        if now.mark() != *only {
            let now = now.device.map_or_else(|| now.source.display().to_string(), |device| device.name);
            return Err(MediaError::Another { path, only: only.clone(), now }.into());
        }
    }
    let Some(document) = job.document.clone() else { return Ok(()) };
    let (bundle, context) = (job.bundle.clone(), ctx.clone());
    blocking(move || countersign::is_meant(&bundle, &document, &context)).await
}

/// A bundle that this key has signed is checked like any other, and nobody is asked for a passphrase.
async fn signed_already(job: &SignJob, ctx: &JobCtx) -> Result<Option<CountersignReport>> {
    let Some(key) = public(&job.signer).await else { return Ok(None) };
    if signed_before(&job.bundle, key.clone(), ctx).await?.is_none() {
        return Ok(None);
    }
    ctx.say(Event::Note { text: "this key has signed it already".to_owned() });
    let would_sign = job.dry_run.then(|| fingerprint(key.key_data()));
    let spec = CountersignSpec { bundle: job.bundle.clone(), signer: None, document: job.document.clone() };
    let report = countersign(spec, ctx).await?;
    // As it was checked, not as it was before.
    let signature = signed_before(&job.bundle, key, ctx).await?;
    Ok(signature.map(|signature| CountersignReport {
        signature: (!job.dry_run).then_some(signature),
        would_sign,
        ..report
    }))
}
