//! The questions of the import: where to, of what there is or as it is typed, and what becomes of what is in the way.

use std::path::{Path, PathBuf};

use crate::actions::Act;
use crate::dialogs::choose::Item;
use crate::dialogs::{Choose, Input, Question};
use crate::domain::import::{KUBELET_NAMESPACE, TARGETS, Target, TargetError};
use crate::domain::platform::Platform;
use crate::domain::text;
use crate::engine::storage::change::ConfMode;
use crate::tui::importing::Importing;
use crate::tui::screen::Cx;

/// The question for a target of one form.
const TYPED: Question = Question { act: Act::ImportOther, part: 1 };
/// The question for a platform.
const PLATFORM: Question = Question { act: Act::ImportEdit, part: 1 };

/// What can be changed, in the order in which it is offered.
const EDITS: [&str; 4] = [
    "Names that are something else's there",
    "When one image fails",
    "Platform to bring",
    "storage.conf, for a store",
];

/// Offers what there is.
pub(super) fn targets(cx: &mut Cx<'_>) {
    let import = &cx.model.gap.import;
    let offered = import.listed();
    let item = |one: &crate::tui::importing::Offered| {
        let free = one.free.map_or_else(String::new, |free| format!(", {} free", text::bytes(free)));
        let first =
            one.warnings.first().filter(|_| !one.ready).map_or_else(String::new, |what| format!(": {what}"));
        Item::new(one.target.to_string(), format!("{}{first}{free}", one.state))
    };
    let marked: Vec<usize> =
        (0..offered.len()).filter(|at| import.marked.contains(&offered[*at].target)).collect();
    let choose = Choose::new(Act::ImportTargets, "Import into", offered.iter().map(item).collect());
    let [back, other] = [Act::Back, Act::ImportOther].map(|act| cx.model.key(act));
    let empty = format!("nothing was found on this node; {back}, then {other} takes any other target");
    cx.open(choose.several(marked).or_cursor().or_say(&empty));
}

/// Offers the forms of targets.
pub(super) fn forms(cx: &mut Cx<'_>) {
    let items = TARGETS.iter().map(|form| Item::new(*form, hint(form).0)).collect();
    cx.open(
        Choose::new(Act::ImportOther, "Another target: its form, or all of it typed", items)
            .or_typed(of_any_form),
    );
}

/// What a form is for, and how it is typed.
fn hint(form: &str) -> (&'static str, &'static str) {
    let word = form.split([':', '[']).next().unwrap_or_default();
    match word {
        "registry" => (
            "a registry",
            "HOST[:PORT][/PREFIX], http:// before it for one without TLS; {host} in the prefix stands for the \
             registry an image came from, and keeps images of the same name apart.",
        ),
        "oci" => (
            "a directory, as an OCI image layout",
            "A directory that is new, empty, or an OCI layout already.",
        ),
        "oci-archive" => {
            ("a tar file, for skopeo, podman and ctr", "A file; what is there under that name stays.")
        }
        "docker-archive" => (
            "a tar file, for docker load; digests are lost",
            "A file. It holds one platform (edit sets which) and no manifests: pods that pin digests do not find its \
             images.",
        ),
        "containerd" => (
            "containerd at another socket",
            "The socket, an absolute path, and behind a comma its namespace; k8s.io is the kubelet's.",
        ),
        "containers-storage" => {
            ("a store of CRI-O and podman", "The directory of an additional image store.")
        }
        "k3s" => (
            "the images directory of k3s or RKE2",
            "The directory; it is read when k3s starts. /var/lib/rancher/rke2/agent/images is RKE2's.",
        ),
        _ => ("", "As airlift import --into takes it."),
    }
}

/// Asks for a target of the form of that row.
pub(super) fn typed(row: usize, cx: &mut Cx<'_>) {
    let Some(form) = TARGETS.get(row) else { return };
    let word = form.split([':', '[']).next().unwrap_or_default();
    let check = |text: &str| target(text).map(drop);
    let input = Input::new(TYPED, &format!("Import into {form}"), hint(form).1);
    // What follows in brackets may be left away, and the colon with it.
    let optional = form.starts_with(&format!("{word}[:"));
    let begun = if optional { word.to_owned() } else { format!("{word}:") };
    cx.open(input.begun(&begun).checked(check));
}

/// A target, or what is wrong with it, as short as the dialog that says it.
fn target(text: &str) -> Result<Target, String> {
    text.trim().parse().map_err(|error| match error {
        TargetError::Malformed { reason, .. } => reason,
        TargetError::Unknown { .. } => "that is no target; leave this to see how they begin".to_owned(),
    })
}

/// The check of a target that is typed above the list of forms.
fn of_any_form(text: &str) -> Result<(), String> {
    text.parse::<Target>().map(drop).map_err(|error| match error {
        TargetError::Malformed { form, reason, .. } => format!("{reason}; it is written {form}"),
        TargetError::Unknown { text } => format!("{text} is no target; it begins as one of these:"),
    })
}

/// Takes over a target that was typed in full; false where it is none.
pub(super) fn taken(text: &str, cx: &mut Cx<'_>) -> bool {
    let Ok(target) = text.trim().parse::<Target>() else { return false };
    let home = cx.model.settings.home.clone();
    let target = at_home(target, home.as_deref());
    let refused = cx.model.gap.import.refused().find(|refused| **refused != target).cloned();
    if let Some(refused) = refused {
        cx.say(format!("this replaces {refused}, which was refused"));
    }
    cx.model.gap.import.add(target);
    true
}

/// A shell would have put the home directory in place of `~`.
fn at_home(target: Target, home: Option<&Path>) -> Target {
    let whole = |path: PathBuf| match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    };
    match target {
        Target::Layout(path) => Target::Layout(whole(path)),
        Target::OciArchive(path) => Target::OciArchive(whole(path)),
        Target::DockerArchive(path) => Target::DockerArchive(whole(path)),
        Target::K3s(path) => Target::K3s(whole(path)),
        other => other,
    }
}

/// Asks for the namespace of the chosen containerd.
pub(super) fn namespace(cx: &mut Cx<'_>) {
    let now = cx.model.gap.import.namespace().unwrap_or(KUBELET_NAMESPACE).to_owned();
    let check = |text: &str| {
        let whole = format!("containerd:,{}", text.trim());
        target(&whole).map(drop)
    };
    let help =
        "k8s.io is the kubelet's: pods find no image of any other. moby is docker's, default that of ctr.";
    cx.open(Input::new(Act::ImportNamespace, "Namespace of containerd", help).with(&now).checked(check));
}

fn settings(import: &Importing) -> [String; 4] {
    [
        if import.replace { "become the bundle's" } else { "stay as they are" }.to_owned(),
        if import.keep_going { "the others go on" } else { "it ends there" }.to_owned(),
        import
            .platform
            .as_ref()
            .map_or_else(|| "the node's, or the only one".to_owned(), ToString::to_string),
        match import.storage_conf {
            ConfMode::Edit => "the store is entered",
            ConfMode::Print => "the change is only shown",
            ConfMode::None => "it is left alone",
        }
        .to_owned(),
    ]
}

/// Offers what can be changed, with the cursor on a row.
pub(super) fn edit(cx: &mut Cx<'_>, at: usize) {
    let values = settings(&cx.model.gap.import);
    let items = EDITS.iter().zip(values).map(|(name, value)| Item::new(*name, value)).collect();
    cx.open(Choose::new(Act::ImportEdit, "Change", items).at(at));
}

/// Changes the setting of a row; whether that is done with.
pub(super) fn edit_row(cx: &mut Cx<'_>, row: usize) -> bool {
    let import = &mut cx.model.gap.import;
    match row {
        0 => import.replace = !import.replace,
        1 => import.keep_going = !import.keep_going,
        3 => {
            import.storage_conf = match import.storage_conf {
                ConfMode::Edit => ConfMode::Print,
                ConfMode::Print => ConfMode::None,
                ConfMode::None => ConfMode::Edit,
            }
        }
        _ => {
            let check = |text: &str| platform(text).map(drop);
            let help = "OS/ARCH[/VARIANT], as in linux/amd64; nothing for the node's, or the only one there is. For archives that hold \
                        one, and for nodes elsewhere.";
            let now = import.platform.as_ref().map_or_else(String::new, ToString::to_string);
            cx.open(Input::new(PLATFORM, "Platform to bring", help).with(&now).checked(check));
            return false;
        }
    }
    true
}

/// A platform as it is typed; nothing for none.
pub(super) fn platform(text: &str) -> Result<Option<Platform>, String> {
    match text.trim() {
        "" => Ok(None),
        text => {
            text.parse().map(Some).map_err(|error: crate::domain::platform::PlatformError| error.to_string())
        }
    }
}
