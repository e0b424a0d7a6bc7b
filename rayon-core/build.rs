//! Nothing to build. A package that claims to link something must have a build script, and the claim is what keeps two
//! packages of this name, and with them two global pools, out of one program.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
