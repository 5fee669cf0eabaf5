//! The command line that starts the same job, without what it would take by itself.

use std::path::{Path, PathBuf};

use super::{
    Images, ImportJob, JobSpec, KeyGenerateJob, KeyListJob, KeyShowJob, KeyTrustJob, KeyUntrustJob, PackJob,
    ResolveJob, SignJob, SignerSpec,
};
use crate::domain::job::Places;
use crate::domain::keep_going::KeepGoing;
use crate::domain::trust::AllowRollback;
use crate::engine::bundle::verify::VerifySpec;
use crate::engine::demo::run::DemoSpec;
use crate::engine::import::ImportSpec;
use crate::engine::import::undo::UndoSpec;
use crate::engine::media::EjectSpec;
use crate::engine::registry::RegistryOptions;
use crate::engine::select::Source;
use crate::engine::service::InstallSpec;
use crate::engine::sign::validity;
use crate::engine::storage::change::NodeSpec;

impl JobSpec {
    /// The words of `airlift …` that start this job where `places` are the defaults. A path that is not UTF-8 is
    /// shown, not kept.
    pub fn command_line(&self, places: &Places) -> Vec<String> {
        let mut words = Words { places, options: Vec::new(), names: Vec::new() };
        match self {
            Self::Resolve(job) => words.resolve(job),
            Self::Pack(job) => words.pack(job),
            Self::Verify(spec) => words.verify(spec),
            Self::Sign(job) => words.sign(job),
            Self::Import(job) => words.import(job),
            Self::Undo(spec) => words.undo(spec),
            Self::Inspect(spec) => words.name(&spec.bundle),
            Self::Diff(spec) => [&spec.first, &spec.second].into_iter().for_each(|path| words.name(path)),
            Self::Demo(spec) => words.demo(spec),
            Self::KeyGenerate(job) => words.key_generate(job),
            Self::KeyShow(KeyShowJob { key }) => words.signer(key),
            Self::KeyTrust(job) => words.key_trust(job),
            Self::KeyUntrust(job) => words.key_untrust(job),
            Self::KeyList(KeyListJob { file, required }) => {
                if *required {
                    words.path("--trust", file);
                }
            }
            Self::MediaCheck(spec) => {
                words.flag("--dry-run", spec.dry_run);
                words.name(&spec.path);
            }
            Self::MediaMount(spec) => {
                words.flag("--unmount", spec.unmount);
                spec.only.iter().for_each(|mark| words.value("--only", mark));
                words.name(&spec.device);
            }
            Self::MediaEject(spec) => words.eject(spec),
            Self::ServeInstall(spec) => words.serve_install(spec),
            Self::ServeUninstall(spec) => {
                words.flag("--uninstall", true);
                words.root(spec.root.as_deref());
                words.flag("--dry-run", spec.dry_run);
            }
        }
        words.line(self.subcommand())
    }
}

/// Options first, then names: behind `--` where one looks like an option.
struct Words<'a> {
    places: &'a Places,
    options: Vec<String>,
    names: Vec<String>,
}

impl Words<'_> {
    fn line(self, subcommand: &str) -> Vec<String> {
        let mut line: Vec<String> = vec!["airlift".to_owned()];
        line.extend(subcommand.split(' ').map(str::to_owned));
        line.extend(self.options);
        if self.names.iter().any(|name| name.starts_with('-')) {
            line.push("--".to_owned());
        }
        line.extend(self.names);
        line
    }

    fn undo(&mut self, spec: &UndoSpec) {
        self.unless("--state", &spec.state, &self.places.state.clone());
        self.flag("--list", spec.list);
        self.flag("--dry-run", spec.dry_run);
        spec.file.iter().for_each(|file| self.name(file));
        if let Some(store) = &spec.store {
            self.value("--store", store.directory.display());
            self.unless("--root", &store.root, &PathBuf::from("/"));
        }
    }

    fn eject(&mut self, spec: &EjectSpec) {
        if let Some(how) = &spec.verified {
            self.value("--verified", how);
        }
        if let Some(mark) = &spec.only {
            self.value("--only", mark);
        }
        self.unless("--state", &spec.state, &self.places.state.clone());
        self.flag("--detach", spec.detach);
        self.flag("--dry-run", spec.dry_run);
        self.name(&spec.path);
    }

    fn flag(&mut self, option: &str, given: bool) {
        if given {
            self.options.push(option.to_owned());
        }
    }

    fn value(&mut self, option: &str, value: impl ToString) {
        let value = value.to_string();
        if value.starts_with('-') && value != "-" {
            self.options.push(format!("{option}={value}"));
        } else {
            self.options.extend([option.to_owned(), value]);
        }
    }

    fn other(&mut self, option: &str, value: usize, default: u8) {
        if value != usize::from(default) {
            self.value(option, value);
        }
    }

    fn path(&mut self, option: &str, path: &Path) {
        self.value(option, path.display());
    }

    fn unless(&mut self, option: &str, path: &PathBuf, default: &PathBuf) {
        if path != default {
            self.path(option, path);
        }
    }

    fn name(&mut self, path: &Path) {
        self.names.push(path.display().to_string());
    }

    fn images(&mut self, images: &Images, lock: Option<&Path>) {
        for source in &images.sources {
            match source {
                Source::List(path) => self.path("--file", path),
                Source::Kubeadm(version) => self.value("--from", format!("kubeadm:{version}")),
                Source::K3s(path) => self.value("--from", format!("k3s:{}", path.display())),
                Source::Manifests(path) => self.value("--from", format!("manifests:{}", path.display())),
                Source::Chart(path) => self.value("--from", format!("chart:{}", path.display())),
                Source::Registry(place) => self.value("--from", format!("registry:{place}")),
            }
        }
        images.platforms.iter().for_each(|platform| self.value("--platform", platform));
        if let Some(lock) = lock {
            self.path("--lock", lock);
        }
        self.flag("--no-signatures", !images.signatures);
        self.names.extend(images.references.iter().cloned());
    }

    /// An option is said whole or not at all: what is said takes the place of what is written.
    fn registry(&mut self, options: &RegistryOptions) {
        let usual = &self.places.registry;
        if options.plain_http != usual.plain_http {
            options.plain_http.iter().for_each(|host| self.value("--plain-http", host));
        }
        if options.insecure != usual.insecure {
            options.insecure.iter().for_each(|host| self.value("--insecure", host));
        }
        if options.ca != usual.ca {
            options.ca.iter().for_each(|path| self.path("--ca", path));
        }
        if let Some(path) = options.authfile.as_ref().filter(|_| options.authfile != usual.authfile) {
            self.path("--authfile", path);
        }
    }

    fn signer(&mut self, signer: &SignerSpec) {
        match signer {
            SignerSpec::Key(path) => self.unless("--key", path, &self.places.key.clone()),
            SignerSpec::Agent(None) => self.flag("--agent", true),
            SignerSpec::Agent(Some(selector)) => self.options.push(format!("--agent={selector}")),
        }
    }

    fn trust(&mut self, spec: &VerifySpec) {
        self.unless("--trust", &spec.trust, &self.places.trust.clone());
        self.other("--min-signatures", spec.min_signatures, 1);
        self.unless("--state", &spec.state, &self.places.state.clone());
        match spec.allow_rollback {
            AllowRollback::No => {}
            AllowRollback::Any => self.flag("--allow-rollback", true),
            AllowRollback::Only(id) => self.options.push(format!("--allow-rollback={id}")),
        }
        self.name(&spec.path);
    }

    fn resolve(&mut self, job: &ResolveJob) {
        self.images(&job.images, job.lock.as_deref());
        self.registry(&job.registry);
        self.other("--jobs", job.jobs, ResolveJob::JOBS);
        self.flag("--keep", job.keep);
        self.flag("--dry-run", job.lock.is_some() && !job.write_lock);
        if let Some(state) = &job.state {
            self.unless("--state", state, &self.places.state.clone());
        }
    }

    fn pack(&mut self, job: &PackJob) {
        self.images(&job.images, job.lock.as_deref());
        self.path("--to", &job.to);
        if job.name != PackJob::NAME {
            self.value("--name", &job.name);
        }
        if let Some(expires) = job.expires {
            self.value("--expires", expires);
        }
        self.other("--jobs", job.jobs, PackJob::JOBS);
        if let Some(bytes) = job.max_file_size {
            self.value("--max-file-size", bytes);
        }
        self.flag("--no-read-back", !job.read_back);
        self.flag("--no-tool", !job.tool);
        match job.keep_going {
            KeepGoing::No => {}
            KeepGoing::All => self.flag("--keep-going", true),
            what @ KeepGoing::Unresolved => self.options.push(format!("--keep-going={}", what.word())),
        }
        self.flag("--anew", job.anew);
        self.flag("--plain-directory", job.plain_directory);
        self.flag("--dry-run", job.dry_run);
        self.unless("--state", &job.state, &self.places.state.clone());
        self.signer(&job.signer);
        self.registry(&job.registry);
    }

    fn verify(&mut self, spec: &VerifySpec) {
        self.flag("--deep", spec.deep);
        self.trust(spec);
    }

    fn sign(&mut self, job: &SignJob) {
        self.signer(&job.signer);
        job.only.iter().for_each(|mark| self.value("--only", mark));
        job.document.iter().for_each(|digest| self.value("--document", digest));
        self.flag("--dry-run", job.dry_run);
        self.name(&job.bundle);
    }

    fn import(&mut self, job: &ImportJob) {
        let spec = &job.import;
        spec.targets.iter().for_each(|target| self.value("--into", target));
        spec.only.iter().for_each(|reference| self.value("--only", reference));
        if let Some(platform) = &spec.platform {
            self.value("--platform", platform);
        }
        self.flag("--replace", spec.replace);
        self.flag("--dry-run", spec.dry_run);
        self.flag("--keep-going", spec.keep_going);
        self.other("--jobs", spec.jobs, ImportSpec::JOBS);
        self.node(&spec.node);
        self.registry(&spec.registry);
        self.trust(&job.verify);
    }

    fn serve_install(&mut self, spec: &InstallSpec) {
        self.flag("--install", true);
        self.root(spec.root.as_deref());
        self.flag("--dry-run", spec.dry_run);
        if spec.listen.to_string() != InstallSpec::LISTEN {
            self.value("--listen", spec.listen);
        }
        if let Some((certificate, key)) = &spec.tls {
            self.path("--tls-cert", certificate);
            self.path("--tls-key", key);
        }
        self.unless("--trust", &spec.trust, &self.places.trust.clone());
        self.other("--min-signatures", spec.min_signatures, 1);
        self.unless("--state", &spec.state, &self.places.state.clone());
        spec.bundles.iter().for_each(|bundle| self.name(bundle));
    }

    fn root(&mut self, root: Option<&Path>) {
        if let Some(root) = root {
            self.path("--root", root);
        }
    }

    fn node(&mut self, spec: &NodeSpec) {
        let plain = NodeSpec::default();
        self.root(Some(&*spec.root).filter(|root| *root != plain.root));
        if spec.storage_conf != plain.storage_conf {
            self.value("--storage-conf", spec.storage_conf.name());
        }
        if let Some(out) = &spec.out {
            self.path("--out", out);
        }
    }

    fn demo(&mut self, spec: &DemoSpec) {
        if let Some(path) = &spec.keep {
            self.path("--keep", path);
        }
        self.flag("--fast", spec.fast);
    }

    fn key_generate(&mut self, job: &KeyGenerateJob) {
        self.unless("--key", &job.path, &self.places.key.clone());
        self.value("--comment", &job.comment);
        self.flag("--no-passphrase", !job.protected);
        self.flag("--dry-run", job.dry_run);
    }

    fn key_trust(&mut self, job: &KeyTrustJob) {
        if let Some(fingerprint) = &job.fingerprint {
            self.value("--fingerprint", fingerprint);
        }
        if let Some(principal) = &job.principal {
            self.value("--principal", principal);
        }
        for (option, time) in [("--valid-after", job.valid_after), ("--valid-before", job.valid_before)] {
            if let Some(time) = time {
                self.value(option, validity::write(time));
            }
        }
        self.unless("--trust", &job.file, &self.places.trust.clone());
        self.flag("--dry-run", job.dry_run);
        self.names.push(job.key.clone());
    }

    fn key_untrust(&mut self, job: &KeyUntrustJob) {
        self.unless("--trust", &job.file, &self.places.trust.clone());
        self.flag("--dry-run", job.dry_run);
        self.names.push(job.key.clone());
    }
}
