//! Gives the linker its scripts.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-tests=-Tlink.x");
    println!("cargo:rustc-link-arg-tests=-Tdefmt.x");
    println!("cargo:rustc-link-arg-tests=--nmagic");
}
