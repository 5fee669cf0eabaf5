//! Resolving against a real registry: digests and bytes are kept, what belongs to an image is found, one failure hides no other.

use std::collections::BTreeSet;

use airlift::domain::digest::Digest;
use airlift::domain::lint::Rule;
use airlift::domain::manifest::{self, Document};
use airlift::domain::media_type as mt;
use airlift::domain::resolved::ResolvedImage;
use airlift::domain::selection::Request;
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::sample::{ImageSpec, SampleLayout, Spacing};
use airlift::engine::error::{EngineError, Kind};
use airlift::engine::hash::sha256;
use airlift::engine::registry::{Registry, RegistryOptions};
use airlift::engine::resolve::{ResolveSpec, resolve};
use serde_json::{Value, json};

use crate::rig::registry::DockerRegistry;
use crate::rig::world::{World, copy_tree, push_layout};
use crate::rig::{TempRoot, need};

/// A registry and a layout whose names are of that registry; what is built there is pushed as it is.
struct Source {
    registry: DockerRegistry,
    client: Registry,
    layout: SampleLayout,
    root: TempRoot,
}

impl Source {
    fn start() -> Option<Self> {
        let registry = DockerRegistry::start()?;
        let root = TempRoot::new();
        let layout = SampleLayout::create(&root.join("layout")).unwrap();
        Some(Self { registry, client: Registry::new(RegistryOptions::default()).unwrap(), layout, root })
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.registry.host())
    }

    async fn push(&self) {
        push_layout(&self.layout).await;
    }

    fn bytes(&self, digest: &Digest) -> Vec<u8> {
        std::fs::read(self.layout.blob_path(digest)).unwrap()
    }

    /// A descriptor of something in the layout, with more in it.
    fn descriptor(&self, digest: &Digest, more: &Value) -> Value {
        let bytes = self.bytes(digest);
        let kind = serde_json::from_slice::<Value>(&bytes).unwrap()["mediaType"].clone();
        let mut descriptor = json!({ "mediaType": kind, "digest": digest, "size": bytes.len() });
        for (key, value) in more.as_object().unwrap() {
            descriptor[key] = value.clone();
        }
        descriptor
    }

    fn index(&mut self, name: &str, children: &[Value]) -> Digest {
        let index = json!({ "schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": children });
        self.layout.manifest(name, mt::OCI_INDEX, index.to_string().as_bytes()).unwrap()
    }

    async fn resolve(&self, names: &[&str], platforms: &[&str]) -> Vec<Result<ResolvedImage, EngineError>> {
        let requests = names.iter().map(|name| Request::parse(name).unwrap()).collect();
        self.resolve_requests(requests, platforms).await
    }

    async fn resolve_requests(
        &self,
        requests: Vec<Request>,
        platforms: &[&str],
    ) -> Vec<Result<ResolvedImage, EngineError>> {
        let platforms = platforms.iter().map(|text| text.parse().unwrap()).collect();
        let spec = ResolveSpec { requests, platforms, jobs: 0, signatures: true, nearby: Vec::new() };
        let outcomes = resolve(&spec, &self.client, &JobCtx::silent()).await.unwrap();
        outcomes.into_iter().map(|outcome| outcome.map_err(|failed| failed.error)).collect()
    }

    async fn one(&self, name: &str, platforms: &[&str]) -> ResolvedImage {
        self.resolve(&[name], platforms).await.remove(0).unwrap()
    }

    /// Runs `airlift resolve` with these words in the root.
    fn airlift(&self, words: &[&str]) -> Ran {
        run(&self.root, words)
    }
}

/// What one run gave.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// The report of a `--json` run.
    fn report(&self) -> Value {
        let last: Value = serde_json::from_str(self.stdout.lines().last().unwrap()).unwrap();
        last["report"].clone()
    }
}

fn run(root: &TempRoot, words: &[&str]) -> Ran {
    let output = root.airlift().arg("resolve").args(words).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn on(platform: &str) -> ImageSpec {
    ImageSpec::small(platform).on(platform.parse().unwrap())
}

fn platforms(image: &ResolvedImage) -> Vec<String> {
    image.platforms.iter().map(|platform| platform.platform().to_string()).collect()
}

fn documents(image: &ResolvedImage) -> BTreeSet<Digest> {
    image.documents.iter().map(|document| document.digest.clone()).collect()
}

fn children(index: &[u8]) -> Vec<Digest> {
    match manifest::parse(index, None).unwrap() {
        Document::Index(index) => index.manifests.into_iter().map(|child| child.digest).collect(),
        Document::Manifest(_) => panic!("no index"),
    }
}

/// Configuration and layers of manifests in the layout.
fn blobs_of(source: &Source, manifests: &[&Digest]) -> BTreeSet<Digest> {
    let of = |digest: &&Digest| match manifest::parse(&source.bytes(digest), None).unwrap() {
        Document::Manifest(manifest) => {
            manifest.layers.into_iter().chain([manifest.config]).map(|blob| blob.digest).collect::<Vec<_>>()
        }
        Document::Index(_) => panic!("no manifest"),
    };
    manifests.iter().flat_map(of).collect()
}

fn blobs(image: &ResolvedImage) -> BTreeSet<Digest> {
    image.blobs.iter().map(|blob| blob.digest.clone()).collect()
}

#[tokio::test]
async fn r03_two_digests_of_one_repository_are_both_resolved() {
    let Some(mut source) = Source::start() else { return };
    let name = source.name("team/app");
    let pins = ["one", "two"].map(|text| {
        let digest = source.layout.image(&format!("{name}:{text}"), &ImageSpec::small(text)).unwrap();
        (format!("{name}@{digest}"), digest)
    });
    source.push().await;
    let outcomes = source.resolve(&[&pins[0].0, &pins[1].0], &[]).await;
    for (outcome, (name, digest)) in outcomes.iter().zip(&pins) {
        let image = outcome.as_ref().unwrap();
        assert_eq!((&image.digest, image.reference.to_string()), (digest, name.clone()));
        assert_eq!(image.documents[0].bytes[..], source.bytes(digest));
        assert_eq!(blobs(image), blobs_of(&source, &[digest]));
    }
}

#[tokio::test]
async fn r04_a_platform_filter_keeps_digest_and_bytes_of_the_index_and_carries_only_what_is_wanted() {
    let Some(mut source) = Source::start() else { return };
    let name = source.name("team/multi:1");
    let specs = ["linux/amd64", "linux/arm64", "linux/arm/v7"].map(|p| on(p).spaced(Spacing::Odd));
    let top = source.layout.index(&name, &specs).unwrap();
    source.push().await;
    let image = source.one(&name, &["linux/arm64", "linux/s390x"]).await;
    let written = source.bytes(&top);
    assert!(written.ends_with(b"}\r\n\n"), "the white space is odd");
    assert_eq!((&image.digest, &image.documents[0].bytes[..]), (&top, &written[..]));
    let children = children(&written);
    assert_eq!(documents(&image), BTreeSet::from([top, children[1].clone()]));
    assert_eq!(blobs(&image), blobs_of(&source, &[&children[1]]));
    assert_eq!(platforms(&image), ["linux/arm64"]);
    let omitted: Vec<_> = image.omitted.iter().map(|p| p.platform().to_string()).collect();
    assert_eq!(omitted, ["linux/amd64", "linux/arm/v7"]);
    assert_eq!(image.omitted[0].digest, children[0]);
    let all = source.one(&name, &[]).await;
    assert_eq!((all.platforms.len(), all.omitted.len(), all.documents.len()), (3, 0, 4));
}

#[tokio::test]
async fn r25_signatures_of_the_top_and_of_its_platforms_come_with_documents_blobs_and_tags() {
    let Some(mut source) = Source::start() else { return };
    let name = source.name("team/signed:1");
    let top = source.layout.index(&name, &[on("linux/amd64"), on("linux/arm64")]).unwrap();
    let children = children(&source.bytes(&top));
    let mut wanted = BTreeSet::new();
    let mut tags = BTreeSet::new();
    for signed in [&top, &children[0]] {
        let signature = source.layout.cosign_signature(&name, signed).unwrap();
        tags.insert((format!("sha256-{}.sig", signed.hex()), signature.clone()));
        wanted.insert(signature);
    }
    // The form of what cosign keeps is the same under each of its tags.
    for (suffix, text) in [("att", "attested"), ("sbom", "listed")] {
        let tag = format!("sha256-{}.{suffix}", top.hex());
        let kept = source.layout.image(&source.name(&format!("team/signed:{tag}")), &ImageSpec::small(text));
        tags.insert((tag, kept.as_ref().unwrap().clone()));
        wanted.insert(kept.unwrap());
    }
    let sbom = source.layout.referrer_by_tag(&name, &children[1], "application/spdx+json").unwrap();
    wanted.insert(sbom.clone());
    source.push().await;
    let image = source.one(&name, &[]).await;
    assert_eq!(image.signatures.iter().cloned().collect::<BTreeSet<_>>(), wanted);
    let fallback = format!("sha256-{}", children[1].hex());
    let index = image.extra_tags.iter().find(|(tag, _)| *tag == fallback).unwrap().1.clone();
    tags.insert((fallback, index.clone()));
    assert_eq!(image.extra_tags.iter().cloned().collect::<BTreeSet<_>>(), tags);
    let carried = documents(&image);
    assert!(wanted.is_subset(&carried) && carried.contains(&index));
    let artifacts: Vec<&Digest> = wanted.iter().collect();
    assert!(blobs_of(&source, &artifacts).is_subset(&blobs(&image)));
    for document in &image.documents {
        assert_eq!(sha256(&document.bytes), document.digest);
    }
    // A platform that is left out leaves its signatures behind.
    let arm = source.one(&name, &["linux/arm64"]).await;
    let about_amd = image.extra_tags.iter().find(|(tag, _)| tag.contains(children[0].hex())).unwrap();
    assert!(!arm.signatures.contains(&about_amd.1) && arm.signatures.contains(&sbom));
    assert_eq!(arm.signatures.len(), wanted.len() - 1);
}

#[tokio::test]
async fn an_attestation_follows_its_image_and_a_nested_index_is_walked() {
    let Some(mut source) = Source::start() else { return };
    let mut listed = Vec::new();
    for platform in ["linux/amd64", "linux/arm64"] {
        let scratch = source.name("team/app:scratch");
        let image = source.layout.image(&scratch, &on(platform)).unwrap();
        let statement = source.layout.image(&scratch, &ImageSpec::small(&format!("on {platform}"))).unwrap();
        let (os, architecture) = platform.split_once('/').unwrap();
        let runs_on = json!({"platform": {"os": os, "architecture": architecture}});
        let about = json!({
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": image,
            },
        });
        listed.push((image.clone(), source.descriptor(&image, &runs_on)));
        listed.push((statement.clone(), source.descriptor(&statement, &about)));
    }
    let inner_name = source.name("team/app:inner");
    let all: Vec<Value> = listed.iter().map(|(_, descriptor)| descriptor.clone()).collect();
    let inner = source.index(&inner_name, &all);
    let outer_name = source.name("team/app:outer");
    let nested = source.descriptor(&inner, &json!({}));
    let outer = source.index(&outer_name, &[nested]);
    source.push().await;
    let image = source.one(&inner_name, &["linux/arm64"]).await;
    assert_eq!(documents(&image), BTreeSet::from([inner.clone(), listed[2].0.clone(), listed[3].0.clone()]));
    assert_eq!(platforms(&image), ["linux/arm64"]);
    assert_eq!(blobs(&image), blobs_of(&source, &[&listed[2].0, &listed[3].0]));
    let image = source.one(&outer_name, &["linux/amd64"]).await;
    let wanted = [outer.clone(), inner, listed[0].0.clone(), listed[1].0.clone()];
    assert_eq!((&image.digest, documents(&image)), (&outer, BTreeSet::from(wanted)));
}

#[tokio::test]
async fn a_filter_that_matches_nothing_names_what_there_is() {
    let Some(mut source) = Source::start() else { return };
    let (multi, single) = (source.name("team/multi:1"), source.name("team/single:1"));
    source.layout.index(&multi, &[on("linux/arm64"), on("linux/amd64")]).unwrap();
    source.layout.image(&single, &on("linux/amd64").docker()).unwrap();
    source.push().await;
    let outcomes = source.resolve(&[&multi, &single], &["linux/s390x"]).await;
    for (outcome, there) in outcomes.into_iter().zip(["linux/amd64, linux/arm64", "linux/amd64"]) {
        let error = outcome.unwrap_err();
        assert!(
            error.message().ends_with(&format!("has nothing for linux/s390x; it has {there}")),
            "{error}"
        );
        assert_eq!(error.kind(), Kind::Usage);
    }
    let ran = source.airlift(&[&single, "--platform", "linux/s390x"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("it has linux/amd64"), "{}", ran.stderr);
}

#[tokio::test]
async fn one_bad_reference_hides_no_other_and_a_common_failure_has_its_own_exit_code() {
    let Some(mut source) = Source::start() else { return };
    let name = source.name("team/app:1");
    let digest = source.layout.image(&name, &ImageSpec::small("x")).unwrap();
    source.push().await;
    let (tag, repo) = (source.name("team/app:none"), source.name("team/none:1"));
    let ran = source.airlift(&["--json", &tag, &name, &repo]);
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    let report = ran.report();
    assert_eq!(report["images"][0]["digest"], json!(digest));
    let failed: Vec<&str> =
        report["failed"].as_array().unwrap().iter().map(|f| f["requested"].as_str().unwrap()).collect();
    assert_eq!(failed, [&tag, &repo]);
    let ran = source.airlift(&[&tag, &name, &repo]);
    assert_eq!(ran.code, 3);
    assert!(ran.stdout.contains(&digest.to_string()), "{}", ran.stdout);
    for missing in [&tag, &repo] {
        assert!(ran.stderr.contains(missing.as_str()), "{}", ran.stderr);
    }
    let ran = source.airlift(&["--quiet", &tag, &repo]);
    assert_eq!(ran.code, 15, "{}", ran.stderr);
    assert!(ran.stderr.contains("0 resolved, 2 not resolved"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_lock_file_is_written_and_what_moved_came_and_went_is_told_against_it() {
    let Some(mut source) = Source::start() else { return };
    let [a, b, c] = ["a", "b", "c"].map(|tag| source.name(&format!("team/app:{tag}")));
    let first = source.layout.image(&a, &ImageSpec::small("a1")).unwrap();
    source.layout.image(&b, &ImageSpec::small("b1")).unwrap();
    source.layout.image(&c, &ImageSpec::small("c1")).unwrap();
    source.push().await;
    let ran = source.airlift(&["--lock", "airlift.lock", &a, &b]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let file = source.root.join("airlift.lock");
    let before = std::fs::read_to_string(&file).unwrap();
    assert!(before.contains(&format!("digest = \"{first}\"")) && before.contains(&a), "{before}");
    let again = source.airlift(&["--lock", "airlift.lock", &a, &b]);
    assert_eq!((again.code, std::fs::read_to_string(&file).unwrap()), (0, before.clone()));
    assert!(!again.stdout.contains("moved") && !again.stdout.contains("gone"), "{}", again.stdout);
    let second = source.layout.image(&a, &ImageSpec::small("a2")).unwrap();
    source.push().await;
    let dry = source.airlift(&["--lock", "airlift.lock", "-n", &a, &c]);
    assert!(dry.stdout.contains(&format!("moved {a}: {first} -> {second}")), "{}", dry.stdout);
    assert!(dry.stdout.contains(&format!("new   {c}: ")), "{}", dry.stdout);
    assert!(dry.stdout.contains(&format!("gone  {b}: ")), "{}", dry.stdout);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "a dry run writes nothing");
    // What could not be had this time is not forgotten; the rest is written.
    let gone = source.name("team/app:d");
    let ran = source.airlift(&["--json", "--lock", "airlift.lock", &a, &b, &gone]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.report()["changes"].as_array().unwrap().len(), 1, "{}", ran.stdout);
    let after = std::fs::read_to_string(&file).unwrap();
    assert!(after.contains(&second.to_string()) && !after.contains(&first.to_string()), "{after}");
    // Only one is asked for again: the entries of the others stay, and none of them is told to be gone.
    let third = source.layout.image(&a, &ImageSpec::small("a3")).unwrap();
    source.push().await;
    let ran = source.airlift(&["--json", "--lock", "airlift.lock", "--keep", &a]);
    assert_eq!((ran.code, ran.report()["changes"].as_array().unwrap().len()), (0, 1), "{}", ran.stdout);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(kept, after.replace(&second.to_string(), &third.to_string()));
    assert!(kept.contains(&gone), "what could not be had is still said to be lacking: {kept}");
}

#[tokio::test]
async fn a_pin_keeps_the_content_after_its_tag_has_moved_and_it_is_said() {
    let Some(mut source) = Source::start() else { return };
    let name = source.name("team/app:1");
    let pinned = source.layout.image(&name, &ImageSpec::small("old")).unwrap();
    source.push().await;
    let request = Request { pin: Some(pinned.clone()), ..Request::parse(&name).unwrap() };
    let image = source.resolve_requests(vec![request.clone()], &[]).await.remove(0).unwrap();
    assert!(!image.findings.iter().any(|finding| finding.id == Rule::Moved));
    let now = source.layout.image(&name, &ImageSpec::small("new")).unwrap();
    source.push().await;
    let image = source.resolve_requests(vec![request], &[]).await.remove(0).unwrap();
    assert_eq!((image.digest, image.reference.to_string()), (pinned, name));
    let finding = image.findings.iter().find(|finding| finding.id == Rule::Moved).unwrap();
    assert!(finding.reason.contains(&now.to_string()), "{}", finding.reason);
}

#[tokio::test]
async fn a_registry_is_listed_beyond_one_page_without_its_signature_tags() {
    let Some(mut source) = Source::start() else { return };
    let name = source.name("team/app:1");
    let digest = source.layout.image(&name, &ImageSpec::small("x")).unwrap();
    source.layout.cosign_signature(&name, &digest).unwrap();
    source.push().await;
    // Pushing hundreds of times takes its time; the registry's own files say the same.
    let repositories = source.registry.root().join("docker/registry/v2/repositories");
    let team = repositories.join("team/app");
    for number in 0..120 {
        copy_tree(&team, &repositories.join(format!("many/r{number}")));
    }
    for number in 0..120 {
        copy_tree(&team.join("_manifests/tags/1"), &team.join(format!("_manifests/tags/v{number}")));
    }
    let from = format!("registry:{}", source.registry.host());
    let (every, ctx) = (from.parse().unwrap(), JobCtx::silent());
    let all = airlift::engine::select::gather(&every, &source.client, &ctx).await.unwrap();
    let of = |start: &str| all.candidates.iter().filter(|c| c.text.contains(start)).count();
    assert_eq!((of("/many/r"), of("/team/app:v"), all.candidates.len()), (120, 120, 241));
    assert_eq!(all.problems, []);
    assert!(all.notes[0].starts_with("121 sha256-… tags"), "{:?}", all.notes);
    let ran = source.airlift(&["--json", "--no-signatures", "--from", &format!("{from}/team/app:v11?")]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let report = ran.report();
    assert_eq!((&report["totals"]["images"], &report["totals"]["blobs"]), (&json!(10), &json!(3)));
    let ran = source.airlift(&["--from", &format!("{from}/team/app:w*")]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing there matches"), "{}", ran.stderr);
}

#[tokio::test]
async fn r32_manifests_that_do_not_parse_are_named_and_the_rest_is_resolved_with_exit_3() {
    let Some(mut source) = Source::start() else { return };
    let name = source.name("team/app:1");
    let digest = source.layout.image(&name, &ImageSpec::small("x")).unwrap();
    source.push().await;
    let pod = format!("kind: Pod\nspec:\n  containers:\n  - image: {name}\n");
    source.root.write("tree/pod.yaml", &pod);
    source.root.write("tree/sub/broken.yaml", format!("{pod}---\na: [1\nb: {{\n"));
    let ran = source.airlift(&["--from", "manifests:tree"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let none = source.name("team/none:1");
    assert_eq!(source.airlift(&["--from", "manifests:tree/sub", &none]).code, 3, "not 15: part was not read");
    assert!(ran.stdout.contains(&digest.to_string()), "{}", ran.stdout);
    assert!(ran.stderr.contains("tree/sub/broken.yaml:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 resolved, 0 not resolved, 1 place could not be read"), "{}", ran.stderr);
}

#[test]
fn the_table_shows_how_a_reference_was_written_only_where_that_is_another_text() {
    let Some(world) = World::start() else { return };
    world.push(|layout, host| {
        layout.image(&format!("{host}/team/app:latest"), &ImageSpec::small("a")).unwrap()
    });
    let (full, short) = (world.reference("team/app:latest"), world.reference("team/app"));
    let ran = world.run(["resolve", &full]).code(0);
    assert!(ran.stdout.starts_with("REFERENCE") && !ran.stdout.contains("WRITTEN AS"), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches(&full).count(), 1, "{}", ran.stdout);
    let ran = world.run(["resolve", &short]).code(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].ends_with("WRITTEN AS"), "{}", ran.stdout);
    assert!(lines[1].starts_with(&full) && lines[1].ends_with(&format!("  {short}")), "{}", ran.stdout);
}

#[test]
fn pack_carries_what_the_lock_file_pins_after_the_tag_has_moved_and_says_so() {
    let Some(world) = World::start() else { return };
    let old = world.push(|layout, host| {
        layout.image(&format!("{host}/team/app:late"), &ImageSpec::small("late")).unwrap();
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("old")).unwrap()
    });
    let name = world.reference("team/app:1");
    let refused = world.pack(&["--lock", "site.lock", &name]).code(2);
    assert!(refused.said().contains("there is no lock file site.lock"), "{}", refused.said());
    world.run(["resolve", "--lock", "site.lock", &name]).code(0);
    let new = world
        .push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("new")).unwrap());
    let late = world.reference("team/app:late");
    let ran = world.pack(&["--lock", "site.lock", &name, &late]).code(0);
    let document = std::fs::read_to_string(ran.bundle().join("airlift/manifest.json")).unwrap();
    assert!(document.contains(&old.to_string()) && !document.contains(&new.to_string()), "{document}");
    assert!(ran.stdout.contains(&format!("{late} is not in site.lock")), "{}", ran.stdout);
    let moved = format!("names {new} now; the lock file holds it to {old}");
    let said = |words: &str| ran.stdout.lines().position(|line| line.contains(words));
    assert!(said(&moved).is_some() && said(&moved) < said("\"phase\":\"fetch\""), "{}", ran.stdout);
    let words =
        world.run(["pack", "--no-tool", "--to", "medium", "--lock", "site.lock", &name, &late]).code(0);
    assert_eq!(words.stderr.matches(&moved).count(), 1, "{words:?}");
}

#[test]
fn pack_carries_the_platforms_of_the_lock_file_and_refuses_what_differs_from_it() {
    let Some(world) = World::start() else { return };
    let platforms = ["linux/amd64", "linux/arm64", "linux/s390x"];
    let images = platforms.map(|platform| ImageSpec::small(platform).on(platform.parse().unwrap()));
    let top = world.push(|layout, host| {
        layout.image(&format!("{host}/team/one:1"), &ImageSpec::small("one")).unwrap();
        layout.index(&format!("{host}/team/app:1"), &images).unwrap()
    });
    let (tag, digest) = (world.reference("team/app:1"), world.reference(&format!("team/app@{top}")));
    let two = ["--platform", platforms[0], "--platform", platforms[1]];
    let one = world.reference("team/one:1");
    let names = [&tag, &digest, &one].map(String::as_str);
    world.run([&["resolve", "--lock", "site.lock"], &two[..], &names].concat()).code(0);
    let carried = |more: &[&str]| -> Vec<usize> {
        let report = world.pack(&[&["-n", "--lock", "site.lock"], more].concat()).code(0).report();
        let images = report["resolved"]["images"].as_array().unwrap();
        let mut counts: Vec<_> =
            images.iter().map(|image| image["platforms"].as_array().unwrap().len()).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(carried(&[]), [1, 2, 2], "by tag and by digest alike");
    assert_eq!(carried(&["--platform", platforms[0]]), [1, 1, 1]);
    assert_eq!(carried(&[&tag]), [2]);
    let outside = world.pack(&["--lock", "site.lock", "--platform", platforms[2], &tag]).code(2).said();
    assert!(outside.contains("locked for linux/amd64, linux/arm64 alone, linux/s390x"), "{outside}");
    let lock = std::fs::read_to_string(world.root.join("site.lock")).unwrap();
    let size = lock.lines().find(|line| line.starts_with("size = ")).unwrap();
    let filter = lock.lines().find(|line| line.starts_with("only = ")).unwrap();
    for (from, to, said) in [(size, "size = 7", "of 7 bytes"), (filter, "", "found is linux/s390x")] {
        assert_ne!(lock, lock.replace(from, to));
        world.root.write("edited.lock", lock.replace(from, to));
        let refused = world.pack(&["--lock", "edited.lock"]).code(10).said();
        assert!(refused.contains("the lock file says") && refused.contains(said), "{refused}");
    }
    assert_eq!(
        std::fs::read_dir(world.medium()).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count(),
        0
    );
}

#[test]
fn a_kubeadm_on_path_is_asked_and_agrees_with_the_table_for_its_own_version() {
    let Some(kubeadm) = need("kubeadm") else { return };
    let version = std::process::Command::new(&kubeadm).args(["version", "-o", "short"]).output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap().trim().to_owned();
    let registry = Registry::new(RegistryOptions::default()).unwrap();
    let from = format!("kubeadm:{version}").parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ctx = JobCtx::silent();
    let selection = runtime.block_on(airlift::engine::select::gather(&from, &registry, &ctx)).unwrap();
    assert!(selection.candidates.iter().any(|c| c.text.contains("/kube-apiserver:")), "{selection:?}");
    let differs = selection.notes.iter().find(|note| note.contains("differ"));
    assert!(differs.is_none() || selection.candidates.iter().any(|c| c.assumed), "{differs:?}");
    assert!(!selection.notes.iter().any(|note| note.contains("gave no list")), "{:?}", selection.notes);
}

#[test]
fn a_lock_file_without_all_that_was_asked_for_says_so_and_is_not_packed_as_the_whole() {
    let Some(world) = World::start() else { return };
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("a")).unwrap());
    let (name, lost) = (world.reference("team/app:1"), world.reference("team/lost:1"));
    assert_ne!(world.run(["resolve", "--lock", "site.lock", &name, &lost]).exit, Some(0));
    let lock = std::fs::read_to_string(world.root.join("site.lock")).unwrap();
    assert!(lock.contains(&format!("unresolved = [\"{lost}\"]")), "{lock}");
    let refused = world.pack(&["--lock", "site.lock"]).code(2);
    assert!(refused.said().contains(&format!("it was written without {lost}")), "{}", refused.said());
    assert!(refused.said().contains("--keep-going"), "{}", refused.said());
    assert_eq!(std::fs::read_dir(world.medium()).unwrap().count(), 0);
    let knowingly = world.pack(&["--lock", "site.lock", "--keep-going"]).code(3);
    assert!(knowingly.report()["bundle"]["missing"].to_string().contains(&lost), "{}", knowingly.said());
    // Whole again once it can be had.
    world.push(|layout, host| layout.image(&format!("{host}/team/lost:1"), &ImageSpec::small("b")).unwrap());
    world.run(["resolve", "--lock", "site.lock", &name, &lost]).code(0);
    world.pack(&["--lock", "site.lock", "--name", "whole"]).code(0);
}

#[test]
fn an_image_without_the_platform_that_is_asked_for_is_left_out_and_not_carried_as_it_was_locked_before() {
    let Some(world) = World::start() else { return };
    let [amd64, arm64] = ["linux/amd64", "linux/arm64"];
    world.push(|layout, host| {
        layout.image(&format!("{host}/team/one:1"), &on(amd64)).unwrap();
        layout.index(&format!("{host}/team/both:1"), &[on(amd64), on(arm64)]).unwrap()
    });
    let [both, one] = ["both", "one"].map(|name| world.reference(&format!("team/{name}:1")));
    world.root.write("list.txt", format!("{both}\n{one}\n"));
    let resolve =
        |platform| world.run(["resolve", "-f", "list.txt", "--lock", "site.lock", "--platform", platform]);
    resolve(amd64).code(0);
    resolve(arm64).code(3);
    let kept = std::fs::read_to_string(world.root.join("site.lock")).unwrap();
    assert!(kept.contains(&format!("unresolved = [\"{one}\"]")) && kept.contains(amd64), "{kept}");
    let asked = ["-f", "list.txt", "--lock", "site.lock", "--platform", arm64, "--keep-going"];
    let partly = world.pack(&asked).code(3);
    let missing = &partly.report()["bundle"]["missing"];
    assert!(missing.to_string().contains(&one) && !missing.to_string().contains(&both), "{missing}");
    assert!(!partly.said().contains("its tag decides"), "{}", partly.said());
    // Whatever the tag names by now, it is held to what it was.
    world.push(|layout, host| layout.image(&format!("{host}/team/one:1"), &on(arm64)).unwrap());
    let held = world.pack(&["--lock", "site.lock", "--platform", arm64, "--keep-going", "--anew"]).code(3);
    assert!(held.report()["bundle"]["missing"].to_string().contains(&one), "{}", held.said());
}

#[test]
fn what_a_lock_file_found_is_not_left_out_as_what_it_did_not_find() {
    let Some(world) = World::start() else { return };
    for name in ["app", "gone"] {
        world.push(|layout, host| {
            layout.image(&format!("{host}/team/{name}:1"), &ImageSpec::small(name)).unwrap()
        });
    }
    let names = ["app", "gone"].map(|name| world.reference(&format!("team/{name}:1")));
    world.run(["resolve", "--lock", "site.lock", &names[0], &names[1]]).code(0);
    std::fs::remove_dir_all(world.registry.root().join("docker/registry/v2/repositories/team/gone")).unwrap();
    let pack = |more: &[&str]| world.pack(&[&["--lock", "site.lock"], more].concat());
    for more in [&[][..], &["--keep-going=unresolved"]] {
        let refused = pack(more).code(15);
        assert!(refused.said().contains("1 of 2 references cannot be packed"), "{}", refused.said());
        assert!(refused.said().contains("--keep-going packs the rest"), "{}", refused.said());
        assert_eq!(std::fs::read_dir(world.medium()).unwrap().count(), 0);
    }
    assert!(pack(&["--keep-going", "--dry-run"]).code(3).said().contains(&names[1]));
    for more in [&[][..], &["--keep-going=unresolved"], &["--keep-going"]] {
        let refused = world.pack(&[&["HOST/team/none:1"], more].concat()).code(15);
        assert!(!refused.said().contains("packs the rest"), "there is none: {}", refused.said());
    }
    // Once it is asked for and fails, it is known that it can be missing; what the file held it to stays.
    assert_ne!(world.run(["resolve", "--lock", "site.lock", &names[0], &names[1]]).exit, Some(0));
    let lock = std::fs::read_to_string(world.root.join("site.lock")).unwrap();
    assert!(lock.contains(&format!("unresolved = [\"{}\"]", names[1])), "{lock}");
    assert!(lock.contains(&format!("reference = \"{}\"", names[1])), "{lock}");
    let refused = pack(&[]).code(15);
    assert!(refused.said().contains("--keep-going=unresolved packs the rest"), "{}", refused.said());
    let report = pack(&["--keep-going=unresolved"]).code(3).report();
    assert_eq!(report["bundle"]["missing"][0]["reference"], serde_json::json!(names[1]));
}

#[test]
fn a_chart_is_rendered_by_helm_and_its_images_are_found() {
    let Some(helm) = crate::rig::need("helm") else { return };
    let Some(world) = World::start() else { return };
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("a")).unwrap());
    world.root.write("chart/Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n");
    world.root.write("chart/values.yaml", format!("image: {}\n", world.reference("team/app:1")));
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: '{{ .Values.image }}'}]}\n";
    world.root.write("chart/templates/pod.yaml", pod);
    let mut command = world.command();
    command.args(["resolve", "--from", "chart:chart"]).env("PATH", helm.parent().unwrap());
    let ran = crate::rig::world::Ran::of(command).code(0);
    assert!(ran.stdout.contains("team/app:1"), "{}", ran.said());
}
