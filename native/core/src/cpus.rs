//! How many CPUs this process may use.

use std::thread::available_parallelism;

/// CPUs by affinity mask and cgroup quota, at least 1. Asked anew each time: both may change while the process runs.
pub fn usable_cpus() -> usize {
    available_parallelism().map_or(1, usize::from)
}
