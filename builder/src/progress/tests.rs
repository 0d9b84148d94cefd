use std::time::{Duration, Instant};

use super::*;
use xx_build_engine::Stream;

/// What is shown of these events, each at a time in milliseconds. Times of lines are left out.
fn shown(detail: Detail, events: &[(u64, usize, Event<'_>)]) -> String {
    let mut state = Plain::new(Vec::new(), detail, true).state.into_inner().expect("no panic");
    let begun = Instant::now();
    for (after, number, event) in events {
        let now = begun + Duration::from_millis(*after);
        match detail {
            Detail::Plain => state.plain(*number, event, now),
            Detail::Quiet => state.quiet(*number, event, now),
        }
        .expect("written to memory");
    }
    let timeless = |line: &str| {
        let mut words: Vec<&str> = line.split(' ').collect();
        if words.get(1).is_some_and(|word| word.parse::<f64>().is_ok()) {
            words.remove(1);
        }
        words.join(" ")
    };
    let text = String::from_utf8(state.out).expect("text");
    text.lines().map(timeless).collect::<Vec<_>>().join("\n")
}

fn started(name: &str) -> Event<'_> {
    Event::Started { name }
}

fn says(text: &str) -> Event<'_> {
    Event::Output { stream: Stream::Out, bytes: text.as_bytes() }
}

fn done() -> Event<'static> {
    Event::Finished { after: Duration::from_millis(1500) }
}

fn one_step(detail: Detail, end: Event<'_>) -> String {
    let events = [
        (0, 1, Event::Cached { name: "[1/2] FROM debian" }),
        (0, 2, started("[2/2] RUN make")),
        (0, 2, says("one\ntw")),
        (0, 2, says("o\n10%\r20%\nlast")),
        (0, 2, end),
    ];
    shown(detail, &events)
}

#[test]
fn plain_shows_every_line() {
    let expected = "#1 [1/2] FROM debian\n#1 CACHED\n\n#2 [2/2] RUN make\n#2 one\n#2 two\n#2 20%\n#2 last\n";
    let failed = Event::Failed { after: Duration::ZERO, error: "`make` exited with code 2\nmore" };
    assert_eq!(one_step(Detail::Plain, done()), format!("{expected}#2 DONE 1.5s"));
    assert_eq!(one_step(Detail::Plain, failed), format!("{expected}#2 ERROR: `make` exited with code 2"));
    assert_eq!(one_step(Detail::Plain, Event::Canceled), format!("{expected}#2 CANCELED"));
}

#[test]
fn quiet_shows_only_what_a_failed_step_printed() {
    let failed = Event::Failed { after: Duration::ZERO, error: "exited" };
    assert_eq!(one_step(Detail::Quiet, done()), "");
    assert_eq!(one_step(Detail::Quiet, Event::Canceled), "");
    assert_eq!(one_step(Detail::Quiet, failed), "[2/2] RUN make\none\ntwo\n20%\nlast");
}

#[test]
fn lines_of_steps_are_not_mixed() {
    let events = [
        (0, 1, started("a")),
        (0, 2, started("b")),
        (1, 1, says("a1\n")),
        (2, 2, says("b1\n")),
        (3, 1, says("a2\n")),
        (4, 2, says("b2\n")),
        (5, 3, Event::Cached { name: "c" }),
        (6, 1, says("a3\n")),
        (7, 1, done()),
        (8, 2, done()),
    ];
    let expected = "\
#1 a
#1 a1
#1 a2
#1 ...

#3 c
#3 CACHED

#2 b
#2 b1
#2 b2
#2 ...

#1 a
#1 a3
#1 DONE 1.5s

#2 b
#2 DONE 1.5s";
    assert_eq!(shown(Detail::Plain, &events), expected);
}

#[test]
fn nobody_is_hidden_for_long() {
    let late = [
        (0, 1, started("a")),
        (0, 2, started("b")),
        (1000, 2, says("b1\n")),
        (4000, 1, says("a1\n")),
        (6000, 2, says("b2\n")),
        (6100, 1, says("a2\n")),
    ];
    assert_eq!(shown(Detail::Plain, &late), "#1 a\n#1 a1\n#1 ...\n\n#2 b\n#2 b1\n#2 b2");
    let silent =
        [(0, 1, started("a")), (0, 2, started("b")), (1000, 1, says("a1\n")), (10_500, 1, says("a2\n"))];
    assert_eq!(shown(Detail::Plain, &silent), "#1 a\n#1 a1\n#1 a2\n#1 ...\n\n#2 b");
}

#[test]
fn a_terminal_is_not_commanded() {
    let events =
        [(0, 1, started("RUN \x1b[2Jx")), (0, 1, says("\x1b]0;title\x07\x1b[31mred\n")), (0, 1, done())];
    assert_eq!(shown(Detail::Plain, &events), "#1 RUN x\n#1 \x1b[31mred\x1b[0m\n#1 DONE 1.5s");
}

#[test]
fn work_outside_the_graph_is_shown_as_a_step() {
    let plain = Plain::new(Vec::new(), Detail::Plain, false);
    plain.show(4, &Event::Cached { name: "x" });
    assert_eq!(plain.task("exporting", || Ok::<_, ()>(5)), Ok(5));
    assert_eq!(plain.task("exporting", || Err::<(), _>(())), Err(()));
    let text = String::from_utf8(plain.state.into_inner().expect("no panic").out).expect("text");
    assert_eq!(text, "#4 x\n#4 CACHED\n\n#5 exporting\n#5 DONE 0.0s\n\n#6 exporting\n#6 ERROR\n");
}
