// SPDX-License-Identifier: MIT
//! Find libspscring: in the folder that `SPSCRING_LIB_DIR` names, or by pkg-config.
//!
//! `SPSCRING_STATIC=1` links the static library.

use std::env;
use std::process::Command;

/// The folders that pkg-config names; none if the linker searches the library's folder anyway.
fn by_pkg_config() -> Vec<String> {
    let out = Command::new("pkg-config").args(["--libs-only-L", "spscring"]).output();
    match out {
        Ok(out) if out.status.success() => String::from_utf8_lossy(&out.stdout)
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("-L"))
            .map(str::to_owned)
            .collect(),
        _ => {
            // the linker may know better than a machine without pkg-config
            println!(
                "cargo:warning=libspscring is not found by pkg-config: install it \
                 (make -C tools/lib install, or libspscring-dev), \
                 or name its folder in SPSCRING_LIB_DIR"
            );
            Vec::new()
        }
    }
}

fn main() {
    for name in ["SPSCRING_LIB_DIR", "SPSCRING_STATIC", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    let folders = match env::var("SPSCRING_LIB_DIR") {
        Ok(dir) => vec![dir],
        Err(_) => by_pkg_config(),
    };
    for dir in folders {
        println!("cargo:rustc-link-search=native={dir}");
    }
    let kind = if env::var_os("SPSCRING_STATIC").is_some() { "static" } else { "dylib" };
    println!("cargo:rustc-link-lib={kind}=spscring");
}
