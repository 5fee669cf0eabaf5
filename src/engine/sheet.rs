//! Makes the printable report of what a job reports: of a bundle that was packed, and of one that was verified.

use super::bundle::readback::Method;
use super::bundle::verify::{History, VerifyReport};
use super::import::proof::Proof;
use super::import::report::{ImageReport, ImportReport, Outcome as Arrived, TargetReport};
use super::pack::PackReport;
use super::sign::{Outcome, SignReport};
use crate::domain::bundle::directory;
use crate::domain::import::Target;
use crate::domain::sheet::{
    Arrival, Carried, Checked, Deed, FORMAT, Grade, Imported, Sheet, Signed, Step, first_of,
};
use crate::domain::shell::shell_words;
use crate::domain::text;

/// What a report on a packed bundle is made of.
#[derive(Clone, Debug)]
pub struct PackedFacts<'a> {
    /// What was packed.
    pub report: &'a PackReport,
    /// What was warned of on the way.
    pub warnings: &'a [String],
    /// Signatures that were added since.
    pub signatures: &'a [SignReport],
    /// What happened to the medium since.
    pub medium: &'a [Checked],
    /// The file of the public key, where it is known.
    pub public_key: Option<String>,
    /// When this is said.
    pub made: jiff::Timestamp,
}

/// The report on a bundle that was packed.
pub fn packed(facts: &PackedFacts<'_>) -> Sheet {
    let bundle = &facts.report.bundle;
    let name = directory(&bundle.name, bundle.serial);
    let (read_back, verdict) = (read_back(facts.report), verdict(facts.report, &name));
    let first = Signed { fingerprint: bundle.signed_by.clone(), key_id: bundle.key_id.clone(), who: None };
    let added = facts.signatures.iter().filter(|added| added.fingerprint != first.fingerprint);
    let mut signatures = vec![first.clone()];
    signatures.extend(added.map(|added| Signed {
        fingerprint: added.fingerprint.clone(),
        key_id: added.key_id.clone(),
        who: added.comment.clone(),
    }));
    let mut warnings: Vec<String> = facts.warnings.to_vec();
    warnings.extend(
        facts.report.moved().filter(|moved| !facts.warnings.iter().any(|w| w == moved)).map(str::to_owned),
    );
    let signed =
        format!("{} of this bundle's document, each checked after it was made", count(signatures.len()));
    // The bundle is what it should be without this program, whose absence has a line of its own.
    let lowers: Vec<String> =
        warnings.iter().filter(|words| bundle.not_carried.as_ref() != Some(*words)).cloned().collect();
    let (grade, verdict) = worst(verdict, facts.medium, &lowers);
    Sheet {
        format: FORMAT,
        deed: Deed::Packed,
        made: facts.made,
        version: env!("CARGO_PKG_VERSION"),
        grade,
        verdict,
        name: bundle.name.clone(),
        serial: bundle.serial,
        path: bundle.path.display().to_string(),
        id: bundle.id,
        document: bundle.document.clone(),
        created: None,
        expires: bundle.expires,
        totals: bundle.totals,
        origin: Some(format!(
            "{} fetched, {} there already, {} copied from beside",
            text::bytes(bundle.fetched_bytes),
            text::bytes(bundle.kept_bytes),
            text::bytes(bundle.copied_bytes)
        )),
        checked: vec![
            Checked {
                what: "digests",
                grade: Grade::Ok,
                how: "every blob hashed while it was written".to_owned(),
            },
            read_back,
            Checked { what: "signatures", grade: Grade::Ok, how: signed },
        ],
        public_key: facts.public_key.clone(),
        next: other_side(&name, &signatures),
        signatures,
        medium: facts.medium.to_vec(),
        imported: Vec::new(),
        warnings,
        missing: bundle.missing.clone(),
        images: images(facts.report),
        directory: name,
    }
}

/// The verdict with what came after the pack taken in.
fn worst((grade, words): (Grade, String), medium: &[Checked], warnings: &[String]) -> (Grade, String) {
    if medium.iter().any(|truth| truth.grade == Grade::Fail) {
        return (Grade::Fail, format!("{words}; but the medium did not take everything"));
    }
    match grade {
        // A verdict that is none of ok alone has its reason in it.
        Grade::Ok | Grade::Plain if !warnings.is_empty() => {
            (Grade::Warn, format!("{words}; {}", first_of(warnings)))
        }
        grade => (grade, words),
    }
}

fn count(signatures: usize) -> String {
    if signatures == 1 { "1 signature".to_owned() } else { format!("{signatures} signatures") }
}

fn verdict(report: &PackReport, name: &str) -> (Grade, String) {
    let bundle = &report.bundle;
    let done = if bundle.repeated { "was there already, gone over again" } else { "is assembled" };
    match (bundle.complete, bundle.read_back) {
        (false, _) => {
            let missing = bundle.missing.len();
            (Grade::Warn, format!("{name} is signed but incomplete: {missing} missing"))
        }
        (true, None) => (Grade::Warn, format!("{name} {done} and signed, but it was not read back")),
        (true, Some(read)) if read.method == Method::CacheDropped => (
            Grade::Warn,
            format!("{name} {done}, read back and signed; part of it may have come from memory"),
        ),
        (true, Some(read)) => {
            let from = if read.medium { "medium" } else { "disk" };
            (Grade::Ok, format!("{name} {done}, read back from the {from} and signed"))
        }
    }
}

fn read_back(report: &PackReport) -> Checked {
    let (grade, how) = match report.bundle.read_back {
        Some(read) => (if read.method == Method::Direct { Grade::Ok } else { Grade::Warn }, read.to_string()),
        None => (Grade::Warn, "not read back: what the medium really kept is not known".to_owned()),
    };
    Checked { what: "read back", grade, how }
}

/// What has to be typed where the bundle arrives; `MOUNT` is for whoever types it.
fn other_side(name: &str, signatures: &[Signed]) -> Vec<Step> {
    let place = format!("MOUNT/{name}");
    let mut verify = ["airlift", "verify", &place].map(str::to_owned).to_vec();
    let mut how = "Verify signatures, age, serial, file list and every byte";
    if signatures.len() > 1 {
        // Where several signed, one of them alone is not what is meant.
        verify.extend(["--min-signatures".to_owned(), signatures.len().to_string()]);
        how = "Verify all of it, by all who signed; in the workstation m (signatures) on Verify asks for as many";
    }
    let stock = |signed: &Signed| {
        format!(
            "ssh-keygen -Y verify -f ~/allowed_signers -I PRINCIPAL -n airlift-bundle -s \
             airlift/signatures/{}.sig < airlift/manifest.json",
            signed.key_id
        )
    };
    let list = "grep -A2 '\"airlift/SHA256SUMS\"' airlift/manifest.json | grep \"$(sha256sum < airlift/SHA256SUMS | \
                cut -c1-64)\"";
    let step = |what, command: String| Step { what, command };
    vec![
        step(
            "Once per key, in the workstation there: K (trust) at the bundle, by the fingerprint that is on paper",
            "airlift".to_owned(),
        ),
        step(
            "Or with the file of the public key; for FINGERPRINT, how the key on paper ends will do",
            "airlift key trust PUBLIC_KEY_FILE --fingerprint FINGERPRINT".to_owned(),
        ),
        step(how, shell_words(&verify)),
        step(
            "Or with OpenSSH and coreutils alone: first a file of yours that says whose key you trust, not of the medium",
            "echo \"PRINCIPAL $(cat PUBLIC_KEY_FILE)\" >> ~/allowed_signers".to_owned(),
        ),
        step("then, before anything of it is run", format!("cd {place}")),
    ]
    .into_iter()
    .chain(signatures.iter().enumerate().map(|(at, signed)| {
        let what = if at == 0 { "the signature" } else { "the next signature, with the PRINCIPAL of its own key" };
        step(what, stock(signed))
    }))
    .chain([
        step("that the signed document means this list (prints one line)", list.to_owned()),
        step("every file", "sha256sum -c airlift/SHA256SUMS".to_owned()),
    ])
    .chain(use_it(&place))
    .collect()
}

/// What may be done with a verified bundle at `place`: for each kind of node the line that fits it.
fn use_it(place: &str) -> Vec<Step> {
    let import = [
        ("Import it on a node with containerd", "containerd"),
        ("On a node with CRI-O or podman, into a separate store", "containers-storage:/var/images"),
        ("On a node of k3s", "k3s"),
        ("On a node of RKE2", "k3s:/var/lib/rancher/rke2/agent/images"),
        ("Into a registry", "registry:HOST:PORT"),
    ];
    let airlift = |verb: &str, option: &str, value: &str| {
        shell_words(&["airlift", verb, place, option, value].map(str::to_owned))
    };
    let imports = import.map(|(what, target)| Step { what, command: airlift("import", "--into", target) });
    let serve = airlift("serve", "--listen", "127.0.0.1:5000");
    imports.into_iter().chain([Step { what: "Or serve it as a registry", command: serve }]).collect()
}

fn images(report: &PackReport) -> Vec<Carried> {
    let left_out =
        |requested: &str| report.bundle.missing.iter().any(|missing| missing.reference == requested);
    let carried = report.resolved.images.iter().filter(|image| !left_out(&image.requested));
    carried
        .map(|image| Carried {
            reference: image.reference.to_string(),
            digest: image.digest.clone(),
            bytes: image.bytes,
            platforms: image.platforms.iter().map(|platform| platform.platform().to_string()).collect(),
        })
        .collect()
}

/// What an import did, target by target.
pub fn imported(report: &ImportReport) -> Vec<Imported> {
    report.targets.iter().map(into).collect()
}

fn into(target: &TargetReport) -> Imported {
    let images: Vec<Arrival> = target.images.iter().map(arrival).collect();
    let count =
        |wanted: fn(&Arrived) -> bool| target.images.iter().filter(|image| wanted(&image.outcome)).count();
    let parts = [
        (count(|outcome| matches!(outcome, Arrived::Added)), "added"),
        (count(|outcome| matches!(outcome, Arrived::Replaced { .. })), "replaced"),
        (count(|outcome| matches!(outcome, Arrived::Skipped)), "there already"),
        (count(|outcome| !outcome.arrived()), "NOT THERE"),
    ];
    let said = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    let mut words: Vec<String> = said.collect();
    // What a run wrote that broke off, it did not come to tell.
    if target.bytes_written > 0 || count(|outcome| matches!(outcome, Arrived::Added)) == 0 {
        words.push(format!("{} written", text::bytes(target.bytes_written)));
    }
    let note = |how: &String| Checked { what: "note", grade: Grade::Warn, how: how.clone() };
    let mut checked = target.proof.as_ref().map_or_else(|| vec![asked(&target.target)], proved);
    checked.extend(target.files.iter().map(|file| Checked {
        what: "changed",
        grade: Grade::Plain,
        how: format!("{}: {}", file.path.display(), file.diff.join("  ")),
    }));
    checked.extend(target.notes.iter().map(note));
    let fact = |how: &String| Checked { what: "note", grade: Grade::Plain, how: how.clone() };
    checked.extend(target.facts.iter().map(fact));
    let proof = checked.iter().map(|row| row.grade);
    let grade = images.iter().map(|image| image.grade).chain(proof).max().unwrap_or(Grade::Plain);
    Imported { target: target.target.to_string(), grade, words: words.join(", "), images, checked }
}

/// What stands behind the words, and what does not.
fn asked(target: &Target) -> Checked {
    let how = match target {
        Target::Registry(_) => {
            "the registry answers each name with the bundle's digest; it was not pulled from, and no runtime was asked"
        }
        Target::Layout(_) => "names and digests were read back; no runtime was asked",
        Target::OciArchive(_) | Target::DockerArchive(_) => {
            "written whole, synced and renamed; nothing loaded it yet, no runtime was asked"
        }
        Target::K3s(_) => "it is read when k3s or RKE2 starts; no runtime was asked",
        _ => "no runtime answered for it",
    };
    Checked { what: "proof", grade: Grade::Plain, how: how.to_owned() }
}

/// What the runtime's CRI answered for the names, and what the operator should know of that.
fn proved(proof: &Proof) -> Vec<Checked> {
    let (all, well) = (proof.names.len(), proof.answered());
    let pinned = proof.names.iter().filter(|name| name.pinned).count();
    let how = format!(
        "the CRI of {} answers {} as the bundle has them; {pinned} pinned",
        proof.runtime,
        text::count_of(well, all, "name")
    );
    let grade = if well == all { Grade::Ok } else { Grade::Fail };
    let mut rows = vec![Checked { what: "proof", grade, how }];
    rows.extend(proof.problems().into_iter().map(|how| Checked { what: "proof", grade: Grade::Fail, how }));
    rows.extend(proof.sandbox.as_ref().map(|sandbox| {
        let (grade, word) = if sandbox.present {
            (Grade::Ok, "is there")
        } else {
            (Grade::Warn, "IS NOT THERE: no pod starts without it")
        };
        let whose = if sandbox.configured { "as it is set" } else { "by default" };
        Checked { what: "sandbox", grade, how: format!("{} ({whose}) {word}", sandbox.name) }
    }));
    let told = |words: &&String| proof.sandbox.as_ref().is_some_and(|sandbox| words.contains(&sandbox.name));
    rows.extend(proof.notes.iter().filter(|words| !told(words)).map(|how| Checked {
        what: "note",
        grade: Grade::Warn,
        how: how.clone(),
    }));
    rows
}

fn arrival(image: &ImageReport) -> Arrival {
    let (grade, mut how) = match &image.outcome {
        Arrived::Added => (Grade::Ok, "added".to_owned()),
        Arrived::Skipped => (Grade::Ok, "there already".to_owned()),
        Arrived::Replaced { existing } => (Grade::Warn, format!("replaced {existing}")),
        Arrived::Conflict { existing } => {
            (Grade::Fail, format!("NOT THERE, the name is taken by {existing}"))
        }
        Arrived::Failed { reason, .. } => (Grade::Fail, format!("NOT THERE, {reason}")),
    };
    for note in &image.notes {
        how.push_str(&format!("; {note}"));
    }
    let (reference, digest) = (image.reference.to_string(), image.digest.clone());
    Arrival { reference, name: image.name.clone(), digest, grade, how }
}

/// The report on a bundle that was verified; `made` is when this is said.
pub fn verified(report: &VerifyReport, made: jiff::Timestamp) -> Sheet {
    let name = directory(&report.name, report.serial);
    let (grade, verdict) = match (report.complete, report.warnings.is_empty()) {
        (false, _) => {
            let missing = report.missing.len();
            (Grade::Warn, format!("{name} is what was signed, and incomplete: {missing} missing"))
        }
        (true, false) => (Grade::Warn, format!("{name} is what was signed; {}", first_of(&report.warnings))),
        (true, true) => (Grade::Ok, format!("{name} is what was signed, every byte of it")),
    };
    Sheet {
        format: FORMAT,
        deed: Deed::Verified,
        made,
        version: env!("CARGO_PKG_VERSION"),
        grade,
        verdict,
        name: report.name.clone(),
        serial: report.serial,
        directory: name,
        path: report.path.display().to_string(),
        id: report.id,
        document: report.document.clone(),
        created: Some(report.created),
        expires: report.expires,
        totals: report.totals,
        origin: None,
        signatures: signers(report),
        checked: looked_at(report),
        medium: Vec::new(),
        imported: Vec::new(),
        warnings: report.warnings.clone(),
        missing: report.missing.clone(),
        public_key: None,
        next: use_it(&report.path.display().to_string()),
        images: Vec::new(),
    }
}

fn signers(report: &VerifyReport) -> Vec<Signed> {
    let good = report.trust.signatures.iter().filter_map(|signature| match &signature.outcome {
        Outcome::Good { principals } => Some(Signed {
            fingerprint: signature.fingerprint.clone()?,
            key_id: signature.key_id.clone()?,
            who: Some(principals.to_string()),
        }),
        _ => None,
    });
    good.collect()
}

fn looked_at(report: &VerifyReport) -> Vec<Checked> {
    let (signed, needed) = (report.trust.signed_by.len(), report.trust.required);
    let known = |history: &History| !matches!(history.decision, crate::domain::trust::SerialDecision::First);
    let with_history = !report.history.is_empty() && report.history.iter().all(known);
    let ok = |what, how| Checked { what, grade: Grade::Ok, how };
    let left = if report.layers_left {
        "all but layers, which are hashed as they are imported"
    } else {
        "every byte"
    };
    let cold = if report.cold_read { "read past the cache" } else { "read through the cache" };
    vec![
        ok("signatures", format!("{signed} of {needed} needed, by keys different from each other")),
        ok("clock", format!("decided at {}", report.decided_at.strftime("%Y-%m-%d %H:%M:%SZ"))),
        if with_history {
            ok("serial", "not older than what was accepted before".to_owned())
        } else {
            let how = "no history on this host: rollback could not be checked".to_owned();
            Checked { what: "serial", grade: Grade::Warn, how }
        },
        ok("bytes", format!("{} hashed ({left}), {cold}", text::bytes(report.bytes_hashed))),
        match report.layers_unpacked {
            Some(layers) => ok("layers", format!("{layers} unpacked and compared with the configurations")),
            None => {
                Checked { what: "layers", grade: Grade::Plain, how: "not unpacked; --deep does".to_owned() }
            }
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_tools_are_told_to_check_every_signature_by_a_file_that_is_written_first() {
        let signed = |id: &str| Signed { fingerprint: String::new(), key_id: id.to_owned(), who: None };
        let steps = other_side("web-7", &[signed("aa11"), signed("bb22")]);
        let at = |words: &str| steps.iter().position(|step| step.command.contains(words)).unwrap();
        assert!(at("> ~/allowed_signers") < at("cd MOUNT/web-7"));
        assert!(at("cd MOUNT/web-7") < at("-f ~/allowed_signers -I PRINCIPAL"));
        assert_eq!(at("signatures/aa11.sig") + 1, at("signatures/bb22.sig"));
    }
}
