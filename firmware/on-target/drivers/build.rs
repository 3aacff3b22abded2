//! Gives the linker its scripts.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The attribute asks for it.
    println!("cargo::rustc-check-cfg=cfg(rust_analyzer)");
    println!("cargo:rustc-link-arg-tests=-Tlink.x");
    println!("cargo:rustc-link-arg-tests=-Tdefmt.x");
    println!("cargo:rustc-link-arg-tests=-Tembedded-test.x");
    println!("cargo:rustc-link-arg-tests=--nmagic");
}
