//! The fields of `--output`, and annotations, as they are read.

use std::path::PathBuf;

use platform_db::Platform;

use crate::report::Report;
use xx_build_export::{Annotation, AnnotationLevel, Compression, ImageOptions};
use xx_build_frontend::oci::reference::Reference;

/// The fields of an output as they are read.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) dest: Option<PathBuf>,
    pub(super) tar: Option<bool>,
    pub(super) split: Option<bool>,
    pub(super) delete: Option<bool>,
    pub(super) names: Vec<String>,
    pub(super) options: ImageOptions,
    compressed: bool,
    /// `push=`.
    pub(super) push: Option<bool>,
    /// A field that says how an image is pushed, or kept where this program keeps none.
    kept: Option<&'a str>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(record: &'a [String]) -> Result<Self, String> {
        let mut fields = Self::default();
        for field in record {
            let (name, value) = field.split_once('=').ok_or_else(|| format!("`{field}` has no `=`"))?;
            let lower = name.trim().to_ascii_lowercase();
            let boolean = || value.parse::<bool>().map_err(|_| format!("`{value}` is not true or false"));
            let options = &mut fields.options;
            match lower.as_str() {
                "type" => fields.kind = Some(value),
                "dest" => fields.dest = Some(PathBuf::from(value)),
                "tar" => fields.tar = Some(boolean()?),
                "platform-split" => fields.split = Some(boolean()?),
                "mode" => match value.trim().to_lowercase().as_str() {
                    "" | "copy" => fields.delete = Some(false),
                    "delete" => fields.delete = Some(true),
                    _ => return Err(format!("`mode={value}` is not `copy` or `delete`")),
                },
                "name" => {
                    for name in value.split(',') {
                        fields.names.push(full_name(name)?);
                    }
                }
                "push" => fields.push = Some(boolean()?),
                "push-by-digest" | "registry.insecure" | "unpack" | "store" | "name-canonical" => {
                    boolean()?;
                    fields.kept = Some(name);
                }
                "dangling-name-prefix" => fields.kept = Some(name),
                "compression" => {
                    fields.compressed = true;
                    options.compression = match value {
                        "uncompressed" => Compression::Uncompressed,
                        "gzip" => Compression::Gzip,
                        "zstd" => Compression::Zstd,
                        _ => return Err(format!("`{value}` is not `gzip`, `zstd` or `uncompressed`")),
                    };
                }
                "compression-level" => {
                    fields.compressed = true;
                    let level = value.parse::<i32>().map_err(|_| format!("`{value}` is no level"))?;
                    options.level = Some(level);
                }
                "force-compression" => options.force_compression = boolean()?,
                "rewrite-timestamp" => options.rewrite_timestamp = boolean()?,
                "source-date-epoch" => {
                    options.epoch =
                        Some(value.parse().map_err(|_| format!("`{value}` is no time in seconds"))?);
                }
                "oci-mediatypes" => options.docker_types = !boolean()?,
                _ => match annotation_field(name) {
                    Some(key) => options.annotations.push(annotation(key, value)?),
                    None => return Err(format!("unknown field `{name}`")),
                },
            }
        }
        // Docker's types have no name for it that all engines know; BuildKit does the same.
        fields.options.docker_types &= fields.options.compression != Compression::Zstd;
        Ok(fields)
    }

    /// Whether the image is to be pushed: a registry is told so by its type.
    pub(super) fn is_pushed(&self) -> bool {
        self.push.unwrap_or(self.kind == Some("registry"))
    }

    /// Fields that only an image in a registry or in an engine's own store has.
    pub(super) fn kept_field(&self) -> Option<&str> {
        self.kept.or(self.push.map(|_| "push"))
    }

    /// Fields that only images have.
    pub(super) fn image_field(&self) -> Option<&'static str> {
        let options = &self.options;
        [
            (self.compressed || options.force_compression, "compression"),
            (!options.annotations.is_empty(), "annotation"),
            (options.rewrite_timestamp, "rewrite-timestamp"),
            (options.docker_types, "oci-mediatypes"),
            (!self.names.is_empty(), "name"),
            (self.tar.is_some(), "tar"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

/// The full name of an image: engines that load it look for that.
pub(super) fn full_name(text: &str) -> Result<String, String> {
    let reference = Reference::parse(text.trim()).map_err(|error| error.to_string())?;
    if reference.digest.is_some() {
        return Err(format!("`{text}`: the digest is what the build finds out: leave `@sha256:...` out"));
    }
    Ok(reference.with_default_tag().to_string())
}

/// `annotation`, `annotation-index`, `annotation-manifest[linux/amd64]`, each with `.KEY` behind it: the level
/// with its platform, and the key.
fn annotation_field(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("annotation")?;
    // A platform holds no dot before the bracket ends.
    let end = rest.find(']').map_or(0, |end| end + 1);
    let dot = end + rest.get(end..)?.find('.')?;
    Some((rest.get(..dot)?.trim_start_matches('-'), rest.get(dot + 1..)?))
}

/// An annotation on `manifest`, `index`, `manifest-descriptor` or `index-descriptor`, perhaps `[PLATFORM]`.
fn annotation((level, key): (&str, &str), value: &str) -> Result<Annotation, String> {
    let (name, platform) = match level.split_once('[') {
        Some((name, rest)) => {
            (name, Some(rest.strip_suffix(']').ok_or_else(|| format!("`{level}` has no `]`"))?))
        }
        None => (level, None),
    };
    let level = match name {
        "" | "manifest" => AnnotationLevel::Manifest,
        "manifest-descriptor" => AnnotationLevel::ManifestDescriptor,
        "index" => AnnotationLevel::Index,
        "index-descriptor" => AnnotationLevel::IndexDescriptor,
        _ => return Err(format!("an annotation cannot be on `{name}`")),
    };
    let platform: Option<Platform> =
        platform.map(|text| text.parse().map_err(|error| format!("{error}"))).transpose()?;
    if key.is_empty() {
        return Err("an annotation has no key".to_owned());
    }
    Ok(Annotation { level, platform, key: key.to_owned(), value: value.to_owned() })
}

/// Reads `--annotation [LEVEL[PLATFORM],...:]KEY=VALUE`.
pub(super) fn annotations(texts: &[String]) -> Result<Vec<Annotation>, Report> {
    let mut out = vec![];
    for text in texts {
        let bad = |problem: String| {
            Report::new(format!("`--annotation {text}`: {problem}"))
                .hint("write `KEY=VALUE`, `index:KEY=VALUE` or `manifest[linux/amd64]:KEY=VALUE`")
        };
        let (name, value) = text.split_once('=').ok_or_else(|| bad("it has no `=`".to_owned()))?;
        let levels = ["manifest", "index"];
        let (places, key) = name
            .split_once(':')
            .filter(|(places, _)| levels.iter().any(|level| places.starts_with(level)))
            .unwrap_or(("", name));
        for place in places.split(',') {
            out.push(annotation((place, key), value).map_err(bad)?);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_read() {
        use AnnotationLevel::{Index, IndexDescriptor, Manifest, ManifestDescriptor};
        let arm: Platform = "linux/arm64".parse().expect("a platform");
        type Case = (&'static str, &'static [(AnnotationLevel, bool)], &'static str);
        let cases: &[Case] = &[
            ("org.example.a=b", &[(Manifest, false)], "org.example.a"),
            ("index:a=b", &[(Index, false)], "a"),
            ("index,manifest[linux/arm64]:a=b", &[(Index, false), (Manifest, true)], "a"),
            (
                "manifest-descriptor[linux/arm64],index-descriptor:a=b",
                &[(ManifestDescriptor, true), (IndexDescriptor, false)],
                "a",
            ),
            ("a:c=b", &[(Manifest, false)], "a:c"),
        ];
        for (text, levels, key) in cases {
            let expected: Vec<Annotation> = levels
                .iter()
                .map(|(level, limited)| Annotation {
                    level: *level,
                    platform: limited.then(|| arm.clone()),
                    key: (*key).to_owned(),
                    value: "b".to_owned(),
                })
                .collect();
            assert_eq!(annotations(&[(*text).to_owned()]), Ok(expected), "{text}");
        }
        for text in ["a", "index:=b", "manifest[linux/amd64:a=b", "manifest[nosuch/x]:a=b", "index-x:a=b"] {
            assert!(annotations(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}
