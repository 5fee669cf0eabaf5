//! `airlift media …`: which media there are, whether they keep what is written, and how they are let go.

mod check;
mod eject;
pub mod list;
mod mount;

use clap::Subcommand;

pub(super) use check::show as show_check;
pub(super) use eject::show as show_eject;
pub(super) use mount::show as show_mount;

use crate::cli::args::Work;
use crate::domain::job::Places;
use crate::engine::media::expect;
use crate::failure::Failure;

/// Removable media
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = false)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List removable media: what they are, what is on them, why they are blocked
    List(list::List),
    /// Check in free space alone whether a medium holds what it promises
    Check(check::Check),
    /// Mount the medium, or unmount it
    Mount(mount::Mount),
    /// Bring everything onto the medium, unmount it and switch it off
    Eject(eject::Eject),
}

impl Args {
    /// The words that chose it.
    pub const fn name(&self) -> &'static str {
        match self.command {
            Command::List(_) => "media list",
            Command::Check(_) => "media check",
            Command::Mount(_) => "media mount",
            Command::Eject(_) => "media eject",
        }
    }

    /// The job, or the query.
    ///
    /// # Errors
    /// There is no home directory to look for what is remembered in.
    pub fn work(self, places: Option<&Places>) -> Result<Work, Failure> {
        Ok(match self.command {
            Command::List(args) => Work::MediaList(args),
            Command::Check(args) => Work::Job(args.spec()),
            Command::Mount(args) => Work::Job(args.spec()),
            Command::Eject(args) => Work::Job(args.spec(places)?),
        })
    }

    /// Refuses a path that is not there: what lies above it would be told of instead.
    ///
    /// # Errors
    /// Nothing has that name.
    pub fn there(&self) -> Result<(), Failure> {
        let path = match &self.command {
            Command::List(args) => args.path.as_deref(),
            Command::Check(args) => Some(&*args.path),
            Command::Mount(args) => Some(&*args.device),
            Command::Eject(args) => Some(&*args.path),
        };
        Ok(path.map_or(Ok(()), expect)?)
    }
}
