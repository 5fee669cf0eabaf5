//! Compiles the wire descriptions of the runtimes in pure Rust: nobody who builds this needs protoc.

use std::error::Error;
use std::path::Path;

/// Where they lie; each says which version its numbers are of.
const DIR: &str = "src/engine/runtime/proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={DIR}");
    let mut files = Vec::new();
    for entry in Path::new(DIR).read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    let set = protox::compile(&files, [DIR])?;
    // Data of blobs is handed on, not copied.
    tonic_prost_build::configure()
        .build_server(false)
        .bytes(".")
        .include_file("runtimes.rs")
        .compile_fds(set)?;
    Ok(())
}
