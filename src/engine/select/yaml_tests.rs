//! What is found in YAML, with which line and how sure.

use super::yaml::scan;
use crate::domain::selection::Selection;

type Lines = Vec<(String, u64)>;

/// Sure ones, unsure ones, and the lines of problems.
fn found(text: &str) -> (Lines, Lines, Vec<u64>) {
    let mut selection = Selection::default();
    scan(text, "f.yaml", &mut selection);
    let of = |unsure: bool| {
        let some = selection.candidates.iter().filter(|c| c.unsure == unsure);
        some.map(|c| (c.text.clone(), c.origin.line.unwrap())).collect()
    };
    (of(false), of(true), selection.problems.iter().map(|p| p.origin.line.unwrap()).collect())
}

fn pairs(list: &[(&str, u64)]) -> Lines {
    list.iter().map(|(text, line)| ((*text).to_owned(), *line)).collect()
}

#[test]
fn every_image_key_of_any_kind_and_depth_is_found_with_its_line() {
    let text = "\
apiVersion: v1
kind: Pod
spec:
  initContainers:
  - name: init
    image: busybox:1.35
  ephemeralContainers: [{name: dbg, image: 'quay.io/a/dbg:1'}]
  containers:
  - image: \"nginx:1.25.3\" # web
    imagePullPolicy: Always
  volumes:
  - name: data
    image:
      reference: quay.io/a/data:7
---
# only a comment
---
apiVersion: example.com/v1
kind: Widget
spec: {a: {b: {c: {d: [{image: redis:7.0.1}]}}}}
";
    let (sure, unsure, problems) = found(text);
    let expected = [
        ("busybox:1.35", 6),
        ("quay.io/a/dbg:1", 7),
        ("nginx:1.25.3", 9),
        ("quay.io/a/data:7", 14),
        ("redis:7.0.1", 20),
    ];
    assert_eq!(sure, pairs(&expected));
    assert_eq!((unsure, problems), (vec![], vec![]));
}

#[test]
fn the_pull_policy_beside_an_image_is_kept() {
    let mut selection = Selection::default();
    scan("- imagePullPolicy: Always\n  image: a/b:1\n- image: a/c:1\n", "f", &mut selection);
    let policies: Vec<_> = selection.candidates.iter().map(|c| c.pull_policy.as_deref()).collect();
    assert_eq!(policies, [Some("Always"), None]);
}

#[test]
fn what_only_looks_like_an_image_is_unsure_with_its_line() {
    let text = "\
image:
  registry: quay.io
  repository: team/app
  tag: 1.4
sidecar:
  image: {repository: team/side}
images:
- name: nginx
  newTag: 1.25.4
args: [\"--proxy=quay.io/a/proxy:2\", \"--listen=:8080\"]
env:
- name: AGENT
  value: team/agent:3.1
data:
  config: |
    x: 1
    image: quay.io/a/embedded:5
web: {repository: quay.io/a/web, tag: \"\"}
";
    let (sure, unsure, problems) = found(text);
    assert_eq!((sure, problems), (vec![], vec![]));
    let expected = [
        ("quay.io/team/app:1.4", 3),
        ("team/side", 6),
        ("nginx:1.25.4", 8),
        ("quay.io/a/proxy:2", 10),
        ("team/agent:3.1", 13),
        ("quay.io/a/embedded:5", 17),
        ("quay.io/a/web", 18),
    ];
    assert_eq!(unsure, pairs(&expected));
}

#[test]
fn a_value_of_a_config_map_or_secret_is_text_and_elsewhere_data_is_as_anything_else() {
    let text = "\
apiVersion: v1
data:
  image: not/an/image:one
  repository: a/b
  tag: '1'
  image.txt: 'no name'
kind: ConfigMap
---
kind: Secret
stringData: {image: 'Not Valid', name: quay.io/a/named:1}
---
kind: ConfigMap
data: {agent: quay.io/a/agent:2, image: 'team/agent:3.1'}
---
kind: List
items:
- kind: ConfigMap
  data: {image: busybox}
- kind: Machine
  data: {image: quay.io/a/machine:4}
---
data: {nested: {data: {image: quay.io/a/deep:5}}}
";
    let (sure, unsure, problems) = found(text);
    assert_eq!(problems, Vec::<u64>::new());
    assert_eq!(sure, pairs(&[("quay.io/a/machine:4", 20), ("quay.io/a/deep:5", 22)]));
    assert_eq!(
        unsure,
        pairs(&[("quay.io/a/named:1", 10), ("quay.io/a/agent:2", 13), ("team/agent:3.1", 13)])
    );
}

#[test]
fn r32_a_template_or_a_broken_document_is_said_and_the_others_are_read() {
    let text = "\
image: nginx:1.25.3
---
{{- if .Values.on }}
kind: Pod
spec:
  image: quay.io/a/b:1
{{- end }}
---
image: {{ .Values.image }}
---
image: \"{{ .Values.repo }}:1\"
---
image: Not Valid
---
image: redis:7.0.1
";
    let (sure, unsure, problems) = found(text);
    assert_eq!(sure, pairs(&[("nginx:1.25.3", 1), ("redis:7.0.1", 15)]));
    assert_eq!(unsure, pairs(&[("quay.io/a/b:1", 6)]));
    assert!(problems.iter().any(|line| (3..=7).contains(line)), "{problems:?}");
    assert!([9, 11, 13].iter().all(|line| problems.contains(line)), "{problems:?}");
}

#[test]
fn schemas_nulls_and_block_devices_are_no_images() {
    let text = "properties:\n  image: {type: string, description: an image}\na: {image: }\nb: {image: null}\nc: {image: ''}\n";
    let (sure, unsure, problems) = found(text);
    assert_eq!((sure, unsure), (vec![], vec![]));
    assert!(problems.len() <= 1, "{problems:?}");
    assert_eq!(found("rbd: {pool: a, image: disk}\n").0, []);
}

#[test]
fn anchors_are_followed_and_json_with_tabs_is_read() {
    let (sure, _, problems) = found("a: &img nginx:1.25.3\nb: {image: *img}\n");
    assert_eq!((sure, problems), (pairs(&[("nginx:1.25.3", 2)]), vec![]));
    let (sure, _, problems) = found("{\n\t\"spec\": {\n\t\t\"image\": \"nginx:1.25.3\"\n\t}\n}\n");
    assert_eq!((sure, problems), (pairs(&[("nginx:1.25.3", 3)]), vec![]));
}

#[test]
fn bombs_and_endless_nesting_end_with_a_problem_and_at_once() {
    let started = std::time::Instant::now();
    let mut bomb = String::from("a0: &a0 [x, x]\n");
    for n in 1..100 {
        bomb.push_str(&format!("a{n}: &a{n} [*a{p}, *a{p}, *a{p}, *a{p}]\n", p = n - 1));
    }
    bomb.push_str("image: nginx:1.25.3\n");
    assert_eq!(found(&bomb).0.len(), 1);
    for deep in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert_eq!(found(&deep).2.len(), 1);
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
}
