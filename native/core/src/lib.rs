//! Reads, checks, decodes and encodes whole batches of images in threads. Knows no Python, no engine, no store.

pub mod batch;
pub mod checksum;
pub mod codec;
pub mod cpus;
pub mod error;
pub mod info;
pub mod load;
pub mod pool;
pub mod source;
pub mod view;
