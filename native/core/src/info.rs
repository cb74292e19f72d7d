//! What this build is made of.

/// Names and versions of the libraries that do the work.
pub const LIBRARIES: [(&str, &str); 7] = [
    ("libjpeg-turbo", env!("LIBJPEG_TURBO_VERSION")),
    ("libdeflater", env!("LIBDEFLATER_VERSION")),
    ("libwebp-sys", env!("LIBWEBP_SYS_VERSION")),
    ("lz4_flex", env!("LZ4_FLEX_VERSION")),
    ("qoi", env!("QOI_VERSION")),
    ("twox-hash", env!("TWOX_HASH_VERSION")),
    ("zstd-sys", env!("ZSTD_SYS_VERSION")),
];

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub const PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

/// The widest instructions that this machine offers and the code uses.
pub fn simd() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx2") {
            return "avx2";
        }
        if std::arch::is_x86_feature_detected!("sse4.1") {
            return "sse4.1";
        }
        "sse2"
    }
    #[cfg(target_arch = "aarch64")]
    {
        "neon"
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        "none"
    }
}
