//! Which addresses from a registry are followed (redirects, token services, upload sessions), and which never.

use std::collections::HashSet;

use url::Url;

use super::error::Problem;
use super::hosts::{self, Reach};

/// What the operator named, and so allowed.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    /// `--plain-http` hosts, lower case.
    pub(super) plain: HashSet<String>,
    /// `--insecure` hosts, lower case.
    pub(super) insecure: HashSet<String>,
}

impl Named {
    fn has(&self, url: &Url) -> bool {
        let authority = hosts::authority(url).to_ascii_lowercase();
        self.plain.contains(&authority) || self.insecure.contains(&authority)
    }

    fn plain(&self, url: &Url) -> bool {
        self.plain.contains(&hosts::authority(url).to_ascii_lowercase())
    }
}

/// Resolves `location` as sent by `from`, and refuses it where the rules say so.
///
/// # Errors
/// [`Problem::Redirect`] with the reason.
pub(super) async fn check(from: &Url, location: &str, named: &Named) -> Result<Url, Problem> {
    let refuse = |target: &str, reason| {
        Err(Problem::Redirect { target: super::error::clean(strip_query(target)), reason })
    };
    let Ok(mut target) = from.join(location) else {
        return refuse(location, "it is no URL");
    };
    if !target.username().is_empty() || target.password().is_some() {
        return refuse("a URL with a user name", "credentials in addresses are not used");
    }
    target.set_fragment(None);
    if !matches!(target.scheme(), "http" | "https") || target.host().is_none() {
        return refuse(target.as_str(), "it is neither http nor https");
    }
    if hosts::same_origin(from, &target) {
        return Ok(target);
    }
    if from.scheme() == "https" && target.scheme() == "http" && !named.plain(&target) {
        return refuse(target.as_str(), "it leads from https to plain http");
    }
    if !named.has(&target) && !may_reach(from, &target).await {
        return refuse(
            target.as_str(),
            "a registry must not lead to a loopback, link-local or private address that it is not on itself",
        );
    }
    Ok(target)
}

async fn may_reach(from: &Url, target: &Url) -> bool {
    match hosts::reach(target).await {
        Reach::Public => true,
        Reach::LinkLocal => hosts::reach(from).await == Reach::LinkLocal,
        Reach::Loopback => hosts::reach(from).await == Reach::Loopback,
        Reach::Private => matches!(hosts::reach(from).await, Reach::Private | Reach::Loopback),
    }
}

/// Whether credentials for the registry at `base` may be sent to its token service.
///
/// # Errors
/// [`Problem::Redirect`]: plain http to another host, unless that is this machine or named by the operator.
pub(super) fn check_realm(base: &Url, realm: &Url, named: &Named) -> Result<(), Problem> {
    let fine = realm.scheme() == "https"
        || hosts::same_origin(base, realm)
        || named.plain(realm)
        || hosts::is_loopback(realm.host_str().unwrap_or_default());
    if fine {
        return Ok(());
    }
    Err(Problem::Redirect {
        target: super::error::clean(strip_query(realm.as_str())),
        reason: "credentials do not go over plain http to another host",
    })
}

/// Where an upload session lives. A registry behind a TLS proxy often names itself with http: that stays on https.
pub(super) async fn upload(base: &Url, location: &str, named: &Named) -> Result<Url, Problem> {
    if let Ok(mut url) = base.join(location)
        && url.scheme() == "http"
        && base.scheme() == "https"
        && url.host() == base.host()
    {
        let moved = url.set_scheme("https").is_ok() && url.set_port(base.port()).is_ok();
        if moved {
            return Ok(url);
        }
    }
    check(base, location, named).await
}

fn strip_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    async fn verdict(from: &str, to: &str) -> Result<String, &'static str> {
        match check(&url(from), to, &Named::default()).await {
            Ok(url) => Ok(url.to_string()),
            Err(Problem::Redirect { reason, target }) => {
                assert!(!target.contains("secret"), "{target}");
                Err(reason)
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn redirects_never_go_down_inward_or_elsewhere_than_http() {
        for (from, to) in [
            ("https://8.8.8.8/v2/", "http://8.8.4.4/x?sig=secret"),
            ("https://8.8.8.8/v2/", "https://169.254.169.254/latest/meta-data"),
            ("https://8.8.8.8/v2/", "https://127.0.0.1:6443/"),
            ("https://8.8.8.8/v2/", "https://localhost/"),
            ("https://8.8.8.8/v2/", "https://10.0.0.1/"),
            ("https://8.8.8.8/v2/", "https://[::ffff:10.0.0.1]/"),
            ("http://10.0.0.1/v2/", "http://127.0.0.1/"),
            ("http://127.0.0.1:5000/v2/", "http://169.254.169.254/"),
            ("https://8.8.8.8/v2/", "file:///etc/passwd"),
            ("https://8.8.8.8/v2/", "https://u:secret@8.8.4.4/"),
            ("https://8.8.8.8/v2/", "https://[bad"),
        ] {
            assert!(verdict(from, to).await.is_err(), "{from} -> {to}");
        }
        for (from, to) in [
            ("https://8.8.8.8/v2/", "https://8.8.4.4/blob?sig=1"),
            ("https://8.8.8.8/v2/a", "b"),
            ("http://10.0.0.1/v2/", "http://10.0.0.2/"),
            ("http://127.0.0.1:1/v2/", "http://127.0.0.1:2/"),
            ("http://127.0.0.1:1/v2/", "http://192.168.1.1/"),
        ] {
            assert!(verdict(from, to).await.is_ok(), "{from} -> {to}");
        }
    }

    #[tokio::test]
    async fn a_host_that_the_operator_named_may_be_reached() {
        let named = Named { plain: HashSet::from(["10.0.0.1:9000".to_owned()]), insecure: HashSet::new() };
        assert!(check(&url("https://8.8.8.8/v2/"), "http://10.0.0.1:9000/x", &named).await.is_ok());
        assert!(check(&url("https://8.8.8.8/v2/"), "http://10.0.0.1:9001/x", &named).await.is_err());
    }

    #[test]
    fn credentials_go_to_another_host_over_https_only() {
        let none = Named::default();
        let base = url("https://registry.example/v2/");
        assert!(check_realm(&base, &url("https://auth.example/token"), &none).is_ok());
        assert!(check_realm(&base, &url("http://auth.example/token"), &none).is_err());
        assert!(check_realm(&base, &url("http://127.0.0.1:1/token"), &none).is_ok());
        let plain = url("http://registry.example:5000/v2/");
        assert!(check_realm(&plain, &url("http://registry.example:5000/token"), &none).is_ok());
        assert!(check_realm(&plain, &url("http://registry.example:5001/token"), &none).is_err());
    }

    #[tokio::test]
    async fn an_upload_location_on_the_same_host_stays_on_https() {
        let base = url("https://registry.example:8443/v2/");
        let named = Named::default();
        let moved = upload(&base, "http://registry.example/v2/a/blobs/uploads/1?s=2", &named).await.unwrap();
        assert_eq!(moved.as_str(), "https://registry.example:8443/v2/a/blobs/uploads/1?s=2");
        let relative = upload(&base, "/v2/a/blobs/uploads/1", &named).await.unwrap();
        assert_eq!(relative.as_str(), "https://registry.example:8443/v2/a/blobs/uploads/1");
    }
}
