//! Jobs as commands that can be run later, and elsewhere: without files that go when this workstation ends.

use crate::engine::select::Source;
use crate::engine::spec::{Images, JobSpec, PackJob, ResolveJob};
use crate::tui::model::Model;

impl Model {
    /// A job for a shell: the files of a workstation that works apart go with it, and what they name stands in their place.
    pub fn lasting(&self, job: JobSpec) -> JobSpec {
        let (list, lock) = (self.settings.list_file(), self.settings.lock_file());
        if list == self.settings.kept_list() {
            return job;
        }
        let (own, lock) = (Source::List(list), Some(lock));
        let named = |images: Images, locked: bool| {
            let lists = images.sources.contains(&own);
            let sources = images.sources.into_iter().filter(|source| *source != own).collect();
            let references = match (locked, lists) {
                (false, false) => images.references,
                _ => self.picked.named(locked, lists),
            };
            let platforms = self.picked.platforms().to_vec();
            Images { references, sources, platforms, ..images }
        };
        match job {
            JobSpec::Resolve(job) if job.lock == lock => {
                let images = named(job.images, false);
                JobSpec::Resolve(ResolveJob { images, lock: None, write_lock: false, keep: false, ..job })
            }
            JobSpec::Pack(job) if job.lock == lock => {
                let images = named(job.images, true);
                JobSpec::Pack(PackJob { images, lock: None, ..job })
            }
            job => job,
        }
    }
}
