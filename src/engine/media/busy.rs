//! Who uses files below a directory: what this user may see of the other processes, best effort.

use std::fs;
use std::path::Path;

use crate::domain::text;

/// Told at most.
const HOLDERS: usize = 8;

/// Processes with an open file, a directory, a program or a mapping below `point`: name, process id, path.
pub(super) fn holders(point: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = processes.filter_map(|process| {
        let id = process.file_name().to_str()?.parse::<u32>().ok()?;
        let used = used(&process.path(), point)?;
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        Some(format!("{} (process {id}) has {used}", text::shown(name.trim())))
    });
    found.take(HOLDERS).collect()
}

fn used(process: &Path, point: &Path) -> Option<String> {
    let links = ["cwd", "root", "exe"].into_iter().map(|link| process.join(link));
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten().map(|file| file.path());
    let open =
        links.chain(files).filter_map(|link| fs::read_link(link).ok()).find(|path| path.starts_with(point));
    let shown = |path: &Path| text::capped(&text::shown(&path.to_string_lossy()), 200).into_owned();
    open.map(|path| shown(&path)).or_else(|| {
        let maps = fs::read_to_string(process.join("maps")).ok()?;
        let paths = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
        paths.filter(|path| path.starts_with(point)).map(shown).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_names_this_process_and_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().canonicalize().unwrap();
        assert_eq!(holders(&top), Vec::<String>::new());
        let file = fs::File::create(top.join("open")).unwrap();
        let told = holders(&top);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(&format!("process {}", std::process::id())), "{told:?}");
        assert!(told[0].ends_with("/open"), "{told:?}");
        drop(file);
        assert_eq!(holders(&top), Vec::<String>::new());
    }
}
