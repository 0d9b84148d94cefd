//! `# syntax=`: which front end a file asks for, and whether that is the one built in here.
//!
//! The image `docker/dockerfile` of Docker Hub, or of a host that mirrors it, is BuildKit's own front end, whose language
//! is read here. Any other image is a program that nothing here can run yet.

use super::diagnostic::Diagnostic;
use super::directive;
use crate::source_text::{SourceText, Span};

/// The newest version of `docker/dockerfile` whose language is read here.
const NEWEST: (u32, u32) = (1, 27);

/// Images of BuildKit's front end: the releases, and what is built between them.
const RELEASED: &str = "docker/dockerfile";
const BETWEEN: &str = "docker/dockerfile-upstream";

/// What names a front end besides the file itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrontEnd {
    /// `BUILDKIT_SYNTAX`: takes the place of the file's `# syntax=`.
    pub asked: Option<String>,
    /// Hosts, perhaps with a folder, that hold what `docker.io` holds.
    pub mirrors: Vec<String>,
}

/// A front end image, taken apart.
struct Named<'a> {
    image: &'a str,
    name: &'a str,
    tag: &'a str,
    digest: bool,
}

impl<'a> Named<'a> {
    fn parse(image: &'a str) -> Self {
        let (rest, digest) = image.split_once('@').map_or((image, false), |(rest, _)| (rest, true));
        // A colon before the last slash belongs to the host.
        let (name, tag) = rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((rest, ""));
        Self { image, name, tag, digest }
    }
}

impl FrontEnd {
    fn find(&self, source: &SourceText) -> Option<(String, Span)> {
        let (value, span) = match &self.asked {
            Some(asked) => (asked.clone(), Span::default()),
            None => directive::find_syntax(source).map(|syntax| (syntax.value, syntax.span))?,
        };
        Some((value.split_whitespace().next().unwrap_or_default().to_owned(), span))
    }

    /// The name without Docker Hub's host, or a mirror's.
    fn on_hub<'n>(&self, name: &'n str) -> &'n str {
        let hosts =
            ["docker.io", "index.docker.io"].into_iter().chain(self.mirrors.iter().map(String::as_str));
        let below = |host: &str| name.strip_prefix(host.trim_end_matches('/'))?.strip_prefix('/');
        hosts.into_iter().find_map(below).unwrap_or(name)
    }

    /// Refuses a file that asks for another front end.
    pub(super) fn refusal(&self, source: &SourceText) -> Option<Diagnostic> {
        let (image, span) = self.find(source)?;
        let name = Named::parse(&image).name;
        if matches!(self.on_hub(name), RELEASED | BETWEEN | "dockerfile.v0") {
            return None;
        }
        let host = [RELEASED, BETWEEN].iter().find_map(|known| name.strip_suffix(known)?.strip_suffix('/'));
        let hint = match host {
            Some(host) => format!(
                "if `{host}` mirrors docker.io, say so in config.toml: `syntax-mirrors = [\"{host}\"]`"
            ),
            None => "the built-in one reads docker/dockerfile files; others are planned, see docs/dockerfile-to-llb.md#other-front-ends".to_owned(),
        };
        Some(Diagnostic::error(span, format!("the front end `{image}` is not supported")).hint(hint))
    }

    /// What the built-in front end may lack of the one that the file asks for.
    #[must_use]
    pub fn doubt(&self, source: &SourceText) -> Option<Diagnostic> {
        let (image, span) = self.find(source)?;
        let named = Named::parse(&image);
        let why = if named.tag.ends_with("labs") {
            "what only the labs channel has, such as `RUN --device`, is refused".to_owned()
        } else if version(named.tag).is_some_and(|version| version > NEWEST) {
            format!("it knows the language up to {}.{}", NEWEST.0, NEWEST.1)
        } else if self.on_hub(named.name) == BETWEEN && version(named.tag).is_none() {
            format!("it knows the language up to {}.{}, and no later development", NEWEST.0, NEWEST.1)
        } else if named.digest {
            "no image is run, whatever the digest".to_owned()
        } else {
            return None;
        };
        let message = format!("the built-in front end reads this file in place of `{}`: {why}", named.image);
        Some(Diagnostic::warning("OtherFrontEnd", span, message))
    }
}

/// The first two numbers of a tag; a tag of one number means the newest release of it.
fn version(tag: &str) -> Option<(u32, u32)> {
    let mut parts = tag.split(['.', '-']).map(|part| part.parse().ok());
    let major = parts.next().flatten()?;
    Some((major, parts.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_ends() {
        let mirrors = ["mirror.example:5000/hub/", "cache.example"].map(str::to_owned).to_vec();
        let known = FrontEnd { asked: None, mirrors };
        let digest = format!("sha256:{}", "0".repeat(64));
        // What is asked for; whether it is the built-in one; what is in doubt.
        let cases = [
            ("docker/dockerfile", true, ""),
            ("docker/dockerfile:1", true, ""),
            ("docker/dockerfile:1.27", true, ""),
            ("docker/dockerfile:1.4.3-experimental", true, ""),
            ("docker.io/docker/dockerfile:latest", true, ""),
            ("dockerfile.v0", true, ""),
            ("docker/dockerfile:1.28", true, "up to 1.27"),
            ("docker/dockerfile:2", true, "up to 1.27"),
            ("docker/dockerfile:1.28.0-rc1", true, "up to 1.27"),
            ("docker/dockerfile:1-labs", true, "`RUN --device`"),
            ("docker/dockerfile:labs", true, "`RUN --device`"),
            ("docker/dockerfile-upstream:master", true, "no later development"),
            ("docker/dockerfile-upstream:1.4", true, ""),
            ("docker/dockerfile:1@DIGEST", true, "whatever the digest"),
            ("mirror.example:5000/hub/docker/dockerfile:1.7", true, ""),
            ("cache.example/docker/dockerfile@DIGEST", true, "whatever the digest"),
            ("mirror.example:5000/docker/dockerfile:1", false, ""),
            ("cache.example.org/docker/dockerfile:1", false, ""),
            ("other:5000/docker/dockerfile:1", false, ""),
            ("docker/dockerfile-x:1", false, ""),
            ("example.com/front:1", false, ""),
        ];
        for (image, built_in, doubt) in cases {
            let image = image.replace("DIGEST", &digest);
            let asked = FrontEnd { asked: Some(image.clone()), ..known.clone() };
            let text = SourceText::new("Dockerfile", format!("# syntax={image}\nFROM scratch\n").as_str());
            for (front_end, source) in [(&known, &text), (&asked, &SourceText::new("Dockerfile", "FROM a\n"))]
            {
                assert_eq!(front_end.refusal(source).is_none(), built_in, "{image}");
                let said = front_end.doubt(source).map(|warning| warning.message);
                assert!(
                    !built_in
                        || said
                            .as_ref()
                            .map_or(doubt.is_empty(), |said| !doubt.is_empty() && said.contains(doubt)),
                    "{image}: {said:?}"
                );
            }
        }
        let text = SourceText::new("Dockerfile", "# syntax=other:5000/docker/dockerfile:1\nFROM scratch\n");
        let hint = known.refusal(&text).and_then(|problem| problem.hint).unwrap_or_default();
        assert!(hint.contains("`syntax-mirrors = [\"other:5000\"]`"), "{hint}");
    }
}
