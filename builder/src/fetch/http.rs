//! Single files from http and https URLs.
//!
//! A file that was fetched before is asked for with the marks its server gave it then, and read again only if
//! it changed. With a checksum that is known to be right nothing is asked at all.
//! Not here: names and modes that the file gets in a result.

use std::io::Read as _;

use thiserror::Error;
use ureq::tls::{RootCerts, TlsConfig};

use crate::lower::without_secrets;
use crate::oci::digest::Digest;
use crate::store::{BlobWriter, Download, Store, StoreError};

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
    /// An answer, but not the file.
    #[error("`{url}` answers with status {status}")]
    Status {
        /// The URL, without what may be secret in it.
        url: String,
        /// The status code.
        status: u16,
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
            Self::Status { .. } => {
                Some("does the URL work in a browser? Only what is open to everybody can be fetched")
            }
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

/// Asking a server, which may take without end.
pub type Question = Box<dyn FnOnce() -> Result<Answer, HttpError> + Send>;

/// Does what is asked, and answers `None` when the build ends first; the question may then still be under way.
pub type Wait<'a> = &'a dyn Fn(Question) -> Option<Result<Answer, HttpError>>;

/// The URL without user, password, query and fragment.
fn shown(url: &str) -> String {
    without_secrets(url.split(['?', '#']).next().unwrap_or(url))
}

/// Fetches `url` into the store, unless it is there and the same; `checksum` is what it must be.
///
/// # Errors
/// When the server does not give the file, or gives another one.
pub fn download(
    store: &Store,
    url: &str,
    checksum: Option<&Digest>,
    wait: Wait<'_>,
) -> Result<Download, HttpError> {
    let known = store.download(url)?;
    if let (Some(known), Some(checksum)) = (&known, checksum)
        && known.digest == *checksum
    {
        return Ok(known.clone());
    }
    let content = store.blob_writer()?;
    let question: Question = {
        let (url, known) = (url.to_owned(), known.clone());
        Box::new(move || ask(&url, known.as_ref(), content))
    };
    let answer = wait(question).ok_or_else(|| HttpError::Cancelled { url: shown(url) })??;
    let download = match (answer, known) {
        (Answer::Unchanged, Some(known)) => known,
        (Answer::Unchanged, None) => return Err(HttpError::Status { url: shown(url), status: 304 }),
        (Answer::File { etag, modified, content }, _) => {
            let (digest, _) = store.finish_blob(content, None)?;
            let download = Download { etag, modified, digest };
            store.set_download(url, &download)?;
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
fn ask(url: &str, known: Option<&Download>, mut content: BlobWriter) -> Result<Answer, HttpError> {
    let failed =
        |error: &dyn std::fmt::Display| HttpError::Failed { url: shown(url), reason: error.to_string() };
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(std::time::Duration::from_secs(30)))
        .user_agent("xx-build")
        .tls_config(tls)
        .build()
        .into();
    let mut request = agent.get(url);
    if let Some(known) = known {
        for (name, value) in [("if-none-match", &known.etag), ("if-modified-since", &known.modified)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
    }
    let response = request.call().map_err(|error| failed(&error))?;
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
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0_u8; 128 * 1024];
    loop {
        let count = body.read(&mut buffer).map_err(|error| failed(&error))?;
        if count == 0 {
            return Ok(Answer::File { etag, modified, content });
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        std::io::Write::write_all(&mut content, bytes).map_err(StoreError::writing_blob)?;
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
    use super::*;

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
