//! All that is known of one image, as a page.

use crate::actions::Act;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::dialogs::Page;
use crate::domain::lint::{Finding, Rule, Severity};
use crate::domain::resolved::ImageView;
use crate::domain::text;
use crate::tui::checked::{Checked, Miss};
use crate::tui::hints;
use crate::tui::picked::Image;
use crate::tui::words;

/// The page; `c` copies the digest where it is known, else the reference.
pub(super) fn page(image: &Image, checked: Option<&Checked>, keymap: &Keymap) -> Page {
    let request = &image.request;
    let mut lines = vec![
        row("written", &request.requested),
        row("in full", &request.reference.to_string()),
        row("from", &request.origin.to_string()),
    ];
    if let Some(note) = &request.note {
        lines.push(row("for", note));
    }
    let mut copied = request.reference.to_string();
    let mut found: &[Finding] = &image.findings;
    match checked {
        Some(Checked::Ok(view)) => {
            copied = view.digest.to_string();
            found = &view.findings;
            resolved(view, &mut lines);
        }
        Some(Checked::Failed(failed)) => refused(failed, keymap, &mut lines),
        Some(Checked::Running) => lines.push(row("registry", "asking")),
        None => {
            let ask = keymap.says(Act::ImagesNext);
            lines.push(row("registry", &format!("not asked yet: {ask} on Images asks")));
        }
    }
    lines.push(blank());
    if found.is_empty() {
        lines.push(("+ ok    nothing to say about the name".to_owned(), Role::Ok));
    }
    found.iter().for_each(|finding| about(finding, &mut lines));
    if found.iter().any(|finding| finding.id == Rule::NoDigest) {
        lines.push(blank());
        lines.extend(words::PINNING.map(|words| (words.to_owned(), Role::Dim)));
    }
    Page::new(&request.requested, lines).copying(copied)
}

fn row(name: &str, words: &str) -> (String, Role) {
    (format!("{} {words}", text::padded(name, 10)), Role::Text)
}

const fn blank() -> (String, Role) {
    (String::new(), Role::Text)
}

fn resolved(view: &ImageView, lines: &mut Vec<(String, Role)>) {
    lines.push(row("digest", &view.digest.to_string()));
    lines.push(row("asked at", &view.resolved_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    lines.push(row("type", &view.media_type));
    lines.push(row("size", &format!("{} in all", text::bytes(view.bytes))));
    let signatures = match view.signatures.len() {
        0 => "none found".to_owned(),
        count => format!("{count} carried along"),
    };
    lines.push(row("signatures", &signatures));
    lines.push(blank());
    for platform in &view.platforms {
        let words =
            format!("{}  {}", text::padded(&platform.platform().to_string(), 16), text::bytes(platform.size));
        lines.push(row("platform", &words));
    }
    for platform in &view.omitted_platforms {
        lines.push((format!("left out   {}", platform.platform()), Role::Dim));
    }
}

fn refused(failed: &Miss, keymap: &Keymap, lines: &mut Vec<(String, Role)>) {
    lines.push(blank());
    lines.push((format!("x FAIL  {}", failed.reason), Role::Fail));
    let hints = failed.view.iter().flat_map(|view| &view.hints);
    lines.extend(hints.map(|hint| (format!("next: {}", hints::on("Images", hint, keymap)), Role::Text)));
}

fn about(finding: &Finding, lines: &mut Vec<(String, Role)>) {
    let (mark, role) = match finding.severity {
        Severity::Info => ("- info ", Role::Text),
        Severity::Warning => ("! WARN ", Role::Warn),
        Severity::Error => ("x ERROR", Role::Fail),
    };
    lines.push((format!("{mark} {}: {}", finding.id, finding.reason), role));
    if let Some(fix) = &finding.fix {
        lines.push((format!("        {}: {fix}", words::fix(finding.id)), Role::Dim));
    }
}
