//! Reads, checks, decodes and encodes whole batches of images in threads. Knows no Python, no engine, no store.

pub mod batch;
pub mod checksum;
pub mod codec;
pub mod cpus;
pub mod error;
pub mod examine;
pub mod files;
pub mod info;
pub mod ingest;
pub mod load;
mod maps;
pub mod pool;
pub mod source;
pub mod view;
