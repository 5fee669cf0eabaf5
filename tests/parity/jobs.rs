//! A job's command line starts that very job, and so does its record.

use airlift::actions::ACTIONS;
use airlift::cli::args::{Cli, Work};
use airlift::domain::digest::Digest;
use airlift::domain::job::Places;
use airlift::domain::keep_going::KeepGoing;
use airlift::domain::trust::AllowRollback;
use airlift::engine::bundle::diff::DiffSpec;
use airlift::engine::bundle::inspect::InspectSpec;
use airlift::engine::bundle::verify::{Bytes, VerifySpec};
use airlift::engine::demo::run::DemoSpec;
use airlift::engine::import::ImportSpec;
use airlift::engine::import::undo::{StoreOf, UndoSpec};
use airlift::engine::media::{CheckSpec, EjectSpec, MountSpec};
use airlift::engine::registry::RegistryOptions;
use airlift::engine::select::Source;
use airlift::engine::service::{InstallSpec, UninstallSpec};
use airlift::engine::spec::{
    Images, ImportJob, JobSpec, KeyGenerateJob, KeyListJob, KeyShowJob, KeyTrustJob, KeyUntrustJob, PackJob,
    ResolveJob, SignJob, SignerSpec,
};
use airlift::engine::storage::change::{ConfMode, NodeSpec};
use clap::Parser;

fn places() -> Places {
    Places {
        key: "/home/a/key".into(),
        trust: "/home/a/trust".into(),
        state: "/home/a/state".into(),
        registry: RegistryOptions::default(),
    }
}

fn started_by(words: &[String]) -> JobSpec {
    let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    match cli.command.unwrap().work(Some(&places())).unwrap() {
        Work::Job(spec) => spec,
        other => panic!("{words:?}: {other:?}"),
    }
}

fn verify_of(path: &str) -> VerifySpec {
    let Places { trust, state, .. } = places();
    VerifySpec {
        path: path.into(),
        trust,
        min_signatures: 1,
        state,
        deep: false,
        allow_rollback: AllowRollback::No,
        bytes: Bytes::All,
        record: true,
    }
}

fn registry() -> RegistryOptions {
    RegistryOptions {
        plain_http: vec!["a:80".to_owned(), "b".to_owned()],
        insecure: vec!["c:1".to_owned()],
        ca: vec!["-ca.pem".into(), "/x y/ca.pem".into()],
        authfile: Some("/auth.json".into()),
    }
}

fn images() -> Images {
    Images {
        references: vec!["nginx:1.25".to_owned(), "-odd".to_owned()],
        sources: vec![
            Source::List("-".into()),
            Source::List("/l ist".into()),
            Source::Kubeadm("1.31.2".to_owned()),
            Source::K3s("k3s-images.txt".into()),
            Source::Manifests("-manifests".into()),
            Source::Registry("h:5000/a:1.*".to_owned()),
        ],
        platforms: vec!["linux/amd64".parse().unwrap(), "linux/arm/v7".parse().unwrap()],
        signatures: false,
    }
}

fn pack() -> PackJob {
    PackJob {
        images: Images { references: vec!["a:1".to_owned()], signatures: true, ..Images::default() },
        ..PackJob::new("/media/stick".into(), SignerSpec::Key(places().key), places().state)
    }
}

fn packs() -> Vec<JobSpec> {
    let resolve = ResolveJob {
        images: Images { signatures: true, ..Images::default() },
        lock: None,
        write_lock: false,
        keep: false,
        state: Some(places().state),
        jobs: ResolveJob::JOBS.into(),
        registry: RegistryOptions::default(),
    };
    let full = ResolveJob {
        images: images(),
        lock: Some("-l.lock".into()),
        write_lock: true,
        keep: true,
        state: Some("/s".into()),
        jobs: 3,
        registry: registry(),
    };
    let mut packed = vec![pack(); 5];
    packed[1] = PackJob {
        images: images(),
        lock: Some("air.lock".into()),
        name: "site".to_owned(),
        expires: Some("90d".parse().unwrap()),
        jobs: 2,
        read_back: false,
        tool: false,
        max_file_size: Some(1 << 31),
        keep_going: KeepGoing::All,
        anew: true,
        plain_directory: true,
        state: "/s".into(),
        signer: SignerSpec::Agent(Some("-o me".to_owned())),
        registry: registry(),
        dry_run: true,
        ..pack()
    };
    packed[4].keep_going = KeepGoing::Unresolved;
    packed[2].signer = SignerSpec::Agent(None);
    packed[3].signer = SignerSpec::Key("-k".into());
    packed[3].expires = Some("2027-02-18T12:30:00Z".parse().unwrap());
    let resolves = [resolve, ResolveJob { write_lock: false, ..full.clone() }, full];
    resolves.into_iter().map(JobSpec::Resolve).chain(packed.into_iter().map(JobSpec::Pack)).collect()
}

fn undos() -> Vec<JobSpec> {
    let undo = |file: Option<&str>, state: &str, dry_run| {
        let (file, state) = (file.map(Into::into), state.into());
        UndoSpec { file, state, list: false, dry_run, store: None }
    };
    let store =
        |root: &str| Some(Box::new(StoreOf { directory: "/var/my images".into(), root: root.into() }));
    let all = vec![
        undo(Some("-r.json"), "/s", false),
        undo(None, "-s", true),
        UndoSpec { list: true, ..undo(None, places().state.to_str().unwrap(), false) },
        UndoSpec { store: store("/"), ..undo(None, "/s", true) },
        UndoSpec { store: store("/srv/a node"), ..undo(None, "/s", false) },
    ];
    all.into_iter().map(JobSpec::Undo).collect()
}

fn verifications() -> Vec<JobSpec> {
    let strict = VerifySpec {
        trust: concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into(),
        min_signatures: 2,
        state: "/s".into(),
        deep: true,
        allow_rollback: AllowRollback::Any,
        ..verify_of("-bundle")
    };
    let id = "0193a5c8-1d2e-7b44-9a53-5e1f20c47f2a".parse().unwrap();
    let older = VerifySpec { allow_rollback: AllowRollback::Only(id), ..verify_of("/b-1") };
    let job = |signer, dry_run: bool| {
        JobSpec::Sign(SignJob {
            bundle: "/b-1".into(),
            signer,
            only: dry_run.then(|| "-uuid=1234-ABCD".to_owned()),
            document: dry_run.then(|| Digest::sha256(&[7; 32])),
            dry_run,
        })
    };
    let import = |verify: VerifySpec, import| {
        let verify = VerifySpec { deep: false, bytes: Bytes::AllButLayers, record: false, ..verify };
        JobSpec::Import(ImportJob { verify, import })
    };
    let [one, all, below] = imports();
    vec![
        JobSpec::Verify(verify_of("/b-1")),
        JobSpec::Verify(strict.clone()),
        JobSpec::Verify(older),
        job(SignerSpec::Key(places().key), false),
        job(SignerSpec::Agent(None), true),
        import(verify_of("/b-1"), one),
        import(strict, all),
        import(verify_of("/b-1"), below),
        JobSpec::Inspect(InspectSpec { bundle: "/b-1".into() }),
        JobSpec::Diff(DiffSpec { first: "a-1".into(), second: "-2".into() }),
        JobSpec::Demo(DemoSpec { keep: Some("/d".into()), fast: true }),
        JobSpec::Demo(DemoSpec { keep: None, fast: false }),
    ]
}

/// Into one target, into several with everything that can be asked for, and into a node below a directory.
fn imports() -> [ImportSpec; 3] {
    let one = ImportSpec::new(vec!["oci:/srv/i".parse().unwrap()]);
    let all = ImportSpec {
        targets: vec![
            "registry:http://m:5000/{host}".parse().unwrap(),
            "docker-archive:-x".parse().unwrap(),
            "containers-storage:/s".parse().unwrap(),
        ],
        only: vec!["nginx:1".parse().unwrap()],
        platform: Some("linux/arm64".parse().unwrap()),
        replace: true,
        dry_run: true,
        keep_going: true,
        registry: registry(),
        jobs: 9,
        node: Box::new(NodeSpec { out: Some("-o".into()), ..NodeSpec::default() }),
    };
    let below = ImportSpec {
        targets: vec!["containers-storage:/s".parse().unwrap()],
        node: Box::new(NodeSpec {
            root: "/mnt/node".into(),
            storage_conf: ConfMode::Print,
            out: Some("-o".into()),
        }),
        ..one.clone()
    };
    [one, all, below]
}

fn keys() -> Vec<JobSpec> {
    let generate = |path: &str, protected| {
        let comment = "a@b".to_owned();
        JobSpec::KeyGenerate(KeyGenerateJob { path: path.into(), comment, protected, dry_run: !protected })
    };
    let trust = |principal: Option<&str>, file: &str| {
        JobSpec::KeyTrust(KeyTrustJob {
            key: "ssh-ed25519 AAAA a".to_owned(),
            fingerprint: principal.map(|_| "SHA256:x".to_owned()),
            principal: principal.map(str::to_owned),
            valid_after: principal.map(|_| "2026-01-01T00:00:00Z".parse().unwrap()),
            valid_before: principal.map(|_| "2027-01-01T12:13:14Z".parse().unwrap()),
            file: file.into(),
            dry_run: principal.is_some(),
        })
    };
    let untrust = |file: &str| {
        JobSpec::KeyUntrust(KeyUntrustJob { key: "SHA256:x".to_owned(), file: file.into(), dry_run: false })
    };
    let list = |file: &str, required| JobSpec::KeyList(KeyListJob { file: file.into(), required });
    vec![
        generate("/home/a/key", true),
        generate("k", false),
        JobSpec::KeyShow(KeyShowJob { key: SignerSpec::Agent(Some("x".to_owned())) }),
        trust(None, "/home/a/trust"),
        trust(Some("ann"), "t"),
        untrust("/home/a/trust"),
        untrust("t"),
        list("/home/a/trust", false),
        list("t", true),
    ]
}

fn media() -> Vec<JobSpec> {
    let check = |path: &str, dry_run| JobSpec::MediaCheck(CheckSpec { path: path.into(), dry_run });
    let eject = |verified: Option<&str>, flag| {
        let verified = verified.map(str::to_owned);
        let only = verified.as_ref().map(|_| "-uuid=1234-ABCD".to_owned());
        JobSpec::MediaEject(EjectSpec {
            path: "/media/stick".into(),
            verified,
            only,
            state: if flag { "-s".into() } else { places().state },
            detach: flag,
            dry_run: flag,
        })
    };
    let mount = |unmount: bool| {
        let only = unmount.then(|| "-uuid=1234-ABCD".to_owned());
        JobSpec::MediaMount(MountSpec { device: "/dev/sdb1".into(), unmount, only })
    };
    let mounts = [mount(false), mount(true)];
    let rest =
        [check("/media/stick", false), check("-x", true), eject(None, false), eject(Some("-cold"), true)];
    mounts.into_iter().chain(rest).collect()
}

fn services() -> Vec<JobSpec> {
    let plain = InstallSpec {
        bundles: vec!["/srv/b-1".into()],
        trust: places().trust,
        min_signatures: 1,
        state: places().state,
        listen: InstallSpec::LISTEN.parse().unwrap(),
        tls: None,
        root: None,
        dry_run: false,
    };
    let full = InstallSpec {
        bundles: vec!["-b-1".into(), "/srv/b-2".into()],
        trust: concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into(),
        min_signatures: 2,
        state: "/s".into(),
        listen: "[::]:443".parse().unwrap(),
        tls: Some(("/c.pem".into(), "-k.pem".into())),
        root: Some("/mnt".into()),
        dry_run: true,
    };
    let gone = |root: Option<&str>, dry_run| {
        JobSpec::ServeUninstall(UninstallSpec { root: root.map(Into::into), dry_run })
    };
    let installs = [plain, full].map(JobSpec::ServeInstall);
    installs.into_iter().chain([gone(None, false), gone(Some("-r"), true)]).collect()
}

#[test]
fn the_command_line_of_a_job_starts_that_very_job_and_so_does_its_record() {
    let mut subcommands = std::collections::BTreeSet::new();
    let specs = [packs(), verifications(), undos(), keys(), media(), services()];
    for spec in specs.into_iter().flatten() {
        assert_eq!(started_by(&spec.command_line(&places())), spec);
        let record = serde_json::to_vec(&spec).unwrap();
        assert_eq!(serde_json::from_slice::<JobSpec>(&record).unwrap(), spec);
        let action = ACTIONS.iter().find(|action| action.subcommand == Some(spec.subcommand()));
        assert!(action.is_some(), "{}", spec.subcommand());
        subcommands.insert(spec.subcommand());
    }
    let no_job = ["media list", "completions", "man"];
    let all = ACTIONS.iter().filter_map(|action| action.subcommand).filter(|name| !no_job.contains(name));
    assert_eq!(subcommands, all.collect());
}

#[test]
fn what_is_taken_by_itself_is_not_in_the_command_line() {
    let words = JobSpec::Pack(pack()).command_line(&places());
    assert_eq!(words, ["airlift", "pack", "--to", "/media/stick", "a:1"]);
    let words = JobSpec::Verify(verify_of("/b-1")).command_line(&places());
    assert_eq!(words, ["airlift", "verify", "/b-1"]);
}
