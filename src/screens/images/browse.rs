//! Looking through a registry: its repositories, then the tags of one, several of which are taken.

use std::collections::HashSet;

use crate::actions::Act;
use crate::dialogs::choose::Item;
use crate::dialogs::{Answer, Choose, Input, Page, Question};
use crate::domain::reference::{Reference, Repository};
use crate::domain::selection::{Origin, Request};
use crate::tui::model::Place;
use crate::tui::msg::{Found, Query};
use crate::tui::screen::Cx;
use crate::tui::words;

use super::tags;

const PLACE: Question = Question { act: Act::ImagesBrowse, part: 0 };
const ASK_REPOSITORIES: Question = Question { act: Act::ImagesBrowse, part: 1 };
const REPOSITORY: Question = Question { act: Act::ImagesBrowse, part: 2 };
const ASK_TAGS: Question = Question { act: Act::ImagesBrowse, part: 3 };
const TAGS: Question = Question { act: Act::ImagesBrowse, part: 4 };

/// Where one is.
#[derive(Debug, Default)]
pub(super) struct Browse {
    /// As it was typed last.
    typed: String,
    host: String,
    repositories: Vec<String>,
    at: usize,
    repository: Option<Repository>,
    tags: Vec<String>,
}

/// What a text names: a registry, or a repository in one.
fn place(text: &str) -> Result<Result<Repository, String>, String> {
    let text = text.trim().trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let host = !text.contains('/') && (text.contains(['.', ':']) || text == "localhost");
    if host {
        // A host is right when a name in it would be.
        let named: Result<Reference, _> = format!("{text}/a").parse();
        return named.map(|_| Err(text.to_owned())).map_err(|error| error.reason.to_owned());
    }
    let named: Result<Reference, _> = text.parse();
    named.map(|reference| Ok(reference.repository_of())).map_err(|error| error.reason.to_owned())
}

impl Browse {
    /// Asks for the registry.
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>) {
        self.ask(&self.typed.clone(), cx);
    }

    fn ask(&self, text: &str, cx: &mut Cx<'_>) {
        let help = "HOST[:PORT] lists its repositories, HOST/REPOSITORY the tags of one. Docker Hub and many others \
                    list no repositories: name one, as in docker.io/library/nginx.";
        let input = Input::new(PLACE, "Browse a registry", help).checked(|text| place(text).map(drop));
        // Where a registry lists nothing, its name is the beginning of what helps.
        cx.open(if text.ends_with('/') { input.begun(text) } else { input.with(text) });
    }

    /// A registry was typed where an image was asked for: what is in it is looked through next, where that is wanted.
    pub(super) fn offer(&self, host: &str, cx: &mut Cx<'_>) {
        let take = cx.model.keymap.first(Act::Take);
        let help = format!(
            "{host} is a registry, and no image in it is named: nothing was added. {take} lists its repositories; \
             HOST/REPOSITORY lists the tags of one."
        );
        cx.open(
            Input::new(PLACE, "Browse a registry", &help).checked(|text| place(text).map(drop)).with(host),
        );
    }

    pub(super) fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question, answer) {
            (PLACE, Answer::Text(text)) => {
                self.typed = text.trim().to_owned();
                *self = Self { typed: std::mem::take(&mut self.typed), ..Self::default() };
                match place(&text) {
                    Ok(Ok(repository)) => self.ask_tags(repository, cx),
                    Ok(Err(host)) => {
                        let what = format!("asking {host} for its repositories");
                        cx.wait(
                            ASK_REPOSITORIES,
                            "Browse a registry",
                            &what,
                            Query::Repositories(host.clone()),
                        );
                        self.host = host;
                    }
                    Err(_) => {}
                }
            }
            (REPOSITORY, Answer::Rows(rows)) => {
                let Some(row) = rows.first().copied() else { return };
                self.at = row;
                if let Some(path) = self.repositories.get(row).cloned() {
                    self.ask_tags(Repository { host: self.host.clone(), path }, cx);
                }
            }
            (TAGS, Answer::Rows(rows)) => self.take(&rows, cx),
            _ => {}
        }
    }

    fn ask_tags(&mut self, repository: Repository, cx: &mut Cx<'_>) {
        let what = format!("asking for the tags of {repository}");
        cx.wait(ASK_TAGS, "Browse a registry", &what, Query::Tags(repository.clone()));
        self.repository = Some(repository);
    }

    fn take(&mut self, rows: &[usize], cx: &mut Cx<'_>) {
        let Some(repository) = self.repository.take() else { return };
        let tags = rows.iter().filter_map(|row| self.tags.get(*row));
        let origin = Origin::named(format!("browsing {}", repository.host));
        let parsed = tags.filter_map(|tag| Request::parse(&format!("{repository}:{tag}")).ok());
        let requests = parsed.map(|request| Request { origin: origin.clone(), ..request });
        let added = cx.model.picked.add_all(requests);
        if added.added > 0 {
            cx.model.changed(Place::Images);
        }
        cx.say(words::added(&added));
        self.tags.clear();
    }

    /// A dialog was left: from tags one is back at the repositories.
    pub(super) fn closed(&mut self, question: Question, cx: &mut Cx<'_>) {
        if matches!(question, ASK_TAGS | TAGS) {
            self.repository = None;
            self.choose_repository(cx);
        }
    }

    fn choose_repository(&self, cx: &mut Cx<'_>) {
        if self.repositories.is_empty() {
            return;
        }
        let items = self.repositories.iter().map(|path| Item::new(path.as_str(), "")).collect();
        let title = format!("{} repositories of {}", self.repositories.len(), self.host);
        cx.open(Choose::new(REPOSITORY, &title, items).at(self.at));
    }

    pub(super) fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        match found {
            Found::Repositories(host, answer) if *host == self.host => match answer {
                Ok(repositories) if repositories.is_empty() => {
                    let words = format!("{host} answered, but lists no repositories.");
                    cx.open(Page::plain("Nothing there", [words]));
                }
                Ok(repositories) => {
                    self.repositories.clone_from(repositories);
                    self.choose_repository(cx);
                }
                Err(failure) => {
                    // Below the reason waits the question again.
                    self.ask(&format!("{host}/"), cx);
                    let mut failure = failure.clone();
                    failure.hints.push(format!("type {host}/REPOSITORY to see the tags of a repository"));
                    cx.open(words::failure_page_on(
                        "Images",
                        "The repositories could not be listed",
                        &failure,
                        &cx.model.keymap,
                    ));
                }
            },
            Found::Tags(repository, answer) if Some(repository) == self.repository.as_ref() => match answer {
                Ok(tags) => self.choose_tags(tags, repository, cx),
                Err(failure) => {
                    self.repository = None;
                    self.choose_repository(cx);
                    cx.open(words::failure_page_on(
                        "Images",
                        "The tags could not be listed",
                        failure,
                        &cx.model.keymap,
                    ));
                }
            },
            _ => {}
        }
    }

    fn choose_tags(&mut self, tags: &[String], repository: &Repository, cx: &mut Cx<'_>) {
        self.tags = tags::newest_first(tags);
        let images = cx.model.picked.images.iter().map(|image| &image.request.reference);
        let listed: HashSet<&str> = images
            .filter(|reference| reference.repository_of() == *repository)
            .filter_map(Reference::tag)
            .collect();
        let note = |tag: &str| if listed.contains(tag) { "on the list" } else { "" };
        let items = self.tags.iter().map(|tag| Item::new(tag.as_str(), note(tag))).collect();
        let title = format!("{} of {repository}", words::count(self.tags.len(), "tag"));
        cx.open(Choose::new(TAGS, &title, items).several([]).or_cursor().or_say("it has no tags"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_a_registry_or_a_repository() {
        let told = |text: &str| match place(text) {
            Ok(Ok(repository)) => format!("repository {repository}"),
            Ok(Err(host)) => format!("host {host}"),
            Err(_) => "refused".to_owned(),
        };
        for (text, expected) in [
            ("registry.example.com", "host registry.example.com"),
            (" https://registry.example.com:5000/ ", "host registry.example.com:5000"),
            ("localhost", "host localhost"),
            ("127.0.0.1:5000/team/app", "repository 127.0.0.1:5000/team/app"),
            ("nginx", "repository docker.io/library/nginx"),
            ("quay.io/a/b:1.2", "repository quay.io/a/b"),
            ("", "refused"),
            ("a b", "refused"),
            ("regi stry.example.com", "refused"),
        ] {
            assert_eq!(told(text), expected, "{text:?}");
        }
    }
}
