//! `airlift import BUNDLE` without a target: what this node is, and the targets it would take.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::Front;
use crate::cli::printer::{Align, Printer};
use crate::domain::import::Target;
use crate::domain::node::{Listening, NodeFacts, Proposal, Runtime, RuntimeKind};
use crate::domain::shell::shell_words;
use crate::domain::text;
use crate::engine::bundle::read::expect_bundle;
use crate::engine::node;
use crate::engine::storage::conf::below;
use crate::failure::Failure;

/// The query.
#[derive(Debug)]
pub struct Look {
    /// The bundle that is to be imported.
    pub bundle: PathBuf,
    /// `/`, or the root of a node that is not running.
    pub root: PathBuf,
}

/// What is shown.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    node: &'a NodeFacts,
    proposals: &'a [Proposal],
}

/// Shows the node and what to type; fails, as nothing was imported.
///
/// # Errors
/// Always: the target is missing, if not the bundle, too.
pub async fn run(look: Look, front: &Front) -> Result<(), Failure> {
    expect_bundle(Arc::clone(&front.ctx.files), look.bundle.clone()).await?;
    let node = node::find(&look.root, &*front.ctx.files).await;
    let proposals = node.proposals();
    front.printer.report(&Shown { node: &node, proposals: &proposals }, |out| show(&node, &proposals, out));
    let mut failure = Failure::usage("nothing was imported: --into TARGET says where to");
    let typed = |proposal: &Proposal| {
        let (target, root) = reached(&proposal.target, &look.root)?;
        let bundle = look.bundle.display().to_string();
        let words = ["airlift", "import", &bundle, "--into", &target].map(str::to_owned);
        let typed = shell_words(&[&words[..], &root].concat());
        Some(match proposal.warnings.first().filter(|_| !proposal.ready) {
            Some(first) => format!("{first}, then: {typed}"),
            None => typed,
        })
    };
    failure.hints = proposals.iter().filter_map(typed).collect();
    if failure.hints.is_empty() {
        failure
            .hints
            .push("no runtime was found here; any registry, oci:DIR or archive can be a target".to_owned());
    }
    Err(failure)
}

/// A target as it is typed for the node of a root directory, with what else is; none where only that node itself reaches it.
fn reached(target: &Target, root: &Path) -> Option<(String, Vec<String>)> {
    if root == Path::new("/") {
        return Some((target.to_string(), Vec::new()));
    }
    let root_words = || vec!["--root".to_owned(), root.display().to_string()];
    match target {
        Target::ContainersStorage(_) => Some((target.to_string(), root_words())),
        Target::K3s(dir) => Some((Target::K3s(below(root, dir)).to_string(), Vec::new())),
        _ => None,
    }
}

fn show(node: &NodeFacts, proposals: &[Proposal], out: &Printer) {
    let header = [
        ("RUNTIME", Align::Left),
        ("STATE", Align::Left),
        ("SOCKET", Align::Left),
        ("IMAGES IN", Align::Left),
        ("FREE", Align::Right),
        ("SANDBOX IMAGE", Align::Left),
    ];
    out.table(&header, &node.runtimes.iter().map(row).collect::<Vec<_>>());
    node.settings().into_iter().for_each(|line| out.line(line));
    for proposal in proposals {
        out.line(format!("--into {}  {}", proposal.target, proposal.why));
        proposal.warnings.iter().for_each(|warning| out.warn(warning));
    }
    node.problems.iter().for_each(|problem| out.warn(problem));
}

fn row(runtime: &Runtime) -> Vec<String> {
    let state = match &runtime.listening {
        Listening::Answers { version: Some(version) } => version.clone(),
        Listening::Answers { version: None } => "listens".to_owned(),
        Listening::Denied => "denied".to_owned(),
        Listening::Silent { .. } => "no answer".to_owned(),
        Listening::Absent if runtime.kind == RuntimeKind::Podman => "installed".to_owned(),
        Listening::Absent => "not running".to_owned(),
    };
    vec![
        runtime.kind.name().to_owned(),
        state,
        runtime.socket.display().to_string(),
        runtime.root.display().to_string(),
        runtime.free.map_or_else(String::new, text::bytes),
        runtime.sandbox.clone().unwrap_or_default(),
    ]
}
