//! Threads: a team of helpers for each process, who join a call's work when they are awake in time.

use std::any::Any;
use std::collections::VecDeque;
use std::hint::spin_loop;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Thread, current, park, yield_now};
use std::time::{Duration, Instant};

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

/// The threads of this process that wait for work.
#[derive(Default)]
struct Team {
    queue: Mutex<Queue>,
    work_has_come: Condvar,
    /// How many jobs the queue has, to be seen without its lock.
    jobs: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Arc<Job>>,
    threads: usize,
    asleep: usize,
}

/// How long a helper looks out for the next call before it sleeps: loaders call again and again, and waking takes as long as a small
/// batch. While it waits it lets others have the CPU.
const AWAKE: Duration = Duration::from_micros(300);

static TEAM: PerProcess<Team> = PerProcess::new();

impl Team {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ask for helpers; where the system refuses threads there are fewer, or none.
    fn call(&'static self, job: &Arc<Job>, helpers: usize) {
        let mut queue = self.queue();
        queue.jobs.retain(|job| !job.is_closed());
        while queue.threads < helpers {
            let name = format!("pixstore-{}", queue.threads);
            if Builder::new().name(name).spawn(|| self.serve()).is_err() {
                break;
            }
            queue.threads += 1;
        }
        queue.jobs.extend(std::iter::repeat_n(job, helpers).cloned());
        self.jobs.store(queue.jobs.len(), Ordering::Release);
        for _ in 0..queue.asleep.min(helpers) {
            self.work_has_come.notify_one();
        }
    }

    fn take(&self, queue: &mut Queue) -> Option<Arc<Job>> {
        let job = queue.jobs.pop_front();
        self.jobs.store(queue.jobs.len(), Ordering::Release);
        job
    }

    fn serve(&self) {
        loop {
            let start = Instant::now();
            while self.jobs.load(Ordering::Acquire) == 0 && start.elapsed() < AWAKE {
                yield_now();
            }
            let mut queue = self.queue();
            let job = loop {
                if let Some(job) = self.take(&mut queue) {
                    break job;
                }
                queue.asleep += 1;
                queue = self.work_has_come.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.asleep -= 1;
            };
            drop(queue);
            job.help();
        }
    }
}

/// Work that helpers join for as long as its caller is at it. The caller does not wait for a helper that has not yet begun: where the
/// CPUs are busy that would take longer than the work.
struct Job {
    work: *const (dyn Fn() + Sync),
    /// CLOSED, and HELPER for each helper that is at work.
    state: AtomicUsize,
    has_panicked: AtomicBool,
    caller: Thread,
}

// SAFETY: the work may be called from any thread, and `help` says why it is still there.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

const CLOSED: usize = 1;
const HELPER: usize = 2;

impl Job {
    /// Do the work in the calling thread and up to `helpers` more; return when none is at it any more.
    fn run(work: &(dyn Fn() + Sync), helpers: usize) {
        // SAFETY: only the lifetime changes; `finish` returns after the last use, also where the caller's own part panics.
        let work: &'static (dyn Fn() + Sync) = unsafe { std::mem::transmute(work) };
        let job = Arc::new(Job { work, state: AtomicUsize::new(0), has_panicked: AtomicBool::new(false), caller: current() });
        TEAM.get().call(&job, helpers);
        let own = catch_unwind(AssertUnwindSafe(work));
        job.finish();
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!job.has_panicked.load(Ordering::Relaxed), "a helping thread has panicked");
    }

    fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) & CLOSED != 0
    }

    fn help(&self) {
        let enter = |state: usize| (state & CLOSED == 0).then_some(state + HELPER);
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, enter).is_err() {
            return;
        }
        // SAFETY: the caller stays in `run` while a helper that entered before it closed the job is at work.
        let work = unsafe { &*self.work };
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            self.has_panicked.store(true, Ordering::Relaxed);
        }
        if self.state.fetch_sub(HELPER, Ordering::AcqRel) == CLOSED + HELPER {
            self.caller.unpark();
        }
    }

    /// Let no more helpers in, and wait for those who are.
    fn finish(&self) {
        // About as long as the system takes to wake a thread.
        const SPINS: usize = 2000;
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
        for spin in 0.. {
            if self.state.load(Ordering::Acquire) == CLOSED {
                return;
            }
            if spin < SPINS { spin_loop() } else { park() }
        }
    }
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
pub const LARGEST_CHUNK: usize = 1024;

/// Run `work` over `0..count` in contiguous ranges of at most `largest` that idle threads take one after the other; the calling thread
/// works too.
pub fn run_ranges(count: usize, threads: usize, largest: usize, work: impl Fn(Range<usize>) + Sync) {
    let threads = thread_count(threads, count);
    if threads == 1 {
        return work(0..count);
    }
    let chunk = count.div_ceil(threads * CHUNKS_PER_THREAD).clamp(1, largest);
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
    Job::run(&take_ranges, threads - 1);
}

/// Turn a panic into an error; our own faults must not end the process that trains.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::corrupt(format!("internal error: {}", panic_text(&panic)))))
}

fn panic_text(panic: &Box<dyn Any + Send>) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown")
}
