//! Verifies a bundle in the one order that is safe: signatures over raw bytes, then the text, the clock, the serial, the files, every byte.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::read::{self, BundleReader};
use super::{graph, hash_all, listing};
use crate::domain::bundle::{BundleManifest, Totals};
use crate::domain::digest::Digest;
use crate::domain::progress::{Check, Event};
use crate::domain::sheet::{KEY_ENDS_IN, fingerprint_end};
use crate::domain::text;
use crate::domain::trust::{AllowRollback, Lifetime, decide_clock};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::hash;
use crate::engine::sign::{self, AllowedSigners, TrustPolicy, TrustReport};
use crate::engine::state::State;

mod accepted;
mod history;
mod own;

pub use accepted::Verified;
pub use history::History;
pub use own::trusting_own;

/// What to verify, and against what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifySpec {
    /// The bundle's directory.
    pub path: PathBuf,
    /// The `allowed_signers` file.
    pub trust: PathBuf,
    /// How many different trusted keys must have signed.
    pub min_signatures: usize,
    /// Where accepted serials are remembered.
    pub state: PathBuf,
    /// Whether to unpack layers and compare with the image configurations.
    pub deep: bool,
    /// Which bundle is let through, and said, although its serial is lower than one accepted before.
    pub allow_rollback: AllowRollback,
    /// How much to hash.
    pub bytes: Bytes,
    /// Whether to remember that it was accepted; a dry run writes nothing.
    pub record: bool,
}

/// How much of a bundle is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bytes {
    /// Every byte.
    All,
    /// Documents, configurations and small files; layers are left to whoever streams them somewhere and hashes on the way,
    /// and so are images of which one of the former is damaged.
    AllButLayers,
}

/// What was checked, and how.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// The bundle.
    pub path: PathBuf,
    /// Its id.
    pub id: uuid::Uuid,
    /// Its name.
    pub name: String,
    /// Its serial.
    pub serial: u64,
    /// When it was assembled.
    pub created: jiff::Timestamp,
    /// When it expires.
    pub expires: Option<jiff::Timestamp>,
    /// Digest of the signed document.
    pub document: Digest,
    /// Whether everything asked for is in it.
    pub complete: bool,
    /// References that are missing, with the reason.
    pub missing: Vec<crate::domain::bundle::Missing>,
    /// Images, blobs and bytes.
    pub totals: Totals,
    /// The signatures, each with its verdict.
    pub trust: TrustReport,
    /// What is known of earlier bundles of that name, per key.
    pub history: Vec<History>,
    /// The time that was decided with.
    pub decided_at: jiff::Timestamp,
    /// Bytes hashed.
    pub bytes_hashed: u64,
    /// Whether layers were left to a later reader.
    pub layers_left: bool,
    /// Layers unpacked and compared, with `--deep`.
    pub layers_unpacked: Option<usize>,
    /// Whether the bytes were read past the page cache; here they never are.
    pub cold_read: bool,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Verifies a bundle and, where that is wanted, remembers that it was accepted.
///
/// # Errors
/// By class: trust, rollback, integrity, file errors; nothing of the bundle was used then.
pub async fn verify(spec: VerifySpec, ctx: &JobCtx) -> Result<Verified> {
    let job = ctx.clone();
    blocking(move || run(&spec, &job)).await
}

fn run(spec: &VerifySpec, ctx: &JobCtx) -> Result<Verified> {
    let files = &ctx.files;
    // 1. The document, once, as raw bytes.
    let document_bytes = read::document_bytes(&**files, &spec.path)?;
    let document_digest = hash::sha256(&document_bytes);
    let signatures = sign::read_signatures(&**files, &spec.path)?;
    let passed = |check, words| ctx.say(Event::Passed { check, words });
    passed(Check::Document, format!("{}, {document_digest}", text::bytes(document_bytes.len() as u64)));
    // 2. Signatures over exactly those bytes.
    let state = State::new(Arc::clone(files), spec.state.clone());
    let known = state.read();
    let evidence = known.clock();
    let decided_at = evidence.decision_time(ctx.clock.now());
    let allowed = AllowedSigners::load(&**files, &spec.trust)?;
    let policy = TrustPolicy { min_signatures: spec.min_signatures };
    let trust = sign::verify_signatures(&document_bytes, &signatures, &allowed, policy, decided_at);
    trust.enforce()?;
    passed(Check::Signatures, signed_words(&trust));
    // 3. The text, from here on by trusted authors.
    let document = BundleManifest::parse(&document_bytes)?;
    // 4. Clock.
    let lifetime = Lifetime { created: document.created, expires: document.expires };
    let now = ctx.clock.now();
    decide_clock(now, evidence, lifetime)?;
    passed(Check::Clock, clock_words(now, decided_at, lifetime));
    // 5. Serial.
    let history = history::decide(spec, &known, &document, &document_digest, &trust)?;
    let decision = known.decide(&document.name, &trust.signed_by, document.serial, &document_digest);
    let mut warnings = history::warnings(&known, &history, &document.name);
    passed(Check::Serial, history::words(&known, &history));
    // 6. The list of files.
    warnings.extend(listing::check(&**files, &spec.path, &document)?);
    let count = document.all_files().count();
    passed(Check::Files, format!("{count} files as listed, none missing, none extra"));
    // 7. Every byte.
    let bundle = BundleReader::new(spec.path.clone(), document, Arc::clone(files));
    let checked = check_bytes(spec, &bundle, &document_bytes, ctx)?;
    let document = bundle.document();
    let acceptance = accepted::acceptance(document, &document_digest, &trust, decided_at);
    let report = VerifyReport {
        path: spec.path.clone(),
        id: document.id,
        name: document.name.clone(),
        serial: document.serial,
        created: document.created,
        expires: document.expires,
        document: document_digest,
        complete: document.complete,
        missing: document.missing.clone(),
        totals: document.totals,
        trust,
        history,
        decided_at,
        bytes_hashed: checked.bytes,
        layers_left: spec.bytes == Bytes::AllButLayers,
        layers_unpacked: spec.deep.then_some(checked.layers),
        cold_read: false,
        warnings,
    };
    let mut verified = Verified { report, bundle, state, acceptance, decision, damaged: checked.damaged };
    if spec.record {
        let warning = verified.accept();
        verified.report.warnings.extend(warning);
    }
    Ok(verified)
}

struct Checked {
    bytes: u64,
    layers: usize,
    damaged: Vec<Digest>,
}

fn check_bytes(
    spec: &VerifySpec,
    bundle: &BundleReader,
    document_bytes: &[u8],
    ctx: &JobCtx,
) -> Result<Checked> {
    let graph = match spec.bytes {
        Bytes::All => graph::close(bundle).map_err(|error| hash_all::with_all_damaged(bundle, error, ctx))?,
        // Whoever streams the images leaves out those that need what is damaged.
        Bytes::AllButLayers => graph::close_around(bundle)?,
    };
    if let (true, Some(first)) = (spec.deep, graph.contradictions.first()) {
        return Err(graph::GraphError::Contradiction(first.clone()).into());
    }
    let documents = graph.hashed.len();
    let words = match graph.damaged.len() {
        0 => format!("{documents} manifests and configurations, down to the last layer"),
        damaged => format!("{documents} manifests and configurations; {damaged} more are damaged"),
    };
    ctx.say(Event::Passed { check: Check::Graph, words });
    let plan = hash_all::HashPlan {
        skip: &graph.hashed,
        layers: spec.deep.then_some(&graph.layers),
        files_only: spec.bytes == Bytes::AllButLayers,
    };
    let bytes = hash_all::hash_all(bundle, &plan, ctx)?;
    let bytes = bytes + graph.bytes + document_bytes.len() as u64;
    let layers = match (spec.bytes, spec.deep) {
        (Bytes::AllButLayers, _) => "; layers are left to their reader",
        (Bytes::All, true) => "; layers unpacked and compared",
        (Bytes::All, false) => "",
    };
    let words = format!("{} hashed{layers}", text::bytes(bytes));
    ctx.say(Event::Passed { check: Check::Bytes, words });
    Ok(Checked { bytes, layers: graph.layers.len(), damaged: graph.damaged.into_keys().collect() })
}

fn signed_words(trust: &TrustReport) -> String {
    let good = trust.signatures.iter().filter_map(|signature| match &signature.outcome {
        sign::Outcome::Good { principals } => {
            let key = fingerprint_end(signature.fingerprint.as_deref().unwrap_or_default());
            Some(format!("{principals}, {KEY_ENDS_IN} {key}"))
        }
        _ => None,
    });
    let good: Vec<String> = good.collect();
    format!("{} trusted, {} needed: {}", trust.signed_by.len(), trust.required, good.join("; "))
}

/// At which time it was decided, and whose that is.
fn clock_words(now: jiff::Timestamp, decided_at: jiff::Timestamp, lifetime: Lifetime) -> String {
    let expires = lifetime.expires.map_or_else(|| "never".to_owned(), |time| format!("{time:.0}"));
    if decided_at > now {
        return format!(
            "decided at {decided_at:.0}, by what was accepted here before, ahead of this host's clock, expires {expires}"
        );
    }
    format!("this host's clock {decided_at:.0}, expires {expires}")
}
