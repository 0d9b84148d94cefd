//! `--output`: what form the result takes, and where it goes.

use std::path::PathBuf;

use crate::engine::PlatformResult;
use crate::export::{self, Form};
use crate::report::Report;
use crate::store::{Store, is_disk_full};

/// One place for the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// Files in a directory.
    Local { dest: PathBuf, split: Option<bool> },
    /// An OCI layout.
    Oci { dest: PathBuf, form: Form },
    /// Nothing: the result stays in the store.
    CacheOnly,
}

impl Output {
    /// Reads `DIR` or `type=...,dest=...`.
    pub(super) fn parse(text: &str) -> Result<Self, Report> {
        let bad = |problem: String| {
            Report::new(format!("`--output {text}`: {problem}"))
                .hint("write `DIR`, `type=local,dest=DIR`, `type=oci,dest=FILE` or `type=cacheonly`")
        };
        if !text.contains('=') {
            return Ok(Self::Local { dest: PathBuf::from(text), split: None });
        }
        let (mut kind, mut dest, mut tar, mut split) = (None, None, true, None);
        for field in text.split(',') {
            let (name, value) = field.split_once('=').ok_or_else(|| bad(format!("`{field}` has no `=`")))?;
            let boolean =
                || value.parse::<bool>().map_err(|_| bad(format!("`{value}` is not true or false")));
            match name {
                "type" => kind = Some(value),
                "dest" => dest = Some(PathBuf::from(value)),
                "tar" => tar = boolean()?,
                "platform-split" => split = Some(boolean()?),
                _ => return Err(bad(format!("unknown field `{name}`"))),
            }
        }
        let dest = || dest.ok_or_else(|| bad("`dest=` is missing".to_owned()));
        match kind {
            Some("local") => Ok(Self::Local { dest: dest()?, split }),
            Some("oci") => {
                Ok(Self::Oci { dest: dest()?, form: if tar { Form::Tar } else { Form::Directory } })
            }
            Some("cacheonly") => Ok(Self::CacheOnly),
            Some(other) => Err(bad(format!("output type `{other}` is not supported yet"))),
            None => Err(bad("`type=` is missing".to_owned())),
        }
    }

    /// Writes the results there; returns a line that says what was written.
    pub(super) fn write(
        &self,
        store: &Store,
        results: &[PlatformResult],
        tags: &[String],
        epoch: Option<i64>,
    ) -> Result<String, Report> {
        let failed = |error: export::ExportError| {
            let full = is_disk_full(&error);
            let report = Report::new(error);
            if full {
                report.hint("the disk is full: free some space; the destination is as it was")
            } else {
                report
            }
        };
        match self {
            Self::Local { dest, split } => {
                export::write_files(store, results, dest, split.unwrap_or(results.len() > 1))
                    .map_err(failed)?;
                Ok(format!("files written to `{}`", dest.display()))
            }
            Self::Oci { dest, form } => {
                let image = export::assemble(store, results, epoch).map_err(failed)?;
                export::write_layout(store, &image, tags, dest, *form).map_err(failed)?;
                Ok(format!("image {} written to `{}`", image.root.digest, dest.display()))
            }
            Self::CacheOnly => Ok("no output: the result stays in the store".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read() {
        let dest = PathBuf::from("d");
        let cases = [
            ("d", Output::Local { dest: dest.clone(), split: None }),
            (
                "type=local,dest=d,platform-split=false",
                Output::Local { dest: dest.clone(), split: Some(false) },
            ),
            ("type=oci,dest=d", Output::Oci { dest: dest.clone(), form: Form::Tar }),
            ("type=oci,dest=d,tar=false", Output::Oci { dest, form: Form::Directory }),
            ("type=cacheonly", Output::CacheOnly),
        ];
        for (text, expected) in cases {
            assert_eq!(Output::parse(text), Ok(expected), "{text}");
        }
        for text in [
            "type=oci",
            "type=local",
            "dest=d",
            "type=tar,dest=d",
            "type=oci,dest=d,x=y",
            "type=oci,dest=d,tar=7",
        ] {
            assert!(Output::parse(text).is_err(), "{text}");
        }
    }
}
