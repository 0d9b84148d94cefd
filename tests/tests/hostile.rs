//! A hostile step and a hostile author of a Dockerfile: what they try against other results and against who builds.

use std::process::Command;

use integration_tests::{Built, Kit, Place, has_one_uid, run, skipped};

fn place(case: &str) -> Option<Place> {
    Kit::find(case).map(Place::new)
}

/// Sends an open file or directory to whoever listens at a socket, or takes one there.
const PASS: &str = r#"use Socket; my ($way, $path, $what) = @ARGV;
my ($send, $take) = `uname -m` =~ /aarch64/ ? (211, 212) : (46, 47);
our ($byte, $control) = ("x", pack("QllLx4", 20, 1, 1, 0));
our $slice = pack("PQ", $byte, 1);
sub message { pack("QLx4PQPQLx4", 0, 0, $slice, 1, $control, length $control, 0) }
socket(S, AF_UNIX, SOCK_STREAM, 0) or die; $| = 1;
if ($way eq "send") {
  open(F, $what =~ m{/$} ? "<" : "+>", $what) or die "$what: $!";
  for (1..600) { last if connect(S, sockaddr_un($path)); die "nobody listens" if $_ == 600; select(undef, undef, undef, 0.05) }
  $control = pack("QllLx4", 20, 1, 1, fileno F);
  my $message = message(); syscall($send, fileno S, $message, 0) == 1 or die $!;
  exit;
}
bind(S, sockaddr_un("$path.new")) or die $!; listen(S, 1); rename("$path.new", $path); accept(A, S) or die $!;
my $message = message(); syscall($take, fileno A, $message, 0) == 1 or die $!;
my $got = (unpack("QllL", $control))[3];
if ($way eq "keep") { print "kept\n"; sleep 1000 }
my $made = 0;
for (1..6000) {
  if (open(N, ">", "/proc/self/fd/$got/made$made")) { $made++; close N }
  elsif ($!{EROFS}) { print "$made were made\n"; exit }
  else { die $! }
  select(undef, undef, undef, 0.01);
}
print "never refused\n";
"#;

/// A step hands an open directory, or a file, on to another step, through a socket in a cache mount. The process that has it
/// outlives the step; the result must not change any more.
#[test]
fn what_a_step_hands_on_changes_no_result() {
    let case = "what_a_step_hands_on_changes_no_result";
    let Some(place) = place(case) else { return };
    place.write("pass", PASS);
    let runtime = !has_one_uid() && run("runc", &["--version"]).is_some();
    if !runtime {
        skipped(case, "the part with runc: it is missing, or there is one uid");
    }
    for options in [&["--no-cache"][..], &["--no-cache", "--oci-runtime", "runc"]] {
        if options.len() > 1 && !runtime {
            continue;
        }
        let stages = |way: &str, what: &str, last: &str| {
            let mount = "--mount=type=cache,target=/c,id=meeting";
            format!(
                "FROM debian AS base\nCOPY pass /\nRUN {mount} rm -f /c/*\n\
                 FROM base AS one\nRUN {mount} perl /pass send /c/s {what} && touch /own\n\
                 FROM base AS two\nRUN {mount} perl /pass {way} /c/s\n\
                 FROM one\nCOPY --from=two /pass /two\nRUN {last}\n"
            )
        };
        place.write("Dockerfile", &stages("fill", "/", "echo $(ls -d /made* /own | wc -l) are there"));
        let built = place.build_well(options);
        let number = |end: &str| {
            let lines = built.stderr.lines().filter_map(|line| line.strip_suffix(end)?.rsplit(' ').next());
            lines.filter_map(|number| number.parse::<u32>().ok()).next()
        };
        let (made, there) = (number(" were made"), number(" are there"));
        assert!(made.is_some_and(|made| there == Some(made + 1)), "{made:?} {there:?}: {}", built.stderr);
        // A file that is open for writing can be changed whatever becomes of the rest.
        place.write("Dockerfile", &stages("keep", "/file", "cat /file"));
        place.build(options).assert_error(&["Dockerfile:5", "still open elsewhere", "hint: "]);
    }
    assert_eq!(place.mounts(), [""; 0]);
}

/// Every name that an author chooses, with what a terminal would obey: nothing of it arrives there, and a pipe gets all.
#[test]
fn names_do_not_command_a_terminal() {
    let case = "names_do_not_command_a_terminal";
    let Some(place) = place(case) else { return };
    if run("script", &["--version"]).is_none() {
        return skipped(case, "`script` is not installed");
    }
    // A title for the window, a cleared screen, C1 controls and a turned direction.
    let evil = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}3J\u{202e}";
    // As a name of a file: a `[` would be a pattern.
    let file = evil.replace('[', "(");
    let dockerfile = format!(
        "ARG FREE{evil}=1\nARG X=\"{evil}\"\nFROM debian AS One\nLABEL a=\"{evil}\" \nENV B \"{evil}\"\nWORKDIR r{evil}\n\
         COPY f{file} /g{file}\nRUN --mount=type=cache,target=/c{evil} printf 'said {evil}\\n' # {evil}\n\
         FROM one AS two\nARG evil=\"{evil}\"\nRUN echo ${{evil}} $NONE\n"
    );
    place.write("Dockerfile", &dockerfile);
    place.write(&format!("f{file}"), "");
    let commands: &[&[&str]] = &[
        &["--no-cache"],
        &["--check"],
        &["--call=outline"],
        &["--call=targets"],
        &["--call=targets,format=json"],
        &["--print=plan"],
        &["--print=llb"],
        &["--target", evil],
        &["--build-arg", &format!("{evil}=1"), "--no-cache"],
        &["--platform", evil],
        &["--build-context", &format!("x=oci-layout://{evil}")],
        &["--output", &format!("type={evil}")],
    ];
    let mut shown = Vec::new();
    for arguments in commands {
        shown.push((arguments.join(" "), on_terminal(&place, &place.command(arguments))));
    }
    for instruction in [
        format!("FROM {evil}"),
        format!("FROM debian\n{evil} x"),
        format!("FROM debian\nCOPY no{evil} /"),
        "FROM debian\nCOPY [\"a\\u001b[2J\\nhint: b\", \"/\"]".to_owned(),
        format!("FROM debian\nUSER no{evil}\nRUN true"),
        format!("FROM debian\nRUN [\"/no{evil}\"]"),
        format!("FROM debian\nRUN --mount=type=secret,id=s{evil},required true"),
        format!("FROM debian\nRUN echo '{evil}' >&2; exit 3"),
        format!("FROM debian\nCOPY --from={evil} / /"),
        format!("# check=skip={evil};error=true\nFROM debian\nRUN true"),
        format!("# syntax=x/{evil}\nFROM debian\nRUN true"),
    ] {
        place.write("Dockerfile", &instruction);
        shown.push((instruction.clone(), on_terminal(&place, &place.command(&["--no-cache"]))));
    }
    for arguments in [&["du", "--verbose"][..], &["prune", "--all", "--force"]] {
        #[expect(clippy::disallowed_methods, reason = "starts xx-build")]
        let mut command = Command::new(&place.kit().xx_build);
        command.args(arguments).arg("--store").arg(place.path("store"));
        shown.push((arguments.join(" "), on_terminal(&place, &command)));
    }
    for (what, text) in &shown {
        assert!(text.len() > 20, "{what}: {text:?}");
        for sign in ["\u{1b}]", "\u{1b}[2J", "\u{9b}", "\u{9d}", "\u{7}", "\u{202e}"] {
            assert!(!text.contains(sign), "{what}: {sign:?} in {text:?}");
        }
    }
    place.write("Dockerfile", &dockerfile);
    let built = place.build_well(&["--no-cache"]);
    assert!(built.stderr.contains(&format!("said {evil}")), "{:?}", built.stderr);
}

/// What a command shows when its output is a terminal.
#[expect(clippy::disallowed_methods, clippy::expect_used, reason = "starts xx-build in a terminal")]
fn on_terminal(place: &Place, command: &Command) -> String {
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"));
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    script.current_dir(&place.directory).stdin(std::process::Stdio::null());
    Built::of(script.output().expect("script starts")).stdout
}
