//! Threads: pools of our own, one per process and thread count, never rayon's global one.

use std::any::Any;
use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::ThreadPool;

use crate::cpus::usable_cpus;
use crate::error::{Error, Result};

/// A value that belongs to one process. A child made by fork gets a new one: in its copy of the memory locks may be held by
/// threads that it does not have.
pub struct PerProcess<T: 'static> {
    current: AtomicPtr<(u32, T)>,
}

impl<T: Default + Send + Sync> PerProcess<T> {
    pub const fn new() -> Self {
        PerProcess { current: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The value of this process, made on first use. The parent's value is left as it is, unfreed: a fork costs one small leak.
    pub fn get(&self) -> &'static T {
        let process = std::process::id();
        loop {
            let current = self.current.load(Ordering::Acquire);
            // SAFETY: a non-null pointer comes from Box::leak below and is never freed.
            if let Some((owner, value)) = unsafe { current.as_ref::<'static>() }
                && *owner == process
            {
                return value;
            }
            let fresh = Box::into_raw(Box::new((process, T::default())));
            if self.current.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // SAFETY: `fresh` was made above and nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}

impl<T: Default + Send + Sync> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

type Pools = Mutex<HashMap<usize, Arc<ThreadPool>>>;

static POOLS: PerProcess<Pools> = PerProcess::new();

fn pool(workers: usize) -> Option<Arc<ThreadPool>> {
    let mut pools = POOLS.get().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.get(&workers) {
        return Some(pool.clone());
    }
    let name = |number| format!("pixstore-{number}");
    let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(workers).thread_name(name).build().ok()?);
    pools.insert(workers, pool.clone());
    Some(pool)
}

/// The thread count that `asked` stands for; 0 is all usable CPUs. Never more than is useful for `tasks` tasks.
pub fn thread_count(asked: usize, tasks: usize) -> usize {
    if tasks <= 1 {
        return 1;
    }
    let wanted = if asked == 0 { usable_cpus() } else { asked };
    wanted.min(tasks).clamp(1, 1024)
}

/// Chunks per thread: enough that a thread that met large images is not waited for.
const CHUNKS_PER_THREAD: usize = 16;
const LARGEST_CHUNK: usize = 1024;

/// Run `work` over `0..count` in contiguous ranges that idle threads take one after the other; the calling thread works too.
pub fn run_ranges(count: usize, threads: usize, work: impl Fn(Range<usize>) + Sync) {
    let threads = thread_count(threads, count);
    let pool = if threads > 1 { pool(threads - 1) } else { None };
    // Where the system refuses threads the calling one does it all.
    let Some(pool) = pool else {
        return work(0..count);
    };
    let chunk = count.div_ceil(threads * CHUNKS_PER_THREAD).clamp(1, LARGEST_CHUNK);
    let next = AtomicUsize::new(0);
    let take_ranges = || {
        loop {
            let start = next.fetch_add(chunk, Ordering::Relaxed);
            if start >= count {
                return;
            }
            work(start..count.min(start + chunk));
        }
    };
    pool.in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| take_ranges());
        }
        take_ranges();
    });
}

/// Turn a panic into an error; our own faults must not end the process that trains.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::corrupt(format!("internal error: {}", panic_text(&panic)))))
}

fn panic_text(panic: &Box<dyn Any + Send>) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown")
}
