//! What paths and patterns stand for in small trees.

use super::*;

/// Hides what ends in `.hid`, and all of `none`; of `some` it shows only `some/**/kept`.
#[derive(Debug)]
struct Hides;

impl Filter for Hides {
    fn look(&self, path: &Path, is_directory: bool) -> Visibility {
        let kept = path.starts_with("some") && !path.ends_with("kept");
        if path.extension().is_some_and(|extension| extension == "hid") || path.starts_with("none") {
            Visibility::Hide
        } else if kept && is_directory {
            Visibility::Enter
        } else if kept {
            Visibility::Hide
        } else {
            Visibility::Show
        }
    }
}

fn tree(place: &Path, filter: bool) -> Tree {
    for directory in ["real/deep", "some/full", "some/empty", "none", "lib"] {
        std::fs::create_dir_all(place.join(directory)).unwrap();
    }
    for file in ["real/f", "real/deep/g", "some/full/kept", "some/empty/lost", "none/f", "lib/z.1.2", "x.hid"]
    {
        std::fs::write(place.join(file), file).unwrap();
    }
    for (link, target) in [
        ("dir", "real"),
        ("file", "real/f"),
        ("broken", "nowhere"),
        ("lib/z.1", "z.1.2"),
        ("lib/z", "z.1"),
        ("hidden", "x.hid"),
        ("through", "hop.hid/f"),
        ("hop.hid", "real"),
        ("top", "/"),
        ("out", "../../../real/f"),
    ] {
        std::os::unix::fs::symlink(target, place.join(link)).unwrap();
    }
    std::os::unix::net::UnixListener::bind(place.join("socket")).unwrap();
    let directory = std::fs::File::open(place).unwrap();
    let filter = filter.then(|| Arc::new(Hides) as Arc<dyn Filter>);
    Tree::context(directory.into(), filter)
}

/// Name and resolved path of what is found, and what is missing, a link with `->`.
fn said(matches: &Matches) -> (Vec<String>, String) {
    let shown = |found: &Match| match found.path() == Path::new(&found.name) {
        true => found.name.display().to_string(),
        false => format!("{}={}", found.name.display(), found.path().display()),
    };
    let missing = matches.missing.as_ref().map(|missing| {
        let why = match missing.why {
            Absence::Nothing => "",
            Absence::Dangling => " ->",
            Absence::NoDirectory => " is no directory",
        };
        format!("{}{why}", missing.path.display())
    });
    (matches.found.iter().map(shown).collect(), missing.unwrap_or_default())
}

#[test]
fn paths_and_patterns_lead_to_files() {
    // (path, found, missing); in a context without an ignore file.
    let cases: &[(&str, &[&str], &str)] = &[
        ("/real/f", &["f=real/f"], ""),
        ("dir", &["dir=real"], ""),
        ("dir/deep/", &["deep=real/deep"], ""),
        ("out", &["out=real/f"], ""),
        ("top", &["top="], ""),
        ("nowhere", &[], "nowhere"),
        ("broken", &[], "broken ->"),
        ("broken/x", &[], "broken/x"),
        ("real/f/x", &[], "real/f/x"),
        ("socket", &[], "socket"),
        // Links that a pattern matches are followed, with their own names.
        ("d?r", &["dir=real"], ""),
        ("fil*", &["file=real/f"], ""),
        ("lib/z.?", &["z.1=lib/z.1.2"], ""),
        ("lib/z*", &["z=lib/z.1.2", "z.1=lib/z.1.2", "z.1.2=lib/z.1.2"], ""),
        ("br*", &[], "broken ->"),
        ("[bf]*", &["file=real/f"], "broken ->"),
        // Those in front of the first wild card are, too, and those behind it are not.
        ("dir/[f]", &["f=real/f"], ""),
        ("di*/f", &[], ""),
        ("rea*/f", &["f=real/f"], ""),
        ("s*t", &[], ""),
        ("*.none", &[], ""),
        ("real/*.none", &[], ""),
        ("nowhere/*", &[], "nowhere"),
        ("real/f/*", &[], "real/f is no directory"),
        ("broken/*", &[], "broken ->"),
    ];
    let place = tempfile::tempdir().unwrap();
    let shown = tree(place.path(), false);
    for (path, found, missing) in cases {
        let matches = shown.matches(path, true, true).unwrap();
        let expected = (found.iter().map(|&name| name.to_owned()).collect(), (*missing).to_owned());
        assert_eq!(said(&matches), expected, "{path}");
    }
    let links = shown.matches("lib/z*", true, false).unwrap();
    assert_eq!(said(&links).0, ["z=lib/z", "z.1=lib/z.1", "z.1.2=lib/z.1.2"], "links are left as they are");
}

#[test]
fn what_is_hidden_is_not_there() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("x.hid", &[], "x.hid"),
        ("hidden", &[], "hidden ->"),
        ("hid*", &[], "hidden ->"),
        // A hidden link on the way.
        ("through", &[], "through ->"),
        ("hop.hid/f", &[], "hop.hid/f"),
        ("none/f", &[], "none/f"),
        ("none/*", &[], "none"),
        ("non*", &[], ""),
        // Only entered: there if something in it is.
        ("some", &["some"], ""),
        ("som?", &["some"], ""),
        ("some/full", &["full=some/full"], ""),
        ("some/empty", &[], "some/empty"),
        ("some/*", &["full=some/full"], ""),
        ("some/empty/*", &[], "some/empty"),
    ];
    let place = tempfile::tempdir().unwrap();
    let shown = tree(place.path(), true);
    for (path, found, missing) in cases {
        let matches = shown.matches(path, true, true).unwrap();
        let expected = (found.iter().map(|&name| name.to_owned()).collect(), (*missing).to_owned());
        assert_eq!(said(&matches), expected, "{path}");
    }
}

#[test]
fn walks_reach_what_is_selected() {
    let place = tempfile::tempdir().unwrap();
    let shown = tree(place.path(), false);
    let everything = &shown.matches("/", false, true).unwrap().found[0];
    let cases: &[(&str, &str, bool)] = &[
        ("real/f", "", true),
        ("real", "", true),
        // Links on the way are not followed.
        ("dir/f", "", false),
        ("dir", "", true),
        ("", "", true),
        ("real", "real", false),
        ("real", "real/f", true),
        ("real/f", "real/f", false),
        ("rea", "", false),
    ];
    for (wanted, excluded, reached) in cases {
        let select = |path: &Path, _: bool| match !excluded.is_empty() && path.starts_with(excluded) {
            true => Visibility::Hide,
            false => Visibility::Show,
        };
        assert_eq!(
            shown.reaches(everything, &select, Path::new(wanted)).unwrap(),
            *reached,
            "{wanted} {excluded}"
        );
    }
}
