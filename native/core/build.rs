//! Compiles the C side of codec/jpeg.rs against the libjpeg-turbo that turbojpeg-sys built, and notes versions.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=csrc/jpeg.c");
    println!("cargo:rerun-if-changed=../Cargo.lock");
    let include = std::env::var("DEP_TURBOJPEG_INCLUDE").expect("turbojpeg-sys tells where its headers are");
    cc::Build::new().file("csrc/jpeg.c").includes(include.split(',')).warnings(true).extra_warnings(true).compile("pixstore_jpeg");
    let libjpeg = libjpeg_version(&include).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=LIBJPEG_TURBO_VERSION={libjpeg}");
    for name in ["libdeflater", "libwebp-sys", "lz4_flex", "qoi", "twox-hash", "zstd-sys"] {
        let variable = format!("{}_VERSION", name.to_uppercase().replace('-', "_"));
        println!("cargo:rustc-env={variable}={}", locked_version(name).unwrap_or_else(|| "unknown".into()));
    }
}

fn libjpeg_version(include: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new(include.split(',').next()?).join("jconfig.h")).ok()?;
    let line = text.lines().find(|line| line.contains("define LIBJPEG_TURBO_VERSION "))?;
    Some(line.split_whitespace().last()?.to_owned())
}

fn locked_version(name: &str) -> Option<String> {
    let text = std::fs::read_to_string("../Cargo.lock").ok()?;
    let (_, rest) = text.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    Some(rest.split('"').next()?.to_owned())
}
