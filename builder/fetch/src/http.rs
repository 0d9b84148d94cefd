//! Single files from http and https URLs.
//!
//! A file that was fetched before is asked for with the marks its server gave it then, and read again only if
//! it changed. With a checksum that is known to be right nothing is asked at all. What a server has to be shown to give
//! the file goes to that host alone: a redirect to another one, or from https to http, takes it away.
//! Not here: names and modes that the file gets in a result.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use ureq::Timeout;
use ureq::config::RedirectAuthHeaders;
use ureq::http::HeaderValue;
use ureq::tls::{RootCerts, TlsConfig};

use xx_build_frontend::lower::without_secrets;
use xx_build_frontend::oci::digest::Digest;
use xx_build_store::{BlobWriter, Download, Store, StoreError};

/// Why a URL could not be used.
#[derive(Debug, Error)]
pub enum HttpError {
    /// No answer.
    #[error("cannot fetch `{url}`: {reason}")]
    Failed {
        /// The URL, without what may be secret in it.
        url: String,
        /// What the client said.
        reason: String,
    },
    /// The server accepts the question, or begins to answer, and then says nothing more.
    #[error("`{url}`: its server has said nothing for {} seconds", silence.as_secs_f32())]
    Silent {
        /// The URL, without what may be secret in it.
        url: String,
        /// For how long.
        silence: Duration,
    },
    /// An answer, but not the file.
    #[error("`{url}` answers with status {status}")]
    Status {
        /// The URL, without what may be secret in it.
        url: String,
        /// The status code.
        status: u16,
    },
    /// A secret that no header can hold.
    #[error("the secret for `{url}` is no value of a header")]
    Authorization {
        /// The URL, without what may be secret in it.
        url: String,
    },
    /// The file is another one than the checksum says.
    #[error("`{url}` has digest {found}, expected {expected}")]
    Checksum {
        /// The URL, without what may be secret in it.
        url: String,
        /// What came.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The build ended first.
    #[error("`{url}`: the download was cancelled")]
    Cancelled {
        /// The URL, without what may be secret in it.
        url: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HttpError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Failed { .. } => Some("is the URL right, and its server reached from this machine?"),
            Self::Silent { .. } => Some("try again later; or fetch the file by other means, and `COPY` it"),
            Self::Status { status: 401 | 403 | 404, .. } => Some(
                "what is not open to everybody takes `--secret id=HTTP_AUTH_TOKEN_HOST,env=VARIABLE`, or `HTTP_AUTH_HEADER_HOST` for a whole `Authorization` header; HOST without its port",
            ),
            Self::Status { .. } => Some("does the URL work in a browser?"),
            Self::Authorization { .. } => Some("a header is one line of text without control characters"),
            Self::Checksum { .. } => Some("the file has changed: if it was meant to, write the new digest"),
            Self::Cancelled { .. } | Self::Store(_) => None,
        }
    }
}

/// What a server answers.
#[derive(Debug)]
pub enum Answer {
    /// The file is what it was.
    Unchanged,
    /// Another file: its marks, and its content.
    File {
        /// `ETag`; may be empty.
        etag: String,
        /// `Last-Modified`; may be empty.
        modified: String,
        /// All of it.
        content: BlobWriter,
    },
}

/// How far a download is; looked at while it is under way.
#[derive(Debug, Default)]
pub struct Transfer {
    received: AtomicU64,
    total: AtomicU64,
}

impl Transfer {
    /// One that is so far, of so many bytes; of 0 when nobody knows.
    #[must_use]
    pub fn new(received: u64, total: u64) -> Self {
        Self { received: received.into(), total: total.into() }
    }

    /// Bytes of the file that have come, and how many there are, if the server has said so.
    #[must_use]
    pub fn bytes(&self) -> (u64, Option<u64>) {
        let total = self.total.load(Ordering::Relaxed);
        (self.received.load(Ordering::Relaxed), (total > 0).then_some(total))
    }
}

/// A server that says nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Asking a server, which may take without end.
pub type Question = Box<dyn FnOnce() -> Result<Answer, HttpError> + Send>;

/// Does what is asked, and answers `None` when the build ends first; the question may then still be under way.
pub type Wait<'a> = &'a dyn Fn(Question) -> Option<Result<Answer, HttpError>>;

/// The URL without user, password, query and fragment.
fn shown(url: &str) -> String {
    without_secrets(url.split(['?', '#']).next().unwrap_or(url))
}

/// A file on a server.
#[derive(Clone)]
pub struct Wanted {
    /// Where it is.
    pub url: String,
    /// Headers that may change what the server gives, such as `accept`.
    pub headers: Vec<(String, String)>,
    /// The `Authorization` header; secret.
    pub authorization: Option<String>,
    /// What it must be.
    pub checksum: Option<Digest>,
}

impl Wanted {
    /// The host of its URL, without a port, as names of secrets hold it.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        let (_, rest) = self.url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        let host = match host.strip_prefix('[') {
            Some(address) => address.split(']').next()?,
            None => host.split(':').next()?,
        };
        Some(host.to_owned()).filter(|host| !host.is_empty())
    }

    /// What the store remembers it by: whoever asks with other headers may be given something else.
    #[must_use]
    pub fn name(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("\n{name}: {value}"));
        self.url.clone() + &headers.collect::<String>()
    }
}

/// Fetches a file into the store, unless it is there and the same; `transfer` tells how far it is.
///
/// # Errors
/// When the server does not give the file, or gives another one.
pub fn download(
    store: &Store,
    wanted: &Wanted,
    wait: Wait<'_>,
    transfer: &Arc<Transfer>,
) -> Result<Download, HttpError> {
    let (url, checksum, name) = (wanted.url.as_str(), wanted.checksum.as_ref(), wanted.name());
    let known = store.download(&name)?;
    if let (Some(known), Some(checksum)) = (&known, checksum)
        && known.digest == *checksum
    {
        return Ok(known.clone());
    }
    let content = store.blob_writer()?;
    let question: Question = {
        let (wanted, known, transfer) = (wanted.clone(), known.clone(), Arc::clone(transfer));
        Box::new(move || ask(&wanted, known.as_ref(), content, (&transfer, SILENCE)))
    };
    let answer = wait(question).ok_or_else(|| HttpError::Cancelled { url: shown(url) })??;
    let download = match (answer, known) {
        (Answer::Unchanged, Some(known)) => known,
        (Answer::Unchanged, None) => return Err(HttpError::Status { url: shown(url), status: 304 }),
        (Answer::File { etag, modified, content }, _) => {
            let (digest, _) = store.finish_blob(content, None)?;
            let download = Download { etag, modified, digest };
            store.set_download(&name, &download)?;
            download
        }
    };
    match checksum {
        Some(expected) if *expected != download.digest => Err(HttpError::Checksum {
            url: shown(url),
            found: download.digest.to_string(),
            expected: expected.to_string(),
        }),
        _ => Ok(download),
    }
}

/// Asks for the file, or for what differs from the one that is `known`.
fn ask(
    wanted: &Wanted,
    known: Option<&Download>,
    mut content: BlobWriter,
    (transfer, silence): (&Transfer, Duration),
) -> Result<Answer, HttpError> {
    let url = wanted.url.as_str();
    let failed = |error: ureq::Error| {
        if matches!(error, ureq::Error::Timeout(Timeout::PerRead | Timeout::PerWrite)) {
            return HttpError::Silent { url: shown(url), silence };
        }
        HttpError::Failed { url: shown(url), reason: error.to_string() }
    };
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_resolve(Some(silence))
        .timeout_connect(Some(silence))
        .timeout_per_read(Some(silence))
        .timeout_per_write(Some(silence))
        .user_agent("xx-build")
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .tls_config(tls)
        .build()
        .into();
    let mut request = agent.get(url);
    for (name, value) in &wanted.headers {
        request = request.header(name, value);
    }
    if let Some(secret) = &wanted.authorization {
        let unusable = |_| HttpError::Authorization { url: shown(url) };
        let mut value = HeaderValue::from_str(secret).map_err(unusable)?;
        value.set_sensitive(true);
        request = request.header("authorization", value);
    }
    if let Some(known) = known {
        for (name, value) in [("if-none-match", &known.etag), ("if-modified-since", &known.modified)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
    }
    let response = request.call().map_err(failed)?;
    match response.status().as_u16() {
        304 => return Ok(Answer::Unchanged),
        200 => {}
        status => return Err(HttpError::Status { url: shown(url), status }),
    }
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (etag, modified) = (header("etag"), header("last-modified"));
    transfer.total.store(header("content-length").parse().unwrap_or(0), Ordering::Relaxed);
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0_u8; 128 * 1024];
    loop {
        let count = body.read(&mut buffer).map_err(|error| failed(ureq::Error::from(error)))?;
        if count == 0 {
            return Ok(Answer::File { etag, modified, content });
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        std::io::Write::write_all(&mut content, bytes).map_err(StoreError::writing_blob)?;
        transfer.received.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// The time of a `Last-Modified` header in seconds since 1970; 0 when there is none.
#[must_use]
pub fn modified_seconds(text: &str) -> i64 {
    parse_date(text).unwrap_or(0)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn parse_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let year: i64 = words.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut time = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (time.next()??, time.next()??, time.next()??);
    // Days since 1970 of the proleptic Gregorian calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use xx_build_rootfs::Owners;

    /// A server that says these words to whoever comes, and then nothing more, or closes.
    fn served(words: &'static str, closes: bool) -> Result<Answer, HttpError> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://user:secret@{}/file?key", listener.local_addr().expect("its number"));
        let (over, end) = std::sync::mpsc::channel::<()>();
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let _read = client.read(&mut [0; 4096]);
            client.write_all(words.as_bytes()).expect("said");
            // Until the question is answered, one way or the other.
            if !closes {
                let _over = end.recv();
            }
        });
        let store = tempfile::tempdir().expect("a directory");
        let store = Store::open(store.path(), 0, Owners::Real).expect("a store");
        let wanted = Wanted { url, headers: vec![], authorization: None, checksum: None };
        let content = store.blob_writer().expect("a file");
        let answer = ask(&wanted, None, content, (&Transfer::default(), Duration::from_millis(200)));
        drop(over);
        server.join().expect("served");
        answer
    }

    #[test]
    fn a_server_that_falls_silent_or_goes_is_an_error() {
        const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
        for (words, closes, expected) in [
            ("", false, "has said nothing for 0.2 seconds"),
            ("HTTP/1.1 200 OK\r\nContent-Le", false, "has said nothing for 0.2 seconds"),
            (HEAD, false, "has said nothing for 0.2 seconds"),
            (HEAD, true, "cannot fetch"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhelloworld", false, ""),
        ] {
            let answer = served(words, closes);
            let Err(error) = answer else {
                assert_eq!(expected, "", "{words:?}");
                continue;
            };
            let text = error.to_string();
            assert!(!expected.is_empty() && text.contains(expected), "{words:?}: {text}");
            assert!(error.hint().is_some() && !text.contains("secret") && !text.contains("key"), "{text}");
        }
    }

    #[test]
    fn dates_of_http() {
        let cases = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
            ("", 0),
            ("yesterday", 0),
            ("Sun, 06 Foo 1994 08:49:37 GMT", 0),
        ];
        for (text, seconds) in cases {
            assert_eq!(modified_seconds(text), seconds, "{text}");
        }
    }

    #[test]
    fn hosts_of_urls() {
        let cases = [
            ("https://example.com/a", Some("example.com")),
            ("http://user:a@example.com:8080?x", Some("example.com")),
            ("https://[::1]:8080/a@b", Some("::1")),
            ("https://host#@other", Some("host")),
            ("https:///a", None),
        ];
        for (url, host) in cases {
            let wanted = Wanted { url: url.to_owned(), headers: vec![], authorization: None, checksum: None };
            assert_eq!(wanted.host().as_deref(), host, "{url}");
        }
    }

    #[test]
    fn secrets_of_a_url_are_not_shown() {
        let cases = [
            ("https://user:token@host/a?key=1#x", "https://host/a"),
            ("http://host", "http://host"),
            ("https://host/a@b", "https://host/a@b"),
        ];
        for (url, expected) in cases {
            assert_eq!(shown(url), expected);
        }
    }
}
