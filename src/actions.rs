//! ACTIONS, the one list of operations: every front, help text and key map is made from it.

/// How much an operation can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// Changes nothing.
    Reads,
    /// Writes new files or state of its own.
    Writes,
    /// Changes a runtime, a registry or a node.
    Changes,
}

/// Where in the workstation an operation is had; its keys hold there, and the screen's come before those of all screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// On the command line alone.
    Shell,
    /// On every screen.
    Global,
    /// On every screen with a list.
    List,
    /// On screens with a list whose rows are marked.
    Marks,
    /// While a job is or was there.
    Job,
    /// Where what failed can be done again by itself.
    Failed,
    /// The start screen.
    Start,
    /// Connected, step 1.
    Images,
    /// Connected, step 2.
    Resolve,
    /// Connected, step 3.
    Media,
    /// Connected, step 4.
    Assemble,
    /// Connected, step 5.
    Report,
    /// Where a bundle is reported, for the medium that it lies on.
    Eject,
    /// Where it matters whose signatures are trusted.
    Trust,
    /// Where imports can be taken back: at the start and at the steps up to the import.
    Undo,
    /// Air-gapped, step 1.
    Bundle,
    /// Air-gapped, step 2.
    Check,
    /// Air-gapped, step 3.
    Import,
    /// Air-gapped, step 4.
    Checked,
    /// In dialogs; each says itself which of these it has.
    Dialog,
    /// In dialogs with buttons.
    Buttons,
    /// Where a path is typed.
    Path,
}

impl Scope {
    /// Whether its operations are had in dialogs alone.
    pub const fn is_dialog(self) -> bool {
        matches!(self, Self::Dialog | Self::Buttons | Self::Path)
    }

    /// Whether its operations are had on some screens for what these are about.
    pub const fn is_of_screens(self) -> bool {
        let of_all = matches!(self, Self::Global | Self::List | Self::Marks | Self::Job | Self::Failed);
        !of_all && !self.is_dialog() && !matches!(self, Self::Shell)
    }
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Its row.
    pub name: Act,
    /// Stable name, `noun.verb` or the verb alone; what a key map calls it by.
    pub id: &'static str,
    /// Where it is had.
    pub scope: Scope,
    /// Keys that start it there unless the user maps others.
    pub keys: &'static [&'static str],
    /// How much it can change.
    pub danger: Danger,
    /// The subcommand that does it, words separated by a space; nothing where it only moves about on a screen.
    pub subcommand: Option<&'static str>,
    /// Its title in menus; the first word is what a footer has room for.
    pub title: &'static str,
    /// One sentence of help.
    pub doc: &'static str,
}

macro_rules! actions {
    ($($name:ident $scope:ident $id:literal $keys:tt $danger:ident $subcommand:tt $title:literal $doc:literal;)*) => {
        /// The operations by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Act {
            $(#[doc = $doc] $name,)*
        }

        /// Every operation there is. A subcommand and its row are added together; `tests/parity.rs` compares them.
        pub const ACTIONS: &[Action] = &[
            $(Action {
                name: Act::$name,
                id: $id,
                scope: Scope::$scope,
                keys: &$keys,
                danger: Danger::$danger,
                subcommand: actions!(@subcommand $subcommand),
                title: $title,
                doc: $doc,
            },)*
        ];
    };
    (@subcommand -) => { None };
    (@subcommand $words:literal) => { Some($words) };
}

actions! {
    // Every screen.
    Help Global "help" ["?", "F1"] Reads - "help" "Search all that can be done here, and do it";
    Palette Global "palette" [":"] Reads - "commands" "Find any operation by its name";
    Logs Global "logs" ["l"] Reads - "logs" "Open the log or close it: what happened and goes on, filtered, saved, copied";
    ShellCommand Global "command" ["y"] Reads - "command" "Show and copy the command that does the same";
    Copy Global "copy" ["c"] Reads - "copy" "Copy the digest, path or reference under the cursor, or what a dialog shows";
    Back Global "back" ["Esc"] Reads - "back" "Close what is open, or go back one step";
    Quit Global "quit" ["q"] Reads - "quit" "Quit; asks first if a job is running";
    Redraw Global "redraw" ["L", "Ctrl-L"] Reads - "redraw" "Redraw the whole screen";
    Suspend Global "suspend" ["Z", "Ctrl-Z"] Reads - "suspend" "Give the terminal to the shell; its fg brings this back";
    Basic Global "basic" ["B", "F4", "Ctrl-T"] Reads - "basic/rich" "Switch between plain ASCII and box characters";
    Theme Global "theme" ["C", "F2"] Reads - "theme" "Choose the colours";
    Mouse Global "mouse" ["M", "F3"] Reads - "mouse" "Let the mouse scroll and choose, or leave it to the terminal";
    Step1 Global "step.1" ["1"] Reads - "step 1" "Go to step 1";
    Step2 Global "step.2" ["2"] Reads - "step 2" "Go to step 2";
    Step3 Global "step.3" ["3"] Reads - "step 3" "Go to step 3";
    Step4 Global "step.4" ["4"] Reads - "step 4" "Go to step 4";
    Step5 Global "step.5" ["5"] Reads - "step 5" "Go to step 5";
    StepStart Global "step.start" ["0"] Reads - "start" "Go to the start screen";

    // Lists.
    Up List "list.up" ["Up", "k"] Reads - "up" "Up one row";
    Down List "list.down" ["Down", "j"] Reads - "down" "Down one row";
    PageUp List "list.page-up" ["PageUp"] Reads - "page up" "Up one page";
    PageDown List "list.page-down" ["PageDown"] Reads - "page down" "Down one page";
    First List "list.first" ["Home", "g"] Reads - "first" "To the first row";
    Last List "list.last" ["End", "G"] Reads - "last" "To the last row";
    Filter List "list.filter" ["/"] Reads - "filter" "Show the rows that contain some words; Esc shows all again";
    Mark Marks "list.mark" ["Space"] Reads - "mark" "Mark or unmark the row";
    MarkAll Marks "list.mark-all" ["a"] Reads - "all" "Mark all rows that are shown, or unmark them";
    Invert Marks "list.invert" ["i"] Reads - "invert" "Invert the marks of the rows that are shown";

    // Jobs.
    Retry Failed "job.retry" ["r"] Reads - "retry failed" "Repeat only what failed";
    Pause Job "job.pause" ["p"] Reads - "pause" "Pause the job, or have it go on";
    Stop Job "job.stop" ["x"] Reads - "stop" "Stop the job at a safe point; finished work is kept";

    // Start.
    Go Start "start.go" ["Enter"] Reads - "go" "Do what the row under the cursor says";
    Connected Start "start.connected" ["b"] Reads - "build media" "Work at the connected side: pick, verify, assemble";
    AirGapped Start "start.air-gapped" ["g"] Reads - "air gap" "Work at the disconnected side: open, verify and import a bundle";
    Resume Start "start.resume" ["R"] Reads - "resume" "Resume the interrupted job";
    Forget Start "start.forget" ["D"] Writes - "forget" "Forget an interrupted job; its files stay";
    KeyGenerate Start "key.generate" ["K"] Writes "key generate" "key" "Make a signing key: an ed25519 key pair, protected by a passphrase";

    // Connected.
    ImagesGo Images "images.go" ["Enter"] Reads - "fix" "Apply the fix of the finding under the cursor, or show the details";
    ImagesAdd Images "images.add" ["n", "Insert"] Reads - "new" "Type or paste references";
    ImagesLoad Images "images.load" ["f"] Reads - "file" "Take references from a list file";
    ImagesKubeadm Images "images.kubeadm" ["k"] Reads - "kubeadm" "Take the images of a Kubernetes version";
    ImagesManifests Images "images.manifests" ["m"] Reads - "manifests" "Take the images that YAML files name";
    ImagesBrowse Images "images.browse" ["b"] Reads - "browse" "Browse a registry: repositories, then tags";
    ImagesPlatforms Images "images.platforms" ["t"] Reads - "platforms" "Choose which platforms are carried";
    ImagesDetails Images "images.details" ["d", "o"] Reads - "details" "Show all that is known of the image";
    ImagesRemove Images "images.remove" ["D", "Delete"] Reads - "remove" "Remove the marked images, or this one, from the list";
    ImagesUndo Images "images.undo" ["u"] Reads - "undo" "Undo the last change of the list";
    ImagesSave Images "images.save" ["s"] Writes - "save" "Save the list as a file";
    ImagesNext Images "images.next" ["v"] Reads - "verify" "Go on: resolve and verify the list";
    Resolve Resolve "resolve" ["v"] Writes "resolve" "verify" "Resolve references to digests, lint their names and sum up their size";
    ResolvePin Resolve "resolve.pin" ["P"] Reads - "pin" "Pin the list: a digest beside each tag; nodes find the image by the digest alone then";
    ResolveDetails Resolve "resolve.details" ["o", "d"] Reads - "details" "Show digests expected and got, signatures and the reason of a failure";
    ResolveEdit Resolve "resolve.edit" ["e"] Reads - "edit" "Replace this reference";
    ResolveRemove Resolve "resolve.remove" ["D", "Delete"] Reads - "remove" "Remove the marked references, or this one, from the list";
    ResolveUndo Resolve "resolve.undo" ["u"] Reads - "undo" "Undo the last change of the list";
    ResolveNext Resolve "resolve.next" ["Enter"] Reads - "next" "Go on: choose the medium";
    MediaChoose Media "media.choose" ["Enter"] Reads - "choose" "Assemble on this medium";
    MediaDirectory Media "media.directory" ["o", "n"] Reads - "directory" "Assemble in any other directory";
    MediaMount Media "media.mount" ["m"] Changes "media mount" "mount" "Mount the medium, or unmount it";
    MediaList Media "media.list" ["w"] Reads "media list" "re-scan" "List removable media: what they are, what is on them, why they are blocked";
    MediaCheck Media "media.check" ["t"] Writes "media check" "test" "Check in free space alone whether a medium holds what it promises";
    Pack Assemble "pack" ["Enter"] Writes "pack" "start" "Assemble and sign a bundle on a medium";
    AssembleEdit Assemble "assemble.edit" ["e"] Reads - "edit" "Change name, expiry, read-back or the carried program";
    AssembleKey Assemble "assemble.key" ["k"] Reads - "key" "Choose the key that signs: a file, or one held by ssh-agent";
    AssembleSpace Assemble "assemble.plan" ["v"] Reads - "plan" "Make the plan again";
    AssembleDetails Assemble "assemble.details" ["o", "d"] Reads - "details" "Show all of how the run ended and what helps";
    AssembleNext Assemble "assemble.next" ["n"] Reads - "report" "Go on to the report";

    // Air-gapped.
    BundleOpen Bundle "bundle.open" ["Enter"] Reads - "open" "Open this bundle: its verification comes next";
    BundlePath Bundle "bundle.path" ["o", "n"] Reads - "path" "Open a bundle in any directory";
    BundleTrust Bundle "bundle.trust" ["K"] Reads - "trust" "Trust the key that signed this bundle";
    BundleScan Bundle "bundle.scan" ["w"] Reads - "re-scan" "Look for bundles on all media again";
    Inspect Bundle "inspect" ["d"] Reads "inspect" "details" "Show what is in a bundle, without verifying it";
    Verify Check "verify" ["v"] Reads "verify" "verify" "Verify signatures, age, file list and every byte of a bundle";
    KeyTrust Check "key.trust" ["K"] Writes "key trust" "trust" "Trust a public key to sign bundles";
    CheckDeep Check "check.deep" ["s"] Reads - "strict" "Unpack layers too and compare them with the image configurations";
    CheckSigners Check "check.signatures" ["m"] Reads - "signatures" "Choose how many different trusted keys must have signed the bundle";
    CheckOverride Check "check.override" ["O"] Writes - "override" "Accept a bundle older than one accepted before; typed, and kept in the report";
    CheckDetails Check "check.details" ["d", "o"] Reads - "details" "Show the whole of the row under the cursor";
    CheckNext Check "check.next" ["Enter"] Reads - "next" "Go on to the import, or to the report if the bundle must not be used";
    Import Import "import" ["Enter"] Changes "import" "import" "Verify a bundle and import it into containerd, CRI-O/podman, k3s, registries or archives";
    ImportTargets Import "import.targets" ["t"] Reads - "targets" "Choose targets: what this node has, and what you typed";
    ImportOther Import "import.other" ["o"] Reads - "other" "Type a target: a registry, a layout, an archive or a runtime";
    ImportNamespace Import "import.namespace" ["n"] Reads - "namespace" "Change the namespace of the chosen containerd; k8s.io is the kubelet's";
    ImportPlan Import "import.plan" ["D"] Reads - "dry run" "Show what would happen to each image; nothing is written";
    ImportEdit Import "import.edit" ["e"] Reads - "edit" "Change what becomes of names that are taken, and of the others when one image fails";
    ImportDetails Import "import.details" ["d"] Reads - "details" "Show all that is known of the image, target by target";
    ImportScan Import "import.scan" ["w"] Reads - "re-scan" "Look for the runtimes of this node again";
    ImportUndo Undo "undo" ["u"] Changes "undo" "undo" "Take back what an import changed: names of images in runtimes of this node, files of the node";
    ImportNext Import "import.next" ["v"] Reads - "report" "Go on to the report";
    CheckedWrite Checked "checked.write" ["s"] Writes - "save" "Save the report as text, Markdown and JSON";
    CheckedNew Checked "checked.new" ["n"] Reads - "another" "Open another bundle";

    // Report.
    ReportWrite Report "report.write" ["s"] Writes - "save" "Save the report as text, Markdown and JSON";
    Sign Report "sign" ["k"] Writes "sign" "sign again" "Add a signature to a bundle";
    MediaEject Eject "media.eject" ["E"] Changes "media eject" "eject" "Bring everything onto the medium, unmount it and switch it off";
    Diff Report "diff" ["d"] Reads "diff" "diff" "Show what changes from one bundle to another";
    ReportNew Report "report.new" ["n"] Reads - "new" "Start another bundle";

    // Where it matters whose signatures are trusted.
    KeyList Trust "key.list" ["k"] Reads "key list" "keys" "List the trusted keys";

    // Dialogs; they take up what moves through lists, marks, filters, copies and goes back as well.
    Take Dialog "dialog.take" ["Enter"] Reads - "take" "Accept what is typed, selected or marked; close what is only read";
    Done Dialog "dialog.close" ["q"] Reads - "close" "Close what is only read";
    Further Dialog "dialog.further" ["Space"] Reads - "further" "Next page";
    LogLevel Dialog "log.level" ["v"] Reads - "level" "Show lines of all levels, or warnings and failures, or failures alone";
    LogFold Dialog "log.fold" ["w"] Reads - "fold/cut" "Fold long lines, or cut them at the right";
    LogSave Dialog "log.save" ["s"] Writes - "save" "Save the lines that are shown as a file";
    ButtonNext Buttons "button.next" ["Right", "Tab", "Down"] Reads - "next" "To the next button";
    ButtonBefore Buttons "button.before" ["Left", "Shift-Tab", "Up"] Reads - "before" "To the button before";
    PathComplete Path "path.complete" ["Tab"] Reads - "complete" "Complete the name";
    PathInto Path "path.into" ["Right"] Reads - "into" "Take the entry under the cursor";

    // The command line alone.
    KeyShow Shell "key.show" [] Reads "key show" "Show a key" "Show the public half of a key, its fingerprint and key id";
    KeyUntrust Shell "key.untrust" [] Writes "key untrust" "Stop trusting a key" "Stop trusting a key";
    Serve Shell "serve" [] Changes "serve" "Serve bundles" "Serve bundles as a read-only registry";
    Demo Shell "demo" [] Writes "demo" "Demonstrate" "Run the whole job on this machine with sample images";
    Completions Shell "completions" [] Reads "completions" "Shell completions" "Print a completion script for a shell";
    Man Shell "man" [] Reads "man" "Manual" "Print a manual page";
}

impl Act {
    /// Whether it only works out what another one would do; that one does not wait for its end.
    pub const fn is_plan(self) -> bool {
        matches!(self, Self::AssembleSpace | Self::ImportPlan)
    }

    /// The number of the step that it goes to, from 0.
    pub const fn step(self) -> Option<usize> {
        Some(match self {
            Self::Step1 => 0,
            Self::Step2 => 1,
            Self::Step3 => 2,
            Self::Step4 => 3,
            Self::Step5 => 4,
            _ => return None,
        })
    }

    /// Its row.
    pub const fn row(self) -> &'static Action {
        &ACTIONS[self as usize]
    }

    /// The operation of that stable name.
    pub fn by_id(id: &str) -> Option<Self> {
        ACTIONS.iter().find(|action| action.id == id).map(|action| action.name)
    }

    /// Everything of one scope, in the order of the table.
    pub fn of(scope: Scope) -> impl Iterator<Item = &'static Action> {
        ACTIONS.iter().filter(move |action| action.scope == scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_its_name_and_by_its_id() {
        for action in ACTIONS {
            assert_eq!(action.name.row().id, action.id);
            assert_eq!(Act::by_id(action.id), Some(action.name));
        }
    }

    #[test]
    fn every_operation_that_changes_something_elsewhere_has_a_command() {
        for action in ACTIONS.iter().filter(|action| action.danger == Danger::Changes) {
            assert!(action.subcommand.is_some(), "{}", action.id);
        }
    }
}
