//! What of its surroundings the program heeds: variables of the environment and files of its own, for manual and help.

use super::paths::{CONFIG_DIR, DATA_DIR};

/// Variables, each with what it does.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "AIRLIFT_KEY_PASSPHRASE",
        "Passphrase of the signing key, where nobody can be asked. Never an argument.",
    ),
    (CONFIG_DIR, "Directory of the configuration instead of ~/.config/airlift."),
    (DATA_DIR, "Directory of keys, history and work instead of ~/.local/share/airlift."),
    ("AIRLIFT_LOG", "What is logged, in the filter syntax of tracing, as in airlift=debug."),
    ("REGISTRY_AUTH_FILE", "Credentials for registries, this file alone; --authfile goes before it."),
    (
        "DOCKER_CONFIG",
        "Directory of the credentials of docker instead of ~/.docker; those of podman are read before.",
    ),
    ("SSH_AUTH_SOCK", "The ssh-agent that --agent asks."),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "Proxies to registries, and hosts without one."),
    ("NO_COLOR", "No colours, whatever the terminal has."),
    (
        "TERM, LANG, LC_ALL, LC_CTYPE, COLUMNS, LINES",
        "What the terminal can draw, and its size where it does not say.",
    ),
];

/// Files, each with what it holds.
pub const FILES: &[(&str, &str)] = &[
    (
        "~/.config/airlift/config.toml",
        "Theme, ASCII, mouse and keys of the workstation, and how registries are reached; nothing in it is needed.",
    ),
    ("~/.config/airlift/themes/NAME.toml", "Themes of your own."),
    ("~/.config/airlift/allowed_signers", "The trusted keys, in the form of OpenSSH."),
    ("~/.local/share/airlift/signing_key, signing_key.pub", "The key of `airlift key generate`."),
    (
        "~/.local/share/airlift/state/",
        "Serials given and accepted, and packs under way. Without it rollbacks go unseen.",
    ),
    (
        "~/.local/share/airlift/work/",
        "The workstation's list and lock file; in apart/ those of one that runs beside another.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_that_the_program_uses() {
        let paths =
            crate::config::paths::Paths::new("~/.config/airlift".into(), "~/.local/share/airlift".into());
        for path in [paths.config_file(), paths.allowed_signers(), paths.key()] {
            let name = path.display().to_string();
            assert!(FILES.iter().any(|(files, _)| files.contains(&name)), "{name}");
        }
        for path in [paths.state(), paths.kept()] {
            assert!(FILES.iter().any(|(file, _)| *file == format!("{}/", path.display())));
        }
    }
}
