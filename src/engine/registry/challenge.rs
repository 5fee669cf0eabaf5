//! Parses `WWW-Authenticate` (RFC 9110, 11.6.1): several headers, several challenges in one, quoted and bare values.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// One way to authenticate that a server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Lower case: `bearer`, `basic`.
    pub(super) scheme: String,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// A parameter by its lower-case name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// All challenges of an answer, in order.
pub(super) fn parse(headers: &HeaderMap) -> Vec<Challenge> {
    let mut all = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        if let Ok(text) = value.to_str() {
            parse_one(text, &mut all);
        }
    }
    all
}

fn parse_one(text: &str, all: &mut Vec<Challenge>) {
    let mut rest = text.trim_start_matches([' ', ',', '\t']);
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c == ',' || c.is_whitespace()).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        let after = tail.trim_start();
        rest = match after.strip_prefix('=') {
            Some(value) if !word.is_empty() => {
                let (value, tail) = read_value(value.trim_start());
                if let Some(challenge) = all.last_mut() {
                    challenge.params.push((word.to_ascii_lowercase(), value));
                }
                tail
            }
            // A stray `=`: padding of a token68, which no registry scheme here uses.
            Some(tail) => tail,
            None => {
                all.push(Challenge { scheme: word.to_ascii_lowercase(), params: Vec::new() });
                after
            }
        };
        rest = rest.trim_start_matches([' ', ',', '\t']);
    }
}

fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(values: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        parse(&headers)
    }

    #[test]
    fn one_header_or_many_give_the_same_challenges() {
        let bearer = r#"Bearer realm="https://auth.example/token",service="reg, istry",scope="repository:a/b:pull,push""#;
        let both = all(&["Basic realm=x", bearer]);
        assert_eq!(both, all(&[&format!("Basic realm=x, {bearer}")]));
        assert_eq!(both[0].scheme, "basic");
        assert_eq!(both[1].get("realm"), Some("https://auth.example/token"));
        assert_eq!(both[1].get("service"), Some("reg, istry"));
        assert_eq!(both[1].get("scope"), Some("repository:a/b:pull,push"));
    }

    #[test]
    fn odd_headers_neither_panic_nor_loop() {
        assert_eq!(all(&["Negotiate", "Basic"]).len(), 2);
        assert_eq!(all(&["bearer REALM = \"x\\\"y\" , a=b"])[0].get("realm"), Some("x\"y"));
        for odd in ["", ",,,", "=", "a==", "Bearer realm=\"open", "\"", "Bearer =x", "NTLM TlRM== , Basic"] {
            let _ = all(&[odd]);
        }
    }
}
