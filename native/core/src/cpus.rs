//! How many CPUs this process may use.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::Instant;

/// CPUs by affinity mask and cgroup quota, at least 1. Both may change while the process runs, and asking means reading files:
/// the answer is kept for a second.
pub fn usable_cpus() -> usize {
    static START: OnceLock<Instant> = OnceLock::new();
    static KEPT: AtomicU64 = AtomicU64::new(0);
    // Second and answer in one number, so that they always belong together; 0 is no answer yet.
    let second = START.get_or_init(Instant::now).elapsed().as_secs() << 32;
    let kept = KEPT.load(Ordering::Relaxed);
    if kept as u32 != 0 && kept >> 32 == second >> 32 {
        return kept as u32 as usize;
    }
    let count = available_parallelism().map_or(1, usize::from);
    KEPT.store(second | count as u64, Ordering::Relaxed);
    count
}
