//! Authentication (Basic, Bearer tokens, OAuth2 refresh tokens): starts without, answers challenges, caches by host and scope.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use oci_distribution::secrets::RegistryAuth;
use oci_distribution::token_cache::RegistryToken;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::body;
use super::call::{Call, Payload, Target, answer};
use super::challenge::{self, Challenge};
use super::client::Core;
use super::credentials::{Credential, CredentialFiles};
use super::error::Problem;
use super::redirect;

/// What is known about how registries want to be asked.
pub(super) struct Auth {
    files: CredentialFiles,
    state: Mutex<State>,
    /// One token request at a time for a host: the others then find its result.
    gates: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Default)]
struct State {
    /// By host; nothing for hosts that asked for nothing yet.
    ways: HashMap<String, Way>,
    /// By host and scope.
    tickets: HashMap<(String, String), Ticket>,
    /// By host and repository; helpers are slow.
    credentials: HashMap<(String, String), Option<Known>>,
}

#[derive(Clone)]
enum Way {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

#[derive(Clone)]
struct Ticket {
    header: HeaderValue,
    until: Option<Instant>,
}

#[derive(Clone)]
struct Known {
    credential: Credential,
    from: String,
}

/// What came of a 401.
pub(super) struct Renewed {
    /// The header to try again with, if there is one.
    pub(super) ticket: Option<HeaderValue>,
    /// With what was tried, for the error if it does not help.
    pub(super) note: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(flatten)]
    token: RegistryToken,
    expires_in: Option<u64>,
}

impl Auth {
    pub(super) fn new(files: CredentialFiles) -> Self {
        Self { files, state: Mutex::default(), gates: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self, host: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(host.to_owned()).or_default())
    }

    fn cached(&self, call: &Call<'_>) -> Option<HeaderValue> {
        let key = (call.host.to_owned(), call.scope.clone());
        let ticket = self.state().tickets.get(&key).cloned()?;
        ticket.until.is_none_or(|until| Instant::now() < until).then_some(ticket.header)
    }

    fn keep(&self, call: &Call<'_>, ticket: Ticket) -> HeaderValue {
        let header = ticket.header.clone();
        self.state().tickets.insert((call.host.to_owned(), call.scope.clone()), ticket);
        header
    }

    async fn credential(&self, call: &Call<'_>) -> Result<Option<Known>, Problem> {
        let key = (call.host.to_owned(), call.repository.to_owned());
        if let Some(known) = self.state().credentials.get(&key) {
            return Ok(known.clone());
        }
        let found = self.files.find(call.host, call.repository).await.map_err(Problem::Setup)?;
        let known = found.map(|(credential, path)| Known { credential, from: path.display().to_string() });
        self.state().credentials.insert(key, known.clone());
        Ok(known)
    }
}

impl Core {
    /// The Authorization header for a call before it is sent; nothing for a host that never asked for any.
    pub(super) async fn ticket(&self, call: &Call<'_>, base: &Url) -> Result<Option<HeaderValue>, Problem> {
        if let Some(header) = self.auth.cached(call) {
            return Ok(Some(header));
        }
        let way = self.auth.state().ways.get(call.host).cloned();
        let Some(way) = way else { return Ok(None) };
        let gate = self.auth.gate(call.host);
        let _one = gate.lock().await;
        if let Some(header) = self.auth.cached(call) {
            return Ok(Some(header));
        }
        match self.obtain(call, base, &way, None).await {
            Ok(renewed) => Ok(renewed.ticket),
            // The request itself then tells what is missing.
            Err(Problem::Unauthorized { .. }) => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Answers the challenges of a 401 to a request that carried `used`.
    pub(super) async fn renew(
        &self,
        call: &Call<'_>,
        base: &Url,
        headers: &HeaderMap,
        used: Option<&HeaderValue>,
    ) -> Result<Renewed, Problem> {
        let gate = self.auth.gate(call.host);
        let _one = gate.lock().await;
        // Someone else may have renewed it meanwhile.
        if let Some(header) = self.auth.cached(call).filter(|header| Some(header) != used) {
            return Ok(Renewed { ticket: Some(header), note: String::new() });
        }
        let challenges = challenge::parse(headers);
        let bearer = challenges.iter().find(|c| c.scheme == "bearer" && c.get("realm").is_some());
        let basic = challenges.iter().any(|c| c.scheme == "basic");
        let (way, scope) = match bearer {
            Some(challenge) => (self.bearer(base, challenge).await?, challenge.get("scope")),
            None if basic => (Way::Basic, None),
            None => {
                let note = "it asks for no way to log in that is known here (Basic, Bearer)".to_owned();
                return Ok(Renewed { ticket: None, note });
            }
        };
        self.auth.state().ways.insert(call.host.to_owned(), way.clone());
        let renewed = self.obtain(call, base, &way, scope).await?;
        // The same name and password again would only lock accounts.
        Ok(Renewed { ticket: renewed.ticket.filter(|header| Some(header) != used), ..renewed })
    }

    async fn bearer(&self, base: &Url, challenge: &Challenge) -> Result<Way, Problem> {
        let realm = challenge.get("realm").unwrap_or_default();
        let realm = redirect::check(base, realm, &self.named).await?;
        Ok(Way::Bearer { realm, service: challenge.get("service").map(str::to_owned) })
    }

    async fn obtain(
        &self,
        call: &Call<'_>,
        base: &Url,
        way: &Way,
        asked_scope: Option<&str>,
    ) -> Result<Renewed, Problem> {
        let known = self.auth.credential(call).await?;
        let note = known.as_ref().map_or_else(
            || "no credentials are stored for it".to_owned(),
            |known| format!("with the credentials in {}", known.from),
        );
        let ticket = match (way, known.map(|known| known.credential)) {
            (Way::Basic, Some(Credential::Login { user, password })) => {
                let auth = RegistryAuth::Basic(user, password.expose_secret().to_owned());
                authorization(&auth)?.map(|header| Ticket { header, until: None })
            }
            (Way::Basic, _) => None,
            (Way::Bearer { realm, service }, credential) => {
                let scope = merge(&call.scope, asked_scope);
                Some(self.token(base, realm, service.as_deref(), (&scope, credential)).await?)
            }
        };
        Ok(Renewed { ticket: ticket.map(|ticket| self.auth.keep(call, ticket)), note })
    }

    /// Asks a token service (distribution "token" and "oauth" specs).
    async fn token(
        &self,
        base: &Url,
        realm: &Url,
        service: Option<&str>,
        (scope, credential): (&str, Option<Credential>),
    ) -> Result<Ticket, Problem> {
        if credential.is_some() {
            redirect::check_realm(base, realm, &self.named)?;
        }
        let scopes = scope.split(' ').filter(|scope| !scope.is_empty());
        let mut url = realm.clone();
        let mut request = Call {
            operation: "get a token from",
            object: String::new(),
            host: "",
            repository: "",
            method: Method::GET,
            target: Target::Path(String::new()),
            headers: Vec::new(),
            payload: Payload::Empty,
            scope: String::new(),
            accept: &[200],
            retries: false,
        };
        let mut ticket = None;
        if let Some(Credential::Identity(token)) = credential {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token");
            form.append_pair("client_id", "airlift");
            form.append_pair("refresh_token", token.expose_secret());
            form.append_pair("scope", scope);
            service.map(|service| form.append_pair("service", service));
            request.method = Method::POST;
            request.payload = Payload::Bytes(Bytes::from(form.finish()));
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers.push((CONTENT_TYPE, kind));
        } else {
            let mut query = url.query_pairs_mut();
            service.map(|service| query.append_pair("service", service));
            scopes.for_each(|scope| {
                query.append_pair("scope", scope);
            });
            drop(query);
            if let Some(Credential::Login { user, password }) = credential {
                ticket = authorization(&RegistryAuth::Basic(user, password.expose_secret().to_owned()))?;
            }
        }
        self.exchange_token(&request, realm, url, ticket).await
    }

    /// A token request is not redirected when it carries a secret in its body.
    async fn exchange_token(
        &self,
        request: &Call<'_>,
        realm: &Url,
        url: Url,
        ticket: Option<HeaderValue>,
    ) -> Result<Ticket, Problem> {
        let response = if request.method == Method::POST {
            let headers = request.headers.iter().cloned().collect();
            self.send(Method::POST, &url, headers, &request.payload).await?
        } else {
            self.follow(request, realm, url, ticket.as_ref()).await.map_err(|failure| failure.problem())?
        };
        if response.status != 200 {
            let status = response.status;
            let text = body::read_error(response.body, &self.limits).await;
            let answer = answer(status, &text);
            return Err(match status {
                400..=404 => {
                    Problem::Unauthorized { answer, reason: Some("said by the token service".to_owned()) }
                }
                429 => Problem::RateLimited { answer, retry_after: None },
                _ => Problem::Server(answer),
            });
        }
        let text = body::read(response.body, self.limits.token, "a token answer", &self.limits).await?;
        // The parser's message could quote the token.
        let parsed: TokenAnswer = serde_json::from_slice(&text)
            .map_err(|_| Problem::Malformed("the token service sent no token".to_owned()))?;
        let header = authorization(&RegistryAuth::Bearer(parsed.token.token().to_owned()))?;
        let header =
            header.ok_or_else(|| Problem::Malformed("the token service sent no token".to_owned()))?;
        // The token spec's default is 60 s; a tenth is left for the way and for clocks.
        let lifetime = Duration::from_secs(parsed.expires_in.unwrap_or(60).clamp(10, 86_400));
        Ok(Ticket { header, until: Some(Instant::now() + lifetime - lifetime / 10) })
    }
}

/// The header of a way to authenticate; its Debug form shows nothing.
fn authorization(auth: &RegistryAuth) -> Result<Option<HeaderValue>, Problem> {
    let text = match auth {
        RegistryAuth::Anonymous => return Ok(None),
        RegistryAuth::Basic(user, password) => {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            format!("Basic {pair}")
        }
        RegistryAuth::Bearer(token) if token.is_empty() => return Ok(None),
        RegistryAuth::Bearer(token) => format!("Bearer {token}"),
    };
    let mut header = HeaderValue::from_str(&text)
        .map_err(|_| Problem::Malformed(format!("{AUTHORIZATION}: a secret with control characters")))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// What we need and what the registry says we need, each once.
fn merge(ours: &str, asked: Option<&str>) -> String {
    let words = ours.split(' ').chain(asked.unwrap_or_default().split(' '));
    let all: BTreeSet<&str> = words.filter(|word| !word.is_empty()).collect();
    all.into_iter().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_merged_without_repeating() {
        assert_eq!(merge("repository:a:pull", Some("repository:a:pull")), "repository:a:pull");
        assert_eq!(
            merge("repository:b:pull", Some("repository:a:pull,push")),
            "repository:a:pull,push repository:b:pull"
        );
        assert_eq!(merge("", None), "");
    }

    #[test]
    fn a_header_shows_no_secret_and_a_control_character_is_refused() {
        let header = authorization(&RegistryAuth::Bearer("canary".into())).unwrap().unwrap();
        assert!(!format!("{header:?}").contains("canary"));
        assert!(authorization(&RegistryAuth::Basic("u".into(), "a\nb".into())).unwrap().is_some());
        assert!(authorization(&RegistryAuth::Bearer("a\nb".into())).is_err());
    }

    #[test]
    fn both_spellings_of_a_token_are_read() {
        for text in [
            r#"{"token":"t","expires_in":300}"#,
            r#"{"access_token":"t","issued_at":"x"}"#,
            r#"{"token":"t","access_token":"t"}"#,
        ] {
            let answer: TokenAnswer = serde_json::from_str(text).unwrap();
            assert_eq!(answer.token.token(), "t");
        }
        assert!(serde_json::from_str::<TokenAnswer>("{}").is_err());
    }
}
