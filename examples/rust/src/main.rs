//! Prints the Adler-32 of files, or of standard input. The sum itself is C.

use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;

mod c {
    extern "C" {
        pub fn adler32_update(adler: u32, bytes: *const u8, length: usize) -> u32;
    }
}

fn update(adler: u32, bytes: &[u8]) -> u32 {
    // SAFETY: the function reads `length` bytes from the pointer and keeps nothing.
    unsafe { c::adler32_update(adler, bytes.as_ptr(), bytes.len()) }
}

fn sum(mut input: impl Read) -> io::Result<u32> {
    let mut buffer = [0; 1 << 16];
    let mut adler = 1;
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(adler),
            size => adler = update(adler, &buffer[..size]),
        }
    }
}

fn main() -> ExitCode {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names.push("-".to_owned());
    }
    let mut code = ExitCode::SUCCESS;
    for name in names {
        let adler =
            if name == "-" { sum(io::stdin().lock()) } else { File::open(&name).and_then(sum) };
        match adler {
            Ok(adler) => println!("{adler:08x}  {name}"),
            Err(error) => {
                eprintln!("adler: {name}: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

#[test]
fn example_of_the_encyclopedias() {
    assert_eq!(sum(&b"Wikipedia"[..]).unwrap(), 0x11e6_0398);
}
