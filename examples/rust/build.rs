fn main() {
    println!("cargo:rerun-if-changed=c");
    cc::Build::new().file("c/adler32.c").include("c").warnings(true).compile("adler32");
}
