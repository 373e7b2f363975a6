//! Requests to a hub: where credentials go, how far redirects are followed, how long one waits.

use std::env;
use std::io::Read;
use std::time::Duration;

use promptsrc_files::read_regular_text;
use ureq::Agent;
use ureq::http::Response;
use url::Url;

use super::body::Body;
use super::cache;
use super::error::FetchError;

/// Redirects that are followed.
const REDIRECTS: usize = 10;

/// A hub, and how to talk to it.
pub(super) struct Client {
    agent: Agent,
    endpoint: Url,
    token: Option<String>,
    patience: Duration,
}

/// The head of an answer, and its body.
pub(super) struct Answer {
    pub status: u16,
    /// What the hub says of the file, or else of the answer: `X-Linked-Etag` and `ETag`, without quotes.
    pub etag: Option<String>,
    /// Bytes of the whole file, where the hub says so.
    pub size: Option<u64>,
    /// First byte of a part of the file.
    pub first: u64,
    pub body: Body,
}

impl Client {
    /// According to the environment: `HF_ENDPOINT`, `HF_TOKEN` (or the file that `huggingface-cli login`
    /// writes), `HF_HUB_DOWNLOAD_TIMEOUT` in seconds.
    pub fn of_environment() -> Result<Self, FetchError> {
        let text = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let endpoint = text("HF_ENDPOINT").unwrap_or("https://huggingface.co".to_string());
        let seconds = match text("HF_HUB_DOWNLOAD_TIMEOUT") {
            None => 30,
            Some(value) => value
                .trim()
                .parse()
                .ok()
                .filter(|seconds| (1..=86_400).contains(seconds))
                .ok_or(FetchError::Timeout { value })?,
        };
        Self::new(&endpoint, token()?, Duration::from_secs(seconds))
    }

    pub fn new(
        endpoint: &str,
        token: Option<String>,
        patience: Duration,
    ) -> Result<Self, FetchError> {
        let invalid = || FetchError::Endpoint {
            value: endpoint.to_string(),
        };
        let mut url = Url::parse(endpoint.trim()).map_err(|_| invalid())?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        if !is_web || !url.username().is_empty() || url.password().is_some() {
            return Err(invalid());
        }
        // So that paths are joined to it and do not replace its last part.
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let agent = Agent::config_builder()
            .user_agent(concat!("promptsrc/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Followed here, where one knows which credentials may go along.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(patience))
            .timeout_connect(Some(patience))
            .timeout_send_request(Some(patience))
            .timeout_recv_response(Some(patience))
            .build();
        Ok(Self {
            agent: agent.into(),
            endpoint: url,
            token,
            patience,
        })
    }

    /// Asks the hub for a path, from byte `first` on.
    pub fn get(&self, path: &str, first: u64) -> Result<Answer, FetchError> {
        let mut url = self.endpoint.join(path).map_err(|_| FetchError::Redirect {
            to: path.to_string(),
        })?;
        let (mut etag, mut size) = (None, None);
        for _ in 0..=REDIRECTS {
            let response = self.request(&url, first)?;
            let header = |name: &str| response.headers().get(name)?.to_str().ok();
            // The first that says it is the hub; where it is stored is what comes after.
            etag = etag.or_else(|| header("x-linked-etag").map(unquoted));
            size = size.or_else(|| header("x-linked-size")?.parse().ok());
            let status = response.status().as_u16();
            if matches!(status, 301 | 302 | 303 | 307 | 308) {
                url = redirected(&url, header("location").unwrap_or_default())?;
                continue;
            }
            let range = header("content-range").and_then(part);
            let length = header("content-length").and_then(|length| length.parse().ok());
            let whole = match (status, range) {
                (206, Some((_, whole))) => whole,
                (206, None) => None,
                _ => length,
            };
            return Ok(Answer {
                status,
                etag: etag.or_else(|| header("etag").map(unquoted)),
                size: size.or(whole),
                first: range.map_or(0, |(first, _)| first),
                body: Body::new(reader(response), self.patience)
                    .map_err(|source| FetchError::Broken { source })?,
            });
        }
        Err(FetchError::Redirects { most: REDIRECTS })
    }

    fn request(&self, url: &Url, first: u64) -> Result<Response<ureq::Body>, FetchError> {
        let mut request = self.agent.get(url.as_str());
        if first > 0 {
            request = request.header("range", format!("bytes={first}-"));
        }
        // Not to another host, and not where everyone on the way can read it.
        if let Some(token) = &self.token
            && url.scheme() == "https"
            && url.origin() == self.endpoint.origin()
        {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.call().map_err(|source| FetchError::Request {
            host: url.host_str().unwrap_or_default().to_string(),
            source: Box::new(source),
        })
    }
}

fn reader(response: Response<ureq::Body>) -> impl Read + Send + 'static {
    response.into_body().into_reader()
}

/// Where a redirect leads.
fn redirected(from: &Url, location: &str) -> Result<Url, FetchError> {
    let refused = || FetchError::Redirect {
        to: location.chars().take(200).collect(),
    };
    let to = from.join(location).map_err(|_| refused())?;
    let is_web = match (from.scheme(), to.scheme()) {
        (_, "https") => true,
        // What was asked for in secret must not be answered in the clear.
        ("http", "http") => true,
        _ => false,
    };
    if location.is_empty() || !is_web || to.host().is_none() {
        return Err(refused());
    }
    Ok(to)
}

/// First byte and length of the whole, from `bytes 5-9/10`.
fn part(range: &str) -> Option<(u64, Option<u64>)> {
    let (span, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = span.split_once('-')?;
    Some((first.trim().parse().ok()?, whole.trim().parse().ok()))
}

fn unquoted(etag: &str) -> String {
    let etag = etag.trim();
    etag.strip_prefix("W/")
        .unwrap_or(etag)
        .trim_matches('"')
        .to_string()
}

/// The token of the environment, or of the file that `huggingface-cli login` writes.
fn token() -> Result<Option<String>, FetchError> {
    for variable in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        if let Some(value) = env::var_os(variable).filter(|value| !value.is_empty()) {
            return checked(variable, value.to_str().unwrap_or("\0")).map(Some);
        }
    }
    let path = match env::var_os("HF_TOKEN_PATH").filter(|path| !path.is_empty()) {
        Some(path) => path.into(),
        None => match cache::home(|name| env::var_os(name)) {
            Some(home) => home.join("token"),
            None => return Ok(None),
        },
    };
    match read_regular_text(&path, cache::LONGEST_SMALL) {
        Ok(text) if !text.trim().is_empty() => {
            checked(&path.display().to_string(), &text).map(Some)
        }
        // No such file: nobody has logged in.
        _ => Ok(None),
    }
}

fn checked(place: &str, token: &str) -> Result<String, FetchError> {
    let token = token.trim();
    if token.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(token.to_string());
    }
    Err(FetchError::Token {
        place: place.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_on_the_web_and_never_leave_tls() {
        let from = |url: &str| Url::parse(url).unwrap();
        for (start, location, end) in [
            ("https://a/b/c", "/d", Some("https://a/d")),
            ("https://a/b/c", "d?x=1", Some("https://a/b/d?x=1")),
            ("https://a/b", "https://c/d", Some("https://c/d")),
            ("http://a/b", "http://c/d", Some("http://c/d")),
            ("http://a/b", "https://c/d", Some("https://c/d")),
            ("https://a/b", "http://a/b", None),
            ("https://a/b", "file:///etc/passwd", None),
            ("http://a/b", "ftp://a/b", None),
            ("http://a/b", "", None),
        ] {
            let to = redirected(&from(start), location).ok();
            assert_eq!(to.as_ref().map(Url::as_str), end, "{start} {location}");
        }
    }

    #[test]
    fn an_endpoint_is_a_web_address_without_credentials() {
        let client = |endpoint: &str| Client::new(endpoint, None, Duration::from_secs(1));
        for endpoint in ["https://hub.example", "http://127.0.0.1:8080/mirror"] {
            assert!(client(endpoint).is_ok(), "{endpoint}");
        }
        for endpoint in ["", "hub", "file:///tmp", "ftp://a", "https://me:secret@hub"] {
            let found = client(endpoint).err();
            assert!(
                matches!(found, Some(FetchError::Endpoint { .. })),
                "{endpoint}"
            );
        }
        let client = client("https://hub.example/mirror").unwrap();
        let url = client.endpoint.join("a/b/resolve/c/config.json").unwrap();
        let expected = "https://hub.example/mirror/a/b/resolve/c/config.json";
        assert_eq!(url.as_str(), expected);
    }

    #[test]
    fn headers_are_understood() {
        assert_eq!(part("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(part("bytes 5-9/*"), Some((5, None)));
        for range in ["", "5-9/10", "bytes */10", "bytes -5/10", "bytes 5-9"] {
            assert_eq!(part(range), None, "{range}");
        }
        assert_eq!(unquoted("\"abc\""), "abc");
        assert_eq!(unquoted("W/\"abc\""), "abc");
        assert!(checked("HF_TOKEN", "hf_abc\n").is_ok());
        assert!(checked("HF_TOKEN", "hf_abc\r\nHost: evil").is_err());
    }
}
